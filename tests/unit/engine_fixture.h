// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* An engine with a real configuration, catalogue and told facts, fed with made-up records.
 *
 * Everything is written as a user would write it (YAML in a folder of its own) and read by the real
 * loader. What the engine publishes is kept in order; each event is also written to the file named
 * by $WIRECUE_EVENTS, for the schemas. */

#include "control/config.h"
#include "control/engine.h"
#include "control/trigger.h"

#include <glib.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	char *folder; // with the YAML files
	struct ctl_config *config;
	struct ctl_engine *engine;
	GPtrArray *triggers; // struct ctl_trigger, as published
	double loss; // capture loss of the ticks that follow
	const char *key; // of the pseudonyms from the next reload on; NULL = the default
};

/* rules: the list under `rules:` (each line already indented by two). facts: the told facts
 * (plans:, subscribers:) behind `static: true`; NULL = FIXTURE_FACTS. */
void fixture_open(struct fixture *f, const char *rules, const char *facts);
void fixture_close(struct fixture *f);

/* Load new rules and facts and have the engine reload. */
void fixture_reload(struct fixture *f, const char *rules, const char *facts);

/* Put a new engine that has seen nothing in place of the old one, under the same configuration. */
void fixture_restart(struct fixture *f);
/* The same under new rules and facts. */
void fixture_configure(struct fixture *f, const char *rules, const char *facts);

/* The rules are refused with these lines, "wirecue.yaml:9:5: ...\n" each. */
void assert_refused(const struct fixture *f, const char *rules, const char *expected);

/* Head of wirecue.yaml for the next open or reload; NULL = the default (node, key, zone). */
extern const char *fixture_head;

/* One consumer, +99900000001, at 10.20.0.11, Europe/Berlin, a bucket of 1 GB from the 1st, line
 * facts, consent for marketing and retention; a stranger at 10.20.0.99 is not told. */
extern const char FIXTURE_FACTS[];

/* RFC 3339 to ns. */
uint64_t at(const char *text);

/* One record. Members that are left out: endpoint 10.20.0.11, evidence sni, duration 0 (one
 * packet), all bytes down. */
struct use {
	const char *from; // RFC 3339 of the first packet
	const char *app; // name, or "undecided", "unknown"
	const char *tag;
	const char *endpoint;
	enum dp_evidence evidence;
	uint64_t ms; // from first to last packet
	uint64_t up_bytes, bytes;
	uint32_t n_flows;
	bool is_move, is_ambiguous;
};

struct dp_record fixture_record(const struct fixture *f, const struct use *use);

/* Each record in the tick of its last packet, one tick after the other. */
void fixture_play(struct fixture *f, const struct use *uses, size_t n_uses);

/* All records in one tick. */
void fixture_tick(struct fixture *f, const struct use *uses, size_t n_uses);

/* seconds of steady traffic, a record every ten of them; the first one brings one flow. */
void fixture_watch(struct fixture *f, const struct use *use, uint64_t seconds);

void fixture_advance(struct fixture *f, const char *to);

/* "session_started session_ended": the events so far; forgets them when asked to. */
char *fixture_events(struct fixture *f, bool forget);
void assert_events(struct fixture *f, const char *expected); // and forget

/* Compact JSON, keys in order. */
void assert_suppressed(const struct fixture *f, const char *expected);

/* Member of the data of the i-th event, as compact JSON text. */
void assert_data(const struct fixture *f, size_t i, const char *member, const char *expected);
void assert_envelope(const struct fixture *f, size_t i, const char *member, const char *expected);
