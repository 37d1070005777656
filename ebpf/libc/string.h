// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Of libc's header what the code wants that is compiled for the kernel as well (see ebpf/meson.build).
 * The compiler writes them out; it says so where it cannot, for then the program does not link. */

#include <stddef.h>

#define memcpy(to, from, n) __builtin_memcpy(to, from, n)
#define memset(to, byte, n) __builtin_memset(to, byte, n)
#define memcmp(a, b, n) __builtin_memcmp(a, b, n)
