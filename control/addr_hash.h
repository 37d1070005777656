// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What comes from the network as keys of a GHashTable: the hashes are secret, different in every process, so that
 * nobody can choose addresses or names that meet in one place. */

#include "dataplane/addr.h"

#include <glib.h>

/* Of a struct dp_addr. */
guint ctl_addr_hash(gconstpointer addr);
gboolean ctl_addr_equal(gconstpointer a, gconstpointer b);

/* Of a text, for g_str_equal(). */
guint ctl_name_hash(gconstpointer name);
