// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Weeks of flows for the rot alarm, hour by hour: what tests of control/rot*.c share. */

#include "control/rot.h"

enum { FILMS = 10, GAMES = 11, N_ENDPOINTS = 20, SERVERS = 8, SHUFFLE = 7919 };
static const uint64_t ROT_MB = 1000000;

/* A world that goes on hour by hour: what it had last, whoever asks. */
struct rot_world {
	struct ctl_rot *rot;
	struct ctl_gaps *gaps;
	struct cls_catalogue *catalogue;
	uint64_t hour;
	bool is_shuffled;
	GArray *notes; // struct dp_record, of this hour
	// What happens in an hour:
	const char *films_host; // "" none, NULL: no flows
	uint32_t films_app;
	uint8_t films_evidence;
	const char *films_network; // "203.0.113"
	uint64_t films_bytes, others_bytes, stranger_bytes;
	int n_endpoints;
	// What was said:
	bool is_deaf; // and forgets it
	int n_said, n_over;
	uint8_t over;
	uint64_t said_hour, since_hour;
};

extern const struct ctl_rot_options rot_usual;

/* Of films.example, games.example; with another host of films, and with an app `fresh` of the host `more`, unless these
 * are NULL. */
struct cls_catalogue *rot_catalogue_of(const char *host, const char *more);

struct rot_world *rot_world_begin(const struct ctl_rot_options *options);
void rot_world_end(struct rot_world *w);
void rot_world_hour(struct rot_world *w); // it passes
void rot_world_days(struct rot_world *w, int n);
/* Films are asked for by that name from here on, which no app has; "" by none. */
void rot_world_rename(struct rot_world *w, const char *host);
/* The process ends, and another one goes on with what was kept. */
void rot_world_restart(struct rot_world *w);
/* That catalogue is in force; given. */
void rot_world_take(struct rot_world *w, struct cls_catalogue *catalogue);
/* A flow of the hour's minute, for the next call of ctl_rot_note. */
void rot_world_add(struct rot_world *w, int minute, int endpoint, const char *network, uint32_t app,
	uint8_t evidence, const char *host, uint64_t bytes);
