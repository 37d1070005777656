// SPDX-License-Identifier: BSD-3-Clause
#include "control/publisher_private.h"

#include <glib.h>

static const char *const confirm_names[] = {
	[CTL_CONFIRM_REPLY] = "reply",
	[CTL_CONFIRM_FSYNC] = "fsync",
	[CTL_CONFIRM_REPLICAS] = "replicas",
};

/* Who reads the stream, as of the last look. */
static json_t *groups_json(const struct ctl_publisher *publisher)
{
	json_t *array = json_array();

	for (guint i = 0; i < publisher->trim.groups->len; i++) {
		const struct ctl_stream_group *group = &g_array_index(
			publisher->trim.groups, struct ctl_stream_group, i);

		(void)json_array_append_new(array,
			json_pack("{ss so sI}", "name", group->name, "lag",
				group->has_lag ? json_integer((json_int_t)group->n_lag)
					       : json_null(),
				"pending", (json_int_t)group->n_pending));
	}
	return array;
}

json_t *ctl_publisher_json(const struct ctl_publisher *publisher)
{
	const struct ctl_outbox_stats stats = ctl_outbox_stats(publisher->config.outbox);
	const uint64_t oldest = ctl_outbox_oldest_kept(publisher->config.outbox);
	const struct {
		const char *key;
		uint64_t count;
	} counts[] = {
		{"waiting", stats.n_waiting},
		{"in_flight", publisher->n_sent},
		{"published", publisher->n_published},
		{"duplicates", publisher->n_duplicates},
		{"refused", stats.n_refused},
		{"unannounced", publisher->n_unannounced},
		{"lost_by_redis", publisher->n_lost_by_redis},
		{"confirmed", stats.acked_sequence},
		{"kept", stats.acked_sequence - MIN(oldest - 1, stats.acked_sequence)},
		{"trimmed", publisher->trim.n_trimmed},
		{"trimmed_unread", publisher->trim.n_trimmed_unread},
	};
	json_t *object = json_object();

	// Without memory a field is missing, nothing worse.
	ctl_redis_link_json(publisher->link, object);
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		(void)json_object_set_new(
			object, counts[i].key, json_integer((json_int_t)counts[i].count));
	(void)json_object_set_new(
		object, "confirm", json_string(confirm_names[publisher->config.redis->confirm]));
	(void)json_object_set_new(object, "groups", groups_json(publisher));
	(void)json_object_set_new(object, "is_full", json_boolean(stats.is_full));
	(void)json_object_set_new(object, "last_id",
		publisher->last_id[0] != '\0' ? json_string(publisher->last_id) : json_null());
	return object;
}
