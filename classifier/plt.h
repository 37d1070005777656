// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Functions of nDPI's that it calls through its PLT, where ours of the same names come first. */

/* Find the library's own behind ours. Before the first module is made, one thread at a time. */
void cls_plt_init(void);
