// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What somebody who was woken has to know first: a sentence each, the worst first. Pure. */

#include "control/top_view.h"

enum ctl_top_severity {
	CTL_TOP_BAD, // what is counted, decided or kept is wrong or at risk
	CTL_TOP_WATCH, // it may become so
	CTL_TOP_NOTE,
};

struct ctl_top_alarm {
	enum ctl_top_severity severity;
	char text[256]; // UTF-8; may have foreign parts: draw it through control/top_text.h
};

extern const char *const ctl_top_severity_names[]; // "bad", "watch", "note"

/* Array of struct ctl_top_alarm; owned by the caller. Empty: all is well, as far as can be told. */
GArray *ctl_top_alarms(const struct ctl_top_view *view);
