// SPDX-License-Identifier: BSD-3-Clause
#include "control/hiredis_compat.h"
#include "control/log.h"
#include "control/publisher_private.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a choice would do, or why it is none. */
struct plan {
	bool can;
	uint64_t from; // CTL_CHOICE_RESEND: the first sequence sent again
	char sentence[240];
};

[[gnu::format(printf, 2, 3)]] static void say(struct plan *plan, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(plan->sentence, sizeof(plan->sentence), fmt, ap);
	va_end(ap);
}

static struct ctl_stream_ours ours_of(const struct ctl_outbox *outbox)
{
	const struct ctl_outbox_stats stats = ctl_outbox_stats(outbox);

	return (struct ctl_stream_ours){
		.has_mark = ctl_outbox_has_mark(outbox),
		.is_fresh = ctl_outbox_is_fresh(outbox),
		.writer = ctl_outbox_writer(outbox),
		.acked = stats.acked_sequence,
		.given = stats.last_sequence,
	};
}

/* What is left of ours in the stream. */
static uint64_t reached_of(const struct ctl_publisher *publisher)
{
	return publisher->verdict == CTL_STREAM_GONE ? 0 : publisher->end.mark.sequence;
}

static struct plan plan_resend(const struct ctl_publisher *publisher)
{
	const struct ctl_stream_ours ours = ours_of(publisher->config.outbox);
	const uint64_t oldest = ctl_outbox_oldest_kept(publisher->config.outbox);
	const uint64_t lost = reached_of(publisher) + 1;
	struct plan plan = {.from = MAX(lost, oldest)};

	if (publisher->verdict != CTL_STREAM_BEHIND && publisher->verdict != CTL_STREAM_GONE)
		say(&plan, "not possible: the stream has lost nothing that was acknowledged");
	else if (oldest > ours.acked)
		say(&plan, "not possible: none of %" PRIu64 " to %" PRIu64 " is kept any more",
			lost, ours.acked);
	else if (oldest > lost)
		say(&plan,
			"sends %" PRIu64 " to %" PRIu64 " again; %" PRIu64 " to %" PRIu64
			" are not kept any more and stay a gap",
			plan.from, ours.acked, lost, oldest - 1);
	else
		say(&plan,
			"sends %" PRIu64 " to %" PRIu64
			" again, and the stream has no gap then; consumers whose groups or marks went "
			"with it act on them once more",
			lost, ours.acked);
	plan.can = (publisher->verdict == CTL_STREAM_BEHIND ||
			   publisher->verdict == CTL_STREAM_GONE) &&
		oldest <= ours.acked;
	return plan;
}

static struct plan plan_continue(const struct ctl_publisher *publisher)
{
	const struct ctl_stream_ours ours = ours_of(publisher->config.outbox);
	const size_t n_waiting = ctl_outbox_stats(publisher->config.outbox).n_waiting;
	struct plan plan = {.can = true};

	if (publisher->verdict == CTL_STREAM_UNCOUNTED && ours.acked == 0)
		say(&plan, "goes on in the stream as it is; numbers begin at 1");
	else if (publisher->verdict == CTL_STREAM_UNCOUNTED)
		say(&plan, "goes on in the stream as it is, behind %" PRIu64, ours.acked);
	else if (publisher->verdict == CTL_STREAM_BEHIND || publisher->verdict == CTL_STREAM_GONE)
		say(&plan,
			"goes on behind %" PRIu64 "; %" PRIu64 " to %" PRIu64
			" stay a gap in the stream",
			ours.acked, reached_of(publisher) + 1, ours.acked);
	else
		say(&plan,
			"gives the %zu waiting new numbers behind %" PRIu64
			" and goes on there; what was said since a restored backup may be said again, with "
			"the same id; a second writer needs a redis.prefix of its own",
			n_waiting, publisher->end.mark.sequence);
	return plan;
}

/* Everything that waits goes behind what the stream has; or, where no number is known, behind its
 * last entry. */
static void go_behind(struct ctl_publisher *publisher)
{
	struct ctl_outbox *outbox = publisher->config.outbox;

	if (ctl_outbox_has_mark(outbox))
		ctl_outbox_renumber(outbox, &publisher->end.mark);
	else
		ctl_outbox_resume(outbox, &publisher->end.mark);
}

/* Make the counters say base, then open. */
static bool set_base(struct ctl_publisher *publisher, uint64_t base)
{
	publisher->stage = CTL_STAGE_SETTING;
	ctl_publisher_call_set(publisher, base);
	return false;
}

static bool resend(struct ctl_publisher *publisher)
{
	const struct plan plan = plan_resend(publisher);
	struct dp_err err;

	if (!plan.can || ctl_outbox_rewind(publisher->config.outbox, plan.from - 1, &err) < 0) {
		ctl_publisher_refuse(publisher, plan.can ? err.text : plan.sentence);
		return false;
	}
	return set_base(publisher, plan.from - 1);
}

static bool go_on(struct ctl_publisher *publisher)
{
	const uint64_t acked = ctl_outbox_stats(publisher->config.outbox).acked_sequence;

	switch (publisher->verdict) {
	case CTL_STREAM_BEHIND:
	case CTL_STREAM_GONE:
		return set_base(publisher, acked);
	case CTL_STREAM_UNCOUNTED:
		if (acked > 0)
			return set_base(publisher, acked);
		break;
	case CTL_STREAM_ADOPT:
	case CTL_STREAM_AHEAD:
	case CTL_STREAM_FITS:
		break;
	}
	go_behind(publisher);
	return true;
}

/* Acknowledged earlier, gone now. Said once, however often we connect before something new arrives. */
static void tell_lost(struct ctl_publisher *publisher)
{
	const uint64_t acked = ctl_outbox_stats(publisher->config.outbox).acked_sequence;
	const uint64_t lost = acked - MIN(acked, reached_of(publisher));

	if (publisher->lost_told_for == acked)
		return;
	publisher->lost_told_for = acked;
	publisher->n_lost_by_redis += lost;
	ctl_log(CTL_LOG_ERR, "redis_lost_triggers", CTL_COUNT("lost", lost),
		CTL_COUNT("acknowledged", acked), CTL_COUNT("reached", reached_of(publisher)),
		CTL_TEXT("consequence", "nothing is published until you choose"),
		CTL_TEXT("remedy", "see 'wirecue stream'; appendonly yes and appendfsync always"));
}

/* Nothing is published until somebody has chosen. */
static bool conflict(struct ctl_publisher *publisher)
{
	const struct ctl_stream_ours ours = ours_of(publisher->config.outbox);
	const uint64_t reached = publisher->end.mark.sequence;
	char cause[160] = "";

	switch (publisher->verdict) {
	case CTL_STREAM_UNCOUNTED:
		(void)snprintf(cause, sizeof(cause),
			"WIRECUE_COUNTERS %s is not empty but %s is gone", publisher->stream_key,
			publisher->counters_key);
		break;
	case CTL_STREAM_GONE:
		tell_lost(publisher);
		(void)snprintf(cause, sizeof(cause), "WIRECUE_GONE the stream was deleted");
		break;
	case CTL_STREAM_BEHIND:
		tell_lost(publisher);
		(void)snprintf(cause, sizeof(cause),
			"WIRECUE_BEHIND the stream has sequence %" PRIu64 " where %" PRIu64
			" was acknowledged",
			reached, ours.acked);
		break;
	case CTL_STREAM_AHEAD:
		(void)snprintf(cause, sizeof(cause),
			"WIRECUE_AHEAD the stream has sequence %" PRIu64 " where %" PRIu64
			" was given last",
			reached, ours.given);
		break;
	case CTL_STREAM_ADOPT:
	case CTL_STREAM_FITS:
		break;
	}
	ctl_publisher_refuse(publisher, cause);
	return false;
}

/* How many of those that wait are in the stream already: our numbers, by us. */
static uint64_t n_arrived(const struct ctl_publisher *publisher)
{
	const struct ctl_outbox *outbox = publisher->config.outbox;
	const uint64_t acked = ctl_outbox_stats(outbox).acked_sequence;
	const uint64_t reached = publisher->end.mark.sequence;

	if (reached <= acked || strcmp(publisher->end.writer, ctl_outbox_writer(outbox)) != 0)
		return 0;
	return reached - acked;
}

/* The last of them must be the one that we would send, in memory or not: a store restored from a
 * backup gives numbers a second time, and the script takes their word for what has arrived. */
static bool is_ours(const struct ctl_publisher *publisher, struct dp_err *reterr)
{
	const struct ctl_outbox_mark *mark = &publisher->end.mark;
	uint64_t ms, n;
	const int r = ctl_outbox_id(publisher->config.outbox, mark->sequence, &ms, &n, reterr);

	if (r == -ENOENT || (r == 0 && (ms != mark->id_ms || n != mark->id_n)))
		(void)dp_fail(reterr, EEXIST,
			"WIRECUE_OTHER the stream's last entry has our number, but is another");
	return r == 0 && ms == mark->id_ms && n == mark->id_n;
}

static bool fits(struct ctl_publisher *publisher)
{
	const uint64_t arrived = n_arrived(publisher);
	struct dp_err err;
	size_t n;

	if (arrived == 0)
		return true;
	if (!is_ours(publisher, &err)) {
		ctl_publisher_refuse(publisher, err.text);
		return false;
	}
	n = (size_t)MIN(arrived, ctl_outbox_n_ready(publisher->config.outbox));
	publisher->n_sent = n;
	publisher->n_sent_ever = n;
	publisher->n_duplicates += n;
	ctl_publisher_confirm_entries(publisher, n);
	// WAIT answers for what this connection has written: the counters once more, as they are.
	if (publisher->n_sent > 0)
		return set_base(publisher, publisher->tip_sequence);
	return true;
}

/* What is wrong by a verdict: a choice is made for one of these. Where nothing is, another writer or an
 * entry of somebody's is in the way, and what waits has to go behind it. */
static int trouble_of(enum ctl_stream_verdict verdict)
{
	switch (verdict) {
	case CTL_STREAM_BEHIND:
	case CTL_STREAM_GONE:
		return 1;
	case CTL_STREAM_UNCOUNTED:
		return 2;
	case CTL_STREAM_FITS:
	case CTL_STREAM_ADOPT:
	case CTL_STREAM_AHEAD:
		break;
	}
	return 0;
}

/* The choice that is to be carried out on what was found just now. The stream may have changed since
 * it was made: what is in it then must not be sent again under other numbers. */
static enum ctl_stream_choice take_choice(struct ctl_publisher *publisher)
{
	const enum ctl_stream_choice choice = publisher->choice;

	publisher->choice = CTL_CHOICE_NONE;
	if (choice == CTL_CHOICE_NONE ||
		trouble_of(publisher->verdict) == trouble_of(publisher->chosen_on))
		return choice;
	ctl_log(CTL_LOG_WARNING, "stream_choice_void",
		CTL_TEXT("cause", "the stream is not as it was when that was chosen"),
		CTL_TEXT("consequence", "not carried out"));
	return CTL_CHOICE_NONE;
}

bool ctl_publisher_stream_found(struct ctl_publisher *publisher)
{
	const struct ctl_stream_ours ours = ours_of(publisher->config.outbox);
	enum ctl_stream_choice choice;

	ctl_stream_end_fini(&publisher->end);
	publisher->end = publisher->asked;
	publisher->asked = (struct ctl_stream_end){0};
	publisher->is_end_known = true;
	publisher->verdict = ctl_stream_judge(&publisher->end, &ours);
	choice = take_choice(publisher);
	publisher->tip_sequence = publisher->end.mark.sequence;
	publisher->tip_exists = publisher->end.exists;
	(void)g_strlcpy(
		publisher->tip_writer, publisher->end.writer, sizeof(publisher->tip_writer));
	if (choice == CTL_CHOICE_RESEND)
		return resend(publisher);
	if (choice == CTL_CHOICE_CONTINUE)
		return go_on(publisher);
	if (publisher->verdict == CTL_STREAM_ADOPT) {
		go_behind(publisher);
		return true;
	}
	return publisher->verdict == CTL_STREAM_FITS ? fits(publisher) : conflict(publisher);
}

int ctl_publisher_choose(struct ctl_publisher *publisher, enum ctl_stream_choice choice,
	uint64_t uid, char *ret_text, size_t size)
{
	const bool is_conflict = ctl_publisher_state(publisher) == CTL_REDIS_CONFLICT &&
		publisher->is_end_known;
	const bool is_resend = choice == CTL_CHOICE_RESEND;
	const struct plan plan = is_resend ? plan_resend(publisher) : plan_continue(publisher);

	if (!is_conflict) {
		(void)snprintf(ret_text, size,
			"there is nothing to choose: the stream is not in conflict with the outbox");
		return -EINVAL;
	}
	(void)snprintf(ret_text, size, "%s", plan.sentence);
	if (!plan.can)
		return -EINVAL;
	ctl_log(CTL_LOG_NOTICE, "stream_choice",
		CTL_TEXT("choice", is_resend ? "resend" : "continue"), CTL_COUNT("who", uid),
		CTL_TEXT("effect", plan.sentence));
	publisher->choice = choice;
	publisher->chosen_on = publisher->verdict;
	ctl_redis_link_now(publisher->link);
	return 0;
}

static void set_count(json_t *object, const char *key, bool is_known, uint64_t count)
{
	(void)json_object_set_new(
		object, key, is_known ? json_integer((json_int_t)count) : json_null());
}

/* In conflict, what was found; else what was acknowledged at least is there. */
static uint64_t reached_now(const struct ctl_publisher *publisher)
{
	const uint64_t acked = ctl_outbox_stats(publisher->config.outbox).acked_sequence;

	return ctl_publisher_state(publisher) == CTL_REDIS_CONFLICT
		? reached_of(publisher)
		: MAX(acked, reached_of(publisher));
}

json_t *ctl_publisher_stream_json(const struct ctl_publisher *publisher)
{
	const struct ctl_outbox *outbox = publisher->config.outbox;
	const struct ctl_outbox_stats stats = ctl_outbox_stats(outbox);
	const bool is_conflict = ctl_publisher_state(publisher) == CTL_REDIS_CONFLICT &&
		publisher->is_end_known;
	const uint64_t oldest = ctl_outbox_oldest_kept(outbox);
	const bool is_any_kept = oldest <= stats.acked_sequence;
	json_t *object = json_object();

	// Without memory a field is missing, nothing worse.
	(void)json_object_set_new(object, "state",
		json_string(ctl_redis_state_names[ctl_publisher_state(publisher)]));
	(void)json_object_set_new(object, "cause",
		is_conflict ? json_string(ctl_redis_link_cause(publisher->link)) : json_null());
	set_count(object, "acknowledged", true, stats.acked_sequence);
	set_count(object, "given", true, stats.last_sequence);
	set_count(object, "reached", publisher->is_end_known, reached_now(publisher));
	set_count(object, "waiting", true, stats.n_waiting);
	set_count(object, "kept_from", is_any_kept, oldest);
	set_count(object, "kept_to", is_any_kept, stats.acked_sequence);
	(void)json_object_set_new(object, "resend",
		is_conflict ? json_string(plan_resend(publisher).sentence) : json_null());
	(void)json_object_set_new(object, "continue",
		is_conflict ? json_string(plan_continue(publisher).sentence) : json_null());
	return object;
}
