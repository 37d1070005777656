// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/capture_map.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ \
	22 // linux/mman.h since Linux 5.14; before it pages come one fault at a time
#endif

enum {
	WINDOW_BYTES = 2 << 20, // start value: 1 to 8 MB cost the same
	// Given back at a time: each takes an interrupt of the other threads' CPUs. Start value.
	BEHIND_BYTES = 8 << 20,
	// Frames that still wait for workers are read behind the reader. Start value.
	KEEP_BYTES = 32 << 20,
};

// The handler walks the list: nothing but atomics and system calls. One thread changes it.
static struct dp_capture_map *_Atomic mapped;
static struct sigaction before; // valid while something is mapped

/* From the page that is gone to the end: zeros. */
static bool patch(struct dp_capture_map *map, uintptr_t at)
{
	const uintptr_t page = at & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
	const uintptr_t end = (uintptr_t)map->bytes + map->room;

	atomic_store_explicit(&map->is_torn, true, memory_order_release);
	return mmap((void *)page, end - page, PROT_READ,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		       0) != MAP_FAILED;
}

/* Whether it was one of ours, and the instruction may run again. */
static bool is_mended(const siginfo_t *info)
{
	const uintptr_t at = (uintptr_t)info->si_addr;
	struct dp_capture_map *m = atomic_load(&mapped);

	if (info->si_code <= 0)
		return false; // somebody's kill(2): there is no address
	for (; m != NULL; m = atomic_load(&m->next)) {
		if (at - (uintptr_t)m->bytes < m->room && patch(m, at))
			return true;
	}
	return false;
}

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	const int saved = errno;
	const bool is_over = is_mended(info);

	errno = saved;
	if (is_over)
		return;
	if ((before.sa_flags & SA_SIGINFO) != 0) {
		before.sa_sigaction(signal, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(signal);
	} else {
		// The instruction runs again, and this time it ends the process; where it was no
		// instruction, the signal comes again.
		(void)sigaction(SIGBUS, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
		if (info->si_code <= 0)
			(void)raise(signal);
	}
}

static int guard(struct dp_capture_map *map)
{
	const struct sigaction action = {
		.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	struct dp_capture_map *first = atomic_load(&mapped);

	if (first == NULL && sigaction(SIGBUS, &action, &before) != 0)
		return -errno;
	atomic_store(&map->next, first);
	atomic_store(&mapped, map);
	return 0;
}

static void unguard(struct dp_capture_map *map)
{
	struct dp_capture_map *_Atomic *link = &mapped;

	while (atomic_load(link) != map)
		link = &atomic_load(link)->next;
	atomic_store(link, atomic_load(&map->next));
	if (atomic_load(&mapped) == NULL)
		(void)sigaction(SIGBUS, &before, NULL); // what was there was valid
}

int dp_capture_map_open(int fd, size_t size, struct dp_capture_map *ret_map)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *bytes;
	int r;

	if (size == 0 || size > SIZE_MAX - page)
		return -EINVAL;
	bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	*ret_map = (struct dp_capture_map){
		.bytes = bytes, .size = size, .room = (size + page - 1) / page * page};
	r = guard(ret_map);
	if (r < 0) {
		(void)munmap(bytes, size);
		return r;
	}
	(void)madvise(bytes, size, MADV_SEQUENTIAL); // advice: the disk reads ahead of us
	return 0;
}

void dp_capture_map_close(struct dp_capture_map *map)
{
	unguard(map);
	(void)munmap((void *)map->bytes, map->room);
}

void dp_capture_map_turn(struct dp_capture_map *map, size_t off)
{
	const size_t left = map->size - map->ahead;
	const size_t n = left < WINDOW_BYTES ? left : WINDOW_BYTES;

	// Both are advice: where it is not taken, pages come by faults and go when the map is closed.
	(void)madvise((void *)(map->bytes + map->ahead), n, MADV_POPULATE_READ);
	map->ahead += n;
	if (off > map->behind + KEEP_BYTES + BEHIND_BYTES) {
		(void)madvise((void *)(map->bytes + map->behind), BEHIND_BYTES, MADV_DONTNEED);
		map->behind += BEHIND_BYTES;
	}
}
