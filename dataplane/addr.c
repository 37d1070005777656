// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { V4_OFFSET_BITS = 96 };

int dp_addr_parse(const char *text, struct dp_addr *ret_addr)
{
	uint8_t v4[4];
	struct dp_addr v6;

	if (inet_pton(AF_INET, text, v4) == 1) {
		*ret_addr = dp_addr_from_v4(v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, v6.b) != 1)
		return -EINVAL;
	*ret_addr = v6;
	return 0;
}

static void mask_to(struct dp_addr *a, uint8_t len_bits)
{
	const size_t whole = len_bits / 8;

	if (len_bits >= 128)
		return;
	a->b[whole] &= (uint8_t)(0xff00 >> (len_bits % 8));
	memset(a->b + whole + 1, 0, sizeof(a->b) - whole - 1);
}

int dp_prefix_parse(const char *text, struct dp_prefix *ret_prefix)
{
	const char *slash = strchr(text, '/');
	char addr_text[DP_ADDR_STRLEN];
	struct dp_prefix p;
	struct dp_addr masked;

	if (slash == NULL)
		slash = text + strlen(text);
	if ((size_t)(slash - text) >= sizeof(addr_text))
		return -EINVAL;
	memcpy(addr_text, text, (size_t)(slash - text));
	addr_text[slash - text] = '\0';
	if (dp_addr_parse(addr_text, &p.addr) < 0)
		return -EINVAL;

	// An IPv4-mapped text ("::ffff:1.2.3.4/100") counts its bits as IPv6 does.
	const bool is_v4 = strchr(addr_text, ':') == NULL;
	const unsigned int max = is_v4 ? 32 : 128;
	unsigned long len = max;

	if (*slash == '/') {
		char *end;

		if (slash[1] < '0' || slash[1] > '9')
			return -EINVAL;
		len = strtoul(slash + 1, &end, 10);
		if (*end != '\0')
			return -EINVAL;
		if (len > max)
			return -ERANGE;
	}
	p.len = (uint8_t)(is_v4 ? V4_OFFSET_BITS + len : len);
	masked = p.addr;
	mask_to(&masked, p.len);
	if (dp_addr_cmp(&masked, &p.addr) != 0)
		return -EDOM;
	*ret_prefix = p;
	return 0;
}

char *dp_addr_format(const struct dp_addr *a, char *buf)
{
	if (dp_addr_is_v4(a))
		(void)inet_ntop(AF_INET, a->b + 12, buf, DP_ADDR_STRLEN);
	else
		(void)inet_ntop(AF_INET6, a->b, buf, DP_ADDR_STRLEN);
	return buf;
}

char *dp_endpoint_format(const struct dp_addr *a, uint8_t ipv6_prefix_len, char *buf)
{
	dp_addr_format(a, buf);
	if (!dp_addr_is_v4(a) && ipv6_prefix_len < 128) {
		const size_t len = strlen(buf);

		(void)snprintf(buf + len, DP_ADDR_STRLEN + 4 - len, "/%u", ipv6_prefix_len);
	}
	return buf;
}

bool dp_prefix_contains(const struct dp_prefix *p, const struct dp_addr *a)
{
	const uint64_t high = dp_addr_half(&p->addr, 0) ^ dp_addr_half(a, 0);
	const uint64_t low = dp_addr_half(&p->addr, 1) ^ dp_addr_half(a, 1);

	// For each packet and network: two loads and a shift instead of a call.
	if (p->len <= 64)
		return p->len == 0 || high >> (64 - p->len) == 0;
	return high == 0 && low >> (128 - p->len) == 0;
}
