// SPDX-License-Identifier: BSD-3-Clause
#include "control/watch_path.h"

#include "control/ledger.h"
#include "control/log.h"

#include <glib.h>

struct ctl_path_watch {
	enum dp_duplicates_mode mode;
	unsigned int n_queues;
	struct dp_path_stats looks[CTL_PATH_LOOKS]; // those before; zeros are the start
	unsigned int oldest; // of them
	unsigned int n_off; // looks in a row at a ledger that does not add up
	bool is_on[CTL_PATH_ALARM_COUNT];
};

/* The last minute: what it was at its begin, what it is now. */
struct minute {
	const struct dp_path_stats *then, *now;
};

struct ctl_path_watch *ctl_path_watch_new(enum dp_duplicates_mode mode, unsigned int n_queues)
{
	struct ctl_path_watch *w = g_new0(struct ctl_path_watch, 1);

	w->mode = mode;
	w->n_queues = n_queues;
	return w;
}

void ctl_path_watch_free(struct ctl_path_watch *w)
{
	g_free(w);
}

bool ctl_path_watch_is_on(const struct ctl_path_watch *w, enum ctl_path_alarm alarm)
{
	return w->is_on[alarm];
}

static uint64_t percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : part * 100 / whole;
}

static void say_over(const char *alarm)
{
	ctl_log(CTL_LOG_NOTICE, "path_alarm_over", CTL_TEXT("alarm", alarm));
}

static void judge_one_way(struct ctl_path_watch *w, const struct minute *m)
{
	bool *is_on = &w->is_on[CTL_PATH_ONE_WAY];
	const uint64_t ended = m->now->tcp_ended - m->then->tcp_ended;
	const uint64_t up = m->now->tcp_one_way[0] - m->then->tcp_one_way[0];
	const uint64_t down = m->now->tcp_one_way[1] - m->then->tcp_one_way[1];

	if (ended < CTL_ONE_WAY_FLOWS_MIN)
		return;
	if (!*is_on && (up + down) * 2 > ended) {
		*is_on = true;
		ctl_log(CTL_LOG_WARNING, "one_way",
			CTL_TEXT("direction", up >= down ? "up" : "down"),
			CTL_COUNT("percent", percent(up + down, ended)), CTL_COUNT("flows", ended),
			CTL_TEXT("cause", "the mirror probably delivers one fibre of two"),
			CTL_TEXT("consequence",
				"usage has one direction, and names that servers say are missing"));
	} else if (*is_on && (up + down) * 4 < ended) {
		*is_on = false;
		say_over("one_way");
	}
}

static void judge_copies(struct ctl_path_watch *w, const struct minute *m)
{
	bool *is_on = &w->is_on[CTL_PATH_COPIES];
	const uint64_t looked = m->now->copies_looked - m->then->copies_looked;
	const uint64_t seen = m->now->copies_seen - m->then->copies_seen;
	const bool drops = w->mode == DP_DUPLICATES_DROP;

	if (looked < CTL_COPIES_PACKETS_MIN)
		return;
	if (!*is_on && seen * 20 > looked) {
		*is_on = true;
		ctl_log(CTL_LOG_WARNING, "mirror_copies",
			CTL_TEXT("duplicates", drops ? "drop" : "watch"),
			CTL_COUNT("percent", percent(seen, looked)),
			CTL_TEXT("cause", "the mirror delivers packets twice"),
			CTL_TEXT("consequence",
				drops ? "they are dropped, and cost capacity"
				      : "they are counted twice"),
			CTL_TEXT("remedy",
				drops ? "mirror one side of each link"
				      : "workers.duplicates: drop, or mirror one side of each "
					"link"));
	} else if (*is_on && seen * 50 < looked) {
		*is_on = false;
		say_over("mirror_copies");
	}
}

static void judge_fragments(struct ctl_path_watch *w, const struct minute *m)
{
	bool *is_on = &w->is_on[CTL_PATH_FRAGMENTS];
	const uint64_t evicted = m->now->datagrams.evicted - m->then->datagrams.evicted;
	const uint64_t crowded = m->now->datagrams.crowded - m->then->datagrams.crowded;

	if (!*is_on && evicted + crowded > 0) {
		*is_on = true;
		ctl_log(CTL_LOG_WARNING, "fragments_crowded", CTL_COUNT("evicted", evicted),
			CTL_COUNT("crowded", crowded),
			CTL_TEXT("cause", "more datagrams in fragments at a time than are rebuilt"),
			CTL_TEXT("consequence",
				"their bytes are counted, and what is inside is not seen"));
	} else if (*is_on && evicted + crowded == 0) {
		*is_on = false;
		say_over("fragments_crowded");
	}
}

/* Not what is the tunnel's own, and not what was cut before us. */
static const enum dp_refusal bad_reasons[] = {
	DP_REFUSAL_MALFORMED, DP_REFUSAL_UNSUPPORTED, DP_REFUSAL_TOO_DEEP};

/* Returns how many, and the reason of most of them. */
static uint64_t refused(const struct minute *m, int encap, enum dp_refusal *ret_reason)
{
	uint64_t most = 0, sum = 0;

	*ret_reason = bad_reasons[0];
	for (size_t i = 0; i < G_N_ELEMENTS(bad_reasons); i++) {
		const enum dp_refusal reason = bad_reasons[i];
		const uint64_t n = m->now->encaps.refused[encap][reason] -
			m->then->encaps.refused[encap][reason];

		if (n > most)
			*ret_reason = reason;
		most = MAX(most, n);
		sum += n;
	}
	return sum;
}

static uint64_t met(const struct minute *m, int encap)
{
	uint64_t n = m->now->encaps.opened[encap] - m->then->encaps.opened[encap];

	for (int i = 0; i < DP_REFUSAL_COUNT; i++)
		n += m->now->encaps.refused[encap][i] - m->then->encaps.refused[encap][i];
	return n;
}

static void judge_tunnel(struct ctl_path_watch *w, const struct minute *m, int encap)
{
	bool *is_on = &w->is_on[CTL_PATH_TUNNEL + encap];
	enum dp_refusal reason;
	const uint64_t bad = refused(m, encap, &reason), all = met(m, encap);

	if (!*is_on && bad >= CTL_REFUSED_FRAMES_MIN && bad * 10 > all) {
		*is_on = true;
		ctl_log(CTL_LOG_WARNING, "tunnel_refused",
			CTL_TEXT("encapsulation", dp_encap_names[encap]),
			CTL_TEXT("reason", dp_refusal_names[reason]),
			CTL_COUNT("percent", percent(bad, all)), CTL_COUNT("frames", bad),
			CTL_TEXT("consequence",
				"they count for the packet that carries them, not for what is "
				"inside"));
	} else if (*is_on && bad * 20 <= all) {
		*is_on = false;
		ctl_log(CTL_LOG_NOTICE, "path_alarm_over", CTL_TEXT("alarm", "tunnel_refused"),
			CTL_TEXT("encapsulation", dp_encap_names[encap]));
	}
}

static void judge_ledger(struct ctl_path_watch *w, const struct ctl_ledger *ledger)
{
	bool *is_on = &w->is_on[CTL_PATH_LEDGER];
	const int64_t off = ctl_ledger_off(ledger);

	w->n_off = off == 0 ? 0 : w->n_off + 1;
	if (!*is_on && w->n_off >= CTL_LEDGER_LOOKS_MIN) {
		*is_on = true;
		ctl_log(CTL_LOG_ERR, "ledger_off",
			CTL_TEXT("cause",
				off < 0 ? "more frames have an outcome than were received"
					: "more frames are on their way than the queues hold"),
			CTL_COUNT("frames", (uint64_t)(off < 0 ? -off : off)),
			CTL_TEXT("consequence", "figures cannot be trusted to the last frame"),
			CTL_TEXT("remedy", "report it with the output of 'wirecue show ledger'"));
	} else if (*is_on && off == 0) {
		*is_on = false;
		say_over("ledger_off");
	}
}

void ctl_path_watch_look(struct ctl_path_watch *w, const struct dp_path_stats *before,
	const struct dp_path_stats *after)
{
	const struct minute m = {&w->looks[w->oldest], before};
	struct ctl_ledger ledger;

	judge_one_way(w, &m);
	judge_copies(w, &m);
	judge_fragments(w, &m);
	for (int e = 0; e < DP_ENCAP_COUNT; e++)
		judge_tunnel(w, &m, e);
	ctl_ledger_of(before, after, w->n_queues, &ledger);
	judge_ledger(w, &ledger);
	w->looks[w->oldest] = *before;
	w->oldest = (w->oldest + 1) % CTL_PATH_LOOKS;
}
