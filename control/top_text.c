// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_text.h"

#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char prefixes[] = {0, 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'};

/* Divide by 1000 until three places before the point are enough; returns how often. */
static size_t scale(double *v)
{
	size_t i = 0;

	// 999.5 is 1000 when it is written with three places.
	for (; *v >= 999.5 && i + 1 < sizeof(prefixes); i++)
		*v /= 1000;
	return i;
}

/* v: 0 to 999.5. Less than a hundredth is none. */
static void three_places(double v, char *ret_text, size_t size)
{
	const int places = v >= 99.95 || v < 0.005 ? 0 : v >= 9.995 ? 1 : 2;
	char *end;

	(void)snprintf(ret_text, size, "%.*f", places, v);
	if (strchr(ret_text, '.') == NULL)
		return;
	for (end = ret_text + strlen(ret_text) - 1; *end == '0'; end--)
		*end = '\0';
	if (*end == '.')
		*end = '\0';
}

static const char *with(
	double v, const char *between, const char *unit, char ret_text[CTL_TOP_FIGURE_MAX])
{
	const char *sign = v < 0 ? "-" : "";
	double size = fabs(v);
	const size_t i = scale(&size);
	char digits[8] = "", prefix[2] = {prefixes[i]};

	if (isnan(v)) {
		(void)g_strlcpy(ret_text, "-", CTL_TOP_FIGURE_MAX);
	} else if (size >= 999.5) {
		(void)snprintf(ret_text, CTL_TOP_FIGURE_MAX, "%s>1R%s%s", sign, between, unit);
	} else {
		three_places(size, digits, sizeof(digits));
		(void)snprintf(ret_text, CTL_TOP_FIGURE_MAX, "%s%s%s%s%s",
			strcmp(digits, "0") == 0 ? "" : sign, digits, between, prefix, unit);
	}
	return ret_text;
}

const char *ctl_top_si(double v, char ret_text[CTL_TOP_FIGURE_MAX])
{
	return with(v, "", "", ret_text);
}

const char *ctl_top_unit(double v, const char *unit, char ret_text[CTL_TOP_FIGURE_MAX])
{
	return with(v, " ", unit, ret_text);
}

const char *ctl_top_count(uint64_t n, char ret_text[CTL_TOP_FIGURE_MAX])
{
	if (n >= 10000000)
		return ctl_top_si((double)n, ret_text);
	(void)snprintf(ret_text, CTL_TOP_FIGURE_MAX, "%llu", (unsigned long long)n);
	return ret_text;
}

const char *ctl_top_share(double share, char ret_text[CTL_TOP_FIGURE_MAX])
{
	const double percent = share * 100;

	if (isnan(share))
		(void)g_strlcpy(ret_text, "-", CTL_TOP_FIGURE_MAX);
	else if (percent > 0 && percent < 0.05)
		(void)g_strlcpy(ret_text, "<0.1 %", CTL_TOP_FIGURE_MAX);
	else
		(void)snprintf(ret_text, CTL_TOP_FIGURE_MAX, "%.*f %%",
			percent < 0.05 || percent >= 99.95 ? 0 : 1, CLAMP(percent, 0, 999));
	return ret_text;
}

const char *ctl_top_span(double seconds, char ret_text[CTL_TOP_FIGURE_MAX])
{
	const unsigned long long s = seconds > 0 && seconds < 1e12 ? (unsigned long long)seconds
								   : 0;

	if (isnan(seconds))
		(void)g_strlcpy(ret_text, "-", CTL_TOP_FIGURE_MAX);
	else if (s < 60)
		(void)snprintf(ret_text, CTL_TOP_FIGURE_MAX, "%llu s", s);
	else if (s < 3600)
		(void)snprintf(ret_text, CTL_TOP_FIGURE_MAX, "%llu min %02llu s", s / 60, s % 60);
	else if (s < 86400)
		(void)snprintf(
			ret_text, CTL_TOP_FIGURE_MAX, "%llu h %02llu min", s / 3600, s / 60 % 60);
	else
		(void)snprintf(
			ret_text, CTL_TOP_FIGURE_MAX, "%llu d %02llu h", s / 86400, s / 3600 % 24);
	return ret_text;
}

const char *ctl_top_clock(uint64_t t_ns, char ret_text[CTL_TOP_FIGURE_MAX])
{
	const unsigned long long s = t_ns / 1000000000;

	if (t_ns == 0)
		(void)g_strlcpy(ret_text, "-", CTL_TOP_FIGURE_MAX);
	else
		(void)snprintf(ret_text, CTL_TOP_FIGURE_MAX, "%02llu:%02llu:%02llu", s / 3600 % 24,
			s / 60 % 60, s % 60);
	return ret_text;
}

uint32_t ctl_top_char(const char **text, bool is_utf8)
{
	const gunichar c = g_utf8_get_char_validated(*text, -1);

	if (**text == '\0')
		return 0;
	if (c == (gunichar)-1 || c == (gunichar)-2) {
		(*text)++; // a byte that begins nothing
		return '?';
	}
	*text = g_utf8_next_char(*text);
	if (c < 0x80)
		return c >= ' ' && c != 0x7f ? c : '?';
	if (!is_utf8 || !g_unichar_isprint(c) || g_unichar_iswide(c) || g_unichar_iszerowidth(c))
		return '?';
	return c;
}

void ctl_top_copy(char *ret_text, size_t size, const char *src)
{
	size_t len = src != NULL ? strlen(src) : 0;
	const char *cut;

	if (len >= size) {
		cut = g_utf8_find_prev_char(src, src + size); // begins within the last byte at most
		len = cut != NULL ? (size_t)(cut - src) : 0;
	}
	memcpy(ret_text, src != NULL ? src : "", len);
	ret_text[len] = '\0';
}
