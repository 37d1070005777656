// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Addresses as keys of a GHashTable. */

#include "dataplane/addr.h"

#include <glib.h>

/* Of a struct dp_addr. Endpoints come from the network: the hash is secret, different in every
 * process, so that nobody can choose addresses that meet in one place. */
guint ctl_addr_hash(gconstpointer addr);
gboolean ctl_addr_equal(gconstpointer a, gconstpointer b);
