// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Endpoints of one file of samples, by number instead of by address.
 *
 * 240.0.0.0/8 (reserved, RFC 1112 4) and 3fff:0:f000::/36 (documentation, RFC 9637) are nobody's. The same endpoint
 * has the same number within a file and another one in the next: numbers are given in the order in which endpoints
 * appear, there is no key, and what they stand for is forgotten with the file. An IPv6 endpoint's number is in its
 * /64, all of its addresses have others behind that. One thread. */

#include "dataplane/addr.h"

#include <stdbool.h>
#include <stddef.h>

enum { CTL_SAMPLE_ADDRS_MAX = 65535 }; // of a file; start value: about 8 MB of memory

struct ctl_sample_addrs;

struct ctl_sample_addrs *ctl_sample_addrs_new(void);
void ctl_sample_addrs_free(struct ctl_sample_addrs *a); // NULL is fine

/* Another file begins. */
void ctl_sample_addrs_clear(struct ctl_sample_addrs *a);

/* No more than that: begin another file. */
bool ctl_sample_addrs_is_full(const struct ctl_sample_addrs *a);

/* What stands for addr, an address of endpoint (IPv6: of its prefix). Not of a full table. */
struct dp_addr ctl_sample_addrs_get(
	struct ctl_sample_addrs *a, const struct dp_addr *endpoint, const struct dp_addr *addr);

/* Those networks are the subscribers' side, too: for whoever reads captures, which may be samples. */
void ctl_sample_addrs_know(struct dp_endpoint_nets *nets);
