// SPDX-License-Identifier: BSD-3-Clause

/* The mapped reader and libpcap's say the same of every capture that both read.
 *
 *   unit_capture_same FOLDER... : besides what the tests make, every file below, where it exists. */

#include "dataplane/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/capture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d};
static char **folders;

/* One record after the other from a reader that may give several. */
struct tape {
	struct dp_capture *capture;
	struct dp_capture_record records[7];
	int n, i;
	struct dp_err err;
};

static const struct dp_capture_record *tape_next(struct tape *t)
{
	if (t->i == t->n) {
		t->i = 0;
		t->n = t->capture->ops->next(t->capture, t->records, 7, &t->err);
	}
	return t->n > 0 ? &t->records[t->i++] : NULL;
}

/* Opened anew: libpcap takes it over. */
static int open_file(const char *path, uint64_t *ret_size)
{
	struct stat st;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*ret_size = (uint64_t)st.st_size;
	return fd;
}

static void records_are_equal(const struct dp_capture_record *a, const struct dp_capture_record *b)
{
	assert_int_equal(a->time_ns, b->time_ns);
	assert_int_equal(a->cap_len, b->cap_len);
	assert_int_equal(a->wire_len, b->wire_len);
	assert_int_equal(a->link, b->link);
	assert_memory_equal(a->data, b->data, a->cap_len);
}

/* Returns how many records both gave, or -1 where the mapped reader leaves the file to libpcap. */
static long read_both(const char *path, int *ret_end)
{
	struct tape ours = {0}, theirs = {0};
	long n = 0;
	uint64_t size;
	const int fd = open_file(path, &size);
	const bool is_ours = dp_capture_open_pcap(fd, size, &ours.capture) == 1;

	(void)close(fd);
	if (!is_ours)
		return -1;
	assert_int_equal(
		dp_capture_open_any(open_file(path, &size), path, &theirs.capture, &theirs.err), 0);
	for (;; n++) {
		const struct dp_capture_record *a = tape_next(&ours), *b = tape_next(&theirs);

		assert_int_equal(a == NULL, b == NULL);
		if (a == NULL)
			break;
		records_are_equal(a, b);
	}
	assert_int_equal(ours.n, theirs.n); // the end, or what went wrong
	assert_int_equal(ours.err.text[0] != '\0', ours.n < 0);
	*ret_end = ours.n;
	ours.capture->ops->close(ours.capture);
	theirs.capture->ops->close(theirs.capture);
	return n;
}

static long read_capture(struct capture *c, int *ret_end)
{
	const char *path = capture_file(c);
	long n;

	assert_non_null(path);
	n = read_both(path, ret_end);
	capture_close(c);
	return n;
}

static struct capture *new_capture(bool is_big_endian)
{
	struct capture *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->is_big_endian = is_big_endian;
	return c;
}

static void odd_times_and_lengths_are_what_libpcap_makes_of_them(void **)
{
	static const uint32_t odd[] = {
		0, 1, 999999, 1000000, 999999999, INT32_MAX, 0x80000000, 0xffea9138, UINT32_MAX};
	enum { N_ODD = sizeof(odd) / sizeof(odd[0]) };
	int end;

	for (unsigned int kind = 0; kind < 4; kind++) {
		struct capture *c = new_capture(kind >= 2);

		capture_pcap(c, magics[kind % 2], 1);
		for (unsigned int i = 0; i < N_ODD * N_ODD * N_ODD; i++)
			capture_pcap_record(c, odd[i % N_ODD], odd[i / N_ODD % N_ODD],
				odd[i / N_ODD / N_ODD], "a frame", i % 8);
		assert_int_equal(read_capture(c, &end), N_ODD * N_ODD * N_ODD);
		assert_int_equal(end, 0);
		free(c);
	}
}

/* What the format says, which is not what every libpcap makes of it. */
static void times_go_on_behind_2038(void **)
{
	static const struct {
		uint32_t second, fraction;
		uint64_t us_ns, ns_ns; // of a file with microseconds, with nanoseconds
	} rows[] = {
		{0x7fffffff, 999999, 2147483647999999000, 2147483647000999999},
		{0x80000000, 1, 2147483648000001000, 2147483648000000001},
		{0xffffffff, 1000000, 4294967296000000000, 4294967295001000000}, // carried over
		{1, 0xffffffff, 1000000000, 1000000000}, // no fraction
	};

	for (unsigned int kind = 0; kind < 4; kind++) {
		struct capture *c = new_capture(kind >= 2);
		struct tape tape = {0};
		const char *path;
		uint64_t size;
		int fd;

		capture_pcap(c, magics[kind % 2], 1);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			capture_pcap_record(c, rows[i].second, rows[i].fraction, 60, "a frame", 7);
		path = capture_file(c);
		fd = open_file(path, &size);
		assert_int_equal(dp_capture_open_pcap(fd, size, &tape.capture), 1);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			assert_int_equal(tape_next(&tape)->time_ns,
				kind % 2 == 0 ? rows[i].us_ns : rows[i].ns_ns);
		tape.capture->ops->close(tape.capture);
		(void)close(fd);
		capture_close(c);
		free(c);
	}
}

static void headers_of_all_kinds_are_read_alike_or_left_to_libpcap(void **)
{
	static const struct {
		uint32_t magic, snap_len, link_type;
		uint16_t major, minor;
		bool is_ours, is_ours_swapped;
	} rows[] = {
		{0xa1b2c3d4, 262144, 1, 2, 4, true, true},
		{0xa1b23c4d, 0, 1, 2, 4, true, true},
		{0xa1b2c3d4, 0xffffffff, 101, 2, 4, true, true},
		{0xa1b2c3d4, 0x80000000, 12, 2, 4, true, true},
		{0xa1b2c3d4, 5, 1, 2, 4, true, true}, // records are longer
		{0xa1b2c3d4, 1, 113, 2, 4, true, false}, // libpcap turns bytes of it
		{0xa1b2c3d4, 65535, 0xf4000001, 2, 4, true, true}, // with a check sequence
		{0xa1b2c3d4, 65535, 0x03ffffff, 2, 4, false, false},
		{0xa1b2c3d4, 65535, 189, 2, 4, false, false},
		{0xa1b2cd34, 65535, 1, 2, 4, false, false}, // the modified kind
		{0xa1b234cd, 65535, 1, 2, 4, false, false},
		{0xa12b3c4d, 65535, 1, 2, 4, false, false},
		{0xa1b2c3d4, 65535, 1, 2, 3, false, false}, // the lengths change places
		{0xa1b2c3d4, 65535, 1, 2, 0, false, false},
		{0xa1b2c3d4, 65535, 1, 543, 0, false, false},
		{0xa1b2c3d4, 65535, 1, 2, 5, false, false},
		{0x0a0d0d0a, 65535, 1, 2, 4, false, false},
	};

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		const size_t row = i / 2;
		struct capture *c = new_capture(i % 2 == 1);
		int end;
		long n;

		capture_put32(c, rows[row].magic);
		capture_put16(c, rows[row].major);
		capture_put16(c, rows[row].minor);
		capture_put32(c, 3600); // of no meaning any more
		capture_put32(c, 6);
		capture_put32(c, rows[row].snap_len);
		capture_put32(c, rows[row].link_type);
		capture_pcap_record(c, 1, 2, 1500, "nine byte", 9);
		capture_pcap_record(c, 3, 4, 0, "nine byte", 0);
		capture_pcap_record(c, 3, 4, 60, "nine byte", 4);
		n = read_capture(c, &end);
		if (i % 2 == 1 ? rows[row].is_ours_swapped : rows[row].is_ours)
			assert_int_equal(n, 3);
		else
			assert_int_equal(n, -1);
		free(c);
	}
}

static void every_truncation_ends_alike(void **)
{
	for (unsigned int kind = 0; kind < 4; kind++) {
		struct capture *c = new_capture(kind >= 2);
		size_t len;
		int end;

		capture_pcap(c, magics[kind % 2], 1);
		for (uint32_t i = 0; i < 20; i++)
			capture_pcap_record(c, i, i, 60, "twenty bytes of data", i);
		for (len = c->len; len-- > 0;) {
			c->len = len;
			assert_true(len >= 24 ? read_capture(c, &end) >= 0
					      : read_capture(c, &end) == -1);
		}
		free(c);
	}
}

static void a_header_with_any_bit_turned_over_is_read_alike(void **)
{
	enum { HEADERS = 24 + 16 + 20 + 16 };

	for (unsigned int bit = 0; bit < HEADERS * 8; bit++) {
		struct capture *c = new_capture(false);
		int end;

		capture_pcap(c, magics[0], 1);
		for (uint32_t i = 0; i < 200; i++)
			capture_pcap_record(c, i, i, 60, "twenty bytes of data", 20);
		c->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		(void)read_capture(c, &end); // alike is all there is to say
		free(c);
	}
}

static void captured_lengths_are_sound_up_to_the_same_limit(void **)
{
	static const struct {
		uint32_t cap_len;
		int end;
	} rows[] = {{262143, 0}, {262144, 0}, {262145, -1}, {INT32_MAX, -1}, {0xfffffff0, -1},
		{0xffffffff, -1}};
	static uint8_t bytes[300000];

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct capture head = {.is_big_endian = i % 2 == 1};
		char path[64];
		const int fd = memfd_create("capture", MFD_CLOEXEC);
		int end;

		capture_pcap(&head, magics[0], 1);
		capture_put32(&head, 1);
		capture_put32(&head, 1);
		capture_put32(&head, rows[i / 2].cap_len);
		capture_put32(&head, 60);
		assert_int_equal(write(fd, head.bytes, head.len), head.len);
		if (rows[i / 2].end == 0)
			assert_int_equal(
				write(fd, bytes, rows[i / 2].cap_len), rows[i / 2].cap_len);
		else
			assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		assert_int_equal(read_both(path, &end), rows[i / 2].end == 0);
		assert_int_equal(end < 0, rows[i / 2].end < 0);
		(void)close(fd);
	}
}

static unsigned int n_read_both;

static int visit(const char *path, const struct stat *st, int, struct FTW *)
{
	int end;

	if (S_ISREG(st->st_mode) && read_both(path, &end) >= 0)
		n_read_both++;
	return 0;
}

static void every_capture_there_is_reads_alike(void **)
{
	for (char **folder = folders; *folder != NULL; folder++) {
		if (**folder == '\0' || access(*folder, R_OK) != 0)
			continue;
		n_read_both = 0;
		assert_int_equal(nftw(*folder, visit, 16, FTW_PHYS), 0);
		assert_true(n_read_both > 0);
		print_message("%s: %u captures\n", *folder, n_read_both);
	}
}

int main(int, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(odd_times_and_lengths_are_what_libpcap_makes_of_them),
		cmocka_unit_test(times_go_on_behind_2038),
		cmocka_unit_test(headers_of_all_kinds_are_read_alike_or_left_to_libpcap),
		cmocka_unit_test(every_truncation_ends_alike),
		cmocka_unit_test(a_header_with_any_bit_turned_over_is_read_alike),
		cmocka_unit_test(captured_lengths_are_sound_up_to_the_same_limit),
		cmocka_unit_test(every_capture_there_is_reads_alike),
	};

	folders = argv + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
