// SPDX-License-Identifier: BSD-3-Clause
#include "control/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Lines written since the last look, without their time stamp. */
struct capture {
	char *text;
	size_t size;
	FILE *out;
};

static uint64_t clock_ns;

static uint64_t read_clock(void)
{
	return clock_ns;
}

static int setup(void **state)
{
	struct capture *capture = calloc(1, sizeof(*capture));

	capture->out = open_memstream(&capture->text, &capture->size);
	clock_ns = 1000000000000ULL;
	ctl_log_redirect(capture->out, read_clock);
	*state = capture;
	return 0;
}

static int teardown(void **state)
{
	struct capture *capture = *state;

	ctl_log_redirect(NULL, NULL);
	ctl_log_set_level(CTL_LOG_INFO);
	(void)fclose(capture->out);
	free(capture->text);
	free(capture);
	return 0;
}

static unsigned n_lines(const struct capture *capture)
{
	unsigned n = 0;

	for (size_t i = 0; i < capture->size; i++)
		n += capture->text[i] == '\n';
	return n;
}

/* The last line behind "2026-03-01T18:00:00.123Z ". */
static const char *last_line(const struct capture *capture)
{
	const char *line = capture->text;

	for (const char *p = line; (p = strchr(p, '\n')) != NULL && p[1] != '\0'; line = p)
		p++;
	return strchr(line, 'Z') + 2;
}

static void a_line_is_level_event_word_and_fields(void **state)
{
	ctl_log(CTL_LOG_WARNING, "redis_down", CTL_TEXT("cause", "refused"),
		CTL_COUNT("retry_ms", 200));
	assert_string_equal(last_line(*state), "warning redis_down cause=refused retry_ms=200\n");
	ctl_log(CTL_LOG_ERR, "bare");
	assert_string_equal(strstr(((struct capture *)*state)->text, "error"), "error bare\n");
}

static void values_cannot_break_out_of_their_line(void **state)
{
	static const struct {
		const char *value, *written;
	} cases[] = {
		{"two words", "\"two words\""},
		{"", "\"\""},
		{NULL, "-"},
		{"a=b", "\"a=b\""},
		{"say \"no\"", "\"say \\\"no\\\"\""},
		{"x\nerror forged", "\"x\\x0aerror forged\""},
		{"\x1b[31m", "\"\\x1b[31m\""},
		{"back\\slash", "\"back\\\\slash\""},
		{"\xc3\xbc", "\xc3\xbc"},
	};
	struct capture *capture = *state;
	char expected[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ctl_log(CTL_LOG_INFO, "event", CTL_TEXT("v", cases[i].value));
		(void)snprintf(expected, sizeof(expected), "info event v=%s\n", cases[i].written);
		assert_string_equal(capture->text + capture->size - strlen(expected), expected);
		assert_int_equal(n_lines(capture), i + 1);
	}
}

static void a_line_that_is_too_long_is_cut_and_still_ends(void **state)
{
	struct capture *capture = *state;
	char value[5000];

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	ctl_log(CTL_LOG_INFO, "event", CTL_TEXT("v", value), CTL_COUNT("n", 1));
	assert_int_equal(capture->size, 1024);
	assert_int_equal(n_lines(capture), 1);
	assert_int_equal(capture->text[1023], '\n');
}

static void a_repeated_condition_is_held_back_and_counted(void **state)
{
	struct capture *capture = *state;

	for (unsigned i = 0; i < CTL_LOG_BURST + 7; i++)
		ctl_log(CTL_LOG_INFO, "port_down", CTL_TEXT("port", "up"), CTL_COUNT("i", i));
	assert_int_equal(n_lines(capture), CTL_LOG_BURST);

	// Another object of the same event is another condition.
	ctl_log(CTL_LOG_INFO, "port_down", CTL_TEXT("port", "down"));
	assert_int_equal(n_lines(capture), CTL_LOG_BURST + 1);

	clock_ns += CTL_LOG_WINDOW_NS;
	ctl_log(CTL_LOG_INFO, "port_down", CTL_TEXT("port", "up"), CTL_COUNT("i", 99));
	assert_non_null(strstr(capture->text, "info port_down port=up i=99 repeated=7\n"));
}

static void flush_tells_what_was_held_back_once(void **state)
{
	struct capture *capture = *state;

	for (unsigned i = 0; i < CTL_LOG_BURST + 3; i++)
		ctl_log(CTL_LOG_WARNING, "port_down", CTL_TEXT("port", "up"));
	ctl_log_flush();
	assert_non_null(strstr(capture->text, "warning port_down port=up repeated=3\n"));
	assert_int_equal(n_lines(capture), CTL_LOG_BURST + 1);
	ctl_log_flush();
	assert_int_equal(n_lines(capture), CTL_LOG_BURST + 1);
}

static void a_condition_that_makes_room_for_others_tells_its_count(void **state)
{
	struct capture *capture = *state;
	char port[16];

	for (unsigned i = 0; i < CTL_LOG_BURST + 3; i++)
		ctl_log(CTL_LOG_INFO, "port_down", CTL_TEXT("port", "first"));
	for (unsigned i = 0; i < 200; i++) {
		clock_ns++;
		(void)snprintf(port, sizeof(port), "%u", i);
		ctl_log(CTL_LOG_INFO, "port_down", CTL_TEXT("port", port));
	}
	assert_non_null(strstr(capture->text, "port_down port=first repeated=3\n"));
	assert_int_equal(n_lines(capture), CTL_LOG_BURST + 1 + 200);
}

static void less_urgent_than_the_level_is_dropped(void **state)
{
	struct capture *capture = *state;

	ctl_log(CTL_LOG_DEBUG, "detail");
	assert_int_equal(n_lines(capture), 0);
	ctl_log_set_level(CTL_LOG_DEBUG);
	ctl_log(CTL_LOG_DEBUG, "detail");
	assert_int_equal(n_lines(capture), 1);
}

/* Standard error as systemd sets it up. */
static void the_journal_gets_its_priority_instead_of_a_time(void **)
{
	char path[] = "/tmp/wirecue-log-XXXXXX", stream[64], line[128] = "";
	const int saved = dup(STDERR_FILENO), fd = mkstemp(path);
	struct stat st;

	assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	(void)snprintf(
		stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	ctl_log_redirect(NULL, NULL);
	ctl_log(CTL_LOG_ERR, "told");
	setenv("JOURNAL_STREAM", "1:1", 1); // redirected elsewhere since
	ctl_log_redirect(NULL, NULL);
	ctl_log(CTL_LOG_ERR, "told");
	unsetenv("JOURNAL_STREAM");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	assert_true(pread(fd, line, sizeof(line) - 1, 0) > 0);
	assert_memory_equal(line, "<3>told\n20", 10);
	(void)close(fd);
	(void)close(saved);
	(void)unlink(path);
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_line_is_level_event_word_and_fields),
		LOG_TEST(values_cannot_break_out_of_their_line),
		LOG_TEST(a_line_that_is_too_long_is_cut_and_still_ends),
		LOG_TEST(a_repeated_condition_is_held_back_and_counted),
		LOG_TEST(flush_tells_what_was_held_back_once),
		LOG_TEST(a_condition_that_makes_room_for_others_tells_its_count),
		LOG_TEST(less_urgent_than_the_level_is_dropped),
		LOG_TEST(the_journal_gets_its_priority_instead_of_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
