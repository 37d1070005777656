// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What `wirecue store WHAT` was asked for, and who does it. Private to cmd_store*.c. */

#include "control/batch.h"
#include "control/commands.h"

#include <stdbool.h>

struct ctl_store_call {
	const char *place; // the folder of the store; of check and dump also a copy
	const char *file; // of backup and restore
	const char *key_file; // of the store, which a backup does not have
	unsigned tables; // of dump: bits by enum ctl_table
	bool is_json, is_forced, is_revealed;
};

/* Each prints and complains itself and returns the exit code. */
int ctl_cmd_store_check(const struct ctl_store_call *call);
int ctl_cmd_store_dump(const struct ctl_store_call *call);
int ctl_cmd_store_compact(const struct ctl_store_call *call);
int ctl_cmd_store_backup(const struct ctl_store_call *call);
int ctl_cmd_store_restore(const struct ctl_store_call *call);

/* Start value. How long a reader may hold a store that a daemon goes on writing: pages freed
 * meanwhile are not used again. 32 GB at 100 MB/s take a tenth of it. */
enum { CTL_STORE_LONGEST_S = 3600 };
