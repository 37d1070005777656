// SPDX-License-Identifier: BSD-3-Clause
#include "control/sampler.h"

#include "classifier/ndpi.h"
#include "control/log.h"
#include "control/pcap_file.h"
#include "control/sample_addrs.h"
#include "control/sample_files.h"
#include "control/sample_packet.h"
#include "control/utc.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	NICENESS = 10, // as control/loader.c
	ROUND_NS = 200000000, // between two looks at the workers; start value
	ROUND_MAX = 2 * DP_SAMPLER_SLOTS_MAX, // samples of one worker in a round
	FLOW_BYTES = DP_SAMPLE_PACKETS_MAX * (CTL_PCAP_RECORD_BYTES + DP_SAMPLE_SNAP_MAX),
};
static const uint64_t TEND_NS = 60ULL * 1000000000, RETRY_NS = 5ULL * 1000000000;

struct counts {
	uint64_t flows, packets; // written
	uint64_t withheld; // flows of a kind that is never kept, or with nothing that may be
	uint64_t lost; // flows that could not be written
};

struct ctl_sampler {
	struct dp_path *path; // borrowed
	uint16_t n_workers;
	pthread_t thread;

	// The thread's.
	struct ctl_sample_files *files;
	struct ctl_sample_addrs *addrs;
	uint64_t tend_at_ns, retry_at_ns; // wall clock; the second while is_failing
	bool is_failing, is_write_failing;
	struct counts counts;
	struct dp_err err; // of the failure in force
	uint8_t flow[FLOW_BYTES];

	pthread_mutex_t lock; // all below
	pthread_cond_t wake; // CLOCK_MONOTONIC
	bool stop;
	struct ctl_sample_bounds bounds; // control writes
	uint64_t one_in;
	char *folder;
	struct counts told; // the thread writes these
	struct ctl_sample_files_state state;
	char cause[sizeof(((struct dp_err *)NULL)->text)]; // "": it works
};

/* --- alarms ----------------------------------------------------------------------------------- */

static const char *remedy_of(int code)
{
	switch (code) {
	case -ENOSPC:
	case -EDQUOT:
		return "make room on the disk of samples.path, or lower samples.total; it goes on by itself";
	case -EPERM:
	case -EACCES:
		return "let the folder belong to the daemon's user alone (chmod 700); it goes on by itself";
	default:
		return "look at samples.path and its disk; it goes on by itself";
	}
}

static void fail(struct ctl_sampler *s, int code, bool is_write, uint64_t now_ns)
{
	if (!s->is_failing)
		ctl_log(CTL_LOG_ERR, "samples_failing", CTL_TEXT("path", s->folder),
			CTL_TEXT("cause", s->err.text), CTL_TEXT("remedy", remedy_of(code)),
			CTL_TEXT("consequence", "flows that stay unknown are not kept meanwhile"));
	s->is_failing = true;
	s->is_write_failing |= is_write;
	s->retry_at_ns = now_ns + RETRY_NS;
}

static void recover(struct ctl_sampler *s)
{
	if (s->is_failing)
		ctl_log(CTL_LOG_NOTICE, "samples_recovered", CTL_TEXT("path", s->folder),
			CTL_COUNT("lost", s->counts.lost));
	s->is_failing = s->is_write_failing = false;
	s->err.text[0] = '\0';
}

/* Not yet to be tried again. A clock that was set back does not make it wait. */
static bool is_resting(const struct ctl_sampler *s, uint64_t now_ns)
{
	return s->is_failing && now_ns < s->retry_at_ns && s->retry_at_ns - now_ns <= RETRY_NS;
}

/* --- one flow --------------------------------------------------------------------------------- */

/* Its records into s->flow; returns their length. */
static size_t blot_out(struct ctl_sampler *s, struct dp_sample *sample, uint64_t *ret_packets)
{
	struct ctl_sample_keep keep = {0};
	size_t len = 0;

	*ret_packets = 0;
	for (uint16_t i = 0; i < sample->n_packets; i++) {
		const struct dp_sample_packet *p = &sample->packets[i];
		uint8_t *bytes = dp_sample_bytes(sample, i);
		const bool is_up = p->is_from_dst == sample->server_is_src;
		const size_t n = ctl_sample_packet(
			&keep, s->addrs, &sample->endpoint, is_up, bytes, p->len, p->ip_bytes);

		if (n == 0)
			continue;
		ctl_pcap_record(
			p->time_ns, (uint32_t)n, MAX(p->ip_bytes, (uint32_t)n), s->flow + len);
		memcpy(s->flow + len + CTL_PCAP_RECORD_BYTES, bytes, n);
		len += CTL_PCAP_RECORD_BYTES + n;
		(*ret_packets)++;
	}
	return len;
}

/* A file is open, and its table of endpoints has room. */
static int ready(struct ctl_sampler *s, uint64_t now_ns, size_t room)
{
	bool is_new;

	if (ctl_sample_addrs_is_full(s->addrs))
		ctl_sample_files_end(s->files);

	const int r = ctl_sample_files_ready(s->files, now_ns, room, &is_new, &s->err);

	if (r == 0 && is_new)
		ctl_sample_addrs_clear(s->addrs);
	return r;
}

static void write_flow(struct ctl_sampler *s, struct dp_sample *sample, uint64_t now_ns)
{
	const size_t room = sample->n_packets *
		((size_t)CTL_PCAP_RECORD_BYTES + sample->snap_bytes);
	uint64_t n_packets = 0;
	size_t len;
	int r;

	r = is_resting(s, now_ns) ? -EAGAIN : ready(s, now_ns, room);
	if (r == 0) {
		len = blot_out(s, sample, &n_packets);
		if (len == 0) {
			s->counts.withheld++;
			return;
		}
		r = ctl_sample_files_write(s->files, s->flow, len, &s->err);
	}
	if (r < 0) {
		s->counts.lost++;
		if (r != -EAGAIN)
			fail(s, r, true, now_ns);
		return;
	}
	recover(s);
	s->counts.flows++;
	s->counts.packets += n_packets;
}

static void take(struct ctl_sampler *s, uint64_t now_ns)
{
	struct dp_sample *sample;

	for (uint16_t w = 0; w < s->n_workers; w++) {
		for (int n = 0; n < ROUND_MAX && (sample = dp_path_sample_take(s->path, w)) != NULL;
			n++) {
			if (ctl_sample_keeps_proto(cls_ndpi_name(sample->ndpi_master)) &&
				ctl_sample_keeps_proto(cls_ndpi_name(sample->ndpi_app)))
				write_flow(s, sample, now_ns);
			else
				s->counts.withheld++;
			dp_path_sample_give_back(s->path, w, sample);
		}
	}
}

/* --- the thread ------------------------------------------------------------------------------- */

/* Old files go even when nothing is written. */
static void tend(struct ctl_sampler *s, uint64_t now_ns)
{
	const bool is_due = now_ns >= s->tend_at_ns || s->tend_at_ns - now_ns > TEND_NS;
	int r;

	if (is_resting(s, now_ns) || (!is_due && !s->is_failing))
		return;
	s->tend_at_ns = now_ns + TEND_NS;
	r = ctl_sample_files_tend(s->files, now_ns, &s->err);
	if (r < 0)
		fail(s, r, false, now_ns);
	else if (!s->is_write_failing)
		recover(s);
	else
		s->retry_at_ns = now_ns; // whether one can write again tells the next flow
}

/* Until the next round; what control wants. False: the end. */
static bool wait_round(struct ctl_sampler *s)
{
	struct timespec until;
	bool stop;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ROUND_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	(void)pthread_mutex_lock(&s->lock);
	s->told = s->counts;
	s->state = ctl_sample_files_state(s->files);
	(void)g_strlcpy(s->cause, s->is_failing ? s->err.text : "", sizeof(s->cause));
	if (!s->stop)
		(void)pthread_cond_timedwait(&s->wake, &s->lock, &until);
	stop = s->stop;
	ctl_sample_files_set_bounds(s->files, &s->bounds);
	(void)pthread_mutex_unlock(&s->lock);
	return !stop;
}

static void *run(void *arg)
{
	struct ctl_sampler *s = arg;
	bool goes_on = true;

	(void)pthread_setname_np(pthread_self(), "samples"); // short enough
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS); // works at the usual one, too
	while (goes_on) {
		const uint64_t now_ns = ctl_utc_now_ns();

		tend(s, now_ns);
		take(s, now_ns);
		goes_on = wait_round(s);
	}
	take(s, ctl_utc_now_ns());
	return NULL;
}

/* --- control ---------------------------------------------------------------------------------- */

static void set_options(struct ctl_sampler *s, const struct ctl_samples_options *o)
{
	s->bounds = (struct ctl_sample_bounds){
		.file_bytes = o->file_bytes, .total_bytes = o->total_bytes, .age_ns = o->age_ns};
	s->one_in = o->one_in;
	dp_path_sample_rate(s->path, (uint32_t)o->one_in);
}

/* That packets are kept is to be seen in the log, whenever it begins or changes. */
static void say_on(const struct ctl_sampler *s, const struct ctl_samples_options *o)
{
	ctl_log(CTL_LOG_NOTICE, "samples_on", CTL_TEXT("path", s->folder),
		CTL_COUNT("one_in", o->one_in), CTL_COUNT("packets", o->n_packets),
		CTL_COUNT("snap", o->snap_bytes), CTL_COUNT("total", o->total_bytes),
		CTL_COUNT("age_s", o->age_ns / 1000000000));
}

static int start(struct ctl_sampler *s)
{
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before); // signals are for the main thread
	r = pthread_create(&s->thread, NULL, run, s);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

static void free_all(struct ctl_sampler *s)
{
	ctl_sample_files_free(s->files);
	ctl_sample_addrs_free(s->addrs);
	(void)pthread_mutex_destroy(&s->lock);
	(void)pthread_cond_destroy(&s->wake);
	g_free(s->folder);
	g_free(s);
}

int ctl_sampler_new(struct dp_path *path, uint16_t n_workers, const struct ctl_samples_options *o,
	struct ctl_sampler **ret_sampler, struct dp_err *reterr)
{
	struct ctl_sampler *s;
	pthread_condattr_t attr;
	int r;

	*ret_sampler = NULL;
	if (o->path == NULL)
		return 0;
	s = g_new0(struct ctl_sampler, 1);
	s->path = path;
	s->n_workers = n_workers;
	s->folder = g_strdup(o->path);
	s->files = ctl_sample_files_new(o->path);
	s->addrs = ctl_sample_addrs_new();
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&s->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	set_options(s, o);
	ctl_sample_files_set_bounds(s->files, &s->bounds);
	say_on(s, o);
	r = start(s);
	if (r != 0) {
		free_all(s);
		return dp_fail(reterr, r, "cannot start the thread that writes samples: %m");
	}
	*ret_sampler = s;
	return 0;
}

void ctl_sampler_free(struct ctl_sampler *s)
{
	if (s == NULL)
		return;
	(void)pthread_mutex_lock(&s->lock);
	s->stop = true;
	(void)pthread_cond_signal(&s->wake);
	(void)pthread_mutex_unlock(&s->lock);
	(void)pthread_join(s->thread, NULL);
	free_all(s);
}

void ctl_sampler_reload(struct ctl_sampler *s, const struct ctl_samples_options *o)
{
	struct ctl_sample_bounds was;
	uint64_t one_in;
	bool is_changed;

	if (s == NULL)
		return;
	(void)pthread_mutex_lock(&s->lock);
	was = s->bounds;
	one_in = s->one_in;
	set_options(s, o);
	is_changed = one_in != s->one_in || memcmp(&was, &s->bounds, sizeof(was)) != 0;
	(void)pthread_mutex_unlock(&s->lock);
	if (is_changed)
		say_on(s, o);
}

static json_t *integer(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static void add_files(json_t *row, const struct ctl_sample_files_state *state)
{
	char oldest[CTL_UTC_MAX];

	ctl_utc_format(state->oldest_ns, oldest);
	(void)json_object_set_new(row, "files", integer(state->n_files));
	(void)json_object_set_new(row, "bytes", integer(state->bytes));
	(void)json_object_set_new(
		row, "oldest", state->oldest_ns != 0 ? json_string(oldest) : json_null());
}

static void add_flows(json_t *row, const struct counts *told, const struct dp_sample_stats *w)
{
	const struct {
		const char *name;
		uint64_t n;
	} counts[] = {{"flows", told->flows}, {"packets", told->packets}, {"chosen", w->chosen},
		{"known", w->known}, {"barred", w->barred}, {"withheld", told->withheld},
		{"no_slot", w->no_slot}, {"lost", told->lost}};

	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		(void)json_object_set_new(row, counts[i].name, integer(counts[i].n));
}

json_t *ctl_sampler_json(struct ctl_sampler *s)
{
	struct dp_sample_stats workers;
	json_t *row;

	if (s == NULL)
		return json_pack("{s:s, s:s}", "state", "off", "consequence",
			"flows that stay unknown are not kept (samples.path)");
	dp_path_sample_stats(s->path, &workers);
	(void)pthread_mutex_lock(&s->lock);
	row = json_pack("{s:s, s:I}", "state",
		s->cause[0] != '\0'	 ? "failing"
			: s->one_in == 0 ? "paused"
					 : "on",
		"one_in", (json_int_t)s->one_in);
	add_files(row, &s->state);
	add_flows(row, &s->told, &workers);
	(void)json_object_set_new(row, "path", json_string(s->folder));
	(void)json_object_set_new(row, "cause", json_string(s->cause));
	(void)pthread_mutex_unlock(&s->lock);
	return row;
}
