// SPDX-License-Identifier: BSD-3-Clause
#include "control/redis_state.h"

#include "control/log.h"
#include "control/utc.h"

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *const ctl_redis_state_names[CTL_REDIS_STATE_COUNT] = {
	[CTL_REDIS_CONNECTING] = "connecting",
	[CTL_REDIS_READY] = "ready",
	[CTL_REDIS_UNREACHABLE] = "unreachable",
	[CTL_REDIS_LOADING] = "loading",
	[CTL_REDIS_READONLY] = "readonly",
	[CTL_REDIS_FULL] = "full",
	[CTL_REDIS_DENIED] = "denied",
	[CTL_REDIS_UNSAFE] = "unsafe",
	[CTL_REDIS_CONFLICT] = "conflict",
	[CTL_REDIS_FAILING] = "failing",
};

static const char *const remedies[CTL_REDIS_STATE_COUNT] = {
	[CTL_REDIS_CONNECTING] = "no answer yet",
	[CTL_REDIS_READY] = "",
	[CTL_REDIS_UNREACHABLE] = "is it running, and is redis.url right?",
	[CTL_REDIS_LOADING] = "it is reading its data set and will answer when that is done",
	[CTL_REDIS_READONLY] = "it is a replica; redis.url must name the master",
	[CTL_REDIS_FULL] = "its maxmemory is reached; give it more, or set redis.stream_max_length",
	[CTL_REDIS_DENIED] = "check redis.user, redis.password_file and the user's ACL",
	[CTL_REDIS_UNSAFE] =
		"what it has taken may not survive it; see its own log, and redis.confirm",
	[CTL_REDIS_CONFLICT] = "nothing is published until you choose: see 'wirecue stream'",
	[CTL_REDIS_FAILING] = "see the log of Redis",
};

/* Error codes of Redis 5 to 7. A script may wrap one ("ERR Error running script … -OOM …"), so each
 * is looked for anywhere; what stands first here wins. */
static const struct {
	const char *code;
	enum ctl_redis_state state;
} codes[] = {
	{"WIRECUE_", CTL_REDIS_CONFLICT}, // our own script
	{"equal or smaller than", CTL_REDIS_CONFLICT}, // XADD, with an id of ours
	{"LOADING ", CTL_REDIS_LOADING},
	{"READONLY ", CTL_REDIS_READONLY},
	{"OOM ", CTL_REDIS_FULL},
	{"NOAUTH ", CTL_REDIS_DENIED},
	{"WRONGPASS ", CTL_REDIS_DENIED},
	{"NOPERM ", CTL_REDIS_DENIED},
	{"The user executing the script can't", CTL_REDIS_DENIED}, // Redis 7.0, in a script
	{"ACL failure in script", CTL_REDIS_DENIED}, // 7.2
	{"operation not permitted", CTL_REDIS_DENIED}, // Redis 5, before AUTH
	{"can't run this command", CTL_REDIS_DENIED}, // Redis 7.0, from inside a script
	{"ACL failure in script", CTL_REDIS_DENIED}, // and 7.2
	{"can't access at least one of the keys", CTL_REDIS_DENIED},
	{"MISCONF ", CTL_REDIS_UNSAFE},
	{"NOREPLICAS ", CTL_REDIS_UNSAFE},
	{"MASTERDOWN ", CTL_REDIS_READONLY},
};

enum ctl_redis_state ctl_redis_state_of(const char *error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
		if (strstr(error, codes[i].code) != NULL)
			return codes[i].state;
	}
	return CTL_REDIS_FAILING;
}

void ctl_redis_status_init(struct ctl_redis_status *status)
{
	*status = (struct ctl_redis_status){
		.state = CTL_REDIS_CONNECTING,
		.since_ns = ctl_utc_now_ns(),
	};
}

void ctl_redis_status_set(struct ctl_redis_status *status, enum ctl_redis_state state,
	const char *cause, const char *endpoint, uint64_t retry_ms)
{
	const bool is_news = state != status->state ||
		(cause != NULL && strncmp(cause, status->cause, sizeof(status->cause) - 1) != 0);

	if (state != status->state)
		status->since_ns = ctl_utc_now_ns();
	status->state = state;
	if (cause != NULL)
		(void)g_strlcpy(status->cause, cause, sizeof(status->cause));
	if (!is_news || status->is_quiet)
		return;
	if (state == CTL_REDIS_READY)
		ctl_log(CTL_LOG_NOTICE, "redis_ready", CTL_TEXT("endpoint", endpoint),
			CTL_COUNT("connects", status->n_connects));
	else
		ctl_log(CTL_LOG_WARNING, "redis_down", CTL_TEXT("endpoint", endpoint),
			CTL_TEXT("state", ctl_redis_state_names[state]),
			CTL_TEXT("cause", status->cause), CTL_TEXT("remedy", remedies[state]),
			CTL_COUNT("retry_ms", retry_ms));
}

void ctl_redis_status_connected(struct ctl_redis_status *status)
{
	status->n_connects++;
}

void ctl_redis_status_sentence(
	const struct ctl_redis_status *status, const char *endpoint, char *ret_text, size_t size)
{
	if (status->state == CTL_REDIS_READY)
		(void)snprintf(ret_text, size, "Redis at %s is ready", endpoint);
	else if (status->cause[0] == '\0')
		(void)snprintf(ret_text, size, "Redis at %s is %s: %s", endpoint,
			ctl_redis_state_names[status->state], remedies[status->state]);
	else
		(void)snprintf(ret_text, size, "Redis at %s is %s (%s): %s", endpoint,
			ctl_redis_state_names[status->state], status->cause,
			remedies[status->state]);
}

void ctl_redis_status_json(
	const struct ctl_redis_status *status, const char *endpoint, json_t *object)
{
	char since[CTL_UTC_MAX];

	ctl_utc_format(status->since_ns, since);
	// Without memory a field is missing, nothing worse.
	(void)json_object_set_new(
		object, "state", json_string(ctl_redis_state_names[status->state]));
	(void)json_object_set_new(object, "since", json_string(since));
	(void)json_object_set_new(object, "endpoint", json_string(endpoint));
	(void)json_object_set_new(object, "connects", json_integer((json_int_t)status->n_connects));
	(void)json_object_set_new(object, "last_error",
		status->cause[0] != '\0' ? json_string(status->cause) : json_null());
}
