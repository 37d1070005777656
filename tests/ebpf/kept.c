// SPDX-License-Identifier: BSD-3-Clause

/* What outlives whoever has the programs: told to who comes next, each packet once. */

#include "tests/ebpf/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/ebpf/seam.h"

#include "dataplane/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

enum { A = 3, B = 4 }; // entries

/* Ends of ticks. */
#define TICK(n) (RIG_BEGIN_NS + (n)*RIG_S)

static const struct dp_usage_key keys[] = {[A] = {.app = 11, .tag = 1, .evidence = DP_EVIDENCE_SNI},
	[B] = {.app = 12, .evidence = DP_EVIDENCE_DNS}};

/* --- who comes next -------------------------------------------------------------------------- */

struct credits {
	uint64_t packets[32][2], bytes[32][2]; // by app
	struct dp_addr endpoint; // of the last one
	unsigned int n;
};

static void credit(void *ctx, const struct dp_usage_key *key, const uint64_t packets[2],
	const uint64_t bytes[2])
{
	struct credits *c = ctx;

	assert_in_range(key->app, 0, 31);
	c->packets[key->app][0] += packets[0];
	c->packets[key->app][1] += packets[1];
	c->bytes[key->app][0] += bytes[0];
	c->bytes[key->app][1] += bytes[1];
	c->endpoint = key->endpoint;
	c->n++;
}

static struct ebpf_taken_over take_over(struct credits *ret)
{
	struct ebpf_taken_over over;
	struct dp_err err;

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(ebpf_offload_take_over(rig.offload, credit, ret, &over, &err), 0);
	return over;
}

/* Whoever has it ends, and the next one comes, who finds that on the disk. */
static struct ebpf_taken_over next(uint64_t watermark_ns, struct credits *ret)
{
	ebpf_offload_close(rig.offload); // as a process that is killed: nothing is said before
	rig.cfg.watermark_ns = watermark_ns;
	rig_open();
	return take_over(ret);
}

static void name(uint32_t id, const struct dp_usage_key *key)
{
	rig.offload->ops->name(rig.offload->self, 0, id, key);
}

/* The flow of rig_tuple(), decided for the entry; its first packet has been taken. */
static void begin_decided(uint32_t id)
{
	struct dp_offload_counts c;

	rig_send_up();
	assert_int_equal(rig_take_all(), 1);
	name(id, &keys[id]);
	assert_int_equal(seam_decide(IPPROTO_UDP, seam_flow(), id, false, &c), 0);
}

static void mark(uint64_t end_ns)
{
	rig.offload->ops->mark(rig.offload->self, 0, end_ns);
}

/* Of the tick that ends then. */
static uint64_t drained(uint64_t end_ns, uint32_t id)
{
	struct dp_offload_usage usage[RIG_ENTRIES];

	(void)rig_drain(0, end_ns, usage);
	return usage[id].packets[EBPF_UP] + usage[id].packets[EBPF_DOWN];
}

static unsigned int n_pinned(void)
{
	DIR *dir = opendir(RIG_PINS);
	unsigned int n = 0;

	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir)) != NULL;)
		n += e->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

/* --- slots ----------------------------------------------------------------------------------- */

static void what_nobody_drained_is_told(void **)
{
	struct credits c;

	begin_decided(A);
	mark(TICK(1));
	ebpf_offload_committed(rig.offload, TICK(1)); // the first packet is on the disk
	rig_send_up();
	rig_send_up();
	rig_send_down();
	assert_int_equal(next(TICK(1), &c).n_generations, 1);
	seam_assert_packets(c.packets[11], 2, 1);
	assert_int_equal(c.bytes[11][EBPF_UP], 2 * SEAM_BYTES);
	assert_int_equal(c.bytes[11][EBPF_DOWN], SEAM_BYTES);
}

static void what_was_drained_is_told_until_it_is_on_the_disk(void **)
{
	struct credits c;

	begin_decided(A);
	mark(TICK(1));
	rig_send_up();
	assert_int_equal(drained(TICK(1), A), 1);
	rig.now_ns += RIG_S;
	rig_send_up();
	rig_send_up();
	assert_int_equal(drained(TICK(2), A), 2);
	(void)next(TICK(1), &c); // the second tick was lost
	seam_assert_packets(c.packets[11], 2, 0);
}

static void what_is_on_the_disk_is_not_told_whoever_has_settled_it(void **)
{
	struct credits c;

	begin_decided(A);
	mark(TICK(1));
	rig_send_up();
	assert_int_equal(drained(TICK(1), A), 1);
	ebpf_offload_committed(rig.offload, TICK(1));
	rig.now_ns += RIG_S;
	rig_send_up();
	assert_int_equal(drained(TICK(2), A), 1); // settles the first tick
	(void)next(TICK(2), &c); // and the second was committed when nobody was there to settle it
	assert_int_equal(c.n, 0);
}

static void an_entry_counts_for_whom_it_stood_then(void **)
{
	struct credits c;

	begin_decided(A);
	mark(TICK(1));
	rig_send_up();
	assert_int_equal(drained(TICK(1), A), 1);
	name(A, &keys[B]);
	rig.now_ns += RIG_S;
	rig_send_up();
	rig_send_up();
	(void)next(RIG_BEGIN_NS, &c);
	seam_assert_packets(c.packets[11], 1, 0);
	seam_assert_packets(c.packets[12], 2, 0);
}

static void a_log_without_room_leaves_counts_in_the_kernel(void **)
{
	const uint32_t n_log = RIG_ENTRIES * EBPF_DRAINED_PER_ENTRY;
	struct credits c;
	uint64_t n = 0;

	begin_decided(A);
	mark(TICK(1));
	for (uint32_t i = 0; i < n_log + 10; i++) {
		rig_send_up();
		n += drained(rig.now_ns + 1, A);
	}
	assert_int_equal(n, n_log);
	ebpf_offload_committed(rig.offload, rig.now_ns + 1);
	assert_int_equal(drained(rig.now_ns + 1, A), 10); // there is room again
	(void)next(rig.now_ns + 1, &c);
	assert_int_equal(c.n, 0);
}

/* --- flows ----------------------------------------------------------------------------------- */

/* More packets than the ring has room for: they wait on the flow. Returns how many. */
static uint64_t wait_for_a_verdict(void (*send)(void))
{
	const uint64_t lost = rig_stats().lost;

	while (rig_stats().lost < lost + 5)
		send();
	return 5;
}

/* Packets that stand in the row behind the CPUs' ones, where nobody counts who would be in the way. */
static uint64_t moved_down(uint32_t id)
{
	const uint32_t row = (uint32_t)libbpf_num_possible_cpus();
	const int fd = bpf_obj_get(RIG_PINS "/1/slots");
	struct ebpf_slot slot;
	uint64_t n = 0;

	for (uint32_t parity = 0; parity < 2; parity++) {
		const uint32_t i = (row * 2 + parity) * RIG_WORKERS * RIG_ENTRIES + id;

		assert_int_equal(bpf_map_lookup_elem(fd, &i, &slot), 0);
		n += slot.packets[EBPF_DOWN];
	}
	(void)close(fd);
	return n;
}

static void what_waits_on_a_flow_is_told(void **)
{
	const struct dp_five_tuple t = rig_tuple(IPPROTO_UDP);
	struct credits c;
	uint64_t n;

	rig_send_up();
	n = wait_for_a_verdict(rig_send_down);
	(void)next(RIG_BEGIN_NS, &c);
	seam_assert_packets(c.packets[DP_APP_UNKNOWN], 0, n);
	assert_memory_equal(&c.endpoint, &t.src, sizeof(t.src));
}

static void a_verdict_moves_what_waits_to_the_entry(void **)
{
	struct dp_offload_counts counts;
	struct credits c;
	uint64_t n;

	rig_send_up();
	assert_int_equal(rig_take_all(), 1);
	n = wait_for_a_verdict(rig_send_down);
	name(A, &keys[A]);
	assert_int_equal(seam_decide(IPPROTO_UDP, seam_flow(), A, false, &counts), 0);
	assert_int_equal(counts.packets[EBPF_DOWN], n);
	assert_int_equal(counts.tcp & DP_OFFLOAD_MOVED, DP_OFFLOAD_MOVED);
	assert_int_equal(rig_stats().taken_bytes, n * SEAM_BYTES);
	assert_int_equal(moved_down(A), n);
	(void)next(RIG_BEGIN_NS, &c);
	seam_assert_packets(c.packets[11], 0, n);
	seam_assert_packets(c.packets[DP_APP_UNKNOWN], 0, 0);
}

static void so_does_its_end_and_it_is_drained_once(void **)
{
	struct dp_offload_usage usage[RIG_ENTRIES];
	const struct dp_five_tuple t = rig_tuple(IPPROTO_UDP);
	struct dp_offload_counts counts;
	struct credits c;
	uint64_t n;

	rig_send_up();
	n = wait_for_a_verdict(rig_send_up);
	n += wait_for_a_verdict(rig_send_down);
	name(B, &keys[B]);
	assert_int_equal(rig.offload->ops->end(rig.offload->self, 0, &t, 0, B, &counts), 0);
	assert_int_equal(counts.tcp & DP_OFFLOAD_MOVED, DP_OFFLOAD_MOVED);
	n += wait_for_a_verdict(rig_send_up); // another flow, on top of it
	n += wait_for_a_verdict(rig_send_down);
	assert_int_equal(rig.offload->ops->end(rig.offload->self, 0, &t, 0, B, &counts), 0);
	(void)rig_drain(0, TICK(1), usage);
	seam_assert_packets(usage[B].packets, n / 2, n / 2);
	assert_int_equal(usage[B].bytes[EBPF_UP], n / 2 * SEAM_BYTES);
	assert_int_equal(usage[B].bytes[EBPF_DOWN], n / 2 * SEAM_BYTES);
	assert_int_equal(drained(TICK(2), B), 0);
	(void)next(TICK(1), &c);
	assert_int_equal(c.n, 0);
}

/* --- samples --------------------------------------------------------------------------------- */

static void what_was_handed_up_comes_again_until_it_is_on_the_disk(void **)
{
	struct credits c;
	struct frame f;

	for (uint16_t port = 1; port <= 4; port++) {
		rig_udp(&f, "10.0.0.7", port, "203.0.113.9", 443, 100);
		rig_send(&f);
	}
	assert_true(rig_take());
	assert_true(rig_take());
	mark(TICK(1));
	assert_true(rig_take());
	(void)next(TICK(1), &c);
	assert_true(rig_take());
	assert_int_equal(rig.up.last.handed, DP_HANDED_PLAIN); // its flow is none of ours
	assert_int_equal(rig.up.data[14 + 20 + 1], 3); // the third one's port
	assert_int_equal(rig_take_all(), 1);
	mark(TICK(2));
	(void)next(TICK(1), &c); // that was lost, too
	(void)next(TICK(2), &c); // by one that has read nothing, but whose second tick was none's
	assert_int_equal(rig_take_all(), 2);
	mark(TICK(3));
	(void)next(TICK(3), &c);
	assert_int_equal(rig_take_all(), 0);
}

static void its_room_is_given_back_then(void **)
{
	struct frame f;
	unsigned int n = 0;

	rig_udp(&f, "10.0.0.7", 1, "203.0.113.9", 443, 1400);
	for (; rig_stats().lost == 0; n++)
		rig_send(&f);
	assert_int_equal(rig_take_all(), n - 1);
	rig_send(&f);
	assert_int_equal(rig_stats().lost, 2); // all was taken, and stays
	mark(TICK(1));
	ebpf_offload_committed(rig.offload, TICK(1));
	assert_false(rig_take());
	rig_send(&f);
	assert_int_equal(rig_stats().lost, 2);
	assert_true(rig_take());
}

/* --- generations ----------------------------------------------------------------------------- */

static void a_credit_is_told_again_until_it_is_on_the_disk(void **)
{
	struct credits c;

	begin_decided(A);
	mark(TICK(1));
	rig_send_up();
	(void)next(TICK(1), &c);
	assert_int_equal(c.packets[11][EBPF_UP], 1);
	ebpf_offload_credited(rig.offload, TICK(2));
	assert_int_equal(next(TICK(1), &c).n_generations, 2); // that tick was lost
	assert_int_equal(c.packets[11][EBPF_UP], 1);
	ebpf_offload_credited(rig.offload, TICK(3));
	ebpf_offload_credited(rig.offload, TICK(4)); // the first time counts
	(void)next(TICK(2), &c);
	assert_int_equal(c.packets[11][EBPF_UP], 1);
	ebpf_offload_credited(rig.offload, TICK(3));
	ebpf_offload_credited(rig.offload, TICK(4));
	(void)next(TICK(3), &c);
	assert_int_equal(c.n, 0);
}

static void what_is_over_is_removed(void **)
{
	struct credits c;

	begin_decided(A);
	rig_send_up();
	(void)next(RIG_BEGIN_NS, &c);
	assert_int_equal(n_pinned(), 2);
	ebpf_offload_credited(rig.offload, TICK(1));
	ebpf_offload_committed(rig.offload, TICK(1));
	assert_int_equal(n_pinned(), 2); // what it handed up has not been read
	assert_int_equal(rig_take_all(), 1);
	mark(TICK(2));
	ebpf_offload_committed(rig.offload, TICK(2));
	assert_false(rig_take());
	ebpf_offload_committed(rig.offload, TICK(2));
	assert_int_equal(n_pinned(), 1);
	rig_send_up();
	(void)next(TICK(2), &c);
	assert_int_equal(rig_take_all(), 1);
	mark(TICK(3));
	ebpf_offload_committed(rig.offload, TICK(3));
	assert_false(rig_take());
	ebpf_offload_credited(rig.offload, TICK(5));
	ebpf_offload_committed(rig.offload, TICK(4));
	assert_int_equal(n_pinned(), 2); // what stood there is not on the disk
	ebpf_offload_committed(rig.offload, TICK(5));
	assert_int_equal(n_pinned(), 1);
}

static void many_starts_that_were_cut_short_are_bounded(void **)
{
	struct ebpf_taken_over over = {0};
	struct credits c;
	unsigned int n = 1;

	for (; !over.is_crowded; n++) {
		rig_send_up(); // stays in the ring, and stands on no slot
		over = next(RIG_BEGIN_NS, &c);
		assert_in_range(n, 1, 8);
	}
	assert_int_equal(over.n_generations, 8);
	assert_int_equal(n_pinned(), 8); // and none of this one
	assert_int_equal(rig_take_all(), 8); // theirs come
}

static void what_another_version_left_is_removed_and_said(void **)
{
	struct ebpf_taken_over over;
	struct ebpf_kept *kept = calloc(1, sizeof(*kept));
	const uint32_t zero = 0;
	struct credits c;
	int fd;

	assert_non_null(kept);
	begin_decided(A);
	rig_send_up();
	fd = bpf_obj_get(RIG_PINS "/1/kept");
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, kept), 0);
	kept->format++;
	assert_int_equal(bpf_map_update_elem(fd, &zero, kept, BPF_ANY), 0);
	(void)close(fd);
	free(kept);
	over = next(RIG_BEGIN_NS, &c);
	assert_int_equal(over.n_generations, 0);
	assert_int_equal(over.n_unreadable, 1);
	assert_non_null(strstr(over.why.text, "has format 3, expected 2"));
	assert_int_equal(c.n, 0);
	assert_int_equal(n_pinned(), 1);
}

static void one_without_anything_to_keep_takes_it_over_as_well(void **)
{
	struct credits c;

	begin_decided(A);
	mark(TICK(1));
	rig_send_up();
	rig.cfg.keeps = false;
	(void)next(TICK(1), &c);
	assert_int_equal(c.packets[11][EBPF_UP], 1);
	ebpf_offload_credited(rig.offload, TICK(2));
	assert_false(rig_take());
	ebpf_offload_committed(rig.offload, TICK(2));
	assert_int_equal(n_pinned(), 0);
}

static void two_cannot_have_the_same_folder(void **)
{
	struct dp_offload *second;
	struct dp_err err;

	assert_int_equal(ebpf_offload_open(&rig.cfg, &second, &err), -EBUSY);
	assert_non_null(strstr(err.text, "another process has what is pinned in '" RIG_PINS "'"));
}

/* --- setup ----------------------------------------------------------------------------------- */

static int begin(void **)
{
	rig_defaults();
	rig.cfg.pins = RIG_PINS;
	rig.cfg.keeps = true;
	rig_open();
	return 0;
}

static int end(void **)
{
	rig_close();
	return rig_remove_pins();
}

int main(void)
{
#define KEPT_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		KEPT_TEST(what_nobody_drained_is_told),
		KEPT_TEST(what_was_drained_is_told_until_it_is_on_the_disk),
		KEPT_TEST(what_is_on_the_disk_is_not_told_whoever_has_settled_it),
		KEPT_TEST(an_entry_counts_for_whom_it_stood_then),
		KEPT_TEST(a_log_without_room_leaves_counts_in_the_kernel),
		KEPT_TEST(what_waits_on_a_flow_is_told),
		KEPT_TEST(a_verdict_moves_what_waits_to_the_entry),
		KEPT_TEST(so_does_its_end_and_it_is_drained_once),
		KEPT_TEST(what_was_handed_up_comes_again_until_it_is_on_the_disk),
		KEPT_TEST(its_room_is_given_back_then),
		KEPT_TEST(a_credit_is_told_again_until_it_is_on_the_disk),
		KEPT_TEST(what_is_over_is_removed),
		KEPT_TEST(many_starts_that_were_cut_short_are_bounded),
		KEPT_TEST(what_another_version_left_is_removed_and_said),
		KEPT_TEST(one_without_anything_to_keep_takes_it_over_as_well),
		KEPT_TEST(two_cannot_have_the_same_folder),
	};

	rig_mount_pins();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
