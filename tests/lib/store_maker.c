// SPDX-License-Identifier: BSD-3-Clause
/* The store of store_fixture.h as a program, for scripts.
 *
 *   store_maker make DIR KEY TICKS   a store of so many ticks
 *   store_maker write DIR KEY        commits one tick after the other until SIGTERM
 *   store_maker hold DIR KEY         only has it open, until SIGTERM
 *
 * hold says 'ready' on standard output. SIGTERM ends it in order. */
#include "tests/lib/store_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICKS_A_FLUSH = 32 }; // fewer than the store's backlog takes

static volatile sig_atomic_t stop;

static void on_term(int)
{
	stop = 1;
}

static void run(struct store_fixture *fixture, const char *what, unsigned long n_ticks)
{
	const bool writes = strcmp(what, "write") == 0;

	while (stop == 0 && (writes || fixture->serial < n_ticks)) {
		store_fixture_tick(fixture);
		if (writes || fixture->serial % TICKS_A_FLUSH == 0)
			store_fixture_flush(fixture);
	}
	store_fixture_flush(fixture);
}

/* Until SIGTERM. */
static void hold(void)
{
	sigset_t set;
	int signal_no;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)puts("ready");
	(void)fflush(stdout);
	(void)sigwait(&set, &signal_no);
}

int main(int argc, char **argv)
{
	struct store_fixture fixture;

	if (argc < 4) {
		(void)fputs("usage: store_maker make|write|hold DIR KEY [TICKS]\n", stderr);
		return 2;
	}
	(void)signal(SIGTERM, on_term);
	store_fixture_open(&fixture, argv[2], argv[3], 0);
	if (strcmp(argv[1], "hold") == 0)
		hold();
	else
		run(&fixture, argv[1], argc > 4 ? strtoul(argv[4], NULL, 10) : 0);
	store_fixture_close(&fixture);
	return 0;
}
