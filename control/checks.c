// SPDX-License-Identifier: BSD-3-Clause
#include "control/checks.h"

#include "dataplane/addr.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static bool consists_of(const char *text, const char *characters, size_t len_max)
{
	const size_t len = strlen(text);

	return len > 0 && len <= len_max && strspn(text, characters) == len;
}

const char *ctl_check_name(const char *text)
{
	if (consists_of(text, LOWER DIGITS "-", 63) && *text != '-')
		return NULL;
	return "expected a name of a-z, 0-9 and '-', at most 63 characters";
}

const char *ctl_check_tag(const char *text)
{
	if (consists_of(text, LOWER DIGITS "_", 32))
		return NULL;
	return "expected a word of a-z, 0-9 and '_', at most 32 characters";
}

/* Letters, digits and '_'. Called for each byte of a million hosts, so no strspn(), which builds a table
 * anew for each label. */
static bool is_of_label(char c)
{
	return (c >= 'a' && c <= 'z') || g_ascii_isdigit(c) || c == '_';
}

/* The length of the label that text begins with, 0 when it begins with none (RFC 1035 2.3.4: 63 octets). */
static size_t label_len(const char *text)
{
	size_t len = 0;

	while (is_of_label(text[len]) || text[len] == '-')
		len++;
	return len > 63 || text[0] == '-' || (len > 0 && text[len - 1] == '-') ? 0 : len;
}

/* RFC 1035 2.3.4: 253 characters of text. */
static bool is_dns_name(const char *text)
{
	const char *label = text;
	size_t n_labels = 0;

	for (;;) {
		const size_t len = label_len(label);

		if (len == 0)
			return false;
		n_labels++;
		label += len;
		if (*label == '\0')
			return n_labels >= 2 && label - text <= 253;
		if (*label++ != '.')
			return false;
	}
}

const char *ctl_check_host(const char *text)
{
	struct dp_addr addr;

	// An address, which ends with a digit, would never match: a server name is a name (RFC 6066 3).
	if (is_dns_name(text) &&
		(!g_ascii_isdigit(text[strlen(text) - 1]) || dp_addr_parse(text, &addr) < 0))
		return NULL;
	return "expected a DNS name in lower case, without wildcard, such as netflix.com";
}

const char *ctl_check_prefix(const char *text)
{
	struct dp_prefix prefix;

	switch (dp_prefix_parse(text, &prefix)) {
	case 0:
		return NULL;
	case -ERANGE:
		return "expected a prefix length of 0 to 32 (IPv4) or 0 to 128 (IPv6)";
	case -EDOM:
		return "expected a prefix without bits behind its length";
	default:
		return "expected an address prefix such as 10.0.0.0/8 or 2001:db8::/32";
	}
}

const char *ctl_check_zone(const char *text)
{
	static const char expected[] =
		"expected a time zone of the tz database such as Europe/Berlin";
	GTimeZone *tz;

	// The name becomes a path below the zone directory.
	if (!g_ascii_isalpha(*text) || strstr(text, "//") != NULL || strlen(text) > 64 ||
		text[strspn(text, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "_+/-")] != '\0')
		return expected;
	tz = g_time_zone_new_identifier(text);
	if (tz == NULL)
		return expected;
	g_time_zone_unref(tz);
	return NULL;
}
