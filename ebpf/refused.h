// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Why the kernel takes no program of ours, in words that say what to do. */

#include "dataplane/err.h"

/* Before anything is tried. Returns 0, or -EPERM with the capabilities that this process lacks. */
[[nodiscard]] int ebpf_refused_caps(struct dp_err *reterr);

/* errnum: of a load that failed; log: what the verifier wrote, NUL-terminated, empty where it did not.
 * Returns -errnum with a sentence. */
int ebpf_refused_load(int errnum, const char *log, struct dp_err *reterr);
