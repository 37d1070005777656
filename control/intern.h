// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The one copy of an id that stays for good, as g_intern_string() has it: equal ids are equal
 * pointers. GLib's table is behind one lock; here each thread remembers some, since the ids of a
 * configuration are few and a restart reads them millions of times. Any thread. */
const char *ctl_intern(const char *text);
