// SPDX-License-Identifier: BSD-3-Clause

/* What the rot alarm costs the control thread, with more apps, networks and names than it keeps.
 *
 *   bench_rot FLOWS    an hour, for ten days of event time: 1,024 apps, 16,384 networks, a third without an app
 *
 * Prints a line of JSON: nanoseconds of CPU time a flow (its note, and its share of the ticks),
 * a tick that closes an hour and the longest one, the image for the store; memory of the process. One thread. */

#include "control/rot_image.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { APPS = 1024, NETWORKS = 16384, ENDPOINTS = 65536, HOURS = 240, BEGIN = 492336 };
static const uint64_t SECOND_NS = 1000000000;

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts); // cannot fail for this clock
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint32_t draw(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(state >> 33);
}

static struct dp_record flow_at(uint64_t second)
{
	const uint32_t app = draw() % APPS, e = draw() % ENDPOINTS;
	const bool is_named = draw() % 3 != 0;
	// Nine of ten at those that the app is mostly at.
	const uint32_t n = draw() % 10 == 0 ? draw() % NETWORKS
					    : (app * 13 + draw() % 40) % NETWORKS;
	struct dp_record r = {.kind = DP_RECORD_NOTE,
		.tick = second,
		.endpoint = dp_addr_from_v4(
			(const uint8_t[]){10, 0, (uint8_t)(e >> 8), (uint8_t)e}),
		.app = is_named ? DP_APP_FIRST + app : DP_APP_UNKNOWN,
		.evidence = is_named ? DP_EVIDENCE_SNI : DP_EVIDENCE_NONE};

	r.note = (struct dp_note){.src = r.endpoint,
		.dst = dp_addr_from_v4(
			(const uint8_t[]){198, (uint8_t)(n >> 8), (uint8_t)n, (uint8_t)draw()}),
		.dport = 443,
		.sport = (uint16_t)draw(),
		.l4_proto = 6,
		.why = DP_NOTE_END,
		.bytes = {1000, 10000 + draw() % 1000000},
		.first_ns = second * SECOND_NS,
		.last_ns = second * SECOND_NS + draw() % SECOND_NS};
	(void)snprintf(r.note.host, sizeof(r.note.host), "www.n%u.example", draw() % 20000);
	return r;
}

static struct ctl_rot *alarm_new(struct cls_catalogue **ret_catalogue)
{
	static const struct ctl_rot_options options = {.enabled = true,
		.share = 30,
		.taken = 50,
		.floor_bytes = 1000000,
		.n_endpoints = 3};
	static const char *const tags[] = {""};
	struct ctl_domains *domains;
	struct ctl_rot *rot;

	if (ctl_domains_open(&domains, NULL) < 0 ||
		cls_catalogue_new(NULL, 0, tags, 1, ret_catalogue, NULL) < 0)
		exit(1);
	rot = ctl_rot_new(&options, SECOND_NS, domains, NULL, NULL, NULL);
	ctl_rot_catalogue(rot, *ret_catalogue);
	return rot;
}

int main(int argc, char **argv)
{
	const uint64_t n_flows = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
	uint64_t notes_ns = 0, ticks_ns = 0, longest_ns = 0, hours_ns = 0, begin, used;
	struct cls_catalogue *catalogue;
	struct ctl_pack pack = {0};
	struct ctl_rot *rot;

	if (n_flows == 0 || n_flows > 3600 * 10000) {
		(void)fprintf(stderr, "usage: bench_rot FLOWS\n");
		return 2;
	}
	rot = alarm_new(&catalogue);
	for (uint64_t s = 0; s < HOURS * 3600; s++) {
		const uint64_t second = BEGIN * 3600 + s;

		for (uint64_t i = s % 3600 * n_flows / 3600; i < (s % 3600 + 1) * n_flows / 3600;
			i++) {
			const struct dp_record r = flow_at(second);

			begin = cpu_ns();
			ctl_rot_note(rot, &r);
			notes_ns += cpu_ns() - begin;
		}
		begin = cpu_ns();
		ctl_rot_tick(rot, (second + 1) * SECOND_NS);
		used = cpu_ns() - begin;
		ticks_ns += used;
		hours_ns += s % 3600 == 599 ? used : 0; // hours are closed ten minutes late
		longest_ns = used > longest_ns ? used : longest_ns;
	}
	begin = cpu_ns();
	ctl_rot_pack(rot, &pack);
	used = cpu_ns() - begin;
	(void)printf(
		"{\"note_ns\":%.0f,\"tick_ns_a_flow\":%.0f,\"hour_us\":%.0f,\"longest_tick_us\":%.0f,"
		"\"image_us\":%.0f,\"image_bytes\":%zu,\"heap_bytes\":%zu}\n",
		(double)notes_ns / (double)(n_flows * HOURS),
		(double)ticks_ns / (double)(n_flows * HOURS), (double)hours_ns / HOURS / 1e3,
		(double)longest_ns / 1e3, (double)used / 1e3, pack.len, mallinfo2().uordblks);
	ctl_pack_fini(&pack);
	ctl_rot_free(rot);
	cls_catalogue_free(catalogue);
	return 0;
}
