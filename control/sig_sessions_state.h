// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the parts of sig_sessions.h share: sig_sessions.c (what messages mean), sig_sessions_table.c (sessions
 * and how they are found), sig_sessions_asked.c (requests that wait), sig_sessions_gone.c (RADIUS sessions that
 * ended). Private to them. Control thread only. */

#include "control/sig_sessions.h"

#include <glib.h>

/* A request that waits for its answer. */
struct ctl_sig_asked {
	struct {
		struct dp_addr by, of;
		uint32_t seq;
		uint16_t port; // the asking side's
		uint8_t proto, kind;
	} key;
	uint64_t time_ns;
	struct ctl_sig sig;
	GList link; // in the queue, oldest first
};

struct ctl_sig_session;

/* One side's name of a session. */
struct ctl_sig_handle {
	struct dp_addr addr;
	uint64_t id; // TEID or SEID; of RADIUS 0
	uint8_t proto, nsapi;
	const char *text; // RADIUS Acct-Session-Id, owned by the session; NULL: none
	struct ctl_sig_session *session;
	// Another session's, of the same name: a node may use one number on several interfaces.
	struct ctl_sig_handle *next;
};

struct ctl_sig_session {
	// Of GTP and PFCP: [0] the asking side's, [1] the answering one's. Free where session is NULL.
	struct ctl_sig_handle handles[2];
	uint8_t proto;
	bool is_backbone;
	bool has_ipv4, has_ipv6;
	uint8_t ipv6_len;
	struct dp_addr ipv4, ipv6;
	uint64_t claim4, claim6; // of bindings.h; 0: none
	struct dp_addr teller; // who asked for it
	struct ctl_known *who; // a reference
	GList by_teller; // in the list of those
	char text[]; // RADIUS Acct-Session-Id
};

struct ctl_sessions {
	struct ctl_sessions_config cfg;
	struct ctl_aliases *aliases;
	struct ctl_bindings *bindings;
	GHashTable *asked; // struct ctl_sig_asked, owned
	GQueue asked_order;
	GHashTable *gone; // of sig_sessions_gone.c
	GQueue gone_order;
	GHashTable *handles; // struct ctl_sig_handle, of sessions
	GHashTable *tellers; // struct ctl_sig_teller, owned
	size_t n_sessions;
	struct ctl_sessions_stats stats;
};

/* Whose sessions end when it restarts. */
struct ctl_sig_teller {
	struct dp_addr addr;
	uint8_t proto;
	GQueue sessions;
};

/* sig_sessions_table.c */

/* The session that the node `by` means by the other's name for it. Of several it is the one that it is a side
 * of; of one it may be another node that takes it over. NULL when it cannot be told. */
struct ctl_sig_session *ctl_sig_session_find(const struct ctl_sessions *s,
	const struct ctl_sig_handle *handle, const struct dp_addr *by);

/* The session for which a node gave the number out when it was asked for it; NULL when there is none. */
struct ctl_sig_session *ctl_sig_session_given(
	const struct ctl_sessions *s, const struct ctl_sig_handle *handle, bool is_backbone);

/* told: the message with its identifiers. NULL when nobody is named, or there is no room. */
struct ctl_sig_session *ctl_sig_session_new(
	struct ctl_sessions *s, const struct ctl_sig *told, const struct dp_addr *teller);

/* The name is this session's from now on. The one that it had of that side, 0 or 1, goes. */
void ctl_sig_session_name(struct ctl_sessions *s, struct ctl_sig_session *session,
	unsigned int side, const struct ctl_sig_handle *handle);

/* It has these addresses: claims them, from from_ns on. */
void ctl_sig_session_claim(struct ctl_sessions *s, struct ctl_sig_session *session,
	const struct ctl_sig *told, uint64_t from_ns);

/* What else the message tells. */
void ctl_sig_session_tell(struct ctl_sessions *s, const struct ctl_sig_session *session,
	const struct ctl_sig *told, uint64_t now_ns);

/* It is over. is_leg: as ctl_bindings_release(). */
void ctl_sig_session_end(
	struct ctl_sessions *s, struct ctl_sig_session *session, bool is_leg, uint64_t now_ns);

/* All that the node told of are over. */
void ctl_sig_sessions_end_of(
	struct ctl_sessions *s, const struct dp_addr *teller, uint8_t proto, uint64_t now_ns);

void ctl_sig_sessions_table_init(struct ctl_sessions *s);
void ctl_sig_sessions_table_fini(struct ctl_sessions *s);

/* sig_sessions_gone.c */

void ctl_sig_gone_init(struct ctl_sessions *s);
void ctl_sig_gone_fini(struct ctl_sessions *s);

/* A session has ended: what is said of it within the next minutes was said before (RFC 2866 5.5: its name is
 * its alone). */
void ctl_sig_gone_add(
	struct ctl_sessions *s, const struct dp_addr *teller, const char *session, uint64_t now_ns);
bool ctl_sig_gone_has(
	struct ctl_sessions *s, const struct dp_addr *teller, const char *session, uint64_t now_ns);

/* sig_sessions_asked.c */

void ctl_sig_asked_init(struct ctl_sessions *s);
void ctl_sig_asked_fini(struct ctl_sessions *s);

/* A request, copied; one that waits already stays as it is. */
void ctl_sig_asked_add(
	struct ctl_sessions *s, const struct dp_signalling *message, const struct ctl_sig *sig);

/* The request that the message answers, taken out: owned by the caller, NULL when nobody saw it. */
struct ctl_sig_asked *ctl_sig_asked_take(
	struct ctl_sessions *s, const struct dp_signalling *message, const struct ctl_sig *sig);
