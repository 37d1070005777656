// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How many packets of a flow, empty ones included, the classifier gets to see before it must say what it
 * thinks: what nDPI's own reader uses. Whoever brings packets to it need not bring more. */

enum {
	DP_BUDGET_UDP = 24,
	DP_BUDGET_TCP = 80,
	DP_BUDGET_OTHER = 32, // the library looks at no more by itself
};
