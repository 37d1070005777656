// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A trigger between its decision and its delivery.
 *
 * The engine makes it and gives it to the sink (outbox, file). What depends on delivery
 * (sequence, typesequence, recordedtime) is set by the outbox. Control thread only. */

#include <jansson.h>
#include <stdint.h>

struct ctl_trigger {
	char id[33]; // lower-case hex, deterministic: rule, subject, window
	char type[64]; // "wirecue.app.watched.v1"
	char subject[128]; // pseudonym (or plain identifier in a laboratory)
	char rule[65];
	uint64_t time_ns; // event time of the decision
	uint64_t expiry_ns;
	json_t *event; // owned: the whole CloudEvent but sequence, typesequence, recordedtime
};

void ctl_trigger_free(struct ctl_trigger *trigger);

/* Takes the trigger. */
typedef void ctl_trigger_fn(void *ctx, struct ctl_trigger *given);
