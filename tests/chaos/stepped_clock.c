// SPDX-License-Identifier: BSD-3-Clause

/* LD_PRELOADed: a wall clock that somebody else sets, for one process. WIRECUE_CLOCK names a file of 8 bytes, the
 * seconds to add, which may be rewritten at any time. The monotonic clock and everything that waits by it stay
 * as they are. */

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t *step_s; // mapped once, before main

[[gnu::constructor]] static void map_file(void)
{
	const char *path = getenv("WIRECUE_CLOCK");
	const int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		abort(); // a scenario that steps nothing would pass
	map = mmap(NULL, sizeof(*step_s), PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	(void)close(fd);
	step_s = map;
}

static int64_t seconds(void)
{
	return step_s != NULL ? atomic_load_explicit(step_s, memory_order_relaxed) : 0;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	const int r = (int)syscall(SYS_clock_gettime, id, now);

	if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		now->tv_sec += seconds();
	return r;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
		return -1;
	*now = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *ret_now)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) < 0)
		return -1;
	if (ret_now != NULL)
		*ret_now = ts.tv_sec;
	return ts.tv_sec;
}
