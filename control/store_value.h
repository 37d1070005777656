// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What a value of the store says, for those who only look (check, dump). */

#include "control/batch.h"
#include "control/outbox_entry.h"
#include "control/seal.h"
#include "dataplane/err.h"

#include <jansson.h>

/* A value that was read without a mistake. */
struct ctl_store_value {
	char *name; // of an app or tag; owned; NULL for others
	struct ctl_outbox_numbers *numbers; // CTL_META_OUTBOX; owned; NULL for others
};

/* Does the value read as what its table holds? Returns 0, or -EBADMSG with what is wrong, without
 * where. What a later wirecue may have added is skipped. */
[[nodiscard]] int ctl_store_value_read(enum ctl_table table, uint64_t key, const void *value,
	size_t len, struct ctl_store_value *ret_value, struct dp_err *reterr);
void ctl_store_value_fini(struct ctl_store_value *value);

/* The same as an object, owned by the caller; NULL and a sentence when it cannot be read. seal: of
 * the store's key, to say who a profile is of; NULL: that is "sealed". */
json_t *ctl_store_value_json(enum ctl_table table, uint64_t key, const void *value, size_t len,
	struct ctl_seal *seal, struct dp_err *reterr);
