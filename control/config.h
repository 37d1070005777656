// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* wirecue.yaml and apps.yaml, checked completely before anything starts.
 *
 * ctl_config_load reads the file, the catalogue and the told facts it names, and reports every
 * mistake of all of them in one run. The result is read-only; a reload makes a new one and swaps. */

#include "classifier/catalogue.h"
#include "control/option.h"
#include "control/rot_options.h"
#include "control/sig.h"
#include "dataplane/addr.h"
#include "dataplane/duplicates.h"
#include "dataplane/ignore.h"
#include "dataplane/spread.h"

#include <glib.h>
#include <stdint.h>

struct ctl_detector;
struct ctl_facts;
struct dp_err;

enum ctl_class { CTL_CLASS_UPSELL, CTL_CLASS_RETENTION, CTL_CLASS_SERVICE, CTL_CLASS_COUNT };
extern const char *const ctl_class_names[]; // "upsell" ..., NULL-terminated

enum ctl_subject_kind {
	CTL_SUBJECT_MSISDN,
	CTL_SUBJECT_IMSI,
	CTL_SUBJECT_ACCOUNT,
	CTL_SUBJECT_PLAIN
};

/* Of endpoints.networks. Two more are those of samples (control/sample_addrs.h). */
enum { CTL_NETS_MAX = DP_NETS_MAX - 2 };

/* Who takes the frames of a port. */
enum ctl_driver {
	CTL_DRIVER_AUTO, // what device and machine have (control/way.h)
	CTL_DRIVER_DPDK,
	CTL_DRIVER_XDP, // the program in the kernel
};

enum ctl_role {
	CTL_ROLE_TAP, // frames are copies, and end here
	CTL_ROLE_HOST, // they are the host's own, to it and from it, and go on
};

enum ctl_xdp_mode { CTL_XDP_AUTO, CTL_XDP_NATIVE, CTL_XDP_GENERIC };

struct ctl_port {
	char *name, *device;
	int driver; // enum ctl_driver
	int role; // enum ctl_role
	int xdp_mode; // enum ctl_xdp_mode
	char **cpus; // CPU numbers as text, NULL-terminated; NULL: no thread of its own is asked for
	uint64_t mtu; // bytes; 0: what fits one mbuf
	int spread; // enum dp_spread
	char **ignored_vlans, **ignored_networks; // as written, NULL-terminated; NULL = none
	struct dp_ignore ignore; // what they say
};

/* One entry of rules:. Common keys first; params is what the detector's option table fills. */
struct ctl_rule {
	char *id; // [a-z0-9-]{1,64}, unique
	const struct ctl_detector *detector;
	int class; // enum ctl_class
	char *purpose; // NULL: needs none (service only)
	uint64_t version; // written by the user, 1 by default; part of every trigger
	bool enabled;
	bool dry_run; // decided and counted as G1, never published
	uint64_t priority;
	double min_confidence; // percent, gate G7's floor
	uint64_t cooldown_ns; // gate G14
	double control_group; // percent of subjects that are measured, not addressed; 0 = none
	struct {
		char **segments; // NULL = all
		struct ctl_hours hours; // local time of the subscriber's zone
	} when;
	void *params; // owned, detector->params_size bytes
};

enum ctl_confirm {
	CTL_CONFIRM_REPLY, // Redis has answered
	CTL_CONFIRM_FSYNC, // its append-only file is synced
	CTL_CONFIRM_REPLICAS, // so many replicas have it
};

struct ctl_redis_config {
	char *url; // redis://HOST:PORT[/DB], rediss://… or unix:///PATH
	char *user;
	char *password; // read from password_file; never printed
	char *ca_file, *cert_file,
		*tls_key_file; // rediss://; NULL: the system's CAs, no certificate
	char *tls_server_name; // who the certificate must be for; NULL: the host of the URL
	char *prefix; // "wirecue:"
	uint64_t queue_max; // triggers kept in memory while Redis is away
	uint64_t stream_max_len; // entries the stream is trimmed to, roughly; 0 = never by us
	bool stream_trim_unread; // even those that a group has not acknowledged
	uint64_t connect_timeout_ns, reply_timeout_ns;
	uint64_t retry_min_ns, retry_max_ns; // back-off
	int confirm; // enum ctl_confirm: when an entry counts as delivered
	uint64_t n_replicas; // CTL_CONFIRM_REPLICAS: how many must have it
	uint64_t n_retained; // delivered triggers that the store keeps, to send them again
	bool hashes; // each subscriber's usage and profile are written, too
	uint64_t usage_interval_ns; // how often at most
};

struct ctl_store_options {
	bool enabled; // of `run`; false: a restart forgets everything
	char *path; // folder
	char *key_file; // of what seals identities; NULL in the file: PATH/identity.key
	uint64_t size_max; // bytes the file may grow to
	uint64_t keep_untold_ns; // how long a profile outlives its person in the told facts
};

/* What the program in the kernel keeps, over all its ports. */
struct ctl_xdp_options {
	uint64_t n_flows; // 0: workers.flows
	uint64_t n_entries; // 0: a sixteenth of that
	uint64_t ring_bytes; // of each port
	bool persist; // it outlives the process; only with the store
	char *pins; // folder in a BPF file system
};

/* Who endpoints are, by signalling (sig_sessions.h). */
struct ctl_binding_options {
	uint64_t guard_ns, n_sessions;
	uint32_t protos; // set of enum ctl_sig_proto: the sources; 0: none is read
	uint8_t ranks[CTL_SIG_PROTO_COUNT]; // of them; 0 is the highest priority
	bool is_static_first; // addresses of the facts are believed before all of them
};

/* Captures of flows that stay unknown, of `run`. */
struct ctl_samples_options {
	char *path; // folder; NULL: nothing is kept
	uint64_t one_in; // flow; 0: none
	uint64_t n_packets, snap_bytes; // of each
	uint64_t file_bytes, total_bytes; // of a file, of all
	uint64_t age_ns; // when a file goes
};

struct ctl_privacy {
	int subject; // enum ctl_subject_kind
	uint8_t key[64]; // HMAC key, from key_file; wiped on free
	size_t key_len; // >= 16
};

struct ctl_config {
	char *path; // of wirecue.yaml; NULL for the built-in default
	char *node; // [a-z0-9-]{1,63}
	struct ctl_port *ports;
	size_t n_ports;
	uint64_t tick_ns; // 100 ms to 10 s
	char **worker_cpus; // NULL-terminated; NULL = chosen
	uint64_t n_workers; // from the command line; 0 = as many as worker_cpus, or chosen
	uint64_t n_flows; // over all workers
	uint64_t n_endpoints; // over all workers
	uint64_t n_recent; // flows that ended, kept by `run`; 0: none
	int duplicates; // enum dp_duplicates_mode
	uint64_t duplicate_window_ns;
	char **eal_extra;
	struct dp_endpoint_nets nets;
	char *apps_path; // the catalogue that is configured; the shipped one when the file names none
	struct cls_catalogue *catalogue; // owned; of apps_path, or of what is in force instead
	GPtrArray *
		hosts_files; // char *: those that the catalogue names, relative to its folder; owned
	size_t n_hosts, n_networks; // of the catalogue, its hosts files included
	bool kill_switch; // G1 for every rule
	struct ctl_rule *rules;
	size_t n_rules;
	struct ctl_facts *facts; // owned; empty when no file is named
	struct ctl_redis_config redis;
	struct ctl_store_options store;
	struct ctl_binding_options binding;
	struct ctl_xdp_options xdp;
	struct ctl_samples_options samples;
	struct ctl_privacy privacy;
	struct ctl_rot_options rot;
	char *control_socket; // /run/wirecue/control.sock
	char *default_zone; // tz name used where a subscriber has none, "UTC" by default
};

/* Called for each mistake, in file order per file. text is the whole line
 * "file:line:column: 'word', expected ..." without newline. Values of told facts that identify a
 * person are never part of it. */
typedef void ctl_mistake_fn(void *ctx, const char *text);

/* What flags of the command line put over file and environment. */
struct ctl_config_overrides {
	const char *redis_url; // --redis
	const char *node; // --node
	const char *socket; // --socket
	const char *store; // --store: a folder
	const char *apps; // --apps: the catalogue, whatever the file names
	uint64_t n_workers; // --workers; 0 = not given
	bool is_xdp; // --source xdp
	/* Called before the catalogue is read, with the folder of the store: gives the names it knows
	 * their numbers (ctl_dict_apps, ctl_dict_tags). NULL: every name gets a new one. */
	void (*number_names)(const char *store_path);
	/* Called when all is known but the catalogue: the file that it is read from (owned by the
	 * caller), or NULL: config->apps_path. NULL: always that. */
	char *(*choose_apps)(void *ctx, const struct ctl_config *config);
	void *choose_ctx;
};

/* Load and check. path NULL gives the built-in default (default networks, the shipped catalogue, no
 * rules, CTL_TEST_KEY). Precedence: defaults, file, environment (WIRECUE_REDIS_URL, WIRECUE_NODE,
 * WIRECUE_CONTROL_SOCKET, WIRECUE_STORE), overrides (NULL: none). Returns 0 and *ret_config (owned by the caller),
 * or -EINVAL after mistakes were reported, or -errno when `path` itself cannot be read (also
 * reported through fn). The ids of apps and tags come from the process's dictionaries (dict.h). */
[[nodiscard]] int ctl_config_load(const char *path, const struct ctl_config_overrides *overrides,
	ctl_mistake_fn *fn, void *ctx, struct ctl_config **ret_config);
void ctl_config_free(struct ctl_config *config);

struct ctl_apps;

/* Exchange the catalogue and what is known of it; apps keeps its names. */
void ctl_config_swap_apps(struct ctl_config *config, struct ctl_apps *apps);

/* The section `store` alone, with environment and --store (folder, NULL: none) over it: a backup is
 * made whatever is wrong with the rest. path NULL: the defaults. Returns and reports like
 * ctl_config_load. */
[[nodiscard]] int ctl_config_load_store(const char *path, const char *folder, ctl_mistake_fn *fn,
	void *ctx, struct ctl_store_options *ret_store);
void ctl_store_options_fini(struct ctl_store_options *store);

/* What any of the ports ignores, for captures, which have no port. Returns 0, or -E2BIG with a sentence
 * when they ignore more prefixes together than one of them may. */
[[nodiscard]] int ctl_config_ignored(
	const struct ctl_config *config, struct dp_ignore *ret_ignore, struct dp_err *reterr);

/* Does b differ from a in anything that is read at the start only? ret_key: the first such key,
 * "redis.prefix". Everything else takes effect by a reload. */
enum { CTL_FIXED_KEY_MAX = 64 };
[[nodiscard]] bool ctl_config_needs_restart(
	const struct ctl_config *a, const struct ctl_config *b, char ret_key[CTL_FIXED_KEY_MAX]);

/* Key of the built-in default: for captures in a laboratory, public on purpose. */
#define CTL_TEST_KEY "wirecue test key, not secret"
