// SPDX-License-Identifier: BSD-3-Clause
#include "control/sample_addrs.h"

#include "control/addr_hash.h"

#include <glib.h>

static const char *const networks[] = {"240.0.0.0/8", "3fff:0:f000::/36"};

struct ctl_sample_addrs {
	GHashTable *endpoints, *addrs; // struct dp_addr *, owned -> number from 1 on
};

struct ctl_sample_addrs *ctl_sample_addrs_new(void)
{
	struct ctl_sample_addrs *a = g_new0(struct ctl_sample_addrs, 1);

	a->endpoints = g_hash_table_new_full(ctl_addr_hash, ctl_addr_equal, g_free, NULL);
	a->addrs = g_hash_table_new_full(ctl_addr_hash, ctl_addr_equal, g_free, NULL);
	return a;
}

void ctl_sample_addrs_free(struct ctl_sample_addrs *a)
{
	if (a == NULL)
		return;
	g_hash_table_unref(a->endpoints);
	g_hash_table_unref(a->addrs);
	g_free(a);
}

void ctl_sample_addrs_clear(struct ctl_sample_addrs *a)
{
	g_hash_table_remove_all(a->endpoints);
	g_hash_table_remove_all(a->addrs);
}

bool ctl_sample_addrs_is_full(const struct ctl_sample_addrs *a)
{
	return g_hash_table_size(a->endpoints) >= CTL_SAMPLE_ADDRS_MAX ||
		g_hash_table_size(a->addrs) >= CTL_SAMPLE_ADDRS_MAX;
}

static uint32_t number_of(GHashTable *table, const struct dp_addr *addr)
{
	guint n = GPOINTER_TO_UINT(g_hash_table_lookup(table, addr));

	if (n == 0) {
		n = g_hash_table_size(table) + 1;
		g_hash_table_insert(table, g_memdup2(addr, sizeof(*addr)), GUINT_TO_POINTER(n));
	}
	return n;
}

static void put_be(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

struct dp_addr ctl_sample_addrs_get(
	struct ctl_sample_addrs *a, const struct dp_addr *endpoint, const struct dp_addr *addr)
{
	const uint32_t n = number_of(a->endpoints, endpoint);
	struct dp_addr to = {.b = {0x3f, 0xff}};
	uint8_t v4[4];

	if (dp_addr_is_v4(addr)) {
		put_be(v4, 240U << 24 | n);
		return dp_addr_from_v4(v4);
	}
	// The bits that follow the network's first, so that endpoints differ within the shortest prefix
	// that makes one, /48, as long as there are no more than 4095.
	put_be(to.b + 4, 0xfU << 28 | (n & 0xfff) << 16 | n >> 12);
	put_be(to.b + 12, number_of(a->addrs, addr));
	return to;
}

void ctl_sample_addrs_know(struct dp_endpoint_nets *nets)
{
	struct dp_prefix all[DP_NETS_MAX];
	uint16_t n = nets->n_nets;

	memcpy(all, nets->net, n * sizeof(*all));
	for (size_t i = 0; i < G_N_ELEMENTS(networks) && n < DP_NETS_MAX; i++)
		(void)dp_prefix_parse(networks[i], &all[n++]); // constants
	dp_endpoint_nets_init(nets, all, n, nets->ipv6_prefix_len);
}
