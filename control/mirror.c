// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror.h"

#include "control/hashes.h"
#include "control/hiredis_compat.h"
#include "control/log.h"
#include "control/mirror_due.h"
#include "control/mirror_marker.h"
#include "control/mirror_script.h"
#include "control/profile.h"
#include "control/redis_link.h"

#include <assert.h>
#include <event2/event.h>
#include <glib.h>
#include <string.h>
#include <time.h>

enum { SHA1_HEX = 40 };

#define TURN_NS_MAX 2000000 // of the control thread
// Nobody who was not written for 13 cycles has fields that are to be kept.
#define TTL_S "34819200" // 13 x 31 days

/* Nothing is written before Redis has told whether it still has what was written before. */
enum stage {
	STAGE_DOWN, // no connection
	STAGE_ASKING, // scripts and marker are on their way
	STAGE_OPEN,
	STAGE_DRAINING, // the server has forgotten the scripts: wait, then ask again
};

/* One write that was not answered yet. */
struct sent {
	uint64_t id; // profile
	char *retired; // owned; else the subject that is to be forgotten
	uint64_t closed_ns;
	uint32_t month; // 0: nothing was removed
	bool is_profiled;
};

struct ctl_mirror {
	struct ctl_mirror_config config;
	struct ctl_redis_link *link;
	struct event *timer;
	struct ctl_due due;
	struct ctl_hashes hashes;
	GPtrArray *argv; // borrowed texts of the command at work
	char *unnamed; // of the engine's catalogue
	GQueue retired; // char *, owned: taken from the engine, given back by a failure

	enum stage stage;
	char sha_write[SHA1_HEX + 1], sha_forget[SHA1_HEX + 1];
	struct sent sent[CTL_MIRROR_WINDOW]; // ring: [first, first + n)
	size_t first, n_in_flight;
	bool has_asked_twice; // the scripts were lost right after they were loaded

	struct ctl_marker marker; // in deciseconds of due's clock
	char *marker_key;
	bool is_refused; // was said in the log

	uint64_t n_written, n_forgotten;
};

static void ask(struct ctl_mirror *mirror);

/* ---- what is in flight ---- */

static struct sent *sent_push(struct ctl_mirror *mirror)
{
	const size_t i = (mirror->first + mirror->n_in_flight) % CTL_MIRROR_WINDOW;

	assert(mirror->n_in_flight < CTL_MIRROR_WINDOW);
	mirror->n_in_flight++;
	mirror->sent[i] = (struct sent){0};
	return &mirror->sent[i];
}

static struct sent sent_pop(struct ctl_mirror *mirror)
{
	const struct sent sent = mirror->sent[mirror->first];

	assert(mirror->n_in_flight > 0);
	mirror->first = (mirror->first + 1) % CTL_MIRROR_WINDOW;
	mirror->n_in_flight--;
	return sent;
}

/* Names go first again, in whatever order: a write never waits before a name. */
static void sent_failed(struct ctl_mirror *mirror, const struct sent *sent)
{
	if (sent->retired != NULL)
		g_queue_push_tail(&mirror->retired, sent->retired);
	else
		ctl_due_failed(&mirror->due, sent->id);
}

static void on_down(void *ctx)
{
	struct ctl_mirror *mirror = ctx;

	mirror->stage = STAGE_DOWN;
	while (mirror->n_in_flight > 0) {
		const struct sent sent = sent_pop(mirror);

		sent_failed(mirror, &sent);
	}
}

static void refuse(struct ctl_mirror *mirror, const char *error)
{
	const enum ctl_redis_state state = ctl_redis_state_of(error);

	on_down(mirror);
	ctl_redis_link_fail(mirror->link, state, error);
	if (!mirror->is_refused)
		ctl_log(CTL_LOG_WARNING, "hashes_refused",
			CTL_TEXT("state", ctl_redis_state_names[state]), CTL_TEXT("cause", error),
			CTL_TEXT("consequence", "they wait and grow old"));
	mirror->is_refused = true;
}

/* A reply that is not what Redis answers. */
static void refuse_odd(struct ctl_mirror *mirror, const char *command)
{
	char cause[80];

	(void)g_snprintf(cause, sizeof(cause), "unexpected reply to %s", command);
	refuse(mirror, cause);
}

static void accepted(struct ctl_mirror *mirror, const struct sent *sent)
{
	mirror->has_asked_twice = false;
	if (sent->retired != NULL) {
		mirror->n_forgotten++;
		g_free(sent->retired);
	} else {
		struct ctl_due_mark *mark = ctl_due_mark(&mirror->due, sent->id);

		mirror->n_written++;
		mark->is_profiled = sent->is_profiled;
		if (sent->month != 0)
			mark->month = sent->month;
		if (sent->closed_ns != 0)
			ctl_engine_drop_closed(mirror->config.engine, sent->id, sent->closed_ns);
	}
	if (mirror->is_refused)
		ctl_log(CTL_LOG_NOTICE, "hashes_accepted",
			CTL_COUNT("waiting", ctl_mirror_n_waiting(mirror)));
	mirror->is_refused = false;
	ctl_redis_link_progress(mirror->link);
}

static void on_done(void *ctx, const struct redisReply *reply)
{
	struct ctl_mirror *mirror = ctx;
	const struct sent sent = sent_pop(mirror);

	if (reply->type == REDIS_REPLY_INTEGER) {
		accepted(mirror, &sent);
	} else {
		sent_failed(mirror, &sent);
		if (reply->type != REDIS_REPLY_ERROR)
			refuse_odd(mirror, "EVALSHA");
		else if (!g_str_has_prefix(reply->str, "NOSCRIPT") || mirror->has_asked_twice)
			refuse(mirror, reply->str);
		else
			mirror->stage = STAGE_DRAINING;
	}
	if (mirror->stage == STAGE_DRAINING && mirror->n_in_flight == 0) {
		mirror->has_asked_twice = true;
		ask(mirror);
	}
}

static const struct ctl_redis_call call_write = {.reply = on_done};

/* ---- writing ---- */

static void arg(struct ctl_mirror *mirror, const char *text)
{
	g_ptr_array_add(mirror->argv, (gpointer)text);
}

static void send_command(struct ctl_mirror *mirror)
{
	ctl_redis_link_send(mirror->link, &call_write, (int)mirror->argv->len,
		(const char *const *)mirror->argv->pdata);
}

/* EVALSHA SHA 2 USAGE PROFILE NODE; the keys are owned by the caller. */
static void begin_command(struct ctl_mirror *mirror, const char *sha, const char *subject,
	char **ret_usage_key, char **ret_profile_key)
{
	const char *prefix = mirror->config.redis->prefix;

	*ret_usage_key = g_strconcat(prefix, "usage:{", subject, "}", NULL);
	*ret_profile_key = g_strconcat(prefix, "profile:{", subject, "}", NULL);
	g_ptr_array_set_size(mirror->argv, 0);
	arg(mirror, "EVALSHA");
	arg(mirror, sha);
	arg(mirror, "2");
	arg(mirror, *ret_usage_key);
	arg(mirror, *ret_profile_key);
	arg(mirror, mirror->config.node);
}

static void add_texts(struct ctl_mirror *mirror, const struct ctl_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		arg(mirror, ctl_text(texts, i));
}

static void send_hashes(struct ctl_mirror *mirror, const char *subject, bool removes)
{
	const struct ctl_hashes *h = &mirror->hashes;
	g_autofree char *usage_key = NULL, *profile_key = NULL;
	char month[16], n_words[24];

	(void)g_snprintf(month, sizeof(month), "%u", h->month);
	(void)g_snprintf(n_words, sizeof(n_words), "%zu", h->usage.n);
	begin_command(mirror, mirror->sha_write, subject, &usage_key, &profile_key);
	arg(mirror, TTL_S);
	arg(mirror, removes ? "1" : "0");
	arg(mirror, month);
	arg(mirror, h->cycle);
	arg(mirror, h->is_profiled ? "1" : "0");
	arg(mirror, removes ? mirror->unnamed : "");
	arg(mirror, n_words);
	add_texts(mirror, &h->usage);
	add_texts(mirror, &h->profile);
	send_command(mirror);
}

/* In whole seconds, not too early. */
static uint32_t change_s(uint64_t change_ns)
{
	const uint64_t s = change_ns / 1000000000 + 1;

	return s < UINT32_MAX ? (uint32_t)s : 0;
}

static void write_profile(struct ctl_mirror *mirror, uint64_t id)
{
	struct ctl_profile *profile = ctl_engine_profile(mirror->config.engine, id);
	struct ctl_due_mark *mark = ctl_due_mark(&mirror->due, id);
	struct ctl_hashes *h = &mirror->hashes;
	bool removes;

	ctl_hashes_make(mirror->config.engine, profile, h);
	removes = mark->month != h->month || mark->is_profiled != h->is_profiled;
	mark->change_s = change_s(h->change_ns);
	*sent_push(mirror) = (struct sent){
		.id = id,
		.closed_ns = h->closed_ns,
		.month = removes ? h->month : 0,
		.is_profiled = h->is_profiled,
	};
	send_hashes(mirror, profile->subject, removes);
}

static void write_forget(struct ctl_mirror *mirror, char *given)
{
	g_autofree char *usage_key = NULL, *profile_key = NULL;

	sent_push(mirror)->retired = given;
	begin_command(mirror, mirror->sha_forget, given, &usage_key, &profile_key);
	send_command(mirror);
}

static char *next_retired(struct ctl_mirror *mirror)
{
	char *subject = g_queue_pop_head(&mirror->retired);

	return subject != NULL ? subject : ctl_engine_take_retired(mirror->config.engine);
}

/* A retired name may be somebody else's by now: all of them go before anything is written. */
static bool write_one(struct ctl_mirror *mirror)
{
	char *retired = next_retired(mirror);
	uint64_t id;

	if (retired != NULL && ctl_due_take(&mirror->due)) {
		write_forget(mirror, retired);
		return true;
	}
	if (retired != NULL) {
		g_queue_push_head(&mirror->retired, retired);
		return false;
	}
	id = ctl_due_next(&mirror->due);
	if (id == CTL_DUE_NOBODY)
		return false;
	write_profile(mirror, id);
	return true;
}

/* ---- the marker ---- */

static uint64_t clock_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail for a valid clock
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void on_marker(void *ctx, const struct redisReply *reply)
{
	struct ctl_mirror *mirror = ctx;
	const bool is_text = reply->type == REDIS_REPLY_STRING;
	bool is_lost;
	uint32_t found;

	if (reply->type == REDIS_REPLY_ERROR) {
		refuse(mirror, reply->str);
		return;
	}
	found = ctl_marker_found(
		&mirror->marker, is_text ? reply->str : NULL, is_text ? reply->len : 0, &is_lost);
	if (is_lost)
		ctl_log(CTL_LOG_WARNING, "hashes_lost",
			CTL_TEXT("what", found == 0 ? "all" : "the latest"),
			CTL_TEXT("consequence", "written again, but for cycles that are over"));
	// On a new connection what came after the marker is in doubt, on a known one only when lost.
	if (is_lost || mirror->stage == STAGE_ASKING)
		ctl_due_again(&mirror->due, found);
	if (mirror->stage == STAGE_ASKING) {
		mirror->stage = STAGE_OPEN;
		ctl_redis_link_ready(mirror->link);
	}
}

static const struct ctl_redis_call call_marker = {.reply = on_marker};

static void send_marker(struct ctl_mirror *mirror)
{
	char value[CTL_MARKER_MAX];
	const char *const argv[] = {"GETSET", mirror->marker_key, value};

	ctl_marker_set(&mirror->marker, mirror->due.now, value);
	ctl_redis_link_send(mirror->link, &call_marker, G_N_ELEMENTS(argv), argv);
}

/* ---- the connection ---- */

static void keep_sha(struct ctl_mirror *mirror, const struct redisReply *reply, char *ret_sha)
{
	if (reply->type == REDIS_REPLY_ERROR)
		refuse(mirror, reply->str);
	else if (reply->type != REDIS_REPLY_STRING || reply->len != SHA1_HEX)
		refuse_odd(mirror, "SCRIPT LOAD");
	else
		memcpy(ret_sha, reply->str, SHA1_HEX + 1);
}

static void on_script_write(void *ctx, const struct redisReply *reply)
{
	keep_sha(ctx, reply, ((struct ctl_mirror *)ctx)->sha_write);
}

static void on_script_forget(void *ctx, const struct redisReply *reply)
{
	keep_sha(ctx, reply, ((struct ctl_mirror *)ctx)->sha_forget);
}

static const struct ctl_redis_call call_script_write = {.reply = on_script_write};
static const struct ctl_redis_call call_script_forget = {.reply = on_script_forget};

static void ask(struct ctl_mirror *mirror)
{
	const char *const load_write[] = {"SCRIPT", "LOAD", ctl_mirror_write};
	const char *const load_forget[] = {"SCRIPT", "LOAD", ctl_mirror_forget};

	mirror->stage = STAGE_ASKING;
	ctl_redis_link_send(mirror->link, &call_script_write, G_N_ELEMENTS(load_write), load_write);
	ctl_redis_link_send(
		mirror->link, &call_script_forget, G_N_ELEMENTS(load_forget), load_forget);
	send_marker(mirror);
}

static void on_up(void *ctx)
{
	ask(ctx);
}

static const struct ctl_redis_link_ops link_ops = {.up = on_up, .down = on_down, .is_quiet = true};

static void on_turn(evutil_socket_t, short, void *ctx)
{
	struct ctl_mirror *mirror = ctx;
	const uint64_t begin_ns = clock_ns();

	ctl_due_turn(&mirror->due, begin_ns);
	if (mirror->stage != STAGE_OPEN)
		return;
	if (mirror->due.now - mirror->marker.set >=
		MIN(mirror->due.interval, (uint32_t)CTL_MIRROR_MARK_S * 10))
		send_marker(mirror);
	while (mirror->n_in_flight < CTL_MIRROR_WINDOW && write_one(mirror) &&
		clock_ns() - begin_ns < TURN_NS_MAX)
		;
}

int ctl_mirror_new(struct event_base *base, const struct ctl_mirror_config *config,
	struct ctl_mirror **ret_mirror, struct dp_err *reterr)
{
	const struct timeval every = {.tv_usec = CTL_MIRROR_TURN_MS * 1000};
	struct ctl_mirror *mirror = g_new0(struct ctl_mirror, 1);
	int r;

	mirror->config = *config;
	r = ctl_redis_link_new(base, config->redis, &link_ops, mirror, &mirror->link, reterr);
	if (r < 0) {
		g_free(mirror);
		return r;
	}
	ctl_due_init(&mirror->due, config->engine, config->redis->usage_interval_ns);
	mirror->argv = g_ptr_array_new();
	g_queue_init(&mirror->retired);
	ctl_marker_init(&mirror->marker);
	mirror->marker_key = g_strdup_printf("%smirror:{%s}", config->redis->prefix, config->node);
	mirror->unnamed = ctl_hashes_unnamed(config->engine);
	ctl_engine_keep_unpublished(config->engine);
	mirror->timer = event_new(base, -1, EV_PERSIST, on_turn, mirror);
	(void)event_add(mirror->timer, &every); // no memory only
	*ret_mirror = mirror;
	return 0;
}

void ctl_mirror_free(struct ctl_mirror *mirror)
{
	if (mirror == NULL)
		return;
	event_free(mirror->timer);
	ctl_redis_link_free(mirror->link);
	while (mirror->n_in_flight > 0)
		g_free(sent_pop(mirror).retired);
	g_queue_clear_full(&mirror->retired, g_free);
	ctl_due_fini(&mirror->due);
	ctl_hashes_fini(&mirror->hashes);
	g_ptr_array_unref(mirror->argv);
	g_free(mirror->marker_key);
	g_free(mirror->unnamed);
	g_free(mirror);
}

void ctl_mirror_reload(struct ctl_mirror *mirror)
{
	g_free(mirror->unnamed);
	mirror->unnamed = ctl_hashes_unnamed(mirror->config.engine);
	ctl_due_again(&mirror->due, 0);
}

enum ctl_redis_state ctl_mirror_state(const struct ctl_mirror *mirror)
{
	return ctl_redis_link_state(mirror->link);
}

uint64_t ctl_mirror_n_waiting(const struct ctl_mirror *mirror)
{
	return ctl_engine_n_unpublished(mirror->config.engine) + mirror->n_in_flight +
		g_queue_get_length((GQueue *)&mirror->retired);
}

void ctl_mirror_json(const struct ctl_mirror *mirror, json_t *object)
{
	// Without memory a field is missing, nothing worse.
	(void)json_object_set_new(object, "hashes_state",
		json_string(ctl_redis_state_names[ctl_mirror_state(mirror)]));
	(void)json_object_set_new(
		object, "hashes_written", json_integer((json_int_t)mirror->n_written));
	(void)json_object_set_new(
		object, "hashes_waiting", json_integer((json_int_t)ctl_mirror_n_waiting(mirror)));
}
