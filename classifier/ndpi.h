// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The only door to nDPI. One module per worker; modules are made and freed under one mutex. */

#include "classifier/catalogue.h"
#include "dataplane/err.h"
#include "dataplane/stage.h"

/* A stage for one worker. The catalogue is borrowed for the stage's life. Any thread, not
 * concurrently with the stage's use. Returns 0 or -ENOMEM. */
[[nodiscard]] int cls_stage_new(
	const struct cls_catalogue *catalogue, struct dp_stage *ret_stage, struct dp_err *reterr);

/* From the worker's next round on (renew of dataplane/stage.h), judge by another catalogue. Any thread; `catalogue` is
 * borrowed then, and the old one until every worker has begun two more rounds. */
void cls_stage_set_catalogue(struct dp_stage *stage, const struct cls_catalogue *catalogue);

/* nDPI's protocol number of an exact (case-insensitive) name, or -ENOENT. */
int cls_ndpi_proto_by_name(const char *name);

/* What nDPI files the protocol of such a name under, "Media" for NetFlix; "" when it has none of that name. */
const char *cls_ndpi_category(const char *name);

/* "TLS.NetFlix", "DNS", "Unknown" into buf; returns buf. */
char *cls_proto_name(uint16_t master, uint16_t app, char *buf, size_t size);

/* "4.2.0": of the library that is loaded. */
const char *cls_ndpi_version(void);

/* Name of protocol number `proto` while proto < the library's count, then NULL. */
const char *cls_ndpi_name(size_t proto);
