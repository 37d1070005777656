// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/duplicates.h"

#include "dataplane/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	BLOCK = 16, // bytes that one multiplication takes in
	KEY_WORDS = DP_DUPLICATES_BYTES / 8,
	IP_HEADER_MIN = 20,
	NUMBERS_LEFT = 2000, // before they wrap for the first time: soon, not in a year
	EXPIRE_MAX = 2, // of one packet, so that no pause of the traffic makes one packet dear
};

/* What a hop may change, cleared in the first bytes of the header. */
static const uint8_t ipv4_kept[BLOCK] = {0xff, 0, // DSCP and ECN, RFC 2474, RFC 3168
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, // Time to Live, RFC 791 3.1
	0xff, 0, 0, // Header Checksum
	0xff, 0xff, 0xff, 0xff};
static const uint8_t ipv6_kept[BLOCK] = {0xf0, 0x0f, // Traffic Class, RFC 8200 3
	0xff, 0xff, 0xff, 0xff, 0xff, 0, // Hop Limit
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Packets in order of arrival, each on the chain of its bucket behind the one before it there. So a
 * packet is forgotten when its time is over, and never because of where it fell: what is seen does
 * not depend on the key. Numbers wrap; what is not among the last n_live is no packet any more. */
struct entry {
	uint64_t fingerprint;
	uint64_t time_ns;
	uint32_t before; // number of the packet before it in this bucket
};

struct dp_duplicates {
	uint64_t key[KEY_WORDS];
	unsigned __int128 fold[4];
	uint64_t window_ns;
	uint64_t n_forgotten;
	struct entry *ring;
	uint32_t *buckets; // number of the packet that came last
	uint32_t mask; // of both
	uint32_t next; // number of the packet to come
	uint32_t n_live;
};

/* The proofs below want all of it random. Without entropy yet, at boot, what dp_hash_key has. */
static void draw(void *key, size_t size)
{
	uint64_t *words = key;

	if (getrandom(key, size, GRND_NONBLOCK) == (ssize_t)size)
		return;
	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = dp_hash_mix(i, size);
}

int dp_duplicates_new(uint32_t n_entries, uint64_t window_ns, struct dp_duplicates **ret_duplicates)
{
	struct dp_duplicates *d = aligned_alloc(64, (sizeof(*d) + 63) / 64 * 64);
	uint32_t n = 16;

	if (d == NULL)
		return -ENOMEM;
	while (n < n_entries && n < UINT32_C(1) << 31)
		n *= 2;
	*d = (struct dp_duplicates){
		.window_ns = window_ns, .mask = n - 1, .next = 0U - NUMBERS_LEFT};
	draw(d->key, sizeof(d->key));
	draw(d->fold, sizeof(d->fold));
	d->ring = aligned_alloc(64, n * sizeof(*d->ring));
	d->buckets = aligned_alloc(64, n * sizeof(*d->buckets));
	if (d->ring == NULL || d->buckets == NULL) {
		dp_duplicates_free(d);
		return -ENOMEM;
	}
	memset(d->ring, 0, n * sizeof(*d->ring)); // had now, or not at all
	memset(d->buckets, 0, n * sizeof(*d->buckets));
	*ret_duplicates = d;
	return 0;
}

void dp_duplicates_free(struct dp_duplicates *d)
{
	if (d == NULL)
		return;
	free(d->ring);
	free(d->buckets);
	free(d);
}

static unsigned __int128 mix(const uint64_t key[2], const uint8_t *block)
{
	uint64_t w[2];

	memcpy(w, block, sizeof(w));
	return (unsigned __int128)(w[0] + key[0]) * (w[1] + key[1]);
}

/* Two packets that differ meet with a chance of 2^-63, whoever chose them, as long as he does not
 * know the key: NH over the bytes (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, CRYPTO '99:
 * 2^-64 for packets of one length), folded with the length by multiply-shift (Dietzfelbinger 1996;
 * Thorup, High Speed Hashing for Integers and Strings: 2^-64). */
static uint64_t fingerprint_of(const struct dp_duplicates *d, const uint8_t *l3, uint32_t l3_len)
{
	const uint8_t *kept = l3[0] >> 4 == 6 ? ipv6_kept : ipv4_kept;
	const uint32_t len = l3_len < DP_DUPLICATES_BYTES ? l3_len : DP_DUPLICATES_BYTES;
	uint8_t block[BLOCK];
	unsigned __int128 sum;
	uint32_t i;

	for (i = 0; i < BLOCK; i++)
		block[i] = l3[i] & kept[i];
	sum = mix(d->key, block);
	for (; len - i >= BLOCK; i += BLOCK)
		sum += mix(d->key + i / 8, l3 + i);
	if (i < len) {
		memset(block, 0, sizeof(block));
		memcpy(block, l3 + i, len - i);
		sum += mix(d->key + i / 8, block);
	}
	return (uint64_t)((d->fold[0] * (uint64_t)sum + d->fold[1] * (uint64_t)(sum >> 64) +
				  d->fold[2] * len + d->fold[3]) >>
		64);
}

static struct entry *entry_of(const struct dp_duplicates *d, uint32_t number)
{
	return &d->ring[number & d->mask];
}

static bool is_over(const struct dp_duplicates *d, const struct entry *e, uint64_t now_ns)
{
	return now_ns - e->time_ns > d->window_ns;
}

static void expire(struct dp_duplicates *d, uint64_t now_ns)
{
	for (unsigned int i = 0; i < EXPIRE_MAX && d->n_live > 0; i++) {
		if (!is_over(d, entry_of(d, d->next - d->n_live), now_ns))
			return;
		d->n_live--;
	}
}

static const struct entry *find(const struct dp_duplicates *d, uint64_t fingerprint)
{
	uint32_t age = d->next - d->buckets[fingerprint & d->mask], before = 0;

	// Each is older than the one before: a number that has wrapped leads nowhere.
	while (age > before && age <= d->n_live) {
		const struct entry *e = entry_of(d, d->next - age);

		if (e->fingerprint == fingerprint)
			return e;
		before = age;
		age = d->next - e->before;
	}
	return NULL;
}

static void remember(struct dp_duplicates *d, uint64_t fingerprint, uint64_t now_ns)
{
	uint32_t *bucket = &d->buckets[fingerprint & d->mask];

	if (d->n_live > d->mask)
		d->n_forgotten++; // expire() has let it stay
	else
		d->n_live++;
	*entry_of(d, d->next) = (struct entry){
		.fingerprint = fingerprint, .time_ns = now_ns, .before = *bucket};
	*bucket = d->next++;
}

bool dp_duplicates_seen(struct dp_duplicates *d, const struct dp_pkt *pkt, const uint8_t *l3)
{
	const struct entry *e;
	uint64_t fingerprint;

	if (pkt->l3_len < IP_HEADER_MIN)
		return false;
	expire(d, pkt->time_ns);
	fingerprint = fingerprint_of(d, l3, pkt->l3_len);
	e = find(d, fingerprint);
	if (e != NULL && !is_over(d, e, pkt->time_ns))
		return true;
	remember(d, fingerprint, pkt->time_ns);
	return false;
}

uint64_t dp_duplicates_forgotten(const struct dp_duplicates *d)
{
	return d->n_forgotten;
}
