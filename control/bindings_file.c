// SPDX-License-Identifier: BSD-3-Clause
#include "control/bindings_file.h"

#include "control/subject.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

enum { PREFIX_CHARS = 4, BITS_MAX = 128 };

struct line {
	uint64_t from_ns;
	struct dp_addr addr;
	char *text; // owned
};

struct ctl_bindings_file {
	const struct ctl_privacy *privacy;
	struct ctl_namer *namer;
	GArray *lines; // struct line
};

static void line_clear(void *line)
{
	g_free(((struct line *)line)->text);
}

struct ctl_bindings_file *ctl_bindings_file_new(const struct ctl_privacy *privacy)
{
	struct ctl_bindings_file *file = g_new0(struct ctl_bindings_file, 1);

	file->privacy = privacy;
	file->namer = ctl_namer_new(privacy);
	file->lines = g_array_new(FALSE, FALSE, sizeof(struct line));
	g_array_set_clear_func(file->lines, line_clear);
	return file;
}

void ctl_bindings_file_free(struct ctl_bindings_file *file)
{
	if (file == NULL)
		return;
	ctl_namer_free(file->namer);
	g_array_unref(file->lines);
	g_free(file);
}

/* A field that is not known is left out. */
static void set_text(json_t *object, const char *key, const char *text)
{
	if (text != NULL && text[0] != '\0')
		(void)json_object_set_new(object, key, json_string(text));
}

static void set_endpoint(json_t *object, const struct ctl_binding *binding)
{
	char text[DP_ADDR_STRLEN + PREFIX_CHARS];

	set_text(object, "endpoint",
		dp_endpoint_format(&binding->addr,
			dp_addr_is_v4(&binding->addr) ? BITS_MAX : binding->len, text));
}

static void set_subscriber(
	const struct ctl_bindings_file *file, json_t *object, const struct ctl_known *who)
{
	const struct ctl_person person = {
		.imsi = who->imsi[0] != '\0' ? (char *)(uintptr_t)who->imsi : NULL,
		.msisdn = who->msisdn[0] != '\0' ? (char *)(uintptr_t)who->msisdn : NULL,
		.account = who->account[0] != '\0' ? (char *)(uintptr_t)who->account : NULL,
	};
	char subject[CTL_SUBJECT_MAX];

	if (ctl_namer_person(file->namer, &person, subject, NULL) == 0)
		set_text(object, "subscriber", subject);
}

static json_t *teids_of(const struct ctl_binding *binding)
{
	json_t *teids = json_array();

	for (size_t i = 0; i < binding->n_teids; i++) {
		char addr[DP_ADDR_STRLEN];
		g_autofree char *text = g_strdup_printf("%s/0x%08x",
			dp_addr_format(&binding->teids[i].addr, addr),
			(unsigned int)binding->teids[i].id);

		(void)json_array_append_new(teids, json_string(text));
	}
	return teids;
}

static json_t *line_of(const struct ctl_bindings_file *file, const struct ctl_binding *binding)
{
	json_t *object = json_object();

	set_endpoint(object, binding);
	set_subscriber(file, object, binding->who);
	if (file->privacy->subject == CTL_SUBJECT_PLAIN) {
		set_text(object, "imsi", binding->who->imsi);
		set_text(object, "msisdn", binding->who->msisdn);
		set_text(object, "account", binding->who->account);
		set_text(object, "imei", binding->as.imei);
	}
	set_text(object, "apn", binding->as.apn);
	set_text(object, "uli", binding->as.uli);
	set_text(object, "mcc_mnc", binding->as.mcc_mnc);
	set_text(object, "rat", ctl_sig_rat_name(binding->as.rat));
	if (binding->n_teids > 0)
		(void)json_object_set_new(object, "teids", teids_of(binding));
	set_text(object, "source", ctl_sig_proto_names[binding->source]);
	(void)json_object_set_new(object, "from_ns", json_integer((json_int_t)binding->from_ns));
	(void)json_object_set_new(object, "to_ns", json_integer((json_int_t)binding->to_ns));
	return object;
}

void ctl_bindings_file_add(void *ctx, const struct ctl_binding *binding)
{
	struct ctl_bindings_file *file = ctx;
	json_t *object = line_of(file, binding);
	char *json = json_dumps(object, JSON_COMPACT);
	const struct line line = {
		.from_ns = binding->from_ns, .addr = binding->addr, .text = g_strdup(json)};

	g_array_append_val(file->lines, line);
	free(json);
	json_decref(object);
}

static int line_cmp(gconstpointer pa, gconstpointer pb)
{
	const struct line *a = pa, *b = pb;

	if (a->from_ns != b->from_ns)
		return a->from_ns < b->from_ns ? -1 : 1;
	return dp_addr_cmp(&a->addr, &b->addr);
}

int ctl_bindings_file_write(const struct ctl_bindings_file *file, FILE *out)
{
	g_array_sort(file->lines, line_cmp);
	for (guint i = 0; i < file->lines->len; i++)
		if (fprintf(out, "%s\n", g_array_index(file->lines, struct line, i).text) < 0)
			return -errno;
	return fflush(out) == 0 ? 0 : -errno;
}
