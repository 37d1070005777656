// SPDX-License-Identifier: BSD-3-Clause
#include "control/sample_keep.h"

#include <glib.h>
#include <string.h>

/* Start values, but for METHOD_MAX. */
enum {
	TEXT_LOOK = 64, // bytes at the beginning by which payload is text or not
	TEXT_STAYS = 16, // so many bytes of text make a flow one of text
	TEXT_RUN = 24, // in a row are text wherever they stand
	METHOD_MAX = 32, // as classifier/http_name.c has it
	VERSION_LEN = 9, // " HTTP/1.1"
};

/* --- protocols ------------------------------------------------------------------------------- */

bool ctl_sample_keeps_proto(const char *ndpi)
{
	static const char *const barred[] = {"FTP_CONTROL", "FTP_DATA", "TFTP", "POP3", "POPS",
		"SMTP", "SMTPS", "IMAP", "IMAPS", "Usenet", "IRC", "Jabber", "Telnet", "DNS",
		"MDNS", "LLMNR", "NetBIOS", "WSD", "DHCP", "DHCPV6", "SNMP", "Syslog", "LDAP",
		"Kerberos", "SMBv1", "SMBv23", "SIP", "Megaco", "MGCP", "H323", "CiscoSkinny",
		"SAP", "Radius", "Diameter", "GTP", "GTP_U", "GTP_C", "GTP_PRIME", "PostgreSQL",
		"MySQL", "MsSQL-TDS", "MongoDB", "Redis", "Memcached", "MQTT", "AMQP", "RTSP",
		"HTTP_Proxy", "HTTP_Connect", "SOCKS", NULL};

	return ndpi == NULL || !g_strv_contains(barred, ndpi);
}

/* --- text ------------------------------------------------------------------------------------- */

static bool is_printable(uint8_t c)
{
	return (c >= ' ' && c < 0x7f) || c == '\t' || c == '\r' || c == '\n' ||
		c == 0x1b; // a terminal's
}

/* UTF-8, its last letter perhaps cut, without what no text has. */
static bool is_utf8(const uint8_t *p, size_t n)
{
	enum { LETTER_MAX = 4 };
	const char *end;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x80 && !is_printable(p[i]))
			return false;
	}
	return g_utf8_validate((const char *)p, (gssize)n, &end) ||
		(n > LETTER_MAX && (const char *)p + n - end < LETTER_MAX);
}

/* Three of four bytes: a length or a number may stand before and between. */
static bool is_text(const uint8_t *p, size_t n)
{
	const size_t looked = MIN(n, (size_t)TEXT_LOOK);
	size_t n_printable = 0;

	for (size_t i = 0; i < looked; i++)
		n_printable += is_printable(p[i]);
	return n_printable * 4 >= looked * 3 || is_utf8(p, looked);
}

/* Where text begins in other bytes; n when there is none. */
static size_t before_text(const uint8_t *p, size_t n)
{
	size_t run = 0;

	for (size_t i = 0; i < n; i++) {
		run = is_printable(p[i]) ? run + 1 : 0;
		if (run == TEXT_RUN)
			return i + 1 - run;
	}
	return n;
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static void blot_out(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (g_ascii_isalnum(p[i]) || p[i] >= 0x80)
			p[i] = 'x';
	}
}

/* Behind the line's end, or n. */
static size_t line_end(const uint8_t *p, size_t n)
{
	const uint8_t *newline = n > 0 ? memchr(p, '\n', n) : NULL;

	return newline != NULL ? (size_t)(newline - p) + 1 : n;
}

/* RFC 9112 3: the method and its blank; 0 when there is none. */
static size_t method_len(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && i < METHOD_MAX && p[i] >= 'A' && p[i] <= 'Z')
		i++;
	return i > 0 && i < n && p[i] == ' ' ? i + 1 : 0;
}

/* The first line of a request; 0 when it is none. Its target may be cut. */
static size_t request_line(const uint8_t *p, size_t n, size_t *ret_target, size_t *ret_target_end)
{
	static const char version[] = " HTTP/1.";
	const size_t len = line_end(p, n), method = method_len(p, len);
	// Behind the method's blank: a request without a target is none.
	const uint8_t *at = memmem(p + method, len - method, version, sizeof(version) - 1);

	if (method == 0 || method == len || (at == NULL && p[len - 1] == '\n'))
		return 0;
	if (at == NULL && p[method] != '/' && p[method] != 'h' && p[method] != '*')
		return 0; // cut before anything says what it is
	*ret_target = method;
	*ret_target_end = at != NULL ? (size_t)(at - p) : len;
	return len;
}

/* What no name has stands in no Host that we know of. */
static bool is_host_line(const uint8_t *p, size_t n)
{
	static const char name[] = "host:";
	const size_t at = sizeof(name) - 1;

	if (n <= at || g_ascii_strncasecmp((const char *)p, name, at) != 0)
		return false;
	for (size_t i = at; i < n; i++) {
		if (!g_ascii_isalnum(p[i]) && strchr(" \t\r\n-._:[]", p[i]) == NULL)
			return false;
	}
	return memchr(p, '\0', n) == NULL;
}

/* Up to the end of the Host field and one byte more, without which nobody knows that it has ended; the fields before it
 * blotted out. 0: there is none. */
static size_t through_host(uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		const size_t len = line_end(p + at, n - at);

		if (is_host_line(p + at, len)) {
			blot_out(p, at);
			blot_out(p + at + len, at + len < n);
			return at + len + (at + len < n);
		}
		at += len;
	}
	return 0;
}

/* How much of a request is kept; 0: it is none. */
static size_t keep_request(uint8_t *p, size_t n)
{
	size_t target, target_end;
	const size_t line = request_line(p, n, &target, &target_end);

	if (line == 0)
		return 0;
	blot_out(p + target, target_end - target);
	if (target_end + VERSION_LEN < line) // the line ends there, or says what it should not
		blot_out(p + target_end + VERSION_LEN, line - target_end - VERSION_LEN);
	return line + through_host(p + line, n - line);
}

/* --- TLS -------------------------------------------------------------------------------------- */

/* Where a record of handshake has its message's type (RFC 8446 5.1; RFC 9147 4, 5.2); 0: it is none. */
static size_t message_at(const uint8_t *p, size_t n)
{
	enum { HANDSHAKE = 22, AT_TLS = 5, AT_DTLS = 13 };

	if (n < 3 || p[0] != HANDSHAKE)
		return 0;
	if (p[1] == 3 && p[2] <= 4)
		return AT_TLS;
	return p[1] == 0xfe && p[2] >= 0xfc ? AT_DTLS : 0;
}

static size_t keep_tls(struct ctl_sample_keep *k, const uint8_t *p, size_t n, bool is_up)
{
	enum { CLIENT_HELLO = 1 };
	const size_t at = message_at(p, n);

	if (is_up && at != 0 && (n <= at || p[at] != CLIENT_HELLO))
		k->is_client_done = true;
	return is_up && k->is_client_done ? 0 : n;
}

size_t ctl_sample_keep(struct ctl_sample_keep *k, uint8_t *payload, size_t n, bool is_up)
{
	size_t n_kept;

	if (k->is_text)
		return 0;
	k->is_tls |= message_at(payload, n) != 0;
	if (k->is_tls)
		return keep_tls(k, payload, n, is_up);
	n_kept = is_up ? keep_request(payload, n) : 0;
	if (n_kept > 0 || is_text(payload, n)) {
		k->is_text = n_kept > 0 || n >= TEXT_STAYS;
		return n_kept;
	}
	return before_text(payload, n);
}
