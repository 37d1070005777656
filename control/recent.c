// SPDX-License-Identifier: BSD-3-Clause
#include "control/recent.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <sys/mman.h>

struct entry {
	struct dp_record note;
	uint64_t n_dropped;
};

struct ctl_recent {
	struct entry *entries; // n_kept, mapped: pages come as they are written
	size_t n_kept;
	uint64_t next; // number of the next one
};

int ctl_recent_new(size_t n_kept, struct ctl_recent **ret_recent, struct dp_err *reterr)
{
	void *entries = MAP_FAILED;

	if (n_kept <= SIZE_MAX / sizeof(struct entry))
		entries = mmap(NULL, n_kept * sizeof(struct entry), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (entries == MAP_FAILED)
		return dp_fail(reterr, ENOMEM,
			"no memory to keep %zu flows that ended; set flows.recent to fewer",
			n_kept);
	*ret_recent = g_new0(struct ctl_recent, 1);
	(*ret_recent)->entries = entries;
	(*ret_recent)->n_kept = n_kept;
	return 0;
}

void ctl_recent_free(struct ctl_recent *recent)
{
	if (recent == NULL)
		return;
	(void)munmap(recent->entries, recent->n_kept * sizeof(struct entry)); // was mapped so
	g_free(recent);
}

static struct entry *entry_of(const struct ctl_recent *recent, uint64_t number)
{
	assert(number >= ctl_recent_first(recent) && number < recent->next);
	return &recent->entries[number % recent->n_kept];
}

void ctl_recent_add(struct ctl_recent *recent, const struct dp_record *note, uint64_t n_dropped)
{
	struct entry *to = &recent->entries[recent->next % recent->n_kept];

	dp_record_copy(&to->note, note);
	to->n_dropped = n_dropped;
	recent->next++;
}

uint64_t ctl_recent_first(const struct ctl_recent *recent)
{
	return recent->next - MIN(recent->next, recent->n_kept);
}

uint64_t ctl_recent_next(const struct ctl_recent *recent)
{
	return recent->next;
}

const struct dp_record *ctl_recent_at(const struct ctl_recent *recent, uint64_t number)
{
	return &entry_of(recent, number)->note;
}

uint64_t ctl_recent_dropped_at(const struct ctl_recent *recent, uint64_t number)
{
	return entry_of(recent, number)->n_dropped;
}
