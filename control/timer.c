// SPDX-License-Identifier: BSD-3-Clause
#include "control/timer.h"

void ctl_timers_init(struct ctl_timers *timers)
{
	timers->heap = g_array_new(FALSE, FALSE, sizeof(struct ctl_timer));
}

void ctl_timers_fini(struct ctl_timers *timers)
{
	g_clear_pointer(&timers->heap, g_array_unref);
}

void ctl_timers_clear(struct ctl_timers *timers)
{
	g_array_set_size(timers->heap, 0);
}

static bool is_before(const struct ctl_timer *a, const struct ctl_timer *b)
{
	if (a->at_ns != b->at_ns)
		return a->at_ns < b->at_ns;
	if (a->profile_id != b->profile_id)
		return a->profile_id < b->profile_id;
	if (a->rule_idx != b->rule_idx)
		return a->rule_idx < b->rule_idx;
	return a->key < b->key;
}

static void swap(struct ctl_timer *a, struct ctl_timer *b)
{
	const struct ctl_timer t = *a;

	*a = *b;
	*b = t;
}

void ctl_timers_push(struct ctl_timers *timers, const struct ctl_timer *timer)
{
	struct ctl_timer *heap;
	guint i = timers->heap->len;

	g_array_append_vals(timers->heap, timer, 1);
	heap = (struct ctl_timer *)(void *)timers->heap->data;
	while (i > 0 && is_before(&heap[i], &heap[(i - 1) / 2])) {
		swap(&heap[i], &heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

static void sift_down(struct ctl_timer *heap, guint n)
{
	guint i = 0;

	for (;;) {
		guint least = i;

		for (guint child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
			if (is_before(&heap[child], &heap[least]))
				least = child;
		if (least == i)
			return;
		swap(&heap[i], &heap[least]);
		i = least;
	}
}

bool ctl_timers_pop(struct ctl_timers *timers, uint64_t t_ns, struct ctl_timer *ret_timer)
{
	struct ctl_timer *heap = (struct ctl_timer *)(void *)timers->heap->data;
	const guint n = timers->heap->len;

	if (n == 0 || heap[0].at_ns >= t_ns)
		return false;
	*ret_timer = heap[0];
	heap[0] = heap[n - 1];
	g_array_set_size(timers->heap, n - 1);
	sift_down(heap, n - 1);
	return true;
}
