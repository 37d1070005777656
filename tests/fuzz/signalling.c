// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/signalling.h"
#include "control/sig_sessions.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 5, N_MAX = 64 };

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static bool is_text(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\0')
			return true;
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return false;
}

/* What a reader says of any bytes is within its bounds. */
static void check_sig(const struct ctl_sig *sig)
{
	must(is_text(sig->imsi, sizeof(sig->imsi)) && is_text(sig->msisdn, sizeof(sig->msisdn)));
	must(is_text(sig->imei, sizeof(sig->imei)) && is_text(sig->mcc_mnc, sizeof(sig->mcc_mnc)));
	must(is_text(sig->account, sizeof(sig->account)) && is_text(sig->apn, sizeof(sig->apn)));
	must(is_text(sig->session, sizeof(sig->session)) && is_text(sig->uli, sizeof(sig->uli)));
	must(sig->n_ends <= 2 && sig->n_teids <= CTL_SIG_TEIDS_MAX && sig->nsapi < 16);
	must(!sig->has_ipv6 || (sig->ipv6_len > 0 && sig->ipv6_len <= 128));
}

static void on_ended(void *, const struct ctl_binding *binding)
{
	must(binding->who != NULL && binding->from_ns < binding->to_ns);
	must(binding->n_teids <= CTL_SIG_TEIDS_MAX);
}

/* One message in a block of its own size. */
static void take(struct ctl_sessions *s, uint64_t now_ns, const uint8_t *head, const uint8_t *data,
	size_t len)
{
	static const uint16_t ports[] = {DP_PORT_GTPC, DP_PORT_PFCP, DP_PORT_RADIUS_ACCOUNTING,
		DP_PORT_RADIUS_ACCOUNTING_OLD};
	struct dp_signalling *m = malloc(sizeof(*m) + len);
	struct ctl_sig sig;
	size_t n;

	must(m != NULL);
	*m = (struct dp_signalling){.time_ns = now_ns,
		.src = {.b = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = head[0] & 3}},
		.dst = {.b = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = head[0] >> 2 & 3}},
		.sport = ports[head[1] & 3],
		.dport = ports[head[1] >> 2 & 3],
		.len = (uint16_t)len};
	memcpy(m->bytes, data, len);
	if (ctl_sig_read(m->bytes, len, m->sport, m->dport, &sig, &n) == 0) {
		must(n > 0 && n <= len);
		check_sig(&sig);
	}
	ctl_sessions_take(s, m);
	free(m);
}

/* Any messages: ports, nodes, how much later, length, bytes. Few numbers of nodes, so that they meet. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ctl_sessions_config config = {.n_max = 8,
		.guard_ns = 1000000000,
		.protos = (1U << CTL_SIG_PROTO_COUNT) - 1,
		.ranks = {3, 1, 0, 2},
		.ipv6_prefix_len = 64,
		.ended = on_ended};
	struct ctl_sessions *s = ctl_sessions_new(&config);
	uint64_t now_ns = 1000000000;

	for (int i = 0; i < N_MAX && size >= HEAD; i++) {
		const uint8_t *head = data;
		size_t len = (size_t)head[3] << 8 | head[4];

		now_ns += (uint64_t)head[2] * 100000000;
		data += HEAD;
		size -= HEAD;
		len = len < size ? len : size;
		take(s, now_ns, head, data, len);
		data += len;
		size -= len;
	}

	const struct ctl_sessions_stats stats = ctl_sessions_stats(s);

	must(stats.n_sessions <= config.n_max && stats.bindings.n_endpoints <= config.n_max);
	ctl_bindings_report(ctl_sessions_bindings(s), now_ns + 1);
	ctl_sessions_free(s);
	return 0;
}
