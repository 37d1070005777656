// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/addr.h"

#include <stdlib.h>

typedef unsigned __int128 number; // an address as one

struct range {
	number low, high;
};

static const number V4_LOW = (number)0xffff << 32, V4_HIGH = V4_LOW | UINT32_MAX;

static number number_of(const struct dp_addr *a)
{
	return (number)dp_addr_half(a, 0) << 64 | dp_addr_half(a, 1);
}

static struct range range_of(const struct dp_prefix *p)
{
	const number behind = p->len == 0 ? ~(number)0 : ((number)1 << (128 - p->len)) - 1;
	const number low = number_of(&p->addr) & ~behind;

	return (struct range){low, low | behind};
}

static int by_low(const void *left, const void *right)
{
	const struct range *a = left, *b = right;

	return a->low < b->low ? -1 : a->low > b->low;
}

/* What of the prefixes lies between low and high, ascending, overlaps joined. Returns how many. */
static unsigned int cut_out(
	const struct dp_endpoint_nets *nets, number low, number high, struct range *ret_ranges)
{
	unsigned int n = 0, n_joined = 0;

	for (uint16_t i = 0; i < nets->n_nets; i++) {
		struct range r = range_of(&nets->net[i]);

		if (r.high < low || r.low > high)
			continue;
		r.low = r.low < low ? low : r.low;
		r.high = r.high > high ? high : r.high;
		ret_ranges[n++] = r;
	}
	qsort(ret_ranges, n, sizeof(*ret_ranges), by_low);
	for (unsigned int i = 0; i < n; i++) {
		struct range *last = &ret_ranges[n_joined - (n_joined > 0)];

		if (n_joined == 0 || ret_ranges[i].low > last->high)
			ret_ranges[n_joined++] = ret_ranges[i];
		else if (ret_ranges[i].high > last->high)
			last->high = ret_ranges[i].high;
	}
	return n_joined;
}

/* How much of a range with these ends there is, of the addresses alike but for `bits` at their end. */
static uint8_t share(const struct range *r, number low, unsigned int bits)
{
	const number high = low | (((number)1 << bits) - 1);

	if (r->high < low || r->low > high)
		return DP_NETS_NONE;
	return r->low <= low && r->high >= high ? DP_NETS_ALL : DP_NETS_SOME;
}

/* base: an address whose first byte stands at first_bit. */
static void fill_bytes(const struct range *ranges, unsigned int n, number base,
	unsigned int first_bit, struct dp_range_slot slots[256], uint8_t firsts[256])
{
	for (unsigned int byte = 0; byte < 256; byte++) {
		for (unsigned int i = 0; i < n; i++) {
			const uint8_t s = share(
				&ranges[i], base | (number)byte << first_bit, first_bit);

			if (s == DP_NETS_NONE)
				continue;
			if (slots[byte].end == 0)
				slots[byte].begin = (uint8_t)i;
			slots[byte].end = (uint8_t)(i + 1);
			firsts[byte] = s;
		}
	}
}

/* Of the first bytes that do not tell, the second one; as far as there is room. */
static void fill_seconds(const struct range *ranges, unsigned int n, struct dp_endpoint_nets *nets)
{
	const unsigned int last = DP_NETS_SOME + DP_NETS_SECONDS - 1;
	unsigned int row = DP_NETS_SOME;

	memset(nets->second4[DP_NETS_ALL], DP_NETS_ALL, sizeof(nets->second4[0]));
	memset(nets->second4[last], DP_NETS_SOME, sizeof(nets->second4[0]));
	for (unsigned int byte = 0; byte < 256; byte++) {
		if (nets->first4[byte] != DP_NETS_SOME)
			continue;
		nets->first4[byte] = (uint8_t)row;
		if (row == last)
			continue;
		for (unsigned int second = 0; second < 256; second++) {
			const number low = V4_LOW | byte << 24 | second << 16;

			for (unsigned int i = nets->slot4[byte].begin; i < nets->slot4[byte].end;
				i++)
				nets->second4[row][second] |= share(&ranges[i], low, 16);
		}
		row++;
	}
}

void dp_endpoint_nets_init(struct dp_endpoint_nets *nets, const struct dp_prefix *net,
	uint16_t n_nets, uint8_t ipv6_prefix_len)
{
	struct range ranges[DP_NETS_MAX];
	unsigned int n;

	assert(n_nets <= DP_NETS_MAX);
	memset(nets, 0, sizeof(*nets)); // what is between the fields, too
	if (n_nets > 0)
		memcpy(nets->net, net, n_nets * sizeof(*net));
	nets->n_nets = n_nets;
	nets->ipv6_prefix_len = ipv6_prefix_len;
	for (unsigned int bit = 0; bit < ipv6_prefix_len; bit++)
		nets->mask6.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);

	n = cut_out(nets, V4_LOW, V4_HIGH, ranges);
	fill_bytes(ranges, n, V4_LOW, 24, nets->slot4, nets->first4);
	fill_seconds(ranges, n, nets);
	for (unsigned int i = 0; i < n; i++)
		nets->range4[i] = (struct dp_range4){
			(uint32_t)ranges[i].low, (uint32_t)(ranges[i].high - ranges[i].low)};

	n = cut_out(nets, 0, ~(number)0, ranges);
	fill_bytes(ranges, n, 0, 120, nets->slot6, nets->first6);
	nets->first6[0] = DP_NETS_SOME;
	for (unsigned int i = 0; i < n; i++) {
		const number low = ranges[i].low, span = ranges[i].high - low;

		nets->range6[i] = (struct dp_range6){{(uint64_t)(low >> 64), (uint64_t)low},
			{(uint64_t)(span >> 64), (uint64_t)span}};
	}
}

void dp_endpoint_nets_default(struct dp_endpoint_nets *ret_nets)
{
	static const char *const texts[] = {
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"};
	enum { N_NETS = sizeof(texts) / sizeof(texts[0]) };
	struct dp_prefix nets[N_NETS];

	for (size_t i = 0; i < N_NETS; i++)
		(void)dp_prefix_parse(texts[i], &nets[i]); // constants
	dp_endpoint_nets_init(ret_nets, nets, N_NETS, 64);
}

static bool is_in_range4(const struct dp_endpoint_nets *nets, uint32_t addr)
{
	const struct dp_range_slot slot = nets->slot4[addr >> 24];
	unsigned int begin = slot.begin, end = slot.end;

	while (end - begin > 1) { // at most six times
		const unsigned int i = (begin + end) / 2;

		if (addr >= nets->range4[i].low)
			begin = i;
		else
			end = i;
	}
	return addr - nets->range4[begin].low <= nets->range4[begin].span;
}

static number whole(const uint64_t halves[2])
{
	return (number)halves[0] << 64 | halves[1];
}

static bool is_in_range6(const struct dp_endpoint_nets *nets, const struct dp_addr *a)
{
	const struct dp_range_slot slot = nets->slot6[a->b[0]];
	const number addr = number_of(a);
	unsigned int begin = slot.begin, end = slot.end;

	if (begin == end) // of the byte 0
		return false;
	while (end - begin > 1) {
		const unsigned int i = (begin + end) / 2;

		if (addr >= whole(nets->range6[i].low))
			begin = i;
		else
			end = i;
	}
	return addr - whole(nets->range6[begin].low) <= whole(nets->range6[begin].span);
}

bool dp_nets_have6(const struct dp_endpoint_nets *nets, const struct dp_addr *a)
{
	const unsigned int have = nets->first6[a->b[0]];

	return have == DP_NETS_SOME ? is_in_range6(nets, a) : have == DP_NETS_ALL;
}

static inline bool have(const struct dp_endpoint_nets *nets, const struct dp_addr *a, bool is_v4)
{
	unsigned int have;

	if (!is_v4)
		return dp_nets_have6(nets, a);
	have = dp_nets_have4(nets, a->b + 12);
	return have == DP_NETS_SOME ? is_in_range4(nets, (uint32_t)dp_addr_half(a, 1))
				    : have == DP_NETS_ALL;
}

struct dp_endpoint dp_endpoint_of(
	const struct dp_endpoint_nets *nets, const struct dp_addr *src, const struct dp_addr *dst)
{
	const bool src_is_v4 = dp_addr_is_v4(src), dst_is_v4 = dp_addr_is_v4(dst);
	const bool src_in = have(nets, src, src_is_v4), dst_in = have(nets, dst, dst_is_v4);
	struct dp_endpoint e = {.is_src = src_in, .is_ambiguous = src_in == dst_in};

	if (e.is_ambiguous)
		e.is_src = number_of(src) <= number_of(dst);
	e.addr = e.is_src ? *src : *dst;
	if (!(e.is_src ? src_is_v4 : dst_is_v4))
		dp_addr_mask(&e.addr, &nets->mask6);
	return e;
}
