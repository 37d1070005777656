// SPDX-License-Identifier: BSD-3-Clause
#include "control/top_loop.h"

#include "control/top_term.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
	REDRAW_MS = 1000, // while nobody answers, the seconds go on
	LATE_S = 2, // an answer takes milliseconds: start value
};
static const char late[] = "it was asked and says nothing: is it stopped, or without CPU?";
static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

struct loop {
	struct ctl_top_feed *feed;
	struct ctl_top_model *model;
	struct ctl_top_ui ui;
	struct dp_err away; // why nobody answers
	bool is_away;
	int64_t answered_us, begun_us, next_us; // monotonic: last answer, last and next round
	int signals; // descriptor
	sigset_t before; // signals that were blocked before
	int ended_by; // signal; 0: none
	bool is_stale; // the screen is
	bool is_over;
};

static int64_t now_us(void)
{
	return g_get_monotonic_time();
}

static bool is_asking(const struct loop *l)
{
	return ctl_top_feed_fd(l->feed) >= 0;
}

static bool is_late(const struct loop *l)
{
	return is_asking(l) && now_us() - l->begun_us > LATE_S * G_USEC_PER_SEC;
}

static void draw(struct loop *l)
{
	struct ctl_top_screen screen;
	int n_rows, n_cols;
	bool is_utf8;

	ctl_top_term_size(&n_rows, &n_cols, &is_utf8);
	ctl_top_screen_init(&screen, n_rows, n_cols, is_utf8);
	l->ui.away = l->is_away ? l->away.text : is_late(l) ? late : NULL;
	l->ui.away_s = (double)(now_us() - l->answered_us) / 1e6;
	ctl_top_draw(&screen, ctl_top_model_view(l->model), &l->ui);
	ctl_top_term_show(&screen);
	ctl_top_screen_fini(&screen);
	l->is_stale = false;
}

static void schedule(struct loop *l)
{
	const int64_t every_us = (int64_t)(l->ui.interval_s * 1e6);

	l->next_us = MAX(l->next_us + every_us, now_us()); // no rounds to make up for
}

/* A round came to its end, or nobody answers. */
static void take(struct loop *l, int r, struct ctl_top_sample *sample)
{
	l->is_stale = true;
	if (r > 0) {
		ctl_top_model_take(l->model, sample);
		l->answered_us = now_us();
	} else {
		ctl_top_model_miss(l->model);
	}
	l->is_away = r < 0;
}

static void begin(struct loop *l)
{
	const int r = ctl_top_feed_begin(l->feed, &l->away);

	l->begun_us = now_us();
	schedule(l);
	if (r < 0)
		take(l, r, NULL);
}

static void step(struct loop *l)
{
	struct ctl_top_sample *sample = NULL;
	struct dp_err err = {0};
	const int r = ctl_top_feed_step(l->feed, (uint64_t)now_us(), &sample, &err);

	if (r < 0)
		l->away = err;
	if (r != 0)
		take(l, r, sample);
}

static void press(struct loop *l)
{
	enum ctl_top_key key = ctl_top_term_key();

	l->is_stale = true;
	for (; key != CTL_TOP_KEY_NONE; key = ctl_top_term_key()) {
		if (key == CTL_TOP_KEY_QUIT)
			l->is_over = true;
		ctl_top_ui_press(&l->ui, ctl_top_model_view(l->model), key);
		if (key == CTL_TOP_KEY_FASTER || key == CTL_TOP_KEY_SLOWER)
			l->next_us = now_us() + (int64_t)(l->ui.interval_s * 1e6);
	}
}

static void hear_signal(struct loop *l)
{
	struct signalfd_siginfo info;

	if (read(l->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	l->is_stale = true;
	if (info.ssi_signo == SIGWINCH)
		return;
	l->ended_by = (int)info.ssi_signo;
	l->is_over = true;
}

/* How long there is nothing to do, in ms. */
static int rest_ms(const struct loop *l)
{
	const int64_t left_us = l->next_us - now_us();
	int64_t rest = is_asking(l) || l->ui.is_paused ? REDRAW_MS : left_us / 1000 + 1;

	if (l->is_away)
		rest = MIN(rest, REDRAW_MS);
	return (int)CLAMP(rest, 0, INT_MAX / 2);
}

static void wait_for_something(struct loop *l)
{
	struct pollfd fds[] = {
		{STDIN_FILENO, POLLIN, 0},
		{l->signals, POLLIN, 0},
		{ctl_top_feed_fd(l->feed), ctl_top_feed_events(l->feed), 0},
	};

	// Interrupted, nothing is ready; and whoever comes back from the background has to draw.
	l->is_stale |= poll(fds, G_N_ELEMENTS(fds), rest_ms(l)) <= 0;
	if ((fds[1].revents & POLLIN) != 0)
		hear_signal(l);
	if ((fds[0].revents & POLLIN) != 0)
		press(l);
	if ((fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
		l->is_over = true; // the terminal is gone
	if (is_asking(l))
		step(l);
	if (!is_asking(l) && !l->ui.is_paused && now_us() >= l->next_us)
		begin(l);
}

/* Signals that end the process or change the screen come through a descriptor from here on. */
static int hold_signals(struct loop *l, struct dp_err *reterr)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGWINCH);
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
		(void)sigaddset(&set, ends[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &l->before); // valid arguments
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signals < 0) {
		(void)sigprocmask(SIG_SETMASK, &l->before, NULL);
		return dp_fail(reterr, errno, "cannot wait for signals: %m");
	}
	return 0;
}

static void release_signals(struct loop *l)
{
	(void)close(l->signals); // nothing is written to it
	if (l->ended_by != 0)
		(void)signal(l->ended_by, SIG_DFL);
	if (l->ended_by != 0)
		(void)raise(l->ended_by); // held back still; the shell is to see what ended us
	(void)sigprocmask(SIG_SETMASK, &l->before, NULL);
}

/* The first answer, before the terminal is touched: who cannot be asked is told in a line. */
static int ask_first(struct loop *l, struct dp_err *reterr)
{
	struct ctl_top_sample *sample = NULL;
	int r = ctl_top_feed_begin(l->feed, reterr);
	bool is_told = false;

	l->begun_us = now_us();
	while (r == 0 && l->ended_by == 0) {
		struct pollfd fds[] = {{l->signals, POLLIN, 0},
			{ctl_top_feed_fd(l->feed), ctl_top_feed_events(l->feed), 0}};

		(void)poll(fds, G_N_ELEMENTS(fds), REDRAW_MS); // the step finds out
		if ((fds[0].revents & POLLIN) != 0)
			hear_signal(l);
		r = ctl_top_feed_step(l->feed, (uint64_t)now_us(), &sample, reterr);
		if (is_late(l) && !is_told) {
			(void)fprintf(stderr, "wirecue: no answer yet: %s\n", late);
			is_told = true;
		}
	}
	if (r > 0)
		take(l, r, sample);
	return MIN(r, 0);
}

static bool is_colour_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"); // no-color.org

	return no_color == NULL || no_color[0] == '\0';
}

int ctl_top_loop(struct ctl_top_feed *feed, struct ctl_top_model *model, double interval_s,
	struct dp_err *reterr)
{
	struct loop l = {.feed = feed, .model = model, .ui.interval_s = interval_s};
	int r = hold_signals(&l, reterr);

	if (r < 0)
		return r;
	l.next_us = now_us() + (int64_t)(interval_s * 1e6);
	r = ask_first(&l, reterr);
	if (r == 0 && !l.is_over)
		r = ctl_top_term_open(is_colour_wanted(), reterr);
	l.is_stale = true;
	while (r == 0 && !l.is_over) {
		if (l.is_stale)
			draw(&l);
		wait_for_something(&l);
	}
	ctl_top_term_close();
	release_signals(&l);
	return r;
}
