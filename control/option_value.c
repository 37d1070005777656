// SPDX-License-Identifier: BSD-3-Clause
#include "control/option_value.h"

#include <errno.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit count_units[] = {
	{"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0}};
static const struct unit duration_units[] = {{"ms", 1000000}, {"s", 1000000000},
	{"min", 60 * 1000000000ULL}, {"h", 3600 * 1000000000ULL}, {"d", 86400 * 1000000000ULL},
	{NULL, 0}};
static const struct unit size_units[] = {{"B", 1}, {"kB", 1000}, {"MB", 1000000},
	{"GB", 1000000000}, {"TB", 1000000000000}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20},
	{"GiB", 1ULL << 30}, {"TiB", 1ULL << 40}, {NULL, 0}};
static const struct unit rate_units[] = {
	{"bit", 1}, {"kbit", 1000}, {"Mbit", 1000000}, {"Gbit", 1000000000}, {NULL, 0}};

enum { WHOLE_DIGITS_MAX = 18, FRACTION_DIGITS_MAX = 9 }; // both fit a uint64_t

struct decimal {
	uint64_t whole;
	uint64_t fraction; // of 10^n
	uint64_t fraction_scale; // 10^n
	const char *unit; // what follows
};

static int decimal_parse(const char *text, struct decimal *ret)
{
	struct decimal d = {.fraction_scale = 1};
	const char *p = text;
	int n = 0;

	for (; g_ascii_isdigit(*p); p++, n++) {
		if (n == WHOLE_DIGITS_MAX)
			return -EINVAL;
		d.whole = d.whole * 10 + (uint64_t)(*p - '0');
	}
	if (n == 0)
		return -EINVAL;
	if (*p == '.') {
		p++;
		for (n = 0; g_ascii_isdigit(*p); p++, n++) {
			if (n == FRACTION_DIGITS_MAX)
				return -EINVAL;
			d.fraction = d.fraction * 10 + (uint64_t)(*p - '0');
			d.fraction_scale *= 10;
		}
		if (n == 0)
			return -EINVAL;
	}
	d.unit = p;
	*ret = d;
	return 0;
}

static int scaled_parse(const char *text, const struct unit *units, uint64_t *ret)
{
	struct decimal d;
	uint64_t whole, fraction;

	if (decimal_parse(text, &d) < 0)
		return -EINVAL;
	while (units->name != NULL && strcmp(units->name, d.unit) != 0)
		units++;
	if (units->name == NULL)
		return -EINVAL;
	if (__builtin_mul_overflow(d.whole, units->factor, &whole) ||
		__builtin_mul_overflow(d.fraction, units->factor, &fraction))
		return -EINVAL;
	if (fraction % d.fraction_scale != 0) // 1.5 bytes
		return -EINVAL;
	return __builtin_add_overflow(whole, fraction / d.fraction_scale, ret) ? -EINVAL : 0;
}

static int percent_parse(const char *text, double *ret)
{
	struct decimal d;

	if (decimal_parse(text, &d) < 0 || strcmp(d.unit, "%") != 0)
		return -EINVAL;
	*ret = (double)d.whole + (double)d.fraction / (double)d.fraction_scale;
	return 0;
}

static int hour_parse(const char **p, unsigned *ret)
{
	unsigned hour = 0;
	int n = 0;

	for (; g_ascii_isdigit(**p) && n < 2; (*p)++, n++)
		hour = hour * 10 + (unsigned)(**p - '0');
	*ret = hour;
	return n == 0 || hour > 24 ? -EINVAL : 0;
}

/* Equal hours would be either always or never: refused. */
static int hours_parse(const char *text, struct ctl_hours *ret)
{
	unsigned begin, end;

	if (hour_parse(&text, &begin) < 0 || *text++ != '-' || hour_parse(&text, &end) < 0)
		return -EINVAL;
	if (*text != '\0' || begin == 24 || begin == end)
		return -EINVAL;
	*ret = (struct ctl_hours){.begin = (uint8_t)begin, .end = (uint8_t)end};
	return 0;
}

/* RFC 3339 5.6 date-time; GLib alone would also take the short and the week forms of ISO 8601. */
static bool is_rfc3339(const char *text)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	const size_t shape_len = sizeof(shape) - 1;

	for (size_t i = 0; i < shape_len; i++)
		if (shape[i] == 'd' ? !g_ascii_isdigit(text[i]) : text[i] != shape[i])
			return false; // the NUL of a short text ends here too
	text += shape_len;
	if (*text == '.') {
		if (!g_ascii_isdigit(*++text))
			return false;
		while (g_ascii_isdigit(*text))
			text++;
	}
	if (strcmp(text, "Z") == 0)
		return true;
	return (*text == '+' || *text == '-') && g_ascii_isdigit(text[1]) &&
		g_ascii_isdigit(text[2]) && text[3] == ':' && g_ascii_isdigit(text[4]) &&
		g_ascii_isdigit(text[5]) && text[6] == '\0';
}

static int time_parse(const char *text, uint64_t *ret)
{
	g_autoptr(GDateTime) t = NULL;
	gint64 s;

	if (!is_rfc3339(text))
		return -EINVAL;
	t = g_date_time_new_from_iso8601(text, NULL);
	if (t == NULL)
		return -EINVAL;
	s = g_date_time_to_unix(t);
	if (s <= 0) // 0 means "not given" everywhere, and nothing told is older than the epoch
		return -EINVAL;
	if (s >=
		INT64_MAX / 1000000000) { // "until 9999-12-31": ns end in 2262, so that is for ever
		*ret = INT64_MAX;
		return 0;
	}
	*ret = (uint64_t)s * 1000000000 + (uint64_t)g_date_time_get_microsecond(t) * 1000;
	return 0;
}

static int bool_parse(const char *text, uint64_t *ret)
{
	const bool is_true = strcmp(text, "true") == 0;

	*ret = is_true;
	return is_true || strcmp(text, "false") == 0 ? 0 : -EINVAL;
}

int ctl_value_parse(enum ctl_option_type type, const char *text, struct ctl_value *ret_value)
{
	struct ctl_value v = {0};
	int r = -EINVAL;

	switch (type) {
	case CTL_OPTION_BOOL:
		r = bool_parse(text, &v.u64);
		break;
	case CTL_OPTION_COUNT:
		r = scaled_parse(text, count_units, &v.u64);
		break;
	case CTL_OPTION_DURATION:
		r = scaled_parse(text, duration_units, &v.u64);
		break;
	case CTL_OPTION_SIZE:
		r = scaled_parse(text, size_units, &v.u64);
		break;
	case CTL_OPTION_RATE:
		r = scaled_parse(text, rate_units, &v.u64);
		break;
	case CTL_OPTION_PERCENT:
	case CTL_OPTION_PERCENTS:
		r = percent_parse(text, &v.percent);
		break;
	case CTL_OPTION_STRING:
	case CTL_OPTION_STRINGS:
		r = *text == '\0' ? -EINVAL : 0;
		break;
	case CTL_OPTION_HOURS:
		r = hours_parse(text, &v.hours);
		break;
	case CTL_OPTION_TIME:
		r = time_parse(text, &v.u64);
		break;
	case CTL_OPTION_ENUM:
	case CTL_OPTION_TYPE_COUNT:
		break;
	}
	if (r == 0)
		*ret_value = v;
	return r;
}
