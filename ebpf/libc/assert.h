// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Of libc's header what the code wants that is compiled for the kernel as well (see ebpf/meson.build). */

#define static_assert _Static_assert
#define assert(x) ((void)0)
