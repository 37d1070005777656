// SPDX-License-Identifier: BSD-3-Clause
#include "control/shows_ledger.h"

#include "control/ledger.h"

#include <string.h>

enum { PORTS_MAX = 16 };

/* Rows that belong together, in the order of `part`. */
struct rows {
	json_t *array;
	const char *part; // "total", "port:NAME"
};

static void add(const struct rows *rows, const char *what, json_t *count, const char *unit,
	const char *meaning)
{
	(void)json_array_append_new(rows->array,
		json_pack("{s:s, s:s, s:o, s:s, s:s}", "part", rows->part, "what", what, "count",
			count, "unit", unit, "meaning", meaning));
}

static void add_n(const struct rows *rows, const char *what, uint64_t n, const char *unit,
	const char *meaning)
{
	add(rows, what, json_integer((json_int_t)n), unit, meaning);
}

static void add_if_any(const struct rows *rows, const char *what, uint64_t n, const char *unit,
	const char *meaning)
{
	if (n > 0)
		add_n(rows, what, n, unit, meaning);
}

static const char held_help[] = "fragments that wait for the rest of their datagram";
static const char lost_help[] = "dropped before us, as the sources report it";

static void add_balance(const struct rows *rows, const struct ctl_ledger *ledger)
{
	const int64_t off = ctl_ledger_off(ledger);

	add(rows, "balance", json_integer((json_int_t)off), "frames",
		off == 0 ? "it adds up: received = outcomes + held + in_flight"
			: off < 0
			? "DOES NOT ADD UP: more frames ended than came; report it"
			: "DOES NOT ADD UP: more are on their way than there is room for");
}

static void add_total(json_t *array, const struct dp_path_stats *s, const struct ctl_ledger *ledger)
{
	const struct rows rows = {array, "total"};

	add_n(&rows, "received", ledger->received, "frames", "handed over by the sources");
	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		add_n(&rows, dp_outcome_names[i], s->outcomes[i], "frames", dp_outcome_help[i]);
	add_n(&rows, "held", ledger->held, "frames", held_help);
	add_n(&rows, "in_flight", ledger->in_flight > 0 ? (uint64_t)ledger->in_flight : 0, "frames",
		"received, and not through the queues yet");
	add_balance(&rows, ledger);
	add_n(&rows, "lost", s->lost, "frames", lost_help);
}

static void add_port(json_t *array, const char *name, const struct dp_port_stats *port)
{
	g_autofree char *part = g_strconcat("port:", name, NULL);
	const struct rows rows = {array, part};

	add_n(&rows, "received", port->frames, "frames", "handed over by the port");
	add_n(&rows, "handed_on", port->handed_on, "frames", "given to workers");
	for (int i = 0; i < DP_OUTCOME_COUNT; i++)
		add_if_any(&rows, dp_outcome_names[i], port->outcomes[i], "frames",
			dp_outcome_help[i]);
	add_if_any(&rows, "held", port->datagrams.held, "frames", held_help);
	add_n(&rows, "lost", port->lost, "frames", lost_help);
}

static void add_worker(json_t *array, uint16_t worker, const struct dp_worker_stats *w)
{
	g_autofree char *part = g_strdup_printf("worker:%u", worker);
	const struct rows rows = {array, part};

	for (int i = 0; i < DP_OUTCOME_COUNT; i++) {
		if (i == DP_OUTCOME_ACCOUNTED)
			add_n(&rows, dp_outcome_names[i], w->outcomes[i], "frames",
				dp_outcome_help[i]);
		else
			add_if_any(&rows, dp_outcome_names[i], w->outcomes[i], "frames",
				dp_outcome_help[i]);
	}
}

static void add_encap(json_t *array, int encap, const struct dp_encap_stats *s)
{
	g_autofree char *part = g_strconcat("encapsulation:", dp_encap_names[encap], NULL);
	const struct rows rows = {array, part};

	add_if_any(&rows, "opened", s->opened[encap], "frames", dp_encap_help[encap]);
	for (int i = 0; i < DP_REFUSAL_COUNT; i++) {
		g_autofree char *what = g_strconcat("refused:", dp_refusal_names[i], NULL);

		add_if_any(&rows, what, s->refused[encap][i], "frames", dp_refusal_help[i]);
	}
}

static void add_fragments(json_t *array, const struct dp_datagram_stats *s)
{
	const struct rows rows = {array, "fragments"};

	add_n(&rows, "seen", s->fragments, "fragments", "parts of IP datagrams");
	add_n(&rows, "rebuilt", s->rebuilt, "datagrams", "became whole");
	add_n(&rows, "overlapped", s->overlapped, "datagrams", "given up: fragments overlap");
	add_n(&rows, "expired", s->expired, "datagrams", "did not become whole in time");
	add_n(&rows, "evicted", s->evicted, "datagrams", "gave their place to newer ones");
	add_n(&rows, "crowded", s->crowded, "datagrams",
		"not rebuilt: too many, or in too many parts");
	add_n(&rows, "repeated", s->repeated, "fragments", "of them those that came once more");
}

static void add_copies(json_t *array, const struct dp_path_stats *s)
{
	const struct rows rows = {array, "copies"};

	add_n(&rows, "looked_at", s->copies_looked, "packets", "compared with those just before");
	add_n(&rows, "seen", s->copies_seen, "packets", "of them copies");
	add_n(&rows, "forgotten", s->copies_forgotten, "packets",
		"remembered for less than the window: a copy may have been missed");
	add(&rows, "share",
		s->copies_looked > 0
			? json_real(100.0 * (double)s->copies_seen / (double)s->copies_looked)
			: json_null(),
		"%", "seen of looked_at");
}

static void add_tcp(json_t *array, const struct dp_path_stats *s)
{
	const struct rows rows = {array, "tcp"};

	add_n(&rows, "ended", s->tcp_ended, "flows", "of more than a handshake");
	add_n(&rows, "one_way_up", s->tcp_one_way[0], "flows", "of them only what endpoints sent");
	add_n(&rows, "one_way_down", s->tcp_one_way[1], "flows", "of them only what endpoints got");
}

static void add_offload(json_t *array, const struct dp_path_stats *s)
{
	const struct rows rows = {array, "xdp"};

	add_n(&rows, "undecided", s->undecided_bytes, "bytes",
		"kept in the kernel on flows without a verdict");
	add_n(&rows, "told", s->taken_bytes, "bytes",
		"of them, with a verdict or at the flow's end");
	add_n(&rows, "evicted_undecided",
		s->undecided_bytes - MIN(s->undecided_bytes, s->taken_bytes), "bytes",
		"of them the others: their flows wait for a verdict, or were forgotten for newer ones");
	add_n(&rows, "lost", s->n_handed_lost, "frames",
		"no room on the way up: their flow asks again, fragments are queue_full");
}

static void add_path(json_t *array, struct ctl_pipeline *pipeline)
{
	const struct ctl_config *config = ctl_pipeline_config_of(pipeline);
	struct dp_path *path = ctl_pipeline_path(pipeline);
	struct dp_port_stats ports[PORTS_MAX];
	struct dp_path_stats before, after;
	struct ctl_ledger ledger;
	size_t n_ports;

	dp_path_stats(path, &before);
	n_ports = dp_path_ports(path, ports, PORTS_MAX);
	dp_path_stats(path, &after);
	ctl_ledger_of(
		&before, &after, (unsigned int)n_ports * ctl_pipeline_workers(pipeline), &ledger);
	add_total(array, &before, &ledger);
	for (size_t i = 0; i < n_ports && i < config->n_ports; i++)
		add_port(array, config->ports[i].name, &ports[i]);
	for (uint16_t i = 0; i < ctl_pipeline_workers(pipeline); i++) {
		struct dp_worker_stats w;

		dp_path_worker_stats(path, i, &w);
		add_worker(array, i, &w);
	}
	for (int i = 0; i < DP_ENCAP_COUNT; i++)
		add_encap(array, i, &before.encaps);
	add_fragments(array, &before.datagrams);
	add_copies(array, &before);
	add_tcp(array, &before);
	for (size_t i = 0; i < n_ports; i++) {
		if (!ports[i].is_offloaded)
			continue;
		add_offload(array, &before);
		break;
	}
}

/* "port:up" is of "port:up" and of "port". */
static bool is_of(const char *part, const char *wanted)
{
	const size_t len = strlen(wanted);

	return strncmp(part, wanted, len) == 0 && (part[len] == '\0' || part[len] == ':');
}

bool ctl_ledger_is_part(const char *word)
{
	static const char *const parts[] = {"total", "port", "worker", "encapsulation", "fragments",
		"copies", "tcp", "xdp", NULL};

	return g_strv_contains(parts, word);
}

json_t *ctl_ledger_json(struct ctl_pipeline *pipeline, const char *part)
{
	json_t *all = json_array(), *some;
	size_t i;
	json_t *row;

	add_path(all, pipeline);
	if (part == NULL)
		return all;
	some = json_array();
	json_array_foreach(all, i, row)
	{
		if (is_of(json_string_value(json_object_get(row, "part")), part))
			(void)json_array_append(some, row);
	}
	json_decref(all);
	return some;
}
