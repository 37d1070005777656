// SPDX-License-Identifier: BSD-3-Clause
#include "control/reach.h"

#include "control/utc.h"

#include <glib.h>
#include <inttypes.h>

static uint64_t missed(const struct ctl_survey_reach *r)
{
	return r->n_overwritten + r->n_dropped;
}

static char *sentence(const struct ctl_survey_reach *r, uint64_t n_found, const char *what)
{
	GString *text = g_string_new(NULL);
	char since[CTL_UTC_MAX];

	g_string_append_printf(text, "%" PRIu64 " %s of %" PRIu64 ": %" PRIu64 " live", n_found,
		what, r->n_living + r->n_ended, r->n_living);
	if (r->since_ns != 0) {
		ctl_utc_format(r->since_ns, since);
		g_string_append_printf(text, ", %" PRIu64 " ended since %s", r->n_ended, since);
	} else {
		g_string_append(text, ", of those that ended none are kept (flows.recent: 0)");
	}
	if (missed(r) > 0)
		g_string_append_printf(
			text, "; %" PRIu64 " more passed unseen, there was no room", missed(r));
	return g_string_free(text, FALSE);
}

json_t *ctl_reach_record(
	const struct ctl_survey_reach *r, uint64_t n_found, const char *what, json_t *given)
{
	g_autofree char *summary = sentence(r, n_found, what);
	json_t *record = json_pack("{s:s}", "summary", summary);
	const uint64_t seconds = r->since_ns != 0 && r->since_ns < r->end_ns
		? (r->end_ns - r->since_ns) / 1000000000
		: 0;
	char since[CTL_UTC_MAX];

	ctl_utc_format(r->since_ns, since);
	if (record == NULL || json_object_update(record, given) != 0) {
		json_decref(record);
		json_decref(given);
		return NULL;
	}
	json_decref(given);
	(void)json_object_set_new(record, "living", json_integer((json_int_t)r->n_living));
	(void)json_object_set_new(record, "ended", json_integer((json_int_t)r->n_ended));
	(void)json_object_set_new(record, "missed", json_integer((json_int_t)missed(r)));
	(void)json_object_set_new(
		record, "since", r->since_ns != 0 ? json_string(since) : json_null());
	(void)json_object_set_new(record, "seconds", json_integer((json_int_t)seconds));
	return record;
}
