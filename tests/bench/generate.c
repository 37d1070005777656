// SPDX-License-Identifier: BSD-3-Clause

/* Traffic as a capture file (pcap, nanoseconds): subscribers that behave, and floods among them.
 * Made as fast as a disk or a pipe takes it; the same options give the same bytes. */

#include "tests/lib/flood.h"
#include "tests/lib/traffic.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum { OUT_BYTES = 1 << 20, RECORD_BYTES = 16, FRAME_MAX = 2048, QUIC_MIN = 1200 };
static const uint64_t NS_PER_S = 1000000000;
static const uint64_t FLOOD_LATER_NS = 3000000000; // a tick or two in which nobody disturbs
static const uint64_t BEGIN_S = 1772740800; // 2026-03-05T20:00:00Z
static_assert(FRAME_MAX >= (int)TRAFFIC_FRAME_MAX && FRAME_MAX >= (int)FLOOD_FRAME_MAX);

static const char help_text[] =
	"usage: generate [OPTION...] FILE\n"
	"\n"
	"Writes a capture of made-up traffic to FILE, - for the standard output.\n"
	"\n"
	"  --frames N        how many (1M)\n"
	"  --rate N          frames a second of the capture's time (100k)\n"
	"  --subscribers N   at most 4M (1000)\n"
	"  --first N         number of the first subscriber: others than another capture's (0)\n"
	"  --flows N         of each subscriber at a time (4)\n"
	"  --flow-packets N  packets of data of a flow, on average; 0: flows do not end (40)\n"
	"  --begun           flows began long before: data from the first packet on, TCP and QUIC\n"
	"  --acks            TCP carries acknowledgements, QUIC the data: who is given the capture again\n"
	"                    and again sees no segment twice\n"
	"  --ipv6 PERCENT    of subscribers (25)\n"
	"  --vlan            uplink and downlink on VLANs of their own\n"
	"  --gtpu            in GTP-U, uplink and downlink with TEIDs of their own\n"
	"  --quic CAPTURE    some flows begin with the first packet of QUIC in CAPTURE\n"
	"  --flood SHAPES    names from --shapes with commas between them, or all\n"
	"  --share PERCENT   of frames that belong to a flood, 3 s after every flow has begun (90)\n"
	"  --snaplen N       bytes of a frame that are kept (65535)\n"
	"  --seed N          other traffic of the same kind (1)\n"
	"  --truth FILE      write there what was sent: a line of JSON for each flow of a subscriber,\n"
	"                    and one for all\n"
	"  --shapes          print the floods that there are\n"
	"  --help            this text\n"
	"\n"
	"A number may end with k or M. Exit codes: 0 success; 1 a file cannot be read or written;\n"
	"2 usage error.\n";

struct options {
	uint64_t n_frames, rate, seed, first, n_subscribers, n_flows, n_flow_packets, ipv6, share,
		snaplen;
	bool is_vlan, is_gtpu, is_begun, is_acks;
	const char *quic, *truth, *out;
	enum flood_shape shapes[FLOOD_COUNT];
	uint32_t n_shapes;
};

static struct options opt = {
	.n_frames = 1000000,
	.rate = 100000,
	.seed = 1,
	.n_subscribers = 1000,
	.n_flows = 4,
	.n_flow_packets = 40,
	.ipv6 = 25,
	.share = 90,
	.snaplen = 65535,
};

enum {
	OPT_HELP = 256,
	OPT_SHAPES,
	OPT_FLOOD,
	OPT_QUIC,
	OPT_TRUTH,
	OPT_VLAN,
	OPT_GTPU,
	OPT_BEGUN,
	OPT_ACKS,
	OPT_NUMBER // and those behind it: numbers[]
};

static const struct {
	uint64_t *value, min, max;
} numbers[] = {
	{&opt.n_frames, 1, UINT64_MAX},
	{&opt.rate, 1, 1000000000},
	{&opt.n_subscribers, 1, TRAFFIC_SUBSCRIBERS_MAX},
	{&opt.n_flows, 1, TRAFFIC_FLOWS_MAX},
	{&opt.n_flow_packets, 0, 1000000000},
	{&opt.ipv6, 0, 100},
	{&opt.share, 0, 100},
	{&opt.snaplen, 14, 65535},
	{&opt.seed, 0, UINT64_MAX},
	{&opt.first, 0, TRAFFIC_SUBSCRIBERS_MAX - 1},
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"shapes", no_argument, NULL, OPT_SHAPES},
	{"flood", required_argument, NULL, OPT_FLOOD},
	{"quic", required_argument, NULL, OPT_QUIC},
	{"truth", required_argument, NULL, OPT_TRUTH},
	{"vlan", no_argument, NULL, OPT_VLAN},
	{"gtpu", no_argument, NULL, OPT_GTPU},
	{"acks", no_argument, NULL, OPT_ACKS},
	{"begun", no_argument, NULL, OPT_BEGUN},
	{"frames", required_argument, NULL, OPT_NUMBER},
	{"rate", required_argument, NULL, OPT_NUMBER + 1},
	{"subscribers", required_argument, NULL, OPT_NUMBER + 2},
	{"flows", required_argument, NULL, OPT_NUMBER + 3},
	{"flow-packets", required_argument, NULL, OPT_NUMBER + 4},
	{"ipv6", required_argument, NULL, OPT_NUMBER + 5},
	{"share", required_argument, NULL, OPT_NUMBER + 6},
	{"snaplen", required_argument, NULL, OPT_NUMBER + 7},
	{"seed", required_argument, NULL, OPT_NUMBER + 8},
	{"first", required_argument, NULL, OPT_NUMBER + 9},
	{NULL},
};

static struct {
	int fd;
	size_t n;
	uint8_t bytes[OUT_BYTES];
} out;

static struct flood flood;

_Noreturn static void die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("generate: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	exit(status);
}

/* --- options ----------------------------------------------------------------------------------- */

static void set_number(unsigned int i, const char *name, const char *text)
{
	char *end;
	uint64_t n, unit = 1;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end == 'k' || *end == 'M')
		unit = *end++ == 'k' ? 1000 : 1000000;
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || n > UINT64_MAX / unit ||
		n * unit < numbers[i].min || n * unit > numbers[i].max)
		die(2, "--%s '%s', expected a number from %llu to %llu", name, text,
			(unsigned long long)numbers[i].min, (unsigned long long)numbers[i].max);
	*numbers[i].value = n * unit;
}

static void add_shape(const char *name, size_t len)
{
	bool is_found = false;

	for (int i = 0; i < FLOOD_COUNT; i++) {
		const bool is_it = strlen(flood_names[i]) == len &&
			strncmp(flood_names[i], name, len) == 0;

		if (!is_it && !(len == 3 && strncmp(name, "all", 3) == 0))
			continue;
		if (opt.n_shapes == FLOOD_COUNT)
			die(2, "--flood names more than the %d shapes that there are", FLOOD_COUNT);
		opt.shapes[opt.n_shapes++] = (enum flood_shape)i;
		is_found = true;
	}
	if (!is_found)
		die(2, "--flood '%.*s', expected a name that --shapes prints, or all", (int)len,
			name);
}

static void print_shapes(void)
{
	for (int i = 0; i < FLOOD_COUNT; i++)
		(void)printf("%-18s %s\n", flood_names[i], flood_help[i]);
	exit(fflush(stdout) == 0 ? 0 : 1);
}

static void set_option(int c, int idx, char *const argv[])
{
	switch (c) {
	case OPT_HELP:
		(void)fputs(help_text, stdout);
		exit(fflush(stdout) == 0 ? 0 : 1);
	case OPT_SHAPES:
		print_shapes();
		break;
	case OPT_FLOOD:
		for (const char *p = optarg;; p += strcspn(p, ",") + 1) {
			add_shape(p, strcspn(p, ","));
			if (p[strcspn(p, ",")] == '\0')
				break;
		}
		break;
	case OPT_QUIC:
		opt.quic = optarg;
		break;
	case OPT_TRUTH:
		opt.truth = optarg;
		break;
	case OPT_VLAN:
		opt.is_vlan = true;
		break;
	case OPT_GTPU:
		opt.is_gtpu = true;
		break;
	case OPT_BEGUN:
		opt.is_begun = true;
		break;
	case OPT_ACKS:
		opt.is_acks = true;
		break;
	case '?':
	case ':':
		die(2, "'%s', expected an option that --help names, with its argument",
			argv[optind - 1]);
	default:
		set_number((unsigned int)(c - OPT_NUMBER), long_options[idx].name, optarg);
		break;
	}
}

static void parse(int argc, char *argv[])
{
	int c, idx = 0;

	while ((c = getopt_long(argc, argv, ":", long_options, &idx)) != -1)
		set_option(c, idx, argv);
	if (argc - optind != 1)
		die(2, "%d files given, expected one to write, or - (see --help)", argc - optind);
	if (opt.first + opt.n_subscribers > TRAFFIC_SUBSCRIBERS_MAX)
		die(2, "subscribers from %llu to %llu, expected at most %d",
			(unsigned long long)opt.first,
			(unsigned long long)(opt.first + opt.n_subscribers),
			TRAFFIC_SUBSCRIBERS_MAX);
	opt.out = argv[optind];
}

/* --- the first packet of QUIC -------------------------------------------------------------------- */

/* The payload of a datagram to port 443 that is long enough to be it (RFC 9000 14.1), or NULL. */
static const uint8_t *initial_of(const uint8_t *frame, size_t len, size_t *ret_len)
{
	const size_t l4_off = len > 34 && frame[12] == 0x08 ? 34 : 54; // no options

	if (len < l4_off + 8 + QUIC_MIN || frame[l4_off == 34 ? 23 : 20] != 17 ||
		frame[l4_off + 2] << 8 != 0x100 || frame[l4_off + 3] != 0xbb ||
		(frame[l4_off + 8] & 0xf0) != 0xc0)
		return NULL;
	*ret_len = len - l4_off - 8;
	return frame + l4_off + 8;
}

static void read_quic(struct traffic_config *config)
{
	static uint8_t initial[2048];
	char err[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr h;
	const uint8_t *frame, *payload = NULL;
	size_t len = 0;
	pcap_t *pcap = pcap_open_offline(opt.quic, err);

	if (pcap == NULL)
		die(1, "cannot read '%s': %s", opt.quic, err);
	while (payload == NULL && (frame = pcap_next(pcap, &h)) != NULL)
		payload = initial_of(frame, h.caplen, &len);
	if (payload == NULL || len > sizeof(initial))
		die(1, "'%s' has no first packet of QUIC in Ethernet and IP", opt.quic);
	memcpy(initial, payload, len);
	config->quic = initial;
	config->quic_len = len;
	pcap_close(pcap);
}

/* --- writing ------------------------------------------------------------------------------------ */

static void write_out(void)
{
	for (size_t done = 0; done < out.n;) {
		const ssize_t n = write(out.fd, out.bytes + done, out.n - done);

		if (n < 0 && errno != EINTR)
			die(1, "cannot write '%s': %s", opt.out, strerror(errno));
		done += n < 0 ? 0 : (size_t)n;
	}
	out.n = 0;
}

static void put_native_32(uint8_t *p, uint64_t v)
{
	const uint32_t n = (uint32_t)v;

	memcpy(p, &n, sizeof(n));
}

static void write_header(void)
{
	put_native_32(out.bytes, 0xa1b23c4d); // nanoseconds, in our byte order
	put_native_32(out.bytes + 4, 4 << 16 | 2);
	put_native_32(out.bytes + 8, 0);
	put_native_32(out.bytes + 12, 0);
	put_native_32(out.bytes + 16, opt.snaplen);
	put_native_32(out.bytes + 20, 1); // Ethernet
	out.n = 24;
}

/* The frame stands behind the place of its record's header already. */
static void finish_record(uint64_t time_ns, size_t cap_len, size_t wire_len)
{
	uint8_t *p = out.bytes + out.n;

	cap_len = cap_len < opt.snaplen ? cap_len : opt.snaplen;
	put_native_32(p, BEGIN_S + time_ns / NS_PER_S);
	put_native_32(p + 4, time_ns % NS_PER_S);
	put_native_32(p + 8, cap_len);
	put_native_32(p + 12, wire_len);
	out.n += RECORD_BYTES + cap_len;
	if (out.n > sizeof(out.bytes) - RECORD_BYTES - FRAME_MAX)
		write_out();
}

/* Every flow has said what it is before the first frame of a flood, and is known for a while. */
static bool is_flooded(uint64_t i)
{
	return opt.n_shapes > 0 && i >= opt.n_subscribers * opt.n_flows * TRAFFIC_BEGINNING;
}

static uint64_t write_frames(struct traffic *t)
{
	uint64_t n_floods = 0, wire_bytes = 0;

	for (uint64_t i = 0; i < opt.n_frames; i++) {
		uint8_t *frame = out.bytes + out.n + RECORD_BYTES;
		const uint64_t time_ns = i * NS_PER_S / opt.rate +
			(is_flooded(i) ? FLOOD_LATER_NS : 0);
		struct flood_frame hostile;

		// Of 100 frames `share`, spread evenly, the shapes in turn.
		if (!is_flooded(i) || i % 100 * opt.share % 100 >= opt.share) {
			hostile.cap_len = hostile.wire_len = (uint32_t)traffic_next(t, frame);
		} else {
			flood_next(&flood, opt.shapes[n_floods++ % opt.n_shapes], &hostile);
			memcpy(frame, hostile.bytes, hostile.cap_len);
		}
		wire_bytes += hostile.wire_len;
		finish_record(time_ns, hostile.cap_len, hostile.wire_len);
	}
	write_out();
	return wire_bytes;
}

static void open_out(void)
{
	out.fd = strcmp(opt.out, "-") == 0
		? STDOUT_FILENO
		: open(opt.out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out.fd < 0)
		die(1, "cannot write '%s': %s", opt.out, strerror(errno));
}

static struct traffic *make_traffic(FILE *truth)
{
	struct traffic_config config = {
		.seed = opt.seed,
		.first_subscriber = (uint32_t)opt.first,
		.n_subscribers = (uint32_t)opt.n_subscribers,
		.n_flows = (uint32_t)opt.n_flows,
		.n_flow_packets = (uint32_t)opt.n_flow_packets,
		.ipv6_percent = (unsigned int)opt.ipv6,
		.is_vlan = opt.is_vlan,
		.is_gtpu = opt.is_gtpu,
		.is_begun = opt.is_begun,
		.has_acks_only = opt.is_acks,
		.truth = truth,
	};
	struct traffic *t;

	if (opt.quic != NULL)
		read_quic(&config);
	t = traffic_new(&config);
	if (t == NULL)
		die(1, "no memory for %llu flows of each of %llu subscribers",
			(unsigned long long)opt.n_flows, (unsigned long long)opt.n_subscribers);
	return t;
}

int main(int argc, char *argv[])
{
	FILE *truth = NULL;
	struct traffic *t;
	uint64_t wire_bytes;

	parse(argc, argv);
	if (opt.truth != NULL && (truth = fopen(opt.truth, "we")) == NULL)
		die(1, "cannot write '%s': %s", opt.truth, strerror(errno));
	t = make_traffic(truth);
	open_out();
	flood_init(&flood, opt.seed);
	write_header();
	wire_bytes = write_frames(t);
	traffic_write_rest(t);
	traffic_free(t);
	if (truth == NULL)
		return 0;
	(void)fprintf(truth, "{\"frames\":%llu,\"wire_bytes\":%llu}\n",
		(unsigned long long)opt.n_frames, (unsigned long long)wire_bytes);
	if (fclose(truth) != 0)
		die(1, "cannot write '%s': %s", opt.truth, strerror(errno));
	return 0;
}
