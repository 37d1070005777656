// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The parts of one subscriber's entry. Private to the facts_*.c files. */

#include "control/facts_build.h"
#include "control/facts_yaml.h"
#include "control/yaml.h"

/* Where something was told first. */
struct ctl_place {
	const struct ctl_yaml *doc; // NULL: nowhere yet
	const struct ctl_yaml_node *node;
};

/* A person and what its entries said so far. */
struct ctl_told_person {
	struct ctl_person *person; // owned by the facts
	const struct ctl_yaml *last_doc; // the file of its last entry
	const struct ctl_yaml_node *last_entry;
	struct ctl_place msisdn, imsi, account, zone, plan, line;
};

struct ctl_told_reader {
	struct ctl_facts *facts;
	const struct ctl_told_env *env;
	const struct ctl_yaml *doc; // the file being read
};

/* Reports a second telling: "zone, expected once for a subscriber; it is also at FILE:1:2". Returns
 * whether this is the first. */
bool ctl_told_once(const struct ctl_told_reader *r, struct ctl_place *place,
	const struct ctl_yaml_node *node, const char *what);

void ctl_told_plan(
	struct ctl_told_reader *r, struct ctl_told_person *told, const struct ctl_yaml_node *plan);
void ctl_told_line(
	struct ctl_told_reader *r, struct ctl_told_person *told, const struct ctl_yaml_node *line);
void ctl_told_consent(struct ctl_told_reader *r, struct ctl_told_person *told,
	const struct ctl_yaml_node *consent);
void ctl_told_holds(
	struct ctl_told_reader *r, struct ctl_told_person *told, const struct ctl_yaml_node *holds);
void ctl_told_cycles(struct ctl_told_reader *r, struct ctl_told_person *told,
	const struct ctl_yaml_node *cycles);

/* Zones that were not told, cycles oldest first. After the last file. */
void ctl_told_finish(struct ctl_told_reader *r, struct ctl_told_person *told);
