// SPDX-License-Identifier: BSD-3-Clause
#include "tests/ebpf/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

struct rig rig;

void rig_defaults(void)
{
	dp_endpoint_nets_default(&rig.nets);
	rig.cfg = (struct ebpf_offload_config){.nets = &rig.nets,
		.tick_ns = RIG_S,
		.n_workers = RIG_WORKERS,
		.n_entries = RIG_ENTRIES,
		.n_flows = 1024,
		.ring_bytes = 1 << 20,
		.is_replay = true};
}

void rig_open(void)
{
	struct dp_err err = {0};
	int r = ebpf_offload_open(&rig.cfg, &rig.offload, &err);

	if (r == -EPERM) {
		print_message("SKIP: %s\n", err.text);
		exit(77);
	}
	if (r < 0)
		print_error("%s\n", err.text);
	assert_int_equal(r, 0);
	rig.now_ns = RIG_BEGIN_NS;
	assert_int_equal(rig.offload->ops->open_port(rig.offload->self, 0, 0, &err), 0);
}

void rig_close(void)
{
	if (rig.offload != NULL)
		rig.offload->ops->stop(rig.offload->self, 0);
	ebpf_offload_close(rig.offload);
	rig.offload = NULL;
}

int rig_setup(void **)
{
	rig_defaults();
	rig_open();
	return 0;
}

int rig_teardown(void **)
{
	rig_close();
	return 0;
}

void rig_mount_pins(void)
{
	if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) == 0)
		return;
	print_message("SKIP: cannot mount a BPF file system at /sys/fs/bpf: %s\n", strerror(errno));
	exit(77);
}

int rig_remove_pins(void)
{
	return system("rm -rf " RIG_PINS) == 0 ? 0 : -1;
}

void rig_send_cut(struct frame *f, uint32_t cap_len)
{
	const struct dp_capture_record record = {.time_ns = rig.now_ns,
		.data = frame_bytes(f),
		.cap_len = cap_len,
		.wire_len = frame_len(f)};
	struct dp_err err;

	assert_int_equal(rig.offload->ops->run(rig.offload->self, &record, &err), 0);
}

void rig_send(struct frame *f)
{
	rig_send_cut(f, frame_len(f));
}

void rig_ip(struct frame *f, uint8_t proto, const char *src, const char *dst)
{
	const bool is_v6 = strchr(src, ':') != NULL;

	if (is_v6)
		frame_ipv6(f, proto, src, dst);
	else
		frame_ipv4(f, proto, src, dst);
	frame_ethernet(f, is_v6 ? 0x86dd : 0x0800);
}

static const uint8_t payload[3000];

void rig_udp(struct frame *f, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	uint32_t payload_len)
{
	frame_put(frame_new(f), payload, payload_len);
	frame_udp(f, sport, dport);
	rig_ip(f, IPPROTO_UDP, src, dst);
}

void rig_tcp(struct frame *f, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	uint8_t flags, uint32_t seq, uint32_t payload_len)
{
	frame_put(frame_new(f), payload, payload_len);
	frame_tcp(f, sport, dport, flags, seq);
	rig_ip(f, IPPROTO_TCP, src, dst);
}

static void got(void *, const struct dp_offload_frame *frame)
{
	rig.up.last = *frame;
	assert_true(frame->cap_len <= sizeof(rig.up.data));
	memcpy(rig.up.data, frame->data, frame->cap_len);
	rig.up.last.data = rig.up.data;
}

bool rig_take(void)
{
	const int r = rig.offload->ops->take(rig.offload->self, 0, got, NULL);

	assert_in_range(r, 0, 1);
	return r == 1;
}

int rig_take_all(void)
{
	int n = 0;

	while (rig_take())
		n++;
	return n;
}

struct dp_offload_stats rig_stats(void)
{
	struct dp_offload_stats stats;

	rig.offload->ops->stats(rig.offload->self, 0, &stats);
	return stats;
}

void rig_check_ledger(uint64_t n_up)
{
	const struct dp_offload_stats s = rig_stats();
	uint64_t n = 0;

	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		n += s.outcomes[i];
	assert_int_equal(s.received, n_up + s.frames);
	assert_int_equal(s.frames, n);
	assert_int_equal(s.packets, s.outcomes[DP_OUTCOME_ACCOUNTED]);
	assert_true(s.up_packets <= s.packets);
	assert_true(s.taken_bytes <= s.undecided_bytes);
	assert_true(s.undecided_bytes <= s.ip_bytes);
}

struct dp_five_tuple rig_tuple(uint8_t l4_proto)
{
	struct dp_five_tuple t = {.sport = 50000, .dport = 443, .l4_proto = l4_proto};

	assert_int_equal(dp_addr_parse("10.0.0.7", &t.src), 0);
	assert_int_equal(dp_addr_parse("203.0.113.9", &t.dst), 0);
	return t;
}

void rig_send_up(void)
{
	struct frame f;

	rig_udp(&f, "10.0.0.7", 50000, "203.0.113.9", 443, 100);
	rig_send(&f);
}

void rig_send_down(void)
{
	struct frame f;

	rig_udp(&f, "203.0.113.9", 443, "10.0.0.7", 50000, 100);
	rig_send(&f);
}

static void add(struct dp_offload_usage *sum, const struct dp_offload_usage *u)
{
	const bool is_first = (sum->packets[0] | sum->packets[1]) == 0;

	for (int i = 0; i < 2; i++) {
		sum->packets[i] += u->packets[i];
		sum->bytes[i] += u->bytes[i];
		sum->active[i] |= u->active[i];
	}
	dp_quality_add(&sum->quality, &u->quality);
	if (is_first || u->first_ns < sum->first_ns)
		sum->first_ns = u->first_ns;
	if (u->last_ns > sum->last_ns)
		sum->last_ns = u->last_ns;
}

uint32_t rig_drain(uint16_t worker, uint64_t end_ns, struct dp_offload_usage *ret)
{
	enum { MAX = 3 }; // fewer than there are
	struct dp_offload_usage parts[MAX];
	uint32_t n, n_parts = 0;

	memset(ret, 0, RIG_ENTRIES * sizeof(*ret));
	do {
		n = rig.offload->ops->drain(rig.offload->self, worker, end_ns, parts, MAX);
		for (uint32_t i = 0; i < n; i++) {
			assert_in_range(parts[i].id, 1, RIG_ENTRIES - 1);
			add(&ret[parts[i].id], &parts[i]);
		}
		n_parts += n;
	} while (n == MAX);
	return n_parts;
}
