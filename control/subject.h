// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Pseudonyms: base32, lower case, unpadded, of HMAC-SHA-256(key, canonical identifier).
 * docs/subject.md has the canonical forms and test vectors. Pure but for libcrypto. */

#include "control/config.h"
#include "control/facts.h"

enum {
	CTL_SUBJECT_MAX = 128, // with NUL
	CTL_SUBJECT_LEN = 52, // of a pseudonym
};

/* Canonical form of an identifier ("msisdn:+999 00-1" gives "msisdn:+999001"). A bare one is a
 * number when it starts with '+', else of the kind that is configured. Returns 0 or -EINVAL with
 * what would be right; the sentence never repeats the identifier. */
[[nodiscard]] int ctl_subject_canonical(const struct ctl_privacy *privacy, const char *identifier,
	char ret_canonical[CTL_SUBJECT_MAX], struct dp_err *reterr);

/* Subject of a person: by the configured identifier, or, where that was not told, by the first of
 * msisdn, imsi, account. Returns 0 or -EINVAL when none of them is valid. */
[[nodiscard]] int ctl_subject_of_person(const struct ctl_privacy *privacy,
	const struct ctl_person *person, char ret_subject[CTL_SUBJECT_MAX], struct dp_err *reterr);

/* The same for many persons: the key is set up once. For one thread at a time; privacy outlives
 * it. */
struct ctl_namer;
struct ctl_namer *ctl_namer_new(const struct ctl_privacy *privacy);
void ctl_namer_free(struct ctl_namer *namer); // wipes the key
[[nodiscard]] int ctl_namer_person(struct ctl_namer *namer, const struct ctl_person *person,
	char ret_subject[CTL_SUBJECT_MAX], struct dp_err *reterr);

/* Name under which an endpoint nobody is bound to stands in reports. */
void ctl_namer_endpoint(
	struct ctl_namer *namer, const struct dp_addr *endpoint, char ret_name[CTL_SUBJECT_MAX]);

/* Of a person none of whose identifiers is valid: the place in the facts. */
void ctl_subject_by_place(const struct ctl_person *person, char ret_subject[CTL_SUBJECT_MAX]);
