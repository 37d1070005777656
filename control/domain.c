// SPDX-License-Identifier: BSD-3-Clause
#include "control/domain.h"

#include "dataplane/addr.h"

#include <errno.h>
#include <glib.h>
#include <libpsl.h>
#include <string.h>

enum {
	LABEL_MAX = 63, // RFC 1035 2.3.4
	// What may be somebody's number: telephone numbers have no fewer digits (E.164), an IPv4 address
	// has four numbers, and hexadecimal identifiers of devices and sessions are long. Start values.
	DIGITS_MAX = 7,
	NUMBERS_MAX = 3,
	HEX_MAX = 15,
};

struct ctl_domains {
	psl_ctx_t *list; // owned
};

int ctl_domains_open(struct ctl_domains **ret_domains, struct dp_err *reterr)
{
	psl_ctx_t *list = psl_latest(NULL); // the newer one of file and library

	if (list == NULL)
		return dp_fail(reterr, ENOENT,
			"there is no public suffix list on this machine, expected that of the package "
			"publicsuffix");
	*ret_domains = g_new(struct ctl_domains, 1);
	(*ret_domains)->list = list;
	return 0;
}

void ctl_domains_close(struct ctl_domains *domains)
{
	if (domains == NULL)
		return;
	psl_free(domains->list);
	g_free(domains);
}

static bool is_label(const char *label, size_t len)
{
	if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!g_ascii_islower(label[i]) && !g_ascii_isdigit(label[i]) && label[i] != '-' &&
			label[i] != '_')
			return false;
	}
	return true;
}

/* Lower case into name, without port and final dots; false when it is no name for sure. What is too long
 * loses its beginning, as it did on the way here. */
static bool tidy(const char *host, char name[CTL_DOMAIN_MAX])
{
	const char *port = strchr(host, ':');
	size_t len = port != NULL ? (size_t)(port - host) : strlen(host);

	if (port != NULL && port[1 + strspn(port + 1, "0123456789")] != '\0')
		return false; // an IPv6 address, most likely
	while (len > 0 && host[len - 1] == '.')
		len--;
	if (len >= CTL_DOMAIN_MAX) {
		host += len - (CTL_DOMAIN_MAX - 1);
		len = CTL_DOMAIN_MAX - 1;
	}
	for (size_t i = 0; i < len; i++)
		name[i] = g_ascii_tolower(host[i]);
	name[len] = '\0';
	return len > 0;
}

/* The labels from the right, as far as they are some. */
static const char *sound_tail(const char *name)
{
	const char *end = name + strlen(name), *tail = end;

	while (end > name) {
		const char *label = end;

		while (label > name && label[-1] != '.')
			label--;
		if (!is_label(label, (size_t)(end - label)))
			break;
		tail = label;
		end = label > name ? label - 1 : name;
	}
	return tail;
}

/* Addresses written as names: RFC 3696 2, no top-level domain is all numeric. */
static bool ends_in_number(const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *last = dot != NULL ? dot + 1 : name;

	return last[strspn(last, "0123456789")] == '\0';
}

/* 2001-db8--7: what names of customers' lines look like. */
static bool is_dashed_ipv6(const char *label, size_t len)
{
	char text[LABEL_MAX + 1];
	struct dp_addr addr;

	memcpy(text, label, len);
	text[len] = '\0';
	g_strdelimit(text, "-", ':');
	return dp_addr_parse(text, &addr) == 0;
}

/* How many numbers are joined by a hyphen each: four in ip-10-20-0-11. */
static size_t longest_run(const char *label, size_t len)
{
	size_t run = 0, longest = 0;

	for (size_t i = 0; i < len; i++) {
		if (!g_ascii_isdigit(label[i]) || (i > 0 && g_ascii_isdigit(label[i - 1])))
			continue;
		run = i > 1 && label[i - 1] == '-' && g_ascii_isdigit(label[i - 2]) ? run + 1 : 1;
		longest = MAX(longest, run);
	}
	return longest;
}

/* May it say who somebody is? label: is_label(). A domain of digits alone is a brand, and more often so one
 * that is long. */
static bool is_telling(const char *label, bool is_domain)
{
	const size_t len = strcspn(label, ".");
	size_t n_digits = 0, n_hex = 0;

	if (longest_run(label, len) > NUMBERS_MAX || is_dashed_ipv6(label, len))
		return true;
	for (size_t i = 0; i < len; i++) {
		n_digits += g_ascii_isdigit(label[i]);
		n_hex += g_ascii_isxdigit(label[i]);
	}
	return !is_domain &&
		(n_digits == len || n_digits > DIGITS_MAX || (n_hex == len && n_hex > HEX_MAX));
}

/* The labels of from that lie before its domain, telling ones as '*', and the domain. */
static void copy_masked(const char *from, const char *domain, struct ctl_domain *ret)
{
	char *to = ret->name;

	while (from < domain) {
		const size_t len = strcspn(from, ".");

		if (is_telling(from, false))
			*to++ = '*';
		else
			to = (char *)memcpy(to, from, len) + len;
		*to++ = '.';
		from += len + 1;
	}
	ret->domain_off = (uint8_t)(to - ret->name);
	memcpy(to, domain, strlen(domain) + 1);
}

/* Of a name that is nobody's own, what says nothing about anybody; "" when it all does. */
static const char *without_telling(const char *name)
{
	while (*name != '\0' && is_telling(name, true)) {
		name += strcspn(name, ".");
		name += *name == '.';
	}
	return name;
}

void ctl_domain_read(const struct ctl_domains *domains, const char *host, struct ctl_domain *ret)
{
	char name[CTL_DOMAIN_MAX];
	const char *tail, *domain;

	*ret = (struct ctl_domain){.kind = CTL_DOMAIN_NONE};
	if (!tidy(host, name))
		return;
	tail = sound_tail(name);
	if (*tail == '\0' || ends_in_number(tail))
		return;
	domain = psl_registrable_domain(domains->list, tail);
	if (domain == NULL && tail != name)
		return; // of what was left out nobody knows whose it is
	if (domain != NULL && strchr(domain, '.') != NULL && !is_telling(domain, true)) {
		ret->kind = CTL_DOMAIN_OWN;
	} else {
		domain = tail = without_telling(domain != NULL ? domain : tail);
		if (*tail == '\0')
			return;
		ret->kind = CTL_DOMAIN_SHARED;
	}
	copy_masked(tail, domain, ret);
}

size_t ctl_domain_own_len(const struct ctl_domains *domains, const char *domain)
{
	const char *suffix = psl_unregistrable_domain(domains->list, domain);

	return suffix == NULL || suffix <= domain ? 0 : (size_t)(suffix - domain) - 1;
}
