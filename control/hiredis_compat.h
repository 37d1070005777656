// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The one way to hiredis: 0.14.1 (Debian 12) and 1.2 (Debian 13).
 *
 * Only what both have and mean the same is used: RESP2, the asynchronous API, the libevent adapter.
 * What differs and is therefore avoided: options and timeouts of the context (1.x only; ours are
 * libevent timers), push replies (RESP3), and freeing a context from inside the connect callback
 * (0.14 uses it afterwards). */

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <hiredis/adapters/libevent.h>

#if HIREDIS_MAJOR == 0 && HIREDIS_MINOR < 14
#error "hiredis 0.14 or newer is needed"
#endif
