// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How surely an app is known: bytes by kind of evidence, and the share of them that can be trusted.
 * Pure. */

#include "dataplane/record.h"

#include <jansson.h>

struct ctl_evidence {
	uint64_t bytes[DP_EVIDENCE_COUNT];
};

/* Address and port evidence (and none) never start or carry a signal. */
static inline bool ctl_evidence_is_strong(enum dp_evidence evidence)
{
	return evidence >= DP_EVIDENCE_SNI && evidence <= DP_EVIDENCE_PAYLOAD;
}

/* Strong and more than the subscriber's own look-up. */
static inline bool ctl_evidence_is_direct(enum dp_evidence evidence)
{
	return ctl_evidence_is_strong(evidence) && evidence != DP_EVIDENCE_DNS;
}

/* "sni", …; "none". */
const char *ctl_evidence_name(enum dp_evidence evidence);
/* The other way. False: it is none of them. */
bool ctl_evidence_of_name(const char *name, enum dp_evidence *ret_evidence);

void ctl_evidence_add(struct ctl_evidence *sum, const struct ctl_evidence *other);
uint64_t ctl_evidence_bytes(const struct ctl_evidence *evidence);
bool ctl_evidence_has_strong(const struct ctl_evidence *evidence);

/* 0..100: how sure an app is that is known so. */
int ctl_evidence_weight(enum dp_evidence evidence);

/* 0..100: mean weight of the kinds by bytes, rounded down; 0 without bytes. The weights stand in
 * docs/detection.md. */
int ctl_evidence_confidence(const struct ctl_evidence *evidence);

/* ["sni","dns"], strongest first; a new reference. */
json_t *ctl_evidence_json(const struct ctl_evidence *evidence);
