// SPDX-License-Identifier: BSD-3-Clause

/* The program in the kernel says of each frame of the captures below what user space says; and of the
 * first ones' truncations.
 *
 *   ebpf_captures FOLDER... */

#include "tests/ebpf/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

enum {
	FRAMES_CUT = 20, // of a capture; their truncations, too
	CUT_MAX = 256, // behind that no header begins
};

static struct {
	uint64_t n_captures, n_frames, n_bad;
} sum;

static void differs(const char *path, uint64_t number, uint32_t cap_len)
{
	printf("  %s: frame %llu, %u bytes of it\n", path, (unsigned long long)number, cap_len);
	sum.n_bad++;
}

/* A snap length cuts what was captured, a mirror what was on the wire. */
static void try_cuts(const char *path, uint64_t number, const struct dp_capture_record *frame)
{
	struct dp_capture_record cut = *frame;

	for (cut.cap_len = 0; cut.cap_len < frame->cap_len && cut.cap_len < CUT_MAX;
		cut.cap_len++) {
		cut.wire_len = frame->wire_len;
		if (!kernel_agrees(&cut))
			differs(path, number, cut.cap_len);
		cut.wire_len = cut.cap_len;
		if (!kernel_agrees(&cut))
			differs(path, number, cut.cap_len);
	}
}

static bool try_capture(const char *path)
{
	struct dp_capture *capture = NULL;
	struct dp_capture_record frame;
	const uint64_t n_bad = sum.n_bad;
	struct dp_err err;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || dp_capture_open_any(fd, path, &capture, &err) < 0)
		return true; // of a kind that is not read
	for (uint64_t number = 1; capture->ops->next(capture, &frame, 1, &err) > 0; number++) {
		sum.n_frames++;
		if (!kernel_agrees(&frame))
			differs(path, number, frame.cap_len);
		if (number <= FRAMES_CUT)
			try_cuts(path, number, &frame);
		if (sum.n_bad - n_bad > 10)
			break; // it has been said
	}
	capture->ops->close(capture);
	sum.n_captures++;
	return sum.n_bad == n_bad;
}

static bool is_capture(const char *path)
{
	const char *end = strrchr(path, '.');

	return end != NULL && (strcmp(end, ".pcap") == 0 || strcmp(end, ".pcapng") == 0);
}

static int visit(const char *path, const struct stat *, int type, struct FTW *)
{
	if (type == FTW_F && is_capture(path) && !try_capture(path))
		printf("not ok - kernel and user space say the same of %s\n", path);
	return 0;
}

int main(int argc, char **argv)
{
	kernel_open();
	for (int i = 1; i < argc; i++) {
		if (nftw(argv[i], visit, 16, FTW_PHYS) < 0) {
			printf("not ok - %s: %s\n", argv[i], strerror(errno));
			return 1;
		}
	}
	kernel_close();
	printf("%s - kernel and user space say the same of %llu frames of %llu captures\n",
		sum.n_bad == 0 && sum.n_frames > 0 ? "ok" : "not ok",
		(unsigned long long)sum.n_frames, (unsigned long long)sum.n_captures);
	return sum.n_bad == 0 && sum.n_frames > 0 ? 0 : 1;
}
