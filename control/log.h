// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The logger: one line an event, to standard error.
 *
 *   2026-03-01T18:00:00.123Z warning redis_down cause="connection refused" retry_ms=200
 *
 * An event word, then key=value: object, cause, consequence. Values with blanks, quotes, '=' or
 * control characters are quoted and escaped, so a peer cannot write a line of its own. Where
 * standard error is the journal, time and level become the "<N>" prefix it understands.
 *
 * The same event about the same object (event word and first field) is written at most
 * CTL_LOG_BURST times in CTL_LOG_WINDOW_NS; what was held back is told by repeated=N on the next
 * line about it, or by ctl_log_flush().
 *
 * Nothing that identifies a subscriber is ever given to it, a pseudonym neither.
 * Any thread. Workers do not log (they count). */

#include <stdint.h>
#include <stdio.h>

enum ctl_log_level { // syslog(3) priorities
	CTL_LOG_ERR = 3,
	CTL_LOG_WARNING = 4,
	CTL_LOG_NOTICE = 5,
	CTL_LOG_INFO = 6,
	CTL_LOG_DEBUG = 7,
};

enum { CTL_LOG_BURST = 5 }; // start value: a flapping link stays readable
#define CTL_LOG_WINDOW_NS (10ULL * 1000 * 1000 * 1000) // start value

enum ctl_log_kind { CTL_LOG_END, CTL_LOG_TEXT, CTL_LOG_COUNT };

struct ctl_log_field {
	const char *key;
	enum ctl_log_kind kind;
	const char *text; // borrowed for the call; NULL is written as -
	uint64_t count;
};

#define CTL_TEXT(k, v) ((struct ctl_log_field){.key = (k), .kind = CTL_LOG_TEXT, .text = (v)})
#define CTL_COUNT(k, v) ((struct ctl_log_field){.key = (k), .kind = CTL_LOG_COUNT, .count = (v)})

/* ctl_log(CTL_LOG_WARNING, "redis_down", CTL_TEXT("cause", cause), CTL_COUNT("retry_ms", ms)) */
#define ctl_log(level, event, ...) \
	ctl_log_fields((level), (event), \
		(const struct ctl_log_field[]){__VA_ARGS__ __VA_OPT__(, ){.kind = CTL_LOG_END}})

/* fields: up to the one of kind CTL_LOG_END. Lines longer than 1 KiB are cut. */
void ctl_log_fields(
	enum ctl_log_level level, const char *event, const struct ctl_log_field *fields);

/* Write what was held back and has not been told yet. The daemon calls it every
 * CTL_LOG_WINDOW_NS and before it ends. */
void ctl_log_flush(void);

/* Events less urgent than `level` are dropped; CTL_LOG_INFO at start. */
void ctl_log_set_level(enum ctl_log_level level);

/* For tests: write to `out` (borrowed; NULL = standard error again) and read time from clock_ns
 * (NULL = the real clocks). Forgets what was held back. */
void ctl_log_redirect(FILE *out, uint64_t (*clock_ns)(void));
