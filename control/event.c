// SPDX-License-Identifier: BSD-3-Clause
#include "control/event.h"

#include "control/utc.h"

#include <math.h>
#include <openssl/evp.h>
#include <string.h>

const struct ctl_event_kind ctl_event_kinds[CTL_EVENT_COUNT] = {
	[CTL_EVENT_SESSION_STARTED] = {"wirecue.app.session_started.v1", .is_service = true},
	[CTL_EVENT_SESSION_ENDED] = {"wirecue.app.session_ended.v1", .is_service = true},
	[CTL_EVENT_WATCHED] = {"wirecue.app.watched.v1"},
	[CTL_EVENT_COMPETITOR] = {"wirecue.competitor.interest.v1"},
	[CTL_EVENT_THRESHOLD] = {"wirecue.usage.threshold.v1", true, true, true},
	[CTL_EVENT_NUDGE] = {"wirecue.usage.nudge.v1", .is_usage = true},
	[CTL_EVENT_CAP_PATTERN] = {"wirecue.usage.cap_pattern.v1", .is_usage = true},
};

json_t *ctl_time_json(uint64_t t_ns)
{
	char text[CTL_UTC_MAX];

	if (t_ns == 0)
		return json_null();
	ctl_utc_format(t_ns, text);
	return json_string(text);
}

json_t *ctl_percent_json(double percent)
{
	return json_real(floor(percent * 10) / 10);
}

static void digest(const char *const *parts, size_t n_parts, uint8_t ret_sha[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool is_ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; i < n_parts && is_ok; i++)
		is_ok = EVP_DigestUpdate(md, parts[i], strlen(parts[i]) + 1) == 1;
	is_ok = is_ok && EVP_DigestFinal_ex(md, ret_sha, NULL) == 1;
	EVP_MD_CTX_free(md);
	if (!is_ok)
		g_error("libcrypto cannot compute SHA-256");
}

static uint64_t first_u64(const uint8_t *sha)
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | sha[i];
	return n;
}

void ctl_event_id(const char *const *parts, size_t n_parts, char ret_id[33])
{
	uint8_t sha[EVP_MAX_MD_SIZE];

	digest(parts, n_parts, sha);
	for (int i = 0; i < 16; i++)
		(void)g_snprintf(ret_id + (ptrdiff_t)2 * i, 3, "%02x", sha[i]);
}

double ctl_event_draw(const char *rule, const char *subject)
{
	const char *const parts[] = {"control group", rule, subject};
	uint8_t sha[EVP_MAX_MD_SIZE];

	digest(parts, G_N_ELEMENTS(parts), sha);
	return (double)(first_u64(sha) >> 11) * 0x1p-53 * 100;
}

uint64_t ctl_event_slot(const char *rule, enum ctl_event event, const char *slot)
{
	const char *const parts[] = {"cooldown", rule, ctl_event_kinds[event].type, slot};
	uint8_t sha[EVP_MAX_MD_SIZE];

	digest(parts, G_N_ELEMENTS(parts), sha);
	return first_u64(sha);
}

/* Four decimals: a share is an estimate, and its text must not depend on the last bit. */
json_t *ctl_share_json(double x)
{
	return json_real(round(CLAMP(x, 0, 1) * 10000) / 10000);
}

static json_t *basis_json(const struct ctl_event_frame *f)
{
	if (f->consent == NULL)
		return json_null();
	return json_pack("{s:s, s:I, s:o}", "purpose", f->rule->purpose, "record_version",
		(json_int_t)f->consent->version, "checked_at",
		ctl_time_json(f->candidate->time_ns));
}

static json_t *data_json(const struct ctl_event_frame *f)
{
	const struct ctl_candidate *c = f->candidate;
	json_t *data = json_object();

	json_object_set_new(data, "rule",
		json_pack("{s:s, s:I, s:b, s:b}", "id", f->rule->id, "version",
			(json_int_t)f->rule->version, "dry_run", f->rule->dry_run, "control_group",
			f->is_control));
	json_object_set_new(data, "class", json_string(ctl_class_names[f->class]));
	json_object_set_new(data, "priority", json_integer((json_int_t)f->rule->priority));
	json_object_set_new(data, "evidence",
		json_pack("{s:I, s:i, s:i, s:o}", "bytes", (json_int_t)c->n_bytes, "sessions",
			(int)c->n_sessions, "distinct_days", (int)c->n_days, "known_by",
			ctl_evidence_json(c->evidence)));
	json_object_set_new(data, "confidence", json_integer(c->confidence));
	json_object_set_new(data, "coverage",
		json_pack("{s:o, s:o, s:o, s:o}", "capture_loss",
			ctl_share_json(f->coverage.capture_loss), "unclassified",
			ctl_share_json(f->coverage.unclassified), "unbound",
			ctl_share_json(f->coverage.unbound), "opaque",
			ctl_share_json(f->coverage.opaque)));
	json_object_set_new(data, "basis", basis_json(f));
	c->fill(data, c->arg);
	return data;
}

struct ctl_trigger *ctl_event_new(const struct ctl_event_frame *f)
{
	const struct ctl_candidate *c = f->candidate;
	const char *const type = ctl_event_kinds[c->event].type;
	const char *const parts[] = {f->rule->id, f->subject, type, c->window};
	struct ctl_trigger *t = g_new0(struct ctl_trigger, 1);
	char text[128]; // node and type are at most 63 characters

	ctl_event_id(parts, G_N_ELEMENTS(parts), t->id);
	(void)g_strlcpy(t->type, type, sizeof(t->type));
	(void)g_strlcpy(t->subject, f->subject, sizeof(t->subject));
	(void)g_strlcpy(t->rule, f->rule->id, sizeof(t->rule));
	t->time_ns = c->time_ns;
	t->expiry_ns = c->expiry_ns;
	t->event = json_object();
	json_object_set_new(t->event, "specversion", json_string("1.0"));
	json_object_set_new(t->event, "id", json_string(t->id));
	(void)g_snprintf(text, sizeof(text), "/wirecue/%s", f->node);
	json_object_set_new(t->event, "source", json_string(text));
	json_object_set_new(t->event, "type", json_string(type));
	json_object_set_new(t->event, "subject", json_string(t->subject));
	json_object_set_new(t->event, "time", ctl_time_json(t->time_ns));
	json_object_set_new(t->event, "expirytime", ctl_time_json(t->expiry_ns));
	json_object_set_new(t->event, "datacontenttype", json_string("application/json"));
	(void)g_snprintf(text, sizeof(text), "https://wirecue.example/schema/%s.json", type);
	json_object_set_new(t->event, "dataschema", json_string(text));
	json_object_set_new(t->event, "data", data_json(f));
	return t;
}
