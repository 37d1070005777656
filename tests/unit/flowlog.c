// SPDX-License-Identifier: BSD-3-Clause
#include "control/flowlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static struct cls_catalogue *catalogue;

static int setup(void **)
{
	static const char *const tags[] = {"", "trailer"};
	static const struct cls_app_def apps[] = {
		{.id = 10, .name = "films", .category = "streaming"},
		{.id = 11, .name = "mail", .category = "mail"},
	};

	return cls_catalogue_new(apps, 2, tags, 2, &catalogue, NULL);
}

static int teardown(void **)
{
	cls_catalogue_free(catalogue);
	return 0;
}

static struct dp_addr addr(const char *text)
{
	struct dp_addr a;

	assert_int_equal(dp_addr_parse(text, &a), 0);
	return a;
}

static struct dp_record ended(uint64_t first_ns, uint64_t last_ns, uint64_t n_bytes)
{
	return (struct dp_record){.kind = DP_RECORD_NOTE,
		.endpoint = addr("10.0.0.7"),
		.app = 10,
		.evidence = DP_EVIDENCE_SNI,
		.note = {.src = addr("10.0.0.7"),
			.dst = addr("203.0.113.9"),
			.sport = 50000,
			.dport = 443,
			.l4_proto = IPPROTO_TCP,
			.why = DP_NOTE_END,
			.packets = {1, 2},
			.bytes = {n_bytes, 10 * n_bytes},
			.first_ns = first_ns,
			.last_ns = last_ns,
			.ndpi_master = 91,
			.ndpi_app = 133,
			.effort = 3,
			.host = "www.films.example"}};
}

static void turn_round(struct dp_record *r)
{
	const struct dp_note n = r->note;

	r->note.src = n.dst;
	r->note.dst = n.src;
	r->note.sport = n.dport;
	r->note.dport = n.sport;
}

/* The lines as an array; owned by the caller. */
static json_t *lines_of(struct ctl_flowlog *log, uint8_t ipv6_prefix_len)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	json_t *lines = json_array();

	assert_non_null(out);
	assert_int_equal(ctl_flowlog_write(log, catalogue, ipv6_prefix_len, out), 0);
	(void)fclose(out);
	for (char *line = text, *next; line != NULL && *line != '\0'; line = next) {
		json_error_t e;
		json_t *flow;

		next = strchr(line, '\n');
		assert_non_null(next); // each line is complete
		*next++ = '\0';
		flow = json_loads(line, JSON_REJECT_DUPLICATES, &e);
		assert_non_null(flow);
		assert_int_equal(json_array_append_new(lines, flow), 0);
	}
	free(text);
	return lines;
}

static json_int_t number(const json_t *lines, size_t i, const char *key, size_t side)
{
	const json_t *v = json_object_get(json_array_get(lines, i), key);

	return json_integer_value(json_is_array(v) ? json_array_get(v, side) : v);
}

static const char *text(const json_t *lines, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(lines, i), key));
}

static void a_line_says_everything_of_a_flow(void **)
{
	struct ctl_flowlog *log = ctl_flowlog_new();
	const struct dp_record r = ended(1000, 2000, 7);
	json_t *lines;

	ctl_flowlog_add(log, &r);
	ctl_flowlog_seal(log);
	assert_int_equal(ctl_flowlog_count(log), 1);
	lines = lines_of(log, 64);
	assert_string_equal(text(lines, 0, "src"), "10.0.0.7");
	assert_string_equal(text(lines, 0, "dst"), "203.0.113.9");
	assert_string_equal(text(lines, 0, "l4"), "tcp");
	assert_string_equal(text(lines, 0, "endpoint"), "10.0.0.7");
	assert_string_equal(text(lines, 0, "app"), "films");
	assert_string_equal(text(lines, 0, "category"), "streaming");
	assert_string_equal(text(lines, 0, "proto"), "TLS.NetFlix");
	assert_string_equal(text(lines, 0, "host"), "www.films.example");
	assert_string_equal(text(lines, 0, "evidence"), "sni");
	assert_int_equal(number(lines, 0, "sport", 0), 50000);
	assert_int_equal(number(lines, 0, "dport", 0), 443);
	assert_int_equal(number(lines, 0, "packets", 1), 2);
	assert_int_equal(number(lines, 0, "bytes", 0), 7);
	assert_int_equal(number(lines, 0, "bytes", 1), 70);
	assert_int_equal(number(lines, 0, "first_ns", 0), 1000);
	assert_int_equal(number(lines, 0, "last_ns", 0), 2000);
	assert_int_equal(number(lines, 0, "effort", 0), 3);
	json_decref(lines);
	ctl_flowlog_free(log);
}

static void a_line_has_a_tag_where_there_is_one(void **)
{
	struct ctl_flowlog *log = ctl_flowlog_new();
	struct dp_record r = ended(1000, 2000, 7);
	json_t *lines;

	ctl_flowlog_add(log, &r);
	r.tag = 1;
	r.note.sport++;
	ctl_flowlog_add(log, &r);
	ctl_flowlog_seal(log);
	lines = lines_of(log, 64);
	assert_null(text(lines, 0, "tag"));
	assert_string_equal(text(lines, 1, "tag"), "trailer");
	json_decref(lines);
	ctl_flowlog_free(log);
}

static void a_line_has_an_alias_where_there_is_one(void **)
{
	struct ctl_flowlog *log = ctl_flowlog_new();
	struct dp_record r = ended(1000, 2000, 7);
	json_t *lines;

	ctl_flowlog_add(log, &r);
	(void)snprintf(r.note.alias, sizeof(r.note.alias), "films.example");
	r.note.sport++;
	ctl_flowlog_add(log, &r);
	ctl_flowlog_seal(log);
	lines = lines_of(log, 64);
	assert_null(text(lines, 0, "alias"));
	assert_string_equal(text(lines, 1, "alias"), "films.example");
	json_decref(lines);
	ctl_flowlog_free(log);
}

static void parts_of_one_flow_are_merged_unless_a_syn_started_the_later(void **)
{
	struct ctl_flowlog *log = ctl_flowlog_new();
	struct dp_record parts[4] = {ended(5000, 6000, 4), ended(1000, 2000, 1),
		ended(3000, 4000, 2), ended(7000, 8000, 8)};
	json_t *lines;

	turn_round(&parts[2]); // the server spoke first after the silence
	parts[0].note.is_syn_start = true;
	parts[3].note.effort = 253; // as many as can be told, or more
	for (int i = 0; i < 4; i++)
		ctl_flowlog_add(log, &parts[i]);
	ctl_flowlog_seal(log);
	assert_int_equal(ctl_flowlog_count(log), 2);
	lines = lines_of(log, 64);
	assert_string_equal(text(lines, 0, "src"), "10.0.0.7");
	assert_int_equal(number(lines, 0, "bytes", 0), 1 + 20);
	assert_int_equal(number(lines, 0, "bytes", 1), 10 + 2);
	assert_int_equal(number(lines, 0, "packets", 0), 1 + 2);
	assert_int_equal(number(lines, 0, "last_ns", 0), 4000);
	assert_int_equal(number(lines, 0, "effort", 0), 3 + 3);
	assert_int_equal(number(lines, 1, "first_ns", 0), 5000);
	assert_int_equal(number(lines, 1, "bytes", 0), 4 + 8);
	assert_int_equal(number(lines, 1, "last_ns", 0), 8000);
	assert_int_equal(number(lines, 1, "effort", 0), 255);
	json_decref(lines);
	ctl_flowlog_free(log);
}

static void flows_come_in_order_of_time_then_tuple_whatever_came_first(void **)
{
	static const int orders[6][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct dp_record r[3] = {ended(1000, 2000, 1), ended(1000, 2000, 2), ended(500, 600, 3)};

	r[1].note.sport = 50001;
	r[2].note.sport = 50002;
	for (int o = 0; o < 6; o++) {
		struct ctl_flowlog *log = ctl_flowlog_new();
		json_t *lines;

		for (int i = 0; i < 3; i++)
			ctl_flowlog_add(log, &r[orders[o][i]]);
		ctl_flowlog_seal(log);
		lines = lines_of(log, 64);
		assert_int_equal(number(lines, 0, "sport", 0), 50002);
		assert_int_equal(number(lines, 1, "sport", 0), 50000);
		assert_int_equal(number(lines, 2, "sport", 0), 50001);
		json_decref(lines);
		ctl_flowlog_free(log);
	}
}

static void only_the_end_of_a_flow_is_a_line(void **)
{
	struct ctl_flowlog *log = ctl_flowlog_new();
	struct dp_record r = ended(1000, 2000, 1);

	r.note.why = DP_NOTE_VERDICT;
	ctl_flowlog_add(log, &r);
	ctl_flowlog_seal(log);
	assert_int_equal(ctl_flowlog_count(log), 0);
	ctl_flowlog_free(log);
}

static void protocols_have_names_and_ipv6_endpoints_their_prefix(void **)
{
	static const struct {
		uint8_t proto;
		const char *name;
	} rows[] = {{6, "tcp"}, {17, "udp"}, {1, "icmp"}, {58, "icmpv6"}, {132, "sctp"},
		{50, "esp"}, {89, "ospf"}, {0, "ip-0"}, {253, "ip-253"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_flowlog *log = ctl_flowlog_new();
		struct dp_record r = ended(1000, 2000, 1);
		json_t *lines;

		r.note.l4_proto = rows[i].proto;
		r.endpoint = addr("fd00:1:2:3::");
		r.app = 99;
		ctl_flowlog_add(log, &r);
		ctl_flowlog_seal(log);
		lines = lines_of(log, 64);
		assert_string_equal(text(lines, 0, "l4"), rows[i].name);
		assert_string_equal(text(lines, 0, "endpoint"), "fd00:1:2:3::/64");
		assert_string_equal(text(lines, 0, "app"), "?"); // not of this catalogue
		json_decref(lines);
		ctl_flowlog_free(log);
	}
}

static void apps_are_summed_most_bytes_first(void **)
{
	struct ctl_flowlog *log = ctl_flowlog_new();
	struct dp_record r[3] = {ended(1, 2, 1), ended(3, 4, 100), ended(5, 6, 2)};
	json_t *apps;

	for (int i = 0; i < 3; i++)
		r[i].note.sport = (uint16_t)(50000 + i);
	r[1].app = 11;
	for (int i = 0; i < 3; i++)
		ctl_flowlog_add(log, &r[i]);
	ctl_flowlog_seal(log);
	apps = ctl_flowlog_apps_json(log, catalogue);
	assert_int_equal(json_array_size(apps), 2);
	assert_string_equal(text(apps, 0, "app"), "mail");
	assert_int_equal(number(apps, 0, "bytes", 0), 1100);
	assert_string_equal(text(apps, 1, "app"), "films");
	assert_int_equal(number(apps, 1, "flows", 0), 2);
	assert_int_equal(number(apps, 1, "packets", 0), 6);
	assert_int_equal(number(apps, 1, "bytes", 0), 33);
	json_decref(apps);
	ctl_flowlog_free(log);
}

/* A flow of 3 packets and 11,000 bytes that ended in a tick. */
static void add_flow(struct ctl_flowlog *log, uint16_t i, uint64_t tick)
{
	struct dp_record r = ended(tick * 1000, tick * 1000 + 500, 1000);

	r.tick = tick;
	r.app = 10 + i % 2;
	r.note.sport = i;
	ctl_flowlog_add(log, &r);
}

static json_int_t sum_of(const json_t *apps, const char *key)
{
	json_int_t sum = 0;

	for (size_t i = 0; i < json_array_size(apps); i++)
		sum += number(apps, i, key, 0);
	return sum;
}

static void without_lines_old_flows_are_summed_up_and_nothing_is_lost(void **)
{
	enum { KEPT = 8, FLOWS = 1000 };
	struct ctl_flowlog *log = ctl_flowlog_new();
	json_t *apps;

	ctl_flowlog_keep(log, KEPT);
	for (uint16_t i = 0; i < FLOWS; i++) {
		add_flow(log, i, i);
		ctl_flowlog_tick(log, i);
		assert_in_range(ctl_flowlog_count(log) - ctl_flowlog_summed(log), 0, 2 * KEPT);
	}
	ctl_flowlog_seal(log);
	assert_int_equal(ctl_flowlog_count(log), FLOWS);
	assert_in_range(ctl_flowlog_summed(log), FLOWS - 2 * KEPT, FLOWS - KEPT);
	apps = ctl_flowlog_apps_json(log, catalogue);
	assert_int_equal(json_array_size(apps), 2);
	assert_int_equal(sum_of(apps, "flows"), FLOWS);
	assert_int_equal(sum_of(apps, "packets"), 3 * FLOWS);
	assert_int_equal(sum_of(apps, "bytes"), 11000 * FLOWS);
	assert_string_equal(text(apps, 0, "app"), "films");
	json_decref(apps);
	ctl_flowlog_free(log);
}

static void a_flow_that_is_kept_goes_on_and_one_that_was_summed_up_is_another(void **)
{
	enum { KEPT = 8 };
	struct ctl_flowlog *log = ctl_flowlog_new();

	ctl_flowlog_keep(log, KEPT);
	for (uint16_t i = 0; i <= 2 * KEPT; i++) {
		add_flow(log, i, i);
		ctl_flowlog_tick(log, i);
	}
	assert_int_equal(ctl_flowlog_summed(log), KEPT + 1);
	add_flow(log, 2 * KEPT, 100);
	add_flow(log, 0, 101); // one of the first is long gone
	ctl_flowlog_seal(log);
	assert_int_equal(ctl_flowlog_count(log), 2 * KEPT + 1 + 1);
	ctl_flowlog_free(log);
}

static void what_is_summed_up_does_not_depend_on_who_came_first_within_a_tick(void **)
{
	enum { KEPT = 8, TICKS = 40 };
	size_t summed[2], counts[2];

	for (int order = 0; order < 2; order++) {
		struct ctl_flowlog *log = ctl_flowlog_new();

		ctl_flowlog_keep(log, KEPT);
		for (uint16_t tick = 0; tick < TICKS; tick++) {
			// A worker that is a tick ahead of the other.
			add_flow(log, (uint16_t)(order == 0 ? tick : 1000 + tick % 20), tick);
			if (tick + 1 < TICKS)
				add_flow(log, (uint16_t)(2000 + tick), tick + 1U);
			add_flow(log, (uint16_t)(order == 0 ? 1000 + tick % 20 : tick), tick);
			ctl_flowlog_tick(log, tick);
		}
		ctl_flowlog_seal(log);
		summed[order] = ctl_flowlog_summed(log);
		counts[order] = ctl_flowlog_count(log);
		ctl_flowlog_free(log);
	}
	assert_int_equal(summed[0], summed[1]);
	assert_int_equal(counts[0], counts[1]);
	assert_true(summed[0] > 0);
}

static void a_tick_without_end_does_not_gather_flows_without_end(void **)
{
	enum { KEPT = 8, FLOWS = 1000 };
	struct ctl_flowlog *log = ctl_flowlog_new();

	ctl_flowlog_keep(log, KEPT);
	for (uint16_t i = 0; i < FLOWS; i++)
		add_flow(log, i, 7);
	assert_in_range(ctl_flowlog_summed(log), FLOWS - 6 * KEPT, FLOWS);
	ctl_flowlog_seal(log);
	assert_int_equal(ctl_flowlog_count(log), FLOWS);
	ctl_flowlog_free(log);
}

static void a_full_disk_is_an_error(void **)
{
	struct ctl_flowlog *log = ctl_flowlog_new();
	const struct dp_record r = ended(1000, 2000, 7);
	FILE *full = fopen("/dev/full", "w");

	assert_non_null(full);
	ctl_flowlog_add(log, &r);
	ctl_flowlog_seal(log);
	assert_true(ctl_flowlog_write(log, catalogue, 64, full) < 0);
	(void)fclose(full);
	ctl_flowlog_free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_everything_of_a_flow),
		cmocka_unit_test(a_line_has_a_tag_where_there_is_one),
		cmocka_unit_test(a_line_has_an_alias_where_there_is_one),
		cmocka_unit_test(parts_of_one_flow_are_merged_unless_a_syn_started_the_later),
		cmocka_unit_test(flows_come_in_order_of_time_then_tuple_whatever_came_first),
		cmocka_unit_test(only_the_end_of_a_flow_is_a_line),
		cmocka_unit_test(protocols_have_names_and_ipv6_endpoints_their_prefix),
		cmocka_unit_test(apps_are_summed_most_bytes_first),
		cmocka_unit_test(without_lines_old_flows_are_summed_up_and_nothing_is_lost),
		cmocka_unit_test(a_flow_that_is_kept_goes_on_and_one_that_was_summed_up_is_another),
		cmocka_unit_test(what_is_summed_up_does_not_depend_on_who_came_first_within_a_tick),
		cmocka_unit_test(a_tick_without_end_does_not_gather_flows_without_end),
		cmocka_unit_test(a_full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
