// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The program in the kernel, held against user space's walk of the same bytes. */

#include "dataplane/capture.h"

/* Load the program for a replay, once a process; the process stays on the CPU it is on. Where the kernel
 * does not take it from this process, prints why and ends with 77: skipped. */
void kernel_open(void);

void kernel_close(void);

/* Whether both say the same of a frame: outcome, packet, tags, what was opened and what was not. Prints
 * the first difference. */
bool kernel_agrees(const struct dp_capture_record *frame);
