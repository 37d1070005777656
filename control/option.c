// SPDX-License-Identifier: BSD-3-Clause
#include "control/option.h"

#include "control/option_value.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *word; // in the reference
	const char *expected;
} types[] = {
	[CTL_OPTION_BOOL] = {"`true` `false`", "true or false"},
	[CTL_OPTION_COUNT] = {"count", "a count such as 17, 512k or 4M"},
	[CTL_OPTION_DURATION] = {"duration",
		"a duration with a unit such as 10min (ms, s, min, h, d)"},
	[CTL_OPTION_SIZE] = {"size",
		"a size with a unit such as 150MB (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)"},
	[CTL_OPTION_RATE] = {"rate", "a rate with a unit such as 200kbit (bit, kbit, Mbit, Gbit)"},
	[CTL_OPTION_PERCENT] = {"percentage", "a percentage such as 80%"},
	[CTL_OPTION_STRING] = {"text", "a text that is not empty"},
	[CTL_OPTION_ENUM] = {"word", NULL},
	[CTL_OPTION_STRINGS] = {"list of texts", "a list of texts such as [a, b]"},
	[CTL_OPTION_PERCENTS] = {"list of percentages", "a list of percentages such as [80%, 90%]"},
	[CTL_OPTION_HOURS] = {"hours", "local hours such as 18-24 (0 to 24, end exclusive)"},
	[CTL_OPTION_TIME] = {"time", "a time with its zone such as 2026-03-01T00:00:00Z"},
};
static_assert(G_N_ELEMENTS(types) == CTL_OPTION_TYPE_COUNT);

void ctl_option_expected(const struct ctl_option *option, char ret_text[CTL_EXPECTED_MAX])
{
	size_t len;

	if (option->type != CTL_OPTION_ENUM) {
		(void)snprintf(
			ret_text, CTL_EXPECTED_MAX, "expected %s", types[option->type].expected);
		return;
	}
	len = (size_t)snprintf(ret_text, CTL_EXPECTED_MAX, "expected one of ");
	for (const char *const *v = option->values; *v != NULL && len < CTL_EXPECTED_MAX; v++)
		len += (size_t)snprintf(ret_text + len, CTL_EXPECTED_MAX - len, "%s%s",
			v == option->values ? "" : ", ", *v);
}

static void range_expected(const struct ctl_option *option, char *ret_text)
{
	if (option->min != NULL && option->max != NULL)
		(void)snprintf(
			ret_text, CTL_EXPECTED_MAX, "expected %s to %s", option->min, option->max);
	else
		(void)snprintf(ret_text, CTL_EXPECTED_MAX, "expected at %s %s",
			option->min != NULL ? "least" : "most",
			option->min != NULL ? option->min : option->max);
}

static bool in_range(const struct ctl_option *option, const struct ctl_value *v)
{
	struct ctl_value bound;

	if (option->min != NULL) {
		if (ctl_value_parse(option->type, option->min, &bound) < 0)
			assert(!"a table's minimum does not parse");
		if (v->u64 < bound.u64 || v->percent < bound.percent)
			return false;
	}
	if (option->max != NULL) {
		if (ctl_value_parse(option->type, option->max, &bound) < 0)
			assert(!"a table's maximum does not parse");
		if (v->u64 > bound.u64 || v->percent > bound.percent)
			return false;
	}
	return true;
}

static int enum_index(const struct ctl_option *option, const char *text)
{
	for (int i = 0; option->values[i] != NULL; i++)
		if (strcmp(option->values[i], text) == 0)
			return i;
	return -EINVAL;
}

static void strings_append(char ***list, const char *text)
{
	const guint n = *list == NULL ? 0 : g_strv_length(*list);

	*list = g_renew(char *, *list, n + 2);
	(*list)[n] = g_strdup(text);
	(*list)[n + 1] = NULL;
}

static void percents_append(GArray **list, double percent)
{
	if (*list == NULL)
		*list = g_array_new(FALSE, FALSE, sizeof(double));
	g_array_append_val(*list, percent);
}

static void write_value(
	const struct ctl_option *option, const char *text, const struct ctl_value *v, void *field)
{
	switch (option->type) {
	case CTL_OPTION_BOOL:
		*(bool *)field = v->u64 != 0;
		break;
	case CTL_OPTION_COUNT:
	case CTL_OPTION_DURATION:
	case CTL_OPTION_SIZE:
	case CTL_OPTION_RATE:
	case CTL_OPTION_TIME:
		*(uint64_t *)field = v->u64;
		break;
	case CTL_OPTION_PERCENT:
		*(double *)field = v->percent;
		break;
	case CTL_OPTION_STRING:
		g_free(*(char **)field);
		*(char **)field = g_strdup(text);
		break;
	case CTL_OPTION_ENUM:
		*(int *)field = enum_index(option, text);
		break;
	case CTL_OPTION_STRINGS:
		strings_append((char ***)field, text);
		break;
	case CTL_OPTION_PERCENTS:
		percents_append((GArray **)field, v->percent);
		break;
	case CTL_OPTION_HOURS:
		*(struct ctl_hours *)field = v->hours;
		break;
	case CTL_OPTION_TYPE_COUNT:
		break;
	}
}

int ctl_option_set(const struct ctl_option *option, const char *text, void *base,
	char reterr[CTL_EXPECTED_MAX])
{
	struct ctl_value v = {0};
	const char *expected;
	int r;

	if (option->type == CTL_OPTION_ENUM)
		r = enum_index(option, text);
	else
		r = ctl_value_parse(option->type, text, &v);
	if (r < 0) {
		ctl_option_expected(option, reterr);
		return -EINVAL;
	}
	if (!in_range(option, &v)) {
		range_expected(option, reterr);
		return -EINVAL;
	}
	expected = option->check == NULL ? NULL : option->check(text);
	if (expected != NULL) {
		(void)g_strlcpy(reterr, expected, CTL_EXPECTED_MAX);
		return -EINVAL;
	}
	write_value(option, text, &v, (char *)base + option->off);
	return 0;
}

void ctl_option_clear(const struct ctl_option *option, void *base)
{
	void *field = (char *)base + option->off;

	if (option->type == CTL_OPTION_STRING) {
		g_clear_pointer((char **)field, g_free);
	} else if (option->type == CTL_OPTION_STRINGS) {
		g_clear_pointer((char ***)field, g_strfreev);
	} else if (option->type == CTL_OPTION_PERCENTS) {
		g_clear_pointer((GArray **)field, g_array_unref);
	}
}

/* A list's default is written [a, b] in the table. */
static int set_default(const struct ctl_option *option, void *base, char *reterr)
{
	g_autofree char *inside = NULL;
	g_auto(GStrv) words = NULL;
	const size_t len = strlen(option->def);

	if (!ctl_option_is_list(option))
		return ctl_option_set(option, option->def, base, reterr);
	assert(len >= 2 && option->def[0] == '[' && option->def[len - 1] == ']');
	inside = g_strndup(option->def + 1, len - 2);
	words = g_strsplit(inside, ",", 0);
	for (char **w = words; *w != NULL; w++)
		if (ctl_option_set(option, g_strstrip(*w), base, reterr) < 0)
			return -EINVAL;
	return 0;
}

void ctl_options_init(const struct ctl_option *options, void *base)
{
	char expected[CTL_EXPECTED_MAX];

	for (const struct ctl_option *o = options; o->name != NULL; o++)
		if (o->def != NULL && set_default(o, base, expected) < 0)
			g_error("default of '%s': %s", o->name, expected);
}

void ctl_options_fini(const struct ctl_option *options, void *base)
{
	for (const struct ctl_option *o = options; o->name != NULL; o++)
		ctl_option_clear(o, base);
}

static void print_range(const struct ctl_option *o, GString *out)
{
	if (o->type == CTL_OPTION_ENUM) {
		for (const char *const *v = o->values; *v != NULL; v++)
			g_string_append_printf(out, "%s`%s`", v == o->values ? "" : " ", *v);
		return;
	}
	g_string_append(out, types[o->type].word);
	if (o->min != NULL && o->max != NULL)
		g_string_append_printf(out, ", %s to %s", o->min, o->max);
	else if (o->min != NULL)
		g_string_append_printf(out, ", at least %s", o->min);
	else if (o->max != NULL)
		g_string_append_printf(out, ", at most %s", o->max);
}

void ctl_options_print_head(GString *out)
{
	g_string_append(out, "| key | value | default | meaning |\n|---|---|---|---|\n");
}

void ctl_options_print(const struct ctl_option *options, GString *out)
{
	for (const struct ctl_option *o = options; o->name != NULL; o++) {
		g_string_append_printf(out, "| `%s` | ", o->name);
		print_range(o, out);
		if (o->required)
			g_string_append(out, " | required");
		else if (o->def == NULL)
			g_string_append(out, " | –");
		else
			g_string_append_printf(out, " | `%s`", o->def);
		g_string_append_printf(out, " | %s", o->help);
		if (o->env != NULL)
			g_string_append_printf(
				out, " (`%s` in the environment overrides it)", o->env);
		g_string_append(out, " |\n");
	}
}
