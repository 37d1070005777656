// SPDX-License-Identifier: BSD-3-Clause
#include "control/asked.h"

#include "control/checks.h"
#include "control/mistakes.h"

#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <stdlib.h>

#define EXPECTED "expected a host such as www.netflix.com, an address, or a port such as udp:51820"

/* A word on its way to what it means. */
struct reading {
	char *rest; // owned; what is left of the word
	GString *how; // owned
};

static void note(struct reading *r, const char *what)
{
	g_string_append_printf(r->how, "%s%s", r->how->len > 0 ? ", " : "", what);
}

static void keep(struct reading *r, const char *begin, size_t len)
{
	char *rest = g_strndup(begin, len);

	g_free(r->rest);
	r->rest = rest;
}

static bool is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* 1 to 65535 and nothing else; 0: it is none. */
static uint16_t port_of(const char *text)
{
	unsigned long port;

	if (!is_number(text) || strlen(text) > 5)
		return 0;
	port = strtoul(text, NULL, 10);
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* tcp:443, udp:51820 */
static bool read_port(const char *word, struct ctl_asked *asked)
{
	const bool is_tcp = g_ascii_strncasecmp(word, "tcp:", 4) == 0;
	const uint16_t port = port_of(word + 4);

	if (port == 0)
		return false;
	asked->kind = CTL_ASKED_PORT;
	asked->l4_proto = is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
	asked->port = port;
	(void)snprintf(asked->text, sizeof(asked->text), "%s:%u", is_tcp ? "tcp" : "udp", port);
	return true;
}

/* RFC 3986 3.1 */
static bool has_scheme(const char *word, const char *colon)
{
	if (!g_ascii_isalpha(*word))
		return false;
	for (; word < colon; word++) {
		if (!g_ascii_isalnum(*word) && strchr("+-.", *word) == NULL)
			return false;
	}
	return true;
}

/* Of a URL its authority without the user (RFC 3986 3.2). A path may follow a bare host, too. */
static bool cut_url(struct reading *r)
{
	const char *colon = strstr(r->rest, "://");
	const char *begin = r->rest;
	const char *at;
	size_t len;

	if (colon != NULL) {
		if (!has_scheme(r->rest, colon))
			return false;
		begin = colon + 3;
	}
	len = strcspn(begin, "/?#");
	at = colon != NULL ? g_strrstr_len(begin, (gssize)len, "@") : NULL;
	if (at != NULL) {
		len -= (size_t)(at + 1 - begin);
		begin = at + 1;
	}
	if (begin == r->rest && begin[len] == '\0')
		return true;
	if (colon == NULL && begin[len] == '/' && is_number(begin + len + 1))
		return false; // a network
	note(r, "the host of a URL");
	keep(r, begin, len);
	return true;
}

/* [2001:db8::7], [2001:db8::7]:443, host:443; the colons of a bare IPv6 address are none of a port. */
static bool cut_port(struct reading *r)
{
	const char *close = r->rest[0] == '[' ? strchr(r->rest, ']') : NULL;
	const char *colon = strchr(r->rest, ':');

	if (r->rest[0] == '[') {
		if (close == NULL || (close[1] != '\0' && close[1] != ':'))
			return false;
		colon = close[1] == ':' ? close + 1 : NULL;
	} else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
		return true;
	}
	if (colon != NULL) {
		if (port_of(colon + 1) == 0)
			return false;
		note(r, "without its port");
	}
	if (close != NULL)
		keep(r, r->rest + 1, (size_t)(close - r->rest - 1));
	else if (colon != NULL)
		keep(r, r->rest, (size_t)(colon - r->rest));
	return true;
}

/* A certificate's wildcard stands for the name below it, as the classifier reads it. */
static void cut_ends(struct reading *r)
{
	size_t len;

	if (strncmp(r->rest, "*.", 2) == 0) {
		note(r, "a wildcard as the name below it");
		keep(r, r->rest + 2, strlen(r->rest) - 2);
	}
	len = strlen(r->rest);
	if (len > 1 && r->rest[len - 1] == '.') {
		note(r, "without the final dot");
		keep(r, r->rest, len - 1);
	}
}

/* As it stands on the wire: lower case, A-labels (RFC 5890 2.3.2.1). */
static bool make_wire_form(struct reading *r)
{
	const bool is_ascii = g_str_is_ascii(r->rest);
	char *form = is_ascii ? g_ascii_strdown(r->rest, -1) : g_hostname_to_ascii(r->rest);

	if (form == NULL)
		return false;
	if (!is_ascii)
		note(r, "in its xn-- form");
	else if (strcmp(form, r->rest) != 0)
		note(r, "in lower case");
	g_free(r->rest);
	r->rest = form;
	return true;
}

/* No top-level domain is a number (RFC 3696 2): this was to be an address. */
static bool is_name(const char *text)
{
	const char *dot = strrchr(text, '.');

	return ctl_check_host(text) == NULL && dot != NULL && !is_number(dot + 1);
}

static bool read_host(struct reading *r, struct ctl_asked *asked)
{
	char canonical[DP_ADDR_STRLEN];

	if (!cut_url(r) || !cut_port(r))
		return false;
	if (dp_addr_parse(r->rest, &asked->addr) == 0) {
		asked->kind = CTL_ASKED_ADDRESS;
		(void)g_strlcpy(
			asked->text, dp_addr_format(&asked->addr, canonical), sizeof(asked->text));
		return true;
	}
	cut_ends(r);
	if (!make_wire_form(r) || !is_name(r->rest))
		return false;
	asked->kind = CTL_ASKED_NAME;
	(void)g_strlcpy(asked->text, r->rest, sizeof(asked->text)); // 253 characters at most
	return true;
}

int ctl_asked_read(const char *word, struct ctl_asked *ret_asked, struct dp_err *reterr)
{
	struct ctl_asked asked = {0};
	struct reading r = {0};
	char quoted[CTL_QUOTE_MAX];
	bool is_read = false;

	if (strlen(word) <= CTL_ASKED_WORD_MAX && g_utf8_validate(word, -1, NULL)) {
		r = (struct reading){g_strdup(word), g_string_new(NULL)};
		if (g_ascii_strncasecmp(word, "tcp:", 4) == 0 ||
			g_ascii_strncasecmp(word, "udp:", 4) == 0)
			is_read = read_port(word, &asked);
		else
			is_read = read_host(&r, &asked);
		if (r.how->len == 0 && strcmp(asked.text, word) != 0)
			g_string_append(r.how, "in its usual form");
		(void)g_strlcpy(asked.how, r.how->str, sizeof(asked.how));
		(void)ctl_quote(word, asked.word);
		g_free(r.rest);
		g_string_free(r.how, TRUE);
	}
	if (!is_read)
		return dp_fail(reterr, EINVAL, "%s, " EXPECTED, ctl_quote(word, quoted));
	*ret_asked = asked;
	return 0;
}
