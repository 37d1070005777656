// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Triggers as the engine makes them, for tests of what comes after it: valid by control/schema. */

#include "control/trigger.h"

enum { TEST_N_TYPES = 3 };
extern const char *const test_types[TEST_N_TYPES];

/* Number i: its type goes round test_types, its time is i seconds after a fixed instant, its
 * subject one of 16. Owned by the caller. */
struct ctl_trigger *test_trigger(unsigned i);

/* The same with a time, subject and rule of its own. */
struct ctl_trigger *test_trigger_of(
	unsigned i, uint64_t time_ns, const char *subject, const char *rule);

/* Check JSON lines against control/schema. Returns 0 when all are valid, 77 when the machine has
 * no jsonschema, else 1 with the findings on standard error. */
int test_triggers_validate(const char *json_lines);
