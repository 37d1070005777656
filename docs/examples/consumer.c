// SPDX-License-Identifier: BSD-3-Clause

/* An offer engine's side of wirecue: a consumer group on the stream of triggers.
 *
 *   cc -o consumer consumer.c -lhiredis -ljansson
 *
 * Copy it, replace act(), keep the rest: docs/offer-engine.md says why each step is there. consumer.py
 * is the same program in Python; both may work in one group. Needs Redis 6.2, hiredis 0.14 or newer.
 *
 * What it promises: every trigger that is valid is acted on at least once; twice only if this program
 * dies, or loses Redis, between act() and the one step that marks and acknowledges it. The order of a
 * subject's triggers is kept as long as all of them come through one consumer (--share). */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE // strptime, timegm, vasprintf
#endif

#include "acks.h"
#include "holds.h"
#include "offer.h"
#include "settings.h"

#include <signal.h>
#include <unistd.h>

enum {
	KEEP_MS = 24 * 3600 * 1000, // a mark outlives its trigger by this: clocks differ
	PAUSE_MIN_MS = 200,
	PAUSE_MAX_MS = 30000,
};

enum outcome {
	OUTCOME_SHOWN,
	OUTCOME_ACCEPTED,
	OUTCOME_DECLINED,
	OUTCOME_IGNORED,
	OUTCOME_PENDING,
	OUTCOME_LATER, // not now: it comes again after --min-idle-ms, nothing of that subject overtakes it
	OUTCOME_FAILED, // it has had one of its --tries; afterwards it is parked
};
static const char *const outcome_names[] = {"shown", "accepted", "declined", "ignored", "pending"};

/* Replace this. Give offer->id to the system that sends: it can refuse what it has sent already,
 * which makes "at least once" exactly once. */
static enum outcome act(const struct offer *offer)
{
	if (printf("acted %s %s\n", offer->id, offer->type) < 0 || fflush(stdout) != 0)
		return OUTCOME_FAILED;
	return OUTCOME_SHOWN;
}

#define COUNTS \
	X(acted) \
	X(broken) \
	X(busy) \
	X(expired) \
	X(failed) \
	X(gaps) \
	X(not_meant) \
	X(parked) \
	X(postponed) \
	X(repeated) \
	X(trimmed)
#define X(name) COUNT_##name,
enum count { COUNTS COUNT_COUNT };
#undef X
#define X(name) #name,
static const char *const count_names[] = {COUNTS};
#undef X

struct consumer {
	struct settings set;
	struct connection at;
	char *stream, *group, *read_key; // owned
	struct holds holds;
	struct acks acks;
	bool is_alone, has_read_to, is_well;
	uint64_t read_to; // sequence of the last new entry, while we are alone in the group
	int64_t sweep_at_ms;
	unsigned long counts[COUNT_COUNT];
};

static volatile sig_atomic_t is_stopping;

static void stop(int signal_no)
{
	(void)signal_no;
	is_stopping = 1;
}

/* Count, and say why if there is a why. Never a subject: it may be somebody's number. */
static void count(struct consumer *c, enum count what, const char *entry_id, const char *why)
{
	c->counts[what]++;
	if (why != NULL)
		fprintf(stderr, "consumer: %s: entry %s: %s\n", count_names[what], entry_id, why);
}

/* How often the entry was handed out; 0 when it is not ours any more, -1 without Redis. */
static long long deliveries(struct consumer *c, const char *entry_id)
{
	redisReply *reply = ask(&c->at, "XPENDING %s %s %s %s 1 %s", c->stream, c->group, entry_id,
		entry_id, c->set.name);
	long long n = -1;

	if (reply != NULL)
		n = reply->elements == 1 && reply->element[0]->elements == 4
			? reply->element[0]->element[3]->integer
			: 0;
	freeReplyObject(reply);
	return n;
}

static bool drop_lost_holds(struct consumer *c)
{
	for (size_t i = c->holds.n_held; i-- > 0;) {
		const long long n = deliveries(c, c->holds.held[i].entry_id);

		if (n < 0)
			return false;
		if (n == 0)
			holds_forget_at(&c->holds, i);
	}
	return true;
}

/* --- one entry ------------------------------------------------------------------------------------ */

/* It is dealt with; what waits for it may go on. */
static bool let_go(struct consumer *c, const struct offer *offer, enum count what)
{
	count(c, what, offer->entry_id, NULL);
	holds_forget(&c->holds, offer->entry_id);
	return acks_add(&c->acks, offer->entry_id);
}

/* Where people look at it. */
static bool park(struct consumer *c, const struct offer *offer, const char *why)
{
	count(c, COUNT_parked, offer->entry_id, why);
	redisAppendCommand(c->at.redis, "MULTI");
	redisAppendCommand(c->at.redis,
		"XADD %striggers:poison MAXLEN ~ 100000 * entry %s group %s why %s event %b",
		c->set.prefix, offer->entry_id, c->group, why,
		offer->text != NULL ? offer->text->str : "",
		offer->text != NULL ? offer->text->len : (size_t)0);
	redisAppendCommand(c->at.redis, "XACK %s %s %s", c->stream, c->group, offer->entry_id);
	redisAppendCommand(c->at.redis, "EXEC");
	holds_forget(&c->holds, offer->entry_id);
	return done(last_of(&c->at, 4));
}

/* Not a trigger as we know it. Perhaps a newer one of us reads it: parked only after some tries. */
static bool refuse(struct consumer *c, const struct offer *offer, const char *why)
{
	const long long n = deliveries(c, offer->entry_id);

	count(c, COUNT_broken, offer->entry_id, why);
	c->has_read_to = false;
	if (n < c->set.tries)
		return n >= 0;
	return park(c, offer, "not a trigger");
}

/* MULTI ... EXEC: mark, feedback and acknowledgement, all of it or nothing. */
static bool settle(struct consumer *c, const struct offer *offer, enum outcome outcome,
	const char *seen, int64_t keep_ms)
{
	const time_t now = time(NULL);
	char at[32], *record;
	json_t *json;
	int n = 5;

	strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
	json = must(json_pack("{ss ss ss ss ss ss ss}", "kind", "feedback", "trigger", offer->id,
		"outcome", outcome_names[outcome], "subject", offer->subject, "rule", offer->rule,
		"source", c->set.name, "at", at));
	record = must(json_dumps(json, JSON_COMPACT));
	json_decref(json);
	redisAppendCommand(c->at.redis, "MULTI");
	redisAppendCommand(c->at.redis, "SET %s done PX %" PRId64, seen, keep_ms);
	redisAppendCommand(
		c->at.redis, "DEL %stries:%s:%s", c->set.prefix, c->set.group, offer->id);
	if (!c->set.tells_nothing) {
		redisAppendCommand(c->at.redis,
			"XADD %stold MAXLEN ~ 1000000 * kind feedback record %s", c->set.prefix,
			record);
		n++;
	}
	redisAppendCommand(c->at.redis, "XACK %s %s %s", c->stream, c->group, offer->entry_id);
	redisAppendCommand(c->at.redis, "EXEC");
	free(record);
	return done(last_of(&c->at, n));
}

/* Count a try in Redis, where it survives us. -1 = no Redis. */
static long long count_try(struct consumer *c, const char *tries, int64_t keep_ms)
{
	redisReply *reply = ask(&c->at, "INCR %s", tries);
	const long long n = reply != NULL ? reply->integer : -1;

	freeReplyObject(reply);
	return n > 0 && done(ask(&c->at, "PEXPIRE %s %" PRId64, tries, keep_ms)) ? n : -1;
}

static bool try_it(
	struct consumer *c, const struct offer *offer, const char *seen, const char *tries)
{
	const int64_t left_ms = offer->expires_ms - clock_ms(CLOCK_REALTIME);
	const int64_t keep_ms = (left_ms > 0 ? left_ms : 0) + KEEP_MS;
	const long long n = count_try(c, tries, keep_ms);
	enum outcome outcome;

	if (n < 0)
		return false;
	if (n > c->set.tries)
		return park(c, offer, "acting on it did not end well");
	outcome = act(offer);
	if (outcome == OUTCOME_FAILED) {
		count(c, COUNT_failed, offer->entry_id, "act() failed");
		return done(ask(&c->at, "DEL %s", seen)) && holds_add(&c->holds, offer);
	}
	if (outcome == OUTCOME_LATER) {
		count(c, COUNT_postponed, offer->entry_id, NULL);
		return done(ask(&c->at, "DEL %s %s", seen, tries)) && holds_add(&c->holds, offer);
	}
	if (!settle(c, offer, outcome, seen, keep_ms))
		return false;
	count(c, COUNT_acted, offer->entry_id, NULL);
	holds_forget(&c->holds, offer->entry_id);
	return true;
}

/* Take, act, settle. The mark says "done" only together with the acknowledgement, and after the act:
 * marked first, a crash between the two would lose the offer for good, because the entry that comes
 * again would look done. So a crash there makes it twice, with the same id. */
static bool work(struct consumer *c, const struct offer *offer)
{
	char *seen = text_of("%sseen:%s:%s", c->set.prefix, c->set.group, offer->id);
	char *tries = text_of("%stries:%s:%s", c->set.prefix, c->set.group, offer->id);
	char *mine = text_of("by:%s", c->set.name);
	redisReply *owner;
	bool r = false;

	// Ours as long as act() may take: afterwards others may think that we died.
	redisAppendCommand(c->at.redis, "SET %s %s NX PX %ld", seen, mine, c->set.min_idle_ms);
	redisAppendCommand(c->at.redis, "GET %s", seen);
	owner = last_of(&c->at, 2);
	if (owner != NULL && owner->type == REDIS_REPLY_STRING && strcmp(owner->str, "done") == 0) {
		r = let_go(c, offer, COUNT_repeated);
	} else if (owner != NULL && owner->type == REDIS_REPLY_STRING &&
		strcmp(owner->str, mine) == 0) {
		r = try_it(c, offer, seen, tries);
	} else if (owner != NULL) {
		count(c, COUNT_busy, offer->entry_id, NULL);
		r = holds_add(&c->holds, offer);
	}
	freeReplyObject(owner);
	free(seen), free(tries), free(mine);
	return r;
}

static void check_sequence(struct consumer *c, const struct offer *offer)
{
	if (c->has_read_to && offer->sequence != c->read_to + 1) {
		char *why = text_of("sequence %" PRIu64 " comes after %" PRIu64
				    ": docs/offer-engine.md, Gaps",
			offer->sequence, c->read_to);

		count(c, COUNT_gaps, offer->entry_id, why);
		free(why);
	}
	c->read_to = offer->sequence, c->has_read_to = c->is_alone;
}

static bool decide(struct consumer *c, struct offer *offer, bool is_new)
{
	const char *wrong = offer_read(offer);

	if (wrong != NULL)
		return refuse(c, offer, wrong);
	if (is_new)
		check_sequence(c, offer);
	if (share_of(offer->subject, c->set.n_shares) != c->set.share)
		return acks_add(&c->acks, offer->entry_id);
	if (holds_precede(&c->holds, offer))
		return holds_add(&c->holds, offer);
	if (is_not_meant(offer))
		return let_go(c, offer, COUNT_not_meant);
	if (offer->expires_ms <= clock_ms(CLOCK_REALTIME) && !c->set.acts_on_expired)
		return let_go(c, offer, COUNT_expired);
	return work(c, offer);
}

/* [id, [field, value, ...]], or [id, nil] when it was deleted while it was pending. */
static bool handle(struct consumer *c, const redisReply *entry, bool is_new)
{
	struct offer offer = {0};
	const redisReply *fields;
	bool r;

	if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2)
		return true; // Redis 6.2 says nil for a deleted one
	offer.entry_id = entry->element[0]->str;
	fields = entry->element[1];
	if (fields->type != REDIS_REPLY_ARRAY) {
		count(c, COUNT_trimmed, offer.entry_id, "was deleted before it was acted on");
		return acks_add(&c->acks, offer.entry_id);
	}
	for (size_t i = 0; i + 1 < fields->elements; i += 2)
		if (strcmp(fields->element[i]->str, "event") == 0)
			offer.text = fields->element[i + 1];
	r = decide(c, &offer, is_new);
	json_decref(offer.event);
	return r;
}

/* What is left when we stop is pending, and the first we read when we come again. */
static bool handle_all(struct consumer *c, const redisReply *entries, bool is_new)
{
	for (size_t i = 0; i < entries->elements && !is_stopping; i++)
		if (!handle(c, entries->element[i], is_new))
			return false;
	if (!acks_send(&c->acks, &c->at))
		return false;
	if (is_new && entries->elements > 0 && c->has_read_to)
		return done(ask(&c->at, "SET %s %" PRIu64, c->read_key, c->read_to));
	return true;
}

/* --- the consumer --------------------------------------------------------------------------------- */

/* Make the group from the beginning of the stream, whether the stream exists yet or not. */
static bool join(struct consumer *c)
{
	redisReply *reply;

	if (!done(ask(&c->at, "XGROUP CREATE %s %s 0 MKSTREAM", c->stream, c->group)) &&
		strncmp(c->at.error, "BUSYGROUP", 9) != 0)
		return false;
	reply = ask(&c->at, "GET %s", c->read_key);
	c->has_read_to = reply != NULL && reply->type == REDIS_REPLY_STRING;
	if (c->has_read_to)
		c->read_to = strtoull(reply->str, NULL, 10);
	return done(reply);
}

/* With others in the group gaps mean nothing: they read what we do not see. */
static bool look_around(struct consumer *c)
{
	redisReply *reply = ask(&c->at, "XINFO CONSUMERS %s %s", c->stream, c->group);

	c->is_alone = reply != NULL && reply->elements == 1;
	if (!done(reply))
		return false;
	if (c->is_alone || !c->has_read_to)
		return true;
	c->has_read_to = false;
	return done(ask(&c->at, "DEL %s", c->read_key));
}

/* Entries idle for long: a dead consumer's, and our own that could not be done. */
static bool sweep(struct consumer *c)
{
	char cursor[48] = "0-0";

	c->sweep_at_ms = clock_ms(CLOCK_MONOTONIC) + c->set.min_idle_ms / 2;
	if (!look_around(c) || !drop_lost_holds(c))
		return false;
	do {
		redisReply *reply = ask(&c->at, "XAUTOCLAIM %s %s %s %ld %s COUNT %ld", c->stream,
			c->group, c->set.name, c->set.min_idle_ms, cursor, c->set.n_entries);
		const bool r = reply != NULL && reply->elements >= 2 &&
			handle_all(c, reply->element[1], false);

		if (r)
			snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
		freeReplyObject(reply);
		if (!r)
			return false;
	} while (strcmp(cursor, "0-0") != 0 && !is_stopping);
	return true;
}

/* One read, from position on; moves it. */
static bool read_some(struct consumer *c, char *position, size_t position_size)
{
	const bool is_new = strcmp(position, ">") == 0;
	redisReply *reply = ask(&c->at, "XREADGROUP GROUP %s %s COUNT %ld BLOCK %ld STREAMS %s %s",
		c->group, c->set.name, c->set.n_entries, c->set.block_ms, c->stream, position);
	const redisReply *entries = NULL;
	bool r = reply != NULL;

	if (reply != NULL && reply->type == REDIS_REPLY_ARRAY &&
		reply->elements == 1) // nil: nothing came
		entries = reply->element[0]->element[1];
	if (entries != NULL)
		r = handle_all(c, entries, is_new);
	if (!is_new)
		snprintf(position, position_size, "%s",
			entries != NULL && entries->elements > 0
				? entries->element[entries->elements - 1]->element[0]->str
				: ">");
	freeReplyObject(reply);
	return r;
}

/* Our own unfinished entries ("0" and on), then what is new (">"), and now and then what others left. */
static bool run_connected(struct consumer *c)
{
	char position[48] = "0";

	if (!open_redis(&c->at, c->set.url, c->set.user, c->set.block_ms) || !join(c))
		return false;
	holds_clear(&c->holds);
	acks_clear(&c->acks);
	while (!is_stopping) {
		if (strcmp(position, ">") == 0 && clock_ms(CLOCK_MONOTONIC) >= c->sweep_at_ms &&
			!sweep(c))
			return false;
		if (!read_some(c, position, sizeof(position)))
			return false;
		c->is_well = true;
	}
	return true;
}

static void rest(long ms)
{
	const int64_t until = clock_ms(CLOCK_MONOTONIC) + ms;
	const struct timespec nap = {.tv_nsec = 50000000};

	while (!is_stopping && clock_ms(CLOCK_MONOTONIC) < until)
		nanosleep(&nap, NULL);
}

/* Until SIGTERM. After an error: wait, longer each time it fails, and begin with what is unfinished. */
static void run(struct consumer *c)
{
	long pause = PAUSE_MIN_MS;

	while (!is_stopping) {
		c->is_well = false;
		if (!run_connected(c)) {
			pause = c->is_well		   ? PAUSE_MIN_MS
				: pause * 2 < PAUSE_MAX_MS ? pause * 2
							   : PAUSE_MAX_MS;
			fprintf(stderr, "consumer: Redis: %s; trying again in %ld ms\n",
				c->at.error, pause);
			rest(pause / 2 +
				random() % (pause / 2)); // not all consumers at the same moment
		}
		if (c->at.redis != NULL)
			redisFree(c->at.redis);
		c->at.redis = NULL;
	}
	fprintf(stderr, "consumer:");
	for (int i = 0; i < COUNT_COUNT; i++)
		if (c->counts[i] > 0)
			fprintf(stderr, " %s=%lu", count_names[i], c->counts[i]);
	fprintf(stderr, "\n");
}

int main(int argc, char **argv)
{
	const struct sigaction on_stop = {.sa_handler = stop, .sa_flags = SA_RESTART};
	char host[256] = "consumer";
	struct consumer c = {.set = {.url = "redis://127.0.0.1:6379",
				     .prefix = "wirecue:",
				     .group = "offers",
				     .name = host,
				     .share = 1,
				     .n_shares = 1,
				     .n_entries = 100,
				     .block_ms = 2000,
				     .min_idle_ms = 60000,
				     .tries = 3}};
	int r;

	(void)gethostname(host, sizeof(host) - 1);
	r = settings_read(argc, argv, &c.set);
	if (r >= 0)
		return r;
	c.stream = text_of("%striggers:{0}", c.set.prefix);
	c.group = c.set.n_shares == 1
		? text_of("%s", c.set.group)
		: text_of("%s:%ldof%ld", c.set.group, c.set.share, c.set.n_shares);
	c.read_key = text_of("%sread:%s", c.set.prefix, c.group);
	c.acks.stream = c.stream, c.acks.group = c.group;
	sigaction(SIGTERM, &on_stop, NULL);
	sigaction(SIGINT, &on_stop, NULL);
	signal(SIGPIPE, SIG_IGN); // hiredis writes to whom Redis has left
	srandom((unsigned)getpid());
	run(&c);
	holds_clear(&c.holds);
	acks_clear(&c.acks);
	free(c.holds.held), free(c.acks.words), free(c.stream), free(c.group), free(c.read_key);
	return 0;
}
