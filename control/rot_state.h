// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What control/rot*.c share. Private to those.
 *
 * Limits, all start values:
 *
 *   apps        1,024 of 5.5 kB, 6 MB; where more come, those with least bytes are let go each hour
 *   networks    of an app 64, those with most bytes (Metwally et al., 2005: SpaceSaving); 80 bytes each
 *               in one table, 6 MB
 *   histories   of bytes without an app, for 4,096 networks of these, 3 kB each, 13 MB
 *   names       2,048 domains met there, likewise, 13 MB with twice as many between hours
 *   suspects    16 apps whose names are fading: what shows up there instead is gathered, 0.6 MB each
 *   findings    64
 *   notes       65,536 flows of ticks that are open, 8 MB */

#include "control/distinct.h"
#include "control/rot.h"
#include "control/rot_series.h"
#include "control/unknown.h"

enum {
	ROT_APPS_MAX = 1024,
	ROT_NETS_MAX = 64, // of an app
	ROT_HISTORIES_MAX = 4096,
	ROT_NAMES_MAX = 2048,
	ROT_WATCHED = 48, // hours from the begin of a finding, in which more names may show up
	ROT_SUSPECTS_MAX = 16,
	ROT_SUSPECT_KEPT = 16, // rows of each kind, see control/unknown.h
	ROT_FINDINGS_MAX = 64,
	ROT_FINDING_ROWS = 8, // names of one, and servers without a name
	ROT_FINDING_NETS = 16, // networks of one
	ROT_OPEN_MAX = 65536,
	ROT_LATE_S =
		600, // a flow is over at most 300 s behind its last packet (dataplane/flow_wheel.c)
};

struct rot_net {
	struct dp_addr addr; // the key: /24 or /48
	uint64_t since; // hour in which an app used it first: before, its history says nothing
	uint32_t n_users; // apps that have it, suspects too
	uint16_t suspects; // a bit each
	struct ctl_rot_series *unknown; // owned; NULL: nothing without an app was met
};

struct rot_used {
	struct rot_net *net;
	uint64_t bytes; // fading by an eighth a day
	uint64_t missed; // of them that may be another network's
};

struct rot_app {
	uint32_t id;
	uint64_t mark; // cls_app_mark() when its history began
	uint64_t since; // hour from which on its history is whole
	struct ctl_rot_series named;
	uint64_t bytes; // all of its named ones, fading as those of networks do
	struct ctl_distinct endpoints; // of this day
	uint32_t n_endpoints[CTL_ROT_DAYS]; // of days before, by day % 7
	uint16_t n_nets;
	struct rot_used nets[ROT_NETS_MAX];
	struct rot_suspect *suspect; // NULL: none
	struct rot_finding *finding; // borrowed; NULL: none that is current
};

/* An app whose names are fading. */
struct rot_suspect {
	struct rot_app *app; // NULL: free
	uint16_t n_nets;
	struct rot_net
		*nets[ROT_NETS_MAX]; // that had a hundredth of its bytes or more, when it began
	struct ctl_unknown *unknown; // owned: met there since
	uint64_t since; // hour
};

struct rot_finding {
	char *app, *category;
	uint32_t app_id;
	uint64_t since, said_ns, over_ns; // since: hour
	uint8_t over;
	uint64_t before_bytes, now_bytes, unknown_bytes;
	bool has_names; // rows are hosts, else servers
	GPtrArray *rows; // struct ctl_unknown_row, all its texts owned: what took over
	GPtrArray *networks; // char *, NULL-terminated
};

struct rot_name {
	char *domain; // owned, the key
	struct ctl_rot_series bytes;
};

/* What is kept of a note until its tick is complete. */
struct rot_open {
	uint64_t tick, hour;
	struct dp_addr endpoint, server;
	uint64_t bytes, first_ns;
	char *host; // owned; NULL: has an app by a name, or shows none
	uint32_t app;
	uint16_t sport, port; // the endpoint's and the server's
	uint16_t ndpi_master, ndpi_app;
	uint8_t l4_proto, evidence;
	bool has_server;
};

enum rot_hour { ROT_HOUR_NONE, ROT_HOUR_BAD, ROT_HOUR_GOOD };

struct ctl_rot {
	struct ctl_rot_options options;
	uint64_t tick_ns;
	struct ctl_domains *domains; // owned
	const struct ctl_gaps *gaps; // borrowed
	const struct cls_catalogue *catalogue; // borrowed
	ctl_rot_said_fn *said;
	void *ctx;
	GArray *open; // struct rot_open
	uint64_t end_ns; // of the last tick
	uint64_t
		restored_ns; // end_ns of what was restored, of which nothing is to count again; 0: nothing was
	bool is_behind; // ticks of it have come again: a replay that begins at its begin
	uint64_t broken; // hour up to which not all was seen, since it was restored
	uint64_t hour; // the oldest one that is not closed; 0: nothing was seen
	uint64_t first; // hour in which it all began, of which not all was seen
	struct ctl_rot_series all; // of the whole node
	uint8_t hours[CTL_ROT_HOURS]; // enum rot_hour, of closed hours
	GHashTable *apps; // id -> struct rot_app, owned
	GHashTable *nets; // address -> struct rot_net, owned
	size_t n_histories;
	GHashTable *names; // domain -> struct rot_name, owned
	struct rot_suspect suspects[ROT_SUSPECTS_MAX];
	GPtrArray *findings; // struct rot_finding, oldest first, owned
};

/* control/rot_apps.c */
struct dp_addr ctl_rot_network_of(const struct dp_addr *server);
struct rot_net *ctl_rot_net_get(struct ctl_rot *rot, const struct dp_addr *addr, uint64_t since);
void ctl_rot_net_put(struct ctl_rot *rot, struct rot_net *net); // one user less
void ctl_rot_net_free(void *net);
struct rot_app *ctl_rot_app_new(struct ctl_rot *rot, uint32_t id, uint64_t since);
struct rot_app *ctl_rot_app_of(struct ctl_rot *rot, uint32_t id, uint64_t hour); // NULL: too many
void ctl_rot_app_use(struct ctl_rot *rot, struct rot_app *app, const struct dp_addr *server,
	uint64_t hour, uint64_t bytes);
void ctl_rot_app_remove(struct ctl_rot *rot, struct rot_app *app);
void ctl_rot_app_free(void *app);
void ctl_rot_apps_fade(struct ctl_rot *rot, uint64_t day); // a day is over
void ctl_rot_apps_shrink(struct ctl_rot *rot); // an hour is

/* control/rot_history.c */
enum rot_hour ctl_rot_hour_of(const struct ctl_rot *rot, uint64_t hour);
/* The last hours that are closed, and those of them that are good: the same are compared on every day. */
struct rot_span {
	uint64_t end; // one behind the last
	int n_hours, n_good;
	bool is_good[CTL_ROT_DAYS + 1]
		    [CTL_ROT_DAY]; // [days before]: they, and the same of today; the last first
};

/* What a series has there, and what it had on earlier days in the same hours. */
struct rot_held {
	uint64_t now;
	uint64_t days[CTL_ROT_DAYS]; // in ascending order
	int n_days;
	bool has_week; // a day of the same weekday is among them
	uint64_t week_least, week_most;
};

struct rot_span ctl_rot_span_of(const struct ctl_rot *rot, int n_hours);
/* Of the day d before. False when not enough of it is known. since: hour from which on the series is whole. */
bool ctl_rot_sum_of_day(const struct ctl_rot_series *series, uint64_t since,
	const struct rot_span *s, uint64_t d, uint64_t *ret_sum);
struct rot_held ctl_rot_hold(
	const struct ctl_rot_series *series, uint64_t since, const struct rot_span *s);
/* What may be expected at least, and at most: the median, or what the same weekday had. */
uint64_t ctl_rot_least(const struct rot_held *h);
uint64_t ctl_rot_most(const struct rot_held *h);
/* What is to be thought of an hour that is over. */
enum rot_hour ctl_rot_judge_hour(const struct ctl_rot *rot, uint64_t hour);

/* control/rot_judge.c: an hour has been closed, rot->hour is the next one. */
void ctl_rot_judge(struct ctl_rot *rot, uint64_t end_ns);
void ctl_rot_suspect_end(struct ctl_rot *rot, struct rot_suspect *suspect);

/* control/rot_names.c */
void ctl_rot_names_add(struct ctl_rot *rot, const char *host, uint64_t hour, uint64_t bytes);
void ctl_rot_names_shrink(struct ctl_rot *rot); // once an hour
void ctl_rot_name_free(void *name);

/* control/rot_finding.c */
struct rot_finding *ctl_rot_finding_new(const struct ctl_rot *rot, const struct rot_app *app);
void ctl_rot_finding_free(void *finding);
/* It is one, which is said; finding is given. */
void ctl_rot_finding_add(struct ctl_rot *rot, struct rot_finding *finding);
/* What took over, of what a suspect has gathered: domains of which is_new(ctx) is true, or else servers. When that
 * is less than the finding has already, it keeps what it has. Returns how many bytes it has. */
uint64_t ctl_rot_finding_fill(struct rot_finding *finding, const struct ctl_unknown *gathered,
	bool (*is_new)(const void *ctx, const char *domain), const void *ctx);
void ctl_rot_finding_over(
	struct ctl_rot *rot, struct rot_finding *finding, uint64_t end_ns, enum ctl_rot_over why);
/* Does the catalogue know all the names that took over, of which there are some? */
bool ctl_rot_finding_is_known(const struct ctl_rot *rot, const struct rot_finding *finding);
