// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* One question to the running daemon and its answer, both JSON lines. No sockets here.
 *
 *   {"cmd":"show","what":"redis","args":{}}
 *   {"state":"ready",…}                       a line a record
 *   {"end":true}                              or {"end":true,"next":"CURSOR"}: more, asked for with
 *                                             "args":{…,"after":"CURSOR"}; with "none":"sentence" when
 *                                             there is no record at all
 *   {"error":"sentence"}                      instead; with "usage":true when the question is wrong
 *   {"cmd":"do","what":"stream","args":{}}    the same for what changes something
 *   {"cmd":"list"}                            a record for each `what` to show: name, args, help
 *
 * An answer is one page of bounded size, so neither side ever holds more. What takes longer than a
 * moment is waited for: meanwhile a blank line comes every CTL_REPLY_ALIVE_S, which means nothing but
 * that the daemon is alive. Control thread only. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CTL_REQUEST_MAX = 64 * 1024, // bytes of a request line, newline included
	CTL_REPLY_PAGE = 256 * 1024, // bytes of an answer; one record may be larger by itself
	CTL_REPLY_ASK_MS = 10, // between two times that a handler which waits is asked
	CTL_REPLY_ALIVE_S = 2,
	CTL_REPLY_WAIT_S = 60, // and then the answer is a sentence; start values
};

struct ctl_reply;
struct ctl_request; // one question of one asker, until it is answered

/* Who asks, as the kernel says. */
struct ctl_asker {
	uint64_t uid;
	bool may_act; // root or the daemon's own user: `do` is answered
};

/* What a question may say besides its word: --NAME VALUE of the command line, sent as args.NAME, a text. */
struct ctl_show_option {
	const char *name; // "endpoint"; NULL ends a list
	const char *value; // "ADDRESS": for who reads; NULL: of another command, not listed
};

/* One thing that can be shown or done. Tables end with name NULL. */
struct ctl_show {
	const char *name; // "redis"
	const char *args; // "", "ID", "[NAME]": what follows on the command line, sent as args.arg
	const char *help; // one sentence
	/* Add records to reply. args: an object, borrowed, from a peer that may lie; args.after says
	 * where to go on. */
	void (*run)(void *ctx, const json_t *args, struct ctl_reply *reply);
	bool acts; // it changes something: asked for with "do", and not listed
	const struct ctl_show_option *options; // NULL: none; others are refused before it runs
	const char *none; // what an answer without a record means; NULL: there is always one
};

/* Add a record; takes it. Records of one `what` have the same keys in the same order, and never
 * `end` or `error`. Only the last one may be another: what the answer is about, with the key `summary`
 * in front, a sentence that stands under a table. False when the page is full and the record was not added: call ctl_reply_next
 * with what brings the handler back to it, and return. The first record always fits. */
bool ctl_reply_add(struct ctl_reply *reply, json_t *given);

/* The page is full; cursor is copied. */
void ctl_reply_next(struct ctl_reply *reply, const char *cursor);

/* There is no answer, but this sentence. Records added before are dropped. is_usage: the question
 * was wrong, rather than the state of things. */
[[gnu::format(printf, 3, 4)]] void ctl_reply_fail(
	struct ctl_reply *reply, bool is_usage, const char *fmt, ...);

/* There is no answer yet. Records added before are dropped, and the handler is asked again with the
 * same args every CTL_REPLY_ASK_MS until it answers or fails, for CTL_REPLY_WAIT_S at most. Nobody
 * tells it that the asker has gone away or that time is over: what it waits for ends by itself. */
void ctl_reply_wait(struct ctl_reply *reply);

/* A number that stays with the question while it waits, for the handler to know what it has begun; 0 at
 * first. Borrowed for the call. */
uint64_t *ctl_reply_memo(struct ctl_reply *reply);

/* Who asked. */
const struct ctl_asker *ctl_reply_asker(const struct ctl_reply *reply);

/* Text of args.KEY, or NULL when it is absent or no text. Borrowed from args. */
const char *ctl_args_text(const json_t *args, const char *key);

/* Read one request line (len bytes, without newline, any content); asker is borrowed until it is
 * freed. Never NULL: what is wrong with it is the answer. */
struct ctl_request *ctl_request_new(const struct ctl_asker *asker, const char *line, size_t len);
void ctl_request_free(struct ctl_request *request);

/* Answer it. Returns the answer's text with all its newlines, owned by the caller, freed with g_free();
 * or NULL: the handler waits, ask again. */
char *ctl_request_answer(
	struct ctl_request *request, const struct ctl_show *table, void *ctx, size_t *ret_len);

/* The same of one that has waited long enough: a sentence. */
char *ctl_request_give_up(const struct ctl_request *request, size_t *ret_len);
