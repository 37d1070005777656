// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Whose is a name? A server name as a flow shows it, and where in it the part begins that somebody
 * registered (Public Suffix List, https://publicsuffix.org: example.co.uk of www.example.co.uk).
 *
 * Names come off the wire: of one that is none, nothing is taken; and what may say who the subscriber is
 * (an address, a long number, in a label of its own) is shown as '*'. Read-only once opened, any thread. */

#include "dataplane/err.h"

#include <stddef.h>
#include <stdint.h>

enum ctl_domain_kind {
	CTL_DOMAIN_NONE, // no name: empty, an address, bytes that no name has
	CTL_DOMAIN_OWN, // somebody registered its domain
	CTL_DOMAIN_SHARED, // a public suffix, or a name of one label: nobody's own
};

enum { CTL_DOMAIN_MAX = 254 }; // RFC 1035 2.3.4: bytes of a name as text, NUL included

struct ctl_domain {
	char name[CTL_DOMAIN_MAX]; // lower case, without port and final dot; "" for NONE
	// Where the domain begins: behind it no label is '*', and for OWN a catalogue takes it as a host.
	uint8_t domain_off;
	uint8_t kind; // enum ctl_domain_kind
};

struct ctl_domains;

/* The list of this machine. Returns 0, or -ENOENT with a sentence when it has none. */
[[nodiscard]] int ctl_domains_open(struct ctl_domains **ret_domains, struct dp_err *reterr);
void ctl_domains_close(struct ctl_domains *domains);

/* host: any bytes, in any case. */
void ctl_domain_read(
	const struct ctl_domains *domains, const char *host, struct ctl_domain *ret_domain);

/* The part of its domain that is somebody's own: "example" of "example.co.uk". Bytes at the begin of
 * `domain`, 0 when it has none. */
size_t ctl_domain_own_len(const struct ctl_domains *domains, const char *domain);
