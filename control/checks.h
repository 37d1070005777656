// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Checks that more than one option table uses: NULL, or "expected ..." (a static sentence). Pure. */

const char *ctl_check_name(const char *text); // [a-z0-9-], 1 to 63
const char *ctl_check_tag(const char *text); // [a-z0-9_], 1 to 32
const char *ctl_check_host(const char *text); // DNS name in lower case, two labels at least
const char *ctl_check_prefix(const char *text); // address prefix without host bits
const char *ctl_check_zone(const char *text); // tz database
