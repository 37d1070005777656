// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the engine writes into the store, in parts (pack.h). The numbers are part of the format;
 * unknown ones are skipped. Private to engine_store.c and engine_read.c. */

/* CTL_META_ENGINE */
enum ctl_engine_part {
	/* u64: event time, first packet, ids given, bytes seen, unbound; f64: bytes x share lost;
	 * u64: bytes up and down of endpoints that had no room, bytes unclassified. */
	CTL_ENGINE_NODE = 1,
	CTL_ENGINE_NAMING = 2, // text: how subjects are made; hashes stand under them
	CTL_ENGINE_TRIGGERS = 3, // by type: text, u64
	CTL_ENGINE_SUPPRESSED = 4, // one a rule: text; by reason: text, u64
};

/* CTL_TABLE_JOURNAL: those changed by id, then those forgotten. */
enum ctl_tick_part {
	CTL_TICK_PROFILE = 1, // u64 id, then changes (profile_image.h)
	CTL_TICK_FORGOTTEN = 2, // u64 id
};
