// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/encap.h"

#define NAME(id, name, help) name,
#define HELP(id, name, help) help,

const char *const dp_encap_names[DP_ENCAP_COUNT] = {DP_ENCAPS(NAME)};
const char *const dp_encap_help[DP_ENCAP_COUNT] = {DP_ENCAPS(HELP)};
const char *const dp_refusal_names[DP_REFUSAL_COUNT] = {DP_REFUSALS(NAME)};
const char *const dp_refusal_help[DP_REFUSAL_COUNT] = {DP_REFUSALS(HELP)};
