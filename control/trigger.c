// SPDX-License-Identifier: BSD-3-Clause
#include "control/trigger.h"

#include <glib.h>

void ctl_trigger_free(struct ctl_trigger *trigger)
{
	if (trigger == NULL)
		return;
	json_decref(trigger->event);
	g_free(trigger);
}
