// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Apps of a view in the order that somebody wants to see. Pure. */

#include "control/top_view.h"

enum ctl_top_order { CTL_TOP_BY_RATE, CTL_TOP_BY_TOTAL, CTL_TOP_BY_FLOWS, CTL_TOP_BY_COUNT };

extern const char *const ctl_top_order_names[CTL_TOP_BY_COUNT]; // "rate", "total", "flows"

/* The array is owned by the caller, its struct ctl_top_app_row are borrowed from view. The order is
 * the same for the same view: equal ones by their total, then by name. */
GPtrArray *ctl_top_order_apps(const struct ctl_top_view *view, enum ctl_top_order order);
