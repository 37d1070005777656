// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Sessions of subscribers, made of the messages of signalling, and what they claim (bindings.h).
 *
 * GTP and PFCP ask and answer: a request counts when its answer accepts it. They meet by protocol, addresses,
 * the asking side's port, sequence number and kind. A delete counts when it is asked for: whether the answer
 * comes or not, the session is not sure any more. A session is found by either side's control plane TEID or
 * SEID and address. RADIUS only tells: a session is found by who tells and Acct-Session-Id.
 *
 * A message that was lost leaves something unbound. Copies of messages change nothing. Messages from within a
 * subscriber's own tunnel, or from or to an address that a subscriber holds, are not believed.
 *
 * Bounds: sessions, subscribers and endpoints as configured, and CTL_SESSIONS_ASKED_MAX requests that wait; what
 * comes beyond is refused, of requests the oldest goes. Control thread only; event time. */

#include "control/bindings.h"
#include "dataplane/signalling_ring.h"

enum { CTL_SESSIONS_ASKED_MAX = 65536 };

struct ctl_sessions_config {
	size_t n_max;
	uint64_t guard_ns;
	uint32_t protos; // set of enum ctl_sig_proto: others are not read
	uint8_t ranks[CTL_SIG_PROTO_COUNT];
	uint8_t ipv6_prefix_len;
	ctl_binding_fn *ended; // as of struct ctl_bindings_config
	void *ctx;
};

struct ctl_sessions_stats {
	uint64_t messages[CTL_SIG_PROTO_COUNT];
	uint64_t unread; // at a port of signalling, and no reader took it: or cut
	uint64_t unbelieved; // from or to subscribers
	uint64_t rejected; // requests that were answered with a refusal
	uint64_t unanswered; // that were given up
	uint64_t unasked; // answers of which nobody saw the request
	uint64_t refused; // sessions beyond the bound
	uint64_t n_sessions, n_subscribers; // now
	struct ctl_bindings_stats bindings;
};

struct ctl_sessions;

struct ctl_sessions *ctl_sessions_new(const struct ctl_sessions_config *config);
void ctl_sessions_free(struct ctl_sessions *s); // NULL is fine

/* Messages in the order of their time. */
void ctl_sessions_take(struct ctl_sessions *s, const struct dp_signalling *message);

const struct ctl_bindings *ctl_sessions_bindings(const struct ctl_sessions *s);
struct ctl_sessions_stats ctl_sessions_stats(const struct ctl_sessions *s);
