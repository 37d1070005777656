// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The app catalogue: which names, networks, ports and library protocols make an app.
 *
 * Built once by control from apps.yaml (classifier knows no YAML), then read-only and shared by
 * all workers. Ids come from control's dictionary, so they survive reloads. */

#include "dataplane/addr.h"
#include "dataplane/err.h"
#include "dataplane/record.h"

#include <stddef.h>
#include <stdint.h>

/* Of apps that carry others', whose fronts' names say nothing of what is behind. */
#define CLS_CATEGORY_RELAY "relay"

/* A host of the catalogue has no more. RFC 1035 3.1: 255 octets on the wire are 253 bytes of text, in 127 labels. */
enum { CLS_HOST_MAX = 255, CLS_HOST_LABELS_MAX = 127 };

struct cls_host_def {
	const char *host; // lower case, no leading dot, matched on label boundaries
	uint16_t tag; // DP_TAG_NONE or the tag's id
};

struct cls_port_def {
	uint8_t l4_proto; // 6 or 17
	uint16_t first, last; // host order, inclusive
};

/* One app; everything is borrowed during cls_catalogue_new and copied. */
struct cls_app_def {
	uint32_t id; // >= DP_APP_FIRST, unique
	const char *name; // unique
	const char *category;
	const char *const *ndpi; // protocol names, NULL-terminated, or NULL
	const struct cls_host_def *hosts;
	size_t n_hosts;
	const struct dp_prefix *nets;
	size_t n_nets;
	const struct cls_port_def *ports;
	size_t n_ports;
};

struct cls_catalogue;

/* Returns 0, -EEXIST for a host, network, port, protocol, name or id claimed twice, -ENOENT for an unknown protocol
 * name, -EINVAL for a host that is empty, longer or deeper than above, -EFBIG for more hosts than have room
 * (a billion), -ENOMEM. tag_names[0..n_tags): by id, [0] is "". */
[[nodiscard]] int cls_catalogue_new(const struct cls_app_def *apps, size_t n_apps,
	const char *const *tag_names, size_t n_tags, struct cls_catalogue **ret_catalogue,
	struct dp_err *reterr);
void cls_catalogue_free(struct cls_catalogue *catalogue);

/* Name and category of any app id, "undecided"/"" and "unknown"/"" for the reserved ones;
 * "?" when the id is not of this catalogue. Borrowed until the catalogue is freed. */
const char *cls_app_name(const struct cls_catalogue *catalogue, uint32_t app);
const char *cls_app_category(const struct cls_catalogue *catalogue, uint32_t app);
const char *cls_tag_name(const struct cls_catalogue *catalogue, uint16_t tag);
uint32_t cls_app_by_name(
	const struct cls_catalogue *catalogue, const char *name); // or DP_APP_UNKNOWN
/* Of the names that make the app, hosts and the library's: another number when they are others (but for a chance of
 * 2^-64), in every process the same. 0 when it has none, or the catalogue has no such app. */
uint64_t cls_app_mark(const struct cls_catalogue *catalogue, uint32_t app);
/* Whether any app is of that category. */
bool cls_has_category(const struct cls_catalogue *catalogue, const char *category);
size_t cls_catalogue_count(const struct cls_catalogue *catalogue);

struct cls_match {
	uint32_t app; // DP_APP_UNKNOWN when nothing fits
	uint16_t tag;
};

/* Longest suffix on a label boundary. host: len bytes, any case, a trailing dot is ignored. */
struct cls_match cls_match_host(
	const struct cls_catalogue *catalogue, const char *host, size_t len);

struct cls_host_rule {
	const char *host; // lower case; borrowed until the catalogue is freed
	uint32_t app;
	uint16_t tag;
};

/* Why: all hosts that are such a suffix, the longest, which decides, first. At most max, of which
 * CLS_HOST_LABELS_MAX is always enough; returns how many. */
size_t cls_catalogue_rules(const struct cls_catalogue *catalogue, const char *host, size_t len,
	struct cls_host_rule *rules, size_t max);

struct cls_match cls_match_net(const struct cls_catalogue *catalogue, const struct dp_addr *server);
struct cls_match cls_match_port(
	const struct cls_catalogue *catalogue, uint8_t l4_proto, uint16_t port);
struct cls_match cls_match_ndpi(const struct cls_catalogue *catalogue, uint16_t ndpi_proto);
