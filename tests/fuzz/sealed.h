// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What fuzz targets that read profiles begin with: a seal with a known key, and interned texts that
 * do not stay. Include once per program; call sealed_init() first and sealed_forget() after each
 * input. */

#include "control/intern.h"
#include "control/seal.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Known inputs hold identities that are sealed with it. */
static const char KEY[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

static struct ctl_seal *seal;
static GHashTable *interned;

/* In place of GLib's, which keeps every text for good: of the ids of a configuration those are few,
 * of the inputs of an hour they are all the memory. Emptied after each input. */
const char *g_intern_string(const char *text)
{
	const char *known = g_hash_table_lookup(interned, text);
	char *copy;

	if (known != NULL)
		return known;
	copy = g_strdup(text);
	(void)g_hash_table_add(interned, copy);
	return copy;
}

/* And what remembers texts of GLib's. */
const char *ctl_intern(const char *text)
{
	return g_intern_string(text);
}

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static void sealed_init(void)
{
	const int fd = memfd_create("key", MFD_CLOEXEC);
	char path[32];

	interned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	must(fd >= 0 && fchmod(fd, 0600) == 0 &&
		write(fd, KEY, sizeof(KEY) - 1) == sizeof(KEY) - 1);
	must(snprintf(path, sizeof(path), "/proc/self/fd/%d", fd) < (int)sizeof(path));
	must(ctl_seal_open_key(path, false, &seal, NULL) == 0);
	must(close(fd) == 0);
}

static void sealed_forget(void)
{
	g_hash_table_remove_all(interned);
}
