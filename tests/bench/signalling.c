// SPDX-License-Identifier: BSD-3-Clause

/* What it costs to know who endpoints are: N sessions from messages of GTPv2-C, asked for, accepted, updated; the
 * memory that is theirs; and asking whose an address was.
 *
 *   bench_signalling [SESSIONS]
 *
 * Judged by 20,000 messages a second on a core that has usage to work, too: a tenth of its time is theirs. */

#include "control/sig_sessions.h"
#include "tests/unit/sig_messages.h"

#include <malloc.h>
#include <stdio.h>
#include <time.h>

enum { SESSIONS = 2000000, SGW = 0x0a020001, PGW = 0x0a030001, POOL = 0x64400000, RATE = 20000 };
static const double SHARE_MAX = 0.10;

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); // cannot fail for this clock
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Counted without what it takes to make the messages. */
static struct {
	uint64_t n, ns;
	struct dp_signalling *message;
} told;

static void tell(
	struct ctl_sessions *s, uint64_t at_ns, uint32_t src, uint32_t dst, const struct bytes *m)
{
	uint64_t begin;

	*told.message = (struct dp_signalling){.time_ns = at_ns,
		.src = v4(src),
		.dst = v4(dst),
		.sport = DP_PORT_GTPC,
		.dport = DP_PORT_GTPC,
		.len = (uint16_t)m->n};
	memcpy(told.message->bytes, m->b, m->n);
	begin = now_ns();
	ctl_sessions_take(s, told.message);
	told.ns += now_ns() - begin;
	told.n++;
}

static void attach(struct ctl_sessions *s, uint32_t i, uint64_t at_ns)
{
	struct bytes ask = gtpv2(32, 0, i & 0xffffff), answer = gtpv2(33, i + 1, i & 0xffffff);
	char digits[17];

	(void)snprintf(digits, sizeof(digits), "00101%010u", i);
	gtpv2_digits(&ask, 1, digits);
	(void)snprintf(digits, sizeof(digits), "999%08u", i);
	gtpv2_digits(&ask, 76, digits);
	(void)snprintf(digits, sizeof(digits), "35%014u", i);
	gtpv2_digits(&ask, 75, digits);
	gtpv2_apn(&ask, "internet");
	gtpv2_u8(&ask, 82, 6);
	gtpv2_network(&ask, (const uint8_t[]){0x00, 0xf1, 0x10});
	gtpv2_uli(&ask, (uint16_t)(i / 4000), i / 40);
	gtpv2_fteid(&ask, 0, 6, i + 1, SGW);
	gtpv2_bearer(&ask, 4, i + 1, SGW);
	tell(s, at_ns, SGW, PGW, &ask);
	gtpv2_cause(&answer, 16);
	gtpv2_fteid(&answer, 1, 7, i + 1, PGW);
	gtpv2_paa(&answer, POOL + i, NULL);
	gtpv2_bearer(&answer, 5, i + 1, PGW);
	tell(s, at_ns, PGW, SGW, &answer);
}

static void move(struct ctl_sessions *s, uint32_t i, uint64_t at_ns)
{
	struct bytes ask = gtpv2(34, i + 1, i & 0xffffff), answer = gtpv2(35, i + 1, i & 0xffffff);

	gtpv2_uli(&ask, (uint16_t)(i / 4000), i / 40 + 1);
	tell(s, at_ns, SGW, PGW, &ask);
	gtpv2_cause(&answer, 16);
	tell(s, at_ns, PGW, SGW, &answer);
}

static void say(const char *what)
{
	const double ns = (double)told.ns / (double)told.n, share = ns * RATE / 1e9;

	printf("%-34s %8.0f ns, %4.1f %% of a core at %d a second (at most %.0f): %s\n", what, ns,
		100 * share, RATE, 100 * SHARE_MAX, share <= SHARE_MAX ? "met" : "MISSED");
	told.n = told.ns = 0;
}

int main(int argc, char **argv)
{
	const uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : SESSIONS;
	const struct ctl_sessions_config config = {
		.n_max = n, .protos = 1U << CTL_SIG_GTPV2C, .ipv6_prefix_len = 64};
	const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
	struct ctl_sessions *s = ctl_sessions_new(&config);
	uint64_t at_ns = 1000000000, begin;
	size_t n_found = 0;
	bool is_one;

	if (n == 0 || n > 1 << 22)
		return fprintf(stderr, "usage: bench_signalling [SESSIONS], 1 to 4194304\n"), 2;
	told.message = malloc(DP_SIGNALLING_ROOM);
	if (told.message == NULL)
		return 1;
	for (uint32_t i = 0; i < n; i++)
		attach(s, i, at_ns += 100000);
	say("a message of a session that begins");
	printf("%-34s %8.0f bytes\n", "memory of a bound subscriber",
		(double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / n);
	for (uint32_t i = 0; i < n; i++)
		move(s, (uint32_t)((uint64_t)i * 2654435761U % n), at_ns += 100000);
	say("a message that tells another place");
	begin = now_ns();
	for (uint32_t i = 0; i < n; i++) {
		const struct dp_addr addr = v4(POOL + (uint32_t)((uint64_t)i * 2654435761U % n));

		n_found += ctl_bindings_who(
				   ctl_sessions_bindings(s), &addr, at_ns, at_ns, &is_one) != NULL;
	}
	printf("%-34s %8.0f ns\n", "whose an address is", (double)(now_ns() - begin) / n);
	ctl_sessions_free(s);
	free(told.message);
	return n_found == n ? 0 : 1;
}
