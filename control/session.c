// SPDX-License-Identifier: BSD-3-Clause
#include "control/session.h"

#include "control/cycle.h"

bool ctl_session_joins(
	const struct ctl_session *session, const struct dp_record *record, uint64_t gap_ns)
{
	const struct dp_usage *u = &record->usage;

	if (u->first_ns > session->last_ns)
		return u->first_ns - session->last_ns <= gap_ns;
	return u->last_ns >= session->started_ns || session->started_ns - u->last_ns <= gap_ns;
}

/* Records of one tick may overlap, so their sum is bounded by the tick; a postponed record stands
 * for several ticks and brings its own bound. */
static void add_active(
	struct ctl_session *session, const struct dp_record *record, uint64_t tick_ns)
{
	const uint32_t active_ms = record->usage.active_ms;
	const uint64_t most_ms = MAX(tick_ns / 1000000, active_ms);

	if (record->tick != session->tick) {
		session->active_ms += session->tick_active_ms;
		session->tick_active_ms = 0;
		session->tick = record->tick;
	}
	session->tick_active_ms = (uint32_t)MIN(MAX(most_ms, session->tick_active_ms),
		(uint64_t)session->tick_active_ms + active_ms);
}

void ctl_session_add(struct ctl_session *session, const struct dp_record *record, uint64_t tick_ns,
	bool is_fixed)
{
	const struct dp_usage *u = &record->usage;
	const uint64_t n_bytes = u->bytes[0] + u->bytes[1];

	if (session->last_ns == 0) {
		session->started_ns = u->first_ns;
		session->tick = record->tick;
	}
	if (u->first_ns < session->started_ns && !is_fixed)
		session->started_ns = u->first_ns;
	session->last_ns = MAX(session->last_ns, u->last_ns);
	session->n_bytes += n_bytes;
	session->n_flows += u->n_new_flows;
	session->evidence.bytes[record->evidence] += n_bytes;
	add_active(session, record, tick_ns);
}

uint64_t ctl_session_active_ms(const struct ctl_session *session)
{
	const uint64_t duration_ms = ctl_session_duration_ns(session) / 1000000;

	return MIN(session->active_ms + session->tick_active_ms, duration_ms);
}

uint64_t ctl_session_bps(const struct ctl_session *session)
{
	const uint64_t duration_ns = ctl_session_duration_ns(session);

	if (duration_ns == 0)
		return 0;
	return (uint64_t)((unsigned __int128)session->n_bytes * 8 * CTL_SECOND_NS / duration_ns);
}

const char *ctl_session_bitrate_class(const struct ctl_session *session)
{
	// Start values: the best music is 320 kbit/s, 480p about 2, 1080p about 10 Mbit/s.
	static const struct {
		uint64_t below_bps;
		const char *name;
	} classes[] = {{320000, "audio"}, {2000000, "sd"}, {10000000, "hd"}, {UINT64_MAX, "uhd"}};
	const uint64_t bps = ctl_session_bps(session);
	size_t i = 0;

	while (bps >= classes[i].below_bps)
		i++;
	return classes[i].name;
}
