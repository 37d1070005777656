// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What the running daemon tells about itself: the answers of `wirecue show` and the heartbeat.
 *
 * Each answer is an array of flat records in a fixed order of fields, so that text and JSON say the
 * same. No identifier of a subscriber but the pseudonym that was asked for. Control thread only. */

#include "control/balance.h"
#include "control/changes.h"
#include "control/live_diff.h"
#include "control/mirror.h"
#include "control/pipeline.h"
#include "control/publisher.h"
#include "control/request.h"
#include "control/shows_flows.h"
#include "control/shows_node.h"
#include "control/shows_unknown.h"

#include <jansson.h>

struct ctl_flow_finder;

struct ctl_shows {
	struct ctl_pipeline *pipeline; // borrowed
	struct ctl_publisher *publisher; // borrowed
	struct ctl_mirror *mirror; // borrowed; NULL without hashes
	struct ctl_changes *changes; // borrowed
	struct ctl_live_diff *diff; // borrowed
	struct ctl_flow_finder *finder; // borrowed
	struct ctl_shown_flows *flows; // borrowed
	struct ctl_shown_unknown *unknown; // borrowed
	struct ctl_balance balance; // of workers, when last looked
	struct ctl_node_start start;
};

/* node, ports, workers, ledger, apps, flows, unknown, quality, triggers, redis, subscriber; ctx is a struct ctl_shows. */
extern const struct ctl_show ctl_show_table[];

/* Now and then: drops what nobody asks for any more. */
void ctl_shows_tend(struct ctl_shows *s);

/* Adds what the heartbeat says beyond Redis: watermark, coverage. */
void ctl_shows_heartbeat(const struct ctl_shows *s, json_t *object);
