// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/outcome.h"

#define DP_OUTCOME_NAME(id, name, help) [DP_OUTCOME_##id] = name,
#define DP_OUTCOME_HELP(id, name, help) [DP_OUTCOME_##id] = help,

const char *const dp_outcome_names[DP_OUTCOME_COUNT] = {DP_OUTCOMES(DP_OUTCOME_NAME)};
const char *const dp_outcome_help[DP_OUTCOME_COUNT] = {DP_OUTCOMES(DP_OUTCOME_HELP)};
