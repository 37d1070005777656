// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Fields that several images have in common: of profiles, of detectors' states, of the engine.
 * Written and read in the way of pack.h; what is out of bounds makes the reader bad. Pure. */

#include "control/evidence.h"
#include "control/pack.h"
#include "control/profile.h"

enum { CTL_ID_BYTES_MAX = 255 }; // of a rule's or bucket's id; configuration allows fewer

/* Before a row of a bucket. */
enum ctl_row_flag { CTL_ROW_IS_PARTIAL = 1, CTL_ROW_HAS_CAP = 2, CTL_ROW_FLAGS_MAX = 3 };

/* For what a reader sees to be wrong itself. */
static inline void ctl_unpack_spoil(struct ctl_unpack *unpack)
{
	unpack->is_bad = true;
	unpack->at = unpack->end;
}

/* How many things follow that take at least bytes_each bytes each: never more than there can be,
 * so that room for them may be made at once. */
size_t ctl_unpack_count(struct ctl_unpack *unpack, size_t bytes_each);

/* A time in ns that is mostly one of whole seconds: a day's or a cycle's begin. */
void ctl_pack_seconds(struct ctl_pack *pack, uint64_t ns);
uint64_t ctl_unpack_seconds(struct ctl_unpack *unpack);

/* begin, then how much later the end is, in ns. */
void ctl_pack_span(struct ctl_pack *pack, uint64_t begin_ns, uint64_t end_ns);
void ctl_unpack_span(struct ctl_unpack *unpack, uint64_t *ret_begin_ns, uint64_t *ret_end_ns);

/* The numbers of enum dp_evidence are part of the format. */
void ctl_pack_evidence(struct ctl_pack *pack, const struct ctl_evidence *evidence);
struct ctl_evidence ctl_unpack_evidence(struct ctl_unpack *unpack);

void ctl_pack_sums(struct ctl_pack *pack, const struct ctl_sums *sums);
struct ctl_sums ctl_unpack_sums(struct ctl_unpack *unpack);

/* A rule's or bucket's id, interned; NULL when bad. Any thread. */
const char *ctl_unpack_id(struct ctl_unpack *unpack);
