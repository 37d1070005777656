// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Who reads the stream and how far: from the replies to XINFO GROUPS and XPENDING. Pure. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct redisReply;

enum { CTL_GROUPS_MAX = 64, CTL_GROUP_NAME_MAX = 128 };

/* An entry id, "ms-n". */
struct ctl_stream_id {
	uint64_t ms, n;
};

struct ctl_stream_group {
	char name[CTL_GROUP_NAME_MAX]; // valid UTF-8, cut
	char *key; // owned: the name as Redis has it
	uint64_t n_pending; // read and not acknowledged
	uint64_t n_lag; // not read yet
	bool has_lag; // Redis 7 says so, and knows it
	struct ctl_stream_id last_read; // last-delivered-id
	struct ctl_stream_id needs; // the first id that this group has not acknowledged
};

/* An array of struct ctl_stream_group; free with g_array_unref(). */
GArray *ctl_groups_new(void);

/* "ms-n"; false when it is none. */
bool ctl_stream_id_parse(const struct redisReply *reply, struct ctl_stream_id *ret);
int ctl_stream_id_compare(const struct ctl_stream_id *a, const struct ctl_stream_id *b);

/* Replace groups by what XINFO GROUPS answers; no stream is no groups. Returns 0, or -EBADMSG. */
[[nodiscard]] int ctl_groups_read(GArray *groups, const struct redisReply *reply);

/* The answer to XPENDING (summary) for group. Returns 0, or -EBADMSG. */
[[nodiscard]] int ctl_group_pending(struct ctl_stream_group *group, const struct redisReply *reply);

/* The group that holds the others up: the one that needs the earliest entry. NULL without groups. */
const struct ctl_stream_group *ctl_groups_slowest(const GArray *groups);
