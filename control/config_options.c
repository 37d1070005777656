// SPDX-License-Identifier: BSD-3-Clause
#include "control/checks.h"
#include "control/config_read.h"
#include "control/redis_url.h"

#include <string.h>

const char *const ctl_class_names[] = {"upsell", "retention", "service", NULL};
static_assert(G_N_ELEMENTS(ctl_class_names) == CTL_CLASS_COUNT + 1);

static const char *const subject_names[] = {"msisdn", "imsi", "account", "plain", NULL};

static const char *check_socket(const char *text)
{
	// sockaddr_un
	return strlen(text) <= 107 ? NULL : "expected a socket path of at most 107 bytes";
}

static const char *check_redis_prefix(const char *text)
{
	const size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (!g_ascii_isgraph(text[i]) || text[i] == '{' || text[i] == '}')
			return "expected printable ASCII without spaces and braces";
	return len <= 64 ? NULL : "expected at most 64 characters";
}

const struct ctl_option ctl_config_options[] = {
	{.name = "node",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_config, node),
		.def = "local",
		.check = ctl_check_name,
		.env = "WIRECUE_NODE",
		.help = "Name of this appliance; part of source and key names."},
	{.name = "tick",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct ctl_config, tick_ns),
		.def = "1s",
		.min = "100ms",
		.max = "10s",
		.help = "Accounting period; part of a rule's meaning."},
	{.name = "zone",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_config, default_zone),
		.def = "UTC",
		.check = ctl_check_zone,
		.help = "Time zone of subscribers without one."},
	{.name = "kill_switch",
		.type = CTL_OPTION_BOOL,
		.off = offsetof(struct ctl_config, kill_switch),
		.def = "false",
		.help = "Hold back every trigger of every rule (G1)."},
	{.name = NULL},
};

const struct ctl_option ctl_config_raw_options[] = {
	{.name = "apps",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_config_raw, apps),
		.help = "File of the app catalogue; the shipped one when absent."},
	{.name = NULL},
};

const struct ctl_option ctl_endpoints_options[] = {
	{.name = "networks",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_config_raw, networks),
		.def = "[10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7]",
		.check = ctl_check_prefix,
		.help = "Which addresses are the subscribers' side; 1 to 64 prefixes, none inside "
			"another."},
	{.name = "ipv6_prefix",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_config_raw, ipv6_prefix),
		.def = "64",
		.min = "48",
		.max = "128",
		.help = "Bits of an IPv6 address that make an endpoint."},
	{.name = NULL},
};

const struct ctl_option ctl_told_files_options[] = {
	{.name = "files",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_config_raw, told_files),
		.help = "Files of told facts."},
	{.name = NULL},
};

const struct ctl_option ctl_rule_options[] = {
	{.name = "id",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_rule, id),
		.required = true,
		.check = ctl_check_name,
		.help = "Name of the rule in triggers and counters; unique."},
	{.name = "class",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct ctl_rule, class),
		.values = ctl_class_names,
		.required = true,
		.help = "Which gates apply."},
	{.name = "purpose",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_rule, purpose),
		.check = ctl_check_tag,
		.help = "Consent that the subscriber must have given (G2); required unless "
			"`class: service`."},
	{.name = "version",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_rule, version),
		.def = "1",
		.min = "1",
		.help = "Written by you, part of every trigger: which text of the rule decided."},
	{.name = "enabled",
		.type = CTL_OPTION_BOOL,
		.off = offsetof(struct ctl_rule, enabled),
		.def = "true",
		.help = "`false`: every trigger is held back (G1)."},
	{.name = "dry_run",
		.type = CTL_OPTION_BOOL,
		.off = offsetof(struct ctl_rule, dry_run),
		.def = "false",
		.help = "Decide and count, never publish (G1)."},
	{.name = "priority",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_rule, priority),
		.def = "50",
		.max = "100",
		.help = "Higher wins where only some may go out."},
	{.name = "min_confidence",
		.type = CTL_OPTION_PERCENT,
		.off = offsetof(struct ctl_rule, min_confidence),
		.def = "70%",
		.min = "0%",
		.max = "100%",
		.help = "Triggers below are held back (G7)."},
	{.name = "cooldown",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct ctl_rule, cooldown_ns),
		.def = "1d",
		.max = "400d",
		.help = "After a trigger, silence for the same subscriber and window (G14)."},
	{.name = "control_group",
		.type = CTL_OPTION_PERCENT,
		.off = offsetof(struct ctl_rule, control_group),
		.def = "0%",
		.min = "0%",
		.max = "100%",
		.help = "Share of subscribers that is measured, not addressed."},
	{.name = NULL},
};

const struct ctl_option ctl_when_options[] = {
	{.name = "segment",
		.type = CTL_OPTION_STRINGS,
		.off = offsetof(struct ctl_rule, when.segments),
		.help = "Told segments, one of which the subscriber must have; all when absent."},
	{.name = "hours",
		.type = CTL_OPTION_HOURS,
		.off = offsetof(struct ctl_rule, when.hours),
		.help = "Local hours of the subscriber's zone, `22-6` wraps; always when absent."},
	{.name = NULL},
};

static const char *const confirm_names[] = {"reply", "fsync", "replicas", NULL};

static const char *check_store_path(const char *text)
{
	return *text != '\0' && strlen(text) <= 3900 ? NULL : "expected the path of a folder";
}

const struct ctl_option ctl_redis_options[] = {
	{.name = "url",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_redis_config, url),
		.def = "redis://127.0.0.1:6379",
		.check = ctl_redis_url_check,
		.env = "WIRECUE_REDIS_URL",
		.help = "`redis://HOST:PORT[/DB]`, `rediss://…` (TLS, where hiredis has it: Debian 13) "
			"or `unix:///PATH`."},
	{.name = "user",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_redis_config, user),
		.help = "ACL user."},
	{.name = "ca_file",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_redis_config, ca_file),
		.help = "`rediss://`: certificates of those who may sign the server's; the system's "
			"when absent."},
	{.name = "cert_file",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_redis_config, cert_file),
		.help = "`rediss://`: our own certificate, where the server asks for one."},
	{.name = "tls_key_file",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_redis_config, tls_key_file),
		.help = "The key of `cert_file`."},
	{.name = "tls_server_name",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_redis_config, tls_server_name),
		.help = "`rediss://`: whom the server's certificate must name; the host of `url` when "
			"absent."},
	{.name = "prefix",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_redis_config, prefix),
		.def = "wirecue:",
		.check = check_redis_prefix,
		.help = "What every key and channel begins with."},
	{.name = "queue",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_redis_config, queue_max),
		.def = "1M",
		.min = "1",
		.max = "100M",
		.help = "Triggers kept while Redis is away: on the disk, or in memory without a "
			"store."},
	{.name = "stream_max_length",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_redis_config, stream_max_len),
		.def = "0",
		.help = "Entries the stream is trimmed to, roughly, as far as every consumer group has "
			"acknowledged them; 0: wirecue never trims. Needs Redis 6.2."},
	{.name = "stream_trim_unread",
		.type = CTL_OPTION_BOOL,
		.off = offsetof(struct ctl_redis_config, stream_trim_unread),
		.def = "false",
		.help = "`true`: `stream_max_length` holds even when entries are lost that a group has "
			"not acknowledged, or that nobody reads in a group; after an alarm."},
	{.name = "connect_timeout",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct ctl_redis_config, connect_timeout_ns),
		.def = "2s",
		.min = "10ms",
		.max = "1min",
		.help = "How long connecting may take."},
	{.name = "reply_timeout",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct ctl_redis_config, reply_timeout_ns),
		.def = "5s",
		.min = "10ms",
		.max = "10min",
		.help = "How long a reply may take before the connection is given up."},
	{.name = "retry_min",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct ctl_redis_config, retry_min_ns),
		.def = "100ms",
		.min = "10ms",
		.max = "1h",
		.help = "First pause before connecting again; it doubles."},
	{.name = "retry_max",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct ctl_redis_config, retry_max_ns),
		.def = "5s",
		.min = "10ms",
		.max = "1h",
		.help = "Longest pause."},
	{.name = "confirm",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct ctl_redis_config, confirm),
		.def = "reply",
		.values = confirm_names,
		.help = "When a trigger counts as delivered and the outbox lets it go: Redis has "
			"answered, its append-only file is synced, or replicas have it."},
	{.name = "replicas",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_redis_config, n_replicas),
		.def = "1",
		.min = "1",
		.max = "100",
		.help = "With `confirm: replicas`: how many must have it."},
	{.name = "retain",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_redis_config, n_retained),
		.def = "100k",
		.max = "100M",
		.help = "Delivered triggers that the store keeps, so that a Redis that lost them can "
			"be sent them again."},
	{.name = "hashes",
		.type = CTL_OPTION_BOOL,
		.off = offsetof(struct ctl_redis_config, hashes),
		.def = "true",
		.help = "Keep a hash of usage and one of the profile for each subscriber."},
	{.name = "usage_interval",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct ctl_redis_config, usage_interval_ns),
		.def = "60s",
		.min = "1s",
		.max = "1d",
		.help = "How often at most the hashes of one subscriber are written."},
	{.name = NULL},
};

const struct ctl_option ctl_store_options[] = {
	{.name = "enabled",
		.type = CTL_OPTION_BOOL,
		.off = offsetof(struct ctl_store_options, enabled),
		.def = "true",
		.help = "`false`: a restart forgets profiles, cooldowns and what waits for Redis."},
	{.name = "path",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_store_options, path),
		.def = "/var/lib/wirecue",
		.check = check_store_path,
		.env = "WIRECUE_STORE",
		.help = "Folder of the store; made when it is missing."},
	{.name = "key_file",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_store_options, key_file),
		.help = "File with the key that seals identities, made when it is missing; "
			"`identity.key` in `path` when absent. Not part of a backup."},
	{.name = "size",
		.type = CTL_OPTION_SIZE,
		.off = offsetof(struct ctl_store_options, size_max),
		.def = "32GB",
		.min = "1MB",
		.max = "16TB",
		.help = "What the file may grow to; address space, taken from the disk as needed."},
	{.name = "keep_untold",
		.type = CTL_OPTION_DURATION,
		.off = offsetof(struct ctl_store_options, keep_untold_ns),
		.def = "35d",
		.max = "400d",
		.help = "How long a subscriber who is told no more is kept, in case the facts were "
			"wrong."},
	{.name = NULL},
};

const struct ctl_option ctl_redis_raw_options[] = {
	{.name = "password_file",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_config_raw, password_file),
		.help = "File with the password; nobody but its owner and group may read it."},
	{.name = NULL},
};

const struct ctl_option ctl_control_options[] = {
	{.name = "socket",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_config, control_socket),
		.def = "/run/wirecue/control.sock",
		.check = check_socket,
		.env = "WIRECUE_CONTROL_SOCKET",
		.help = "Where `wirecue show` asks the daemon."},
	{.name = NULL},
};

const struct ctl_option ctl_privacy_options[] = {
	{.name = "subject",
		.type = CTL_OPTION_ENUM,
		.off = offsetof(struct ctl_privacy, subject),
		.def = "msisdn",
		.values = subject_names,
		.help = "Identifier a trigger's subject is made of; `plain` shows it as it is, for "
			"laboratories."},
	{.name = NULL},
};

const struct ctl_option ctl_privacy_raw_options[] = {
	{.name = "key_file",
		.type = CTL_OPTION_STRING,
		.off = offsetof(struct ctl_config_raw, key_file),
		.help = "File with the key of the pseudonyms, 16 to 64 bytes (`openssl rand -hex "
			"32`); required unless `subject: plain`."},
	{.name = NULL},
};

const struct ctl_option ctl_rot_options[] = {
	{.name = "enabled",
		.type = CTL_OPTION_BOOL,
		.off = offsetof(struct ctl_rot_options, enabled),
		.def = "true",
		.help = "Say when an app's names fade while its servers show others."},
	{.name = "share",
		.type = CTL_OPTION_PERCENT,
		.off = offsetof(struct ctl_rot_options, share),
		.def = "30%",
		.min = "1%",
		.max = "45%",
		.help = "Of what the same hours of earlier days had: under it an app's named bytes have "
			"collapsed; at twice as much they are back."},
	{.name = "taken",
		.type = CTL_OPTION_PERCENT,
		.off = offsetof(struct ctl_rot_options, taken),
		.def = "50%",
		.min = "10%",
		.max = "100%",
		.help = "Of what is missing: by so much flows without an app have grown on the app's "
			"networks."},
	{.name = "floor",
		.type = CTL_OPTION_SIZE,
		.off = offsetof(struct ctl_rot_options, floor_bytes),
		.def = "100MB",
		.min = "1MB",
		.max = "1000TB",
		.help = "Apps of which less is expected in 24 hours are not judged."},
	{.name = "endpoints",
		.type = CTL_OPTION_COUNT,
		.off = offsetof(struct ctl_rot_options, n_endpoints),
		.def = "10",
		.min = "3",
		.max = "1M",
		.help = "Apps that fewer endpoints use in a day are not judged, nor what fewer show "
			"instead."},
	{.name = NULL},
};
