// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Which subscriber an endpoint was, at any moment of the last minutes.
 *
 * An endpoint is an IPv4 address or an IPv6 prefix. Sessions claim it (sig_sessions.h). It has one holder at a
 * time; claims of one subscriber from several sources are one binding. Where there is doubt nobody holds it:
 *
 *  - A claim for another subscriber ends the binding. From a source of the same or a higher priority it
 *    begins another one; from a lower one it does not, and the endpoint is contested until the better source
 *    speaks again.
 *  - Another subscriber's binding begins `guard` after the end of the one before: what was on its way to the
 *    one is not the other's.
 *
 * Times are event time in ns; they come in order, but a claim may be dated back. Control thread only. */

#include "control/aliases.h"

/* What a binding is known to be, besides whom it is of. Texts are interned (GRefString); NULL: not told. */
struct ctl_bound_as {
	char imei[CTL_SIG_DIGITS];
	char mcc_mnc[7];
	uint8_t rat;
	char *apn, *uli;
};

struct ctl_binding {
	struct dp_addr addr;
	uint8_t len; // bits of the prefix, 128 for IPv4
	uint8_t source; // enum ctl_sig_proto: of the claims the one of the highest priority
	const struct ctl_known *who;
	struct ctl_bound_as as;
	const struct ctl_sig_end *teids; // user plane, all that it had
	size_t n_teids;
	uint64_t from_ns, to_ns; // to_ns: the first instant behind it
};

/* A binding ended, or went on as something else: then another one follows where it ends. Borrowed. */
typedef void ctl_binding_fn(void *ctx, const struct ctl_binding *binding);

struct ctl_bindings_config {
	struct ctl_aliases *aliases; // borrowed
	size_t n_max; // endpoints; claims beyond are refused
	uint64_t guard_ns;
	uint8_t ranks[CTL_SIG_PROTO_COUNT]; // of sources: 0 is the highest priority
	uint8_t ipv6_prefix_len; // of the packet path's endpoints
	ctl_binding_fn *ended; // NULL: nobody wants to know
	void *ctx;
};

struct ctl_bindings;

struct ctl_bindings *ctl_bindings_new(const struct ctl_bindings_config *config);
void ctl_bindings_free(struct ctl_bindings *b); // NULL is fine

/* A session of `source` says that the endpoint is who's, from from_ns on. claim: the one that the session had, 0
 * for none. Returns its number, 0 when it does not hold the endpoint; what it has lost to a younger session it
 * does not take back. */
uint64_t ctl_bindings_claim(struct ctl_bindings *b, const struct dp_addr *addr, uint8_t len,
	struct ctl_known *who, enum ctl_sig_proto source, uint64_t from_ns, uint64_t claim);

/* What the session tells of the binding; fields that are not told stay. */
void ctl_bindings_tell(struct ctl_bindings *b, const struct dp_addr *addr, uint8_t len,
	uint64_t claim, const struct ctl_sig *sig, uint64_t now_ns);

/* The claim is over. is_leg: the session may go on behind another hop, so that other claims keep the
 * binding; else it ends. A claim that holds nothing any more changes nothing. */
void ctl_bindings_release(struct ctl_bindings *b, const struct dp_addr *addr, uint8_t len,
	uint64_t claim, bool is_leg, uint64_t now_ns);

/* Who held the endpoint (of the packet path) all the time from first_ns to last_ns; NULL when nobody, or
 * when it is not known any more. *ret_is_one: it was the same all the time, somebody or nobody. Borrowed
 * until the next call of another function. */
const struct ctl_known *ctl_bindings_who(const struct ctl_bindings *b,
	const struct dp_addr *endpoint, uint64_t first_ns, uint64_t last_ns, bool *ret_is_one);

/* Whether somebody holds it at now_ns. */
bool ctl_bindings_is_bound(const struct ctl_bindings *b, const struct dp_addr *addr);

/* ended() for each binding that is in force, as if it ended at now_ns. */
void ctl_bindings_report(const struct ctl_bindings *b, uint64_t now_ns);

struct ctl_bindings_stats {
	uint64_t n_endpoints, n_bound; // there are now
	uint64_t n_refused, n_contested, n_guarded; // since the start
};
struct ctl_bindings_stats ctl_bindings_stats(const struct ctl_bindings *b);
