// SPDX-License-Identifier: BSD-3-Clause
#include "control/unknown_rows.h"

#include <string.h>

static const char *kind_of(const struct ctl_unknown_row *row)
{
	switch (row->kind) {
	case CTL_UNKNOWN_HOST:
		return row->is_shared ? "shared" : "host";
	case CTL_UNKNOWN_SERVER:
		return strchr(row->what, '/') != NULL ? "network" : "server";
	default:
		return "protocol";
	}
}

/* "tcp:443", as the catalogue writes ports; "tcp" where there are many; null of names. */
static json_t *port_of(const struct ctl_unknown_row *row)
{
	if (row->kind == CTL_UNKNOWN_HOST)
		return json_null();
	if (row->port == 0)
		return json_string(row->l4);
	return json_sprintf("%s:%u", row->l4, row->port);
}

static json_t *examples_of(const struct ctl_unknown_row *row)
{
	json_t *list = json_array();

	for (int i = 0; row->examples[i] != NULL; i++)
		(void)json_array_append_new(list, json_string(row->examples[i]));
	return list;
}

json_t *ctl_unknown_record(const struct ctl_unknown_row *row)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:s, s:s, s:o, s:s, s:s?, s:s?, s:o}", "bytes",
		(json_int_t)row->bytes, "flows", (json_int_t)row->flows, "subscribers",
		(json_int_t)row->subscribers, "weak_bytes", (json_int_t)row->weak_bytes, "kind",
		kind_of(row), "what", row->what, "port", port_of(row), "proto", row->proto, "app",
		row->app, "domain", row->domain, "examples", examples_of(row));
}

json_t *ctl_unknown_sum_record(const char *kind, const struct ctl_unknown_sum *sum)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:s}", "bytes", (json_int_t)sum->bytes, "flows",
		(json_int_t)sum->flows, "subscribers", (json_int_t)sum->subscribers, "weak_bytes",
		(json_int_t)sum->weak_bytes, "kind", kind);
}

/* "a,b"; null: there is none. */
static json_t *joined(const json_t *list)
{
	GString *text = g_string_new(NULL);
	const json_t *example;
	json_t *result;
	size_t i;

	json_array_foreach(list, i, example)
	{
		const char *word = json_string_value(example);

		g_string_append_printf(text, "%s%s", i > 0 ? "," : "", word != NULL ? word : "?");
	}
	result = text->len > 0 ? json_string(text->str) : json_null();
	g_string_free(text, TRUE);
	return result;
}

void ctl_unknown_record_to_text(json_t *record)
{
	static const char *const of_rows[] = {"what", "port", "proto", "app", "domain", "examples"};
	const char *what = json_string_value(json_object_get(record, "what"));
	const char *domain = json_string_value(json_object_get(record, "domain"));

	if (domain != NULL && g_strcmp0(domain, what) == 0)
		(void)json_object_set_new(record, "domain", json_null());
	if (json_is_array(json_object_get(record, "examples")))
		(void)json_object_set_new(
			record, "examples", joined(json_object_get(record, "examples")));
	for (size_t i = 0; i < G_N_ELEMENTS(of_rows); i++)
		if (json_object_get(record, of_rows[i]) == NULL)
			(void)json_object_set_new(record, of_rows[i], json_null());
}
