// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/capture_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/capture.h"
#include "tests/unit/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { PAGE = 4096, MB = 1 << 20 };

static int new_file(size_t size)
{
	const int fd = memfd_create("capture", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void (*handler_now(void))(int)
{
	struct sigaction now;

	assert_int_equal(sigaction(SIGBUS, NULL, &now), 0);
	return now.sa_handler;
}

static void what_is_cut_off_reads_as_zeros(void **)
{
	const int fd = new_file(10 * PAGE);
	struct dp_capture_map map, other;
	const uint8_t one = 1;

	for (int i = 0; i < 10; i++)
		assert_int_equal(pwrite(fd, &one, 1, i * PAGE), 1);
	assert_int_equal(dp_capture_map_open(fd, 10 * PAGE, &map), 0);
	assert_int_equal(dp_capture_map_open(fd, 10 * PAGE, &other), 0);
	assert_int_equal(map.bytes[9 * PAGE], 1);
	assert_int_equal(ftruncate(fd, 3 * PAGE), 0);
	assert_false(map.is_torn);
	assert_int_equal(map.bytes[5 * PAGE], 0);
	assert_true(map.is_torn);
	assert_false(other.is_torn);
	assert_int_equal(map.bytes[2 * PAGE], 1);
	assert_int_equal(map.bytes[9 * PAGE], 0);
	assert_int_equal(map.bytes[3 * PAGE], 0); // torn once more, in front of it
	assert_int_equal(other.bytes[9 * PAGE], 0);
	assert_true(other.is_torn);
	dp_capture_map_close(&map);
	assert_int_equal(other.bytes[3 * PAGE], 0); // the guard stays for the others
	dp_capture_map_close(&other);
	(void)close(fd);
}

static void the_handler_is_there_only_while_something_is_mapped(void **)
{
	void (*const before)(int) = handler_now();
	const int fd = new_file(PAGE);
	struct dp_capture_map maps[3];

	for (int i = 0; i < 3; i++)
		assert_int_equal(dp_capture_map_open(fd, PAGE, &maps[i]), 0);
	assert_ptr_not_equal(handler_now(), before);
	dp_capture_map_close(&maps[1]);
	dp_capture_map_close(&maps[2]);
	assert_ptr_not_equal(handler_now(), before);
	dp_capture_map_close(&maps[0]);
	assert_ptr_equal(handler_now(), before);
	(void)close(fd);
}

static void faults_elsewhere_end_the_process_as_ever(void **)
{
	const int fd = new_file(PAGE);
	const pid_t child = fork();
	int status;

	if (child == 0) {
		struct dp_capture_map map;
		const volatile uint8_t *bytes;

		(void)signal(SIGBUS, SIG_DFL); // AddressSanitizer has its own
		if (dp_capture_map_open(fd, PAGE, &map) < 0)
			_exit(1);
		bytes = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		if (bytes == MAP_FAILED || ftruncate(fd, 0) != 0)
			_exit(1);
		_exit(bytes[0]);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	(void)close(fd);
}

static void a_signal_that_was_sent_ends_the_process_as_ever(void **)
{
	const int fd = new_file(PAGE);
	const pid_t child = fork();
	int status;

	if (child == 0) {
		struct dp_capture_map map;

		(void)signal(SIGBUS, SIG_DFL);
		if (dp_capture_map_open(fd, PAGE, &map) < 0)
			_exit(1);
		(void)kill(getpid(), SIGBUS);
		_exit(2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	(void)close(fd);
}

static volatile sig_atomic_t n_elsewhere;
static sigjmp_buf elsewhere;

static void on_elsewhere(int)
{
	n_elsewhere++;
	siglongjmp(elsewhere, 1);
}

static void faults_elsewhere_go_to_the_handler_before(void **)
{
	const struct sigaction mine = {.sa_handler = on_elsewhere};
	const int fd = new_file(PAGE);
	struct sigaction before;
	struct dp_capture_map map;
	const volatile uint8_t *bytes = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	assert_int_equal(sigaction(SIGBUS, &mine, &before), 0);
	assert_int_equal(dp_capture_map_open(fd, PAGE, &map), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	if (sigsetjmp(elsewhere, 1) == 0)
		(void)bytes[0];
	assert_int_equal(n_elsewhere, 1);
	assert_int_equal(map.bytes[0], 0); // its own it still handles itself
	assert_int_equal(n_elsewhere, 1);
	dp_capture_map_close(&map);
	assert_int_equal(sigaction(SIGBUS, &before, NULL), 0);
	(void)close(fd);
}

/* Pages of this process that are files' or shared memory's. */
static long resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size, resident, shared;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld %ld", &size, &resident, &shared), 3);
	(void)fclose(f);
	return shared * sysconf(_SC_PAGESIZE);
}

static void memory_is_a_window_and_not_the_file(void **)
{
	enum { FILE_MB = 128, WINDOW_MB = 64 };
	const int fd = new_file((size_t)FILE_MB * MB);
	struct dp_capture_map map;
	const long before = resident_bytes();
	uint64_t sum = 0;

	assert_int_equal(dp_capture_map_open(fd, (size_t)FILE_MB * MB, &map), 0);
	for (size_t off = 0; off < map.size; off += PAGE) {
		dp_capture_map_advance(&map, off);
		sum += map.bytes[off];
		if (off % MB == 0)
			assert_in_range(resident_bytes(), 0, before + (long)WINDOW_MB * MB);
	}
	assert_int_equal(sum, 0);
	assert_int_equal(map.ahead, map.size);
	assert_int_equal(map.bytes[0], 0); // given back, and still there
	dp_capture_map_close(&map);
	(void)close(fd);
}

/* The reader looks once for many records, and those may be longer than a window. */
static void memory_is_a_window_however_far_a_step_goes(void **)
{
	enum { FILE_MB = 160, WINDOW_MB = 80, STEP_MB = 5 };
	const int fd = new_file((size_t)FILE_MB * MB);
	struct dp_capture_map map;
	const long before = resident_bytes();
	uint64_t sum = 0;

	assert_int_equal(dp_capture_map_open(fd, (size_t)FILE_MB * MB, &map), 0);
	for (size_t off = 0; off < map.size; off += PAGE) {
		if (off % (STEP_MB * MB) == 0) {
			dp_capture_map_advance(&map, off);
			assert_in_range(map.ahead, off + 1, map.size);
		}
		sum += map.bytes[off];
		if (off % MB == 0)
			assert_in_range(resident_bytes(), 0, before + (long)WINDOW_MB * MB);
	}
	assert_int_equal(sum, 0);
	dp_capture_map_close(&map);
	(void)close(fd);
}

static void what_cannot_be_mapped_is_refused(void **)
{
	struct dp_capture_map map;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dp_capture_map_open(ends[0], PAGE, &map), -ENODEV);
	assert_int_equal(dp_capture_map_open(-1, PAGE, &map), -EBADF);
	assert_int_equal(dp_capture_map_open(ends[0], 0, &map), -EINVAL);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* Cut short between two calls for records: those before are told, and then the reason. */
static void a_capture_cut_short_while_it_is_read_breaks_off(void **)
{
	enum { FRAMES = 2000, FRAME_BYTES = 100 };
	struct capture *c = calloc(1, sizeof(*c));
	static const uint8_t frame[FRAME_BYTES];
	struct dp_capture_record records[16];
	struct dp_capture *capture;
	struct dp_err err = {0};
	int n = 16, n_read = 0;

	assert_non_null(c);
	capture_pcap(c, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < FRAMES; i++)
		capture_pcap_record(c, i, 0, FRAME_BYTES, frame, FRAME_BYTES);
	assert_non_null(capture_file(c));
	assert_int_equal(dp_capture_open_pcap(c->fd, c->len, &capture), 1);
	assert_int_equal(capture->ops->next(capture, records, 16, &err), 16);
	assert_int_equal(ftruncate(c->fd, 10 * PAGE), 0);
	for (n_read = 16; n > 0; n_read += n) {
		n = capture->ops->next(capture, records, 16, &err);
		if (n < 0)
			break;
		assert_int_equal(records[n - 1].time_ns, (n_read + n - 1) * 1000000000ULL);
	}
	assert_int_equal(n, -EIO);
	assert_in_range(n_read, 16, 10 * PAGE / (FRAME_BYTES + 16));
	assert_non_null(strstr(err.text, "cut short"));
	capture->ops->close(capture);
	capture_close(c);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_cut_off_reads_as_zeros),
		cmocka_unit_test(the_handler_is_there_only_while_something_is_mapped),
		cmocka_unit_test(faults_elsewhere_end_the_process_as_ever),
		cmocka_unit_test(a_signal_that_was_sent_ends_the_process_as_ever),
		cmocka_unit_test(faults_elsewhere_go_to_the_handler_before),
		cmocka_unit_test(memory_is_a_window_and_not_the_file),
		cmocka_unit_test(memory_is_a_window_however_far_a_step_goes),
		cmocka_unit_test(what_cannot_be_mapped_is_refused),
		cmocka_unit_test(a_capture_cut_short_while_it_is_read_breaks_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
