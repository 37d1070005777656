// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/quic_keys.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum {
	HASH_BYTES = 32, // SHA-256
	BLOCK_BYTES = 64, // its block, RFC 2104 2
	KEY_BYTES = 16,
	IV_BYTES = 12,
	SAMPLE_BYTES = 16, // RFC 9001 5.4.2
	SAMPLE_OFF = 4, // behind the longest packet number
	PN_BYTES_MAX = 4,
	MESSAGE_MAX = 40, // longest that is authenticated below: label and counter
	CACHE_SLOTS = 16, // power of 2; start value
};

struct secrets {
	uint8_t key[KEY_BYTES];
	uint8_t iv[IV_BYTES];
	uint8_t hp[KEY_BYTES];
};

/* A hello over several packets: the keys are derived for the first. */
struct slot {
	const struct cls_quic_version *version; // NULL: empty
	struct cls_quic_cid cid;
	struct secrets secrets;
};

struct cls_quic_keys {
	EVP_MD *sha256;
	EVP_CIPHER *gcm, *ecb;
	EVP_MD_CTX *hash;
	EVP_CIPHER_CTX *aead, *mask;
	const struct slot *loaded; // whose keys are in aead and mask; NULL: none
	struct slot slots[CACHE_SLOTS];
};

struct cls_quic_keys *cls_quic_keys_new(void)
{
	struct cls_quic_keys *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	k->gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	k->ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	k->hash = EVP_MD_CTX_new();
	k->aead = EVP_CIPHER_CTX_new();
	k->mask = EVP_CIPHER_CTX_new();
	if (k->sha256 == NULL || k->gcm == NULL || k->ecb == NULL || k->hash == NULL ||
		k->aead == NULL || k->mask == NULL ||
		EVP_DecryptInit_ex2(k->aead, k->gcm, NULL, NULL, NULL) != 1 ||
		EVP_EncryptInit_ex2(k->mask, k->ecb, NULL, NULL, NULL) != 1 ||
		EVP_CIPHER_CTX_set_padding(k->mask, 0) != 1) {
		cls_quic_keys_free(k);
		return NULL;
	}
	return k;
}

void cls_quic_keys_free(struct cls_quic_keys *k)
{
	if (k == NULL)
		return;
	EVP_CIPHER_CTX_free(k->mask);
	EVP_CIPHER_CTX_free(k->aead);
	EVP_MD_CTX_free(k->hash);
	EVP_CIPHER_free(k->ecb);
	EVP_CIPHER_free(k->gcm);
	EVP_MD_free(k->sha256);
	free(k);
}

/* HMAC-SHA-256 (RFC 2104) out of two digests, as EVP_MAC takes twice as long to be given a key.
 * key_len <= HASH_BYTES, len <= MESSAGE_MAX. */
static bool hmac(struct cls_quic_keys *k, const uint8_t *key, size_t key_len,
	const uint8_t *message, size_t len, uint8_t ret[HASH_BYTES])
{
	uint8_t inner[BLOCK_BYTES + MESSAGE_MAX], outer[BLOCK_BYTES + HASH_BYTES];

	memset(inner, 0x36, BLOCK_BYTES);
	memset(outer, 0x5c, BLOCK_BYTES);
	for (size_t i = 0; i < key_len; i++) {
		inner[i] ^= key[i];
		outer[i] ^= key[i];
	}
	memcpy(inner + BLOCK_BYTES, message, len);
	return EVP_DigestInit_ex2(k->hash, k->sha256, NULL) == 1 &&
		EVP_DigestUpdate(k->hash, inner, BLOCK_BYTES + len) == 1 &&
		EVP_DigestFinal_ex(k->hash, outer + BLOCK_BYTES, NULL) == 1 &&
		EVP_DigestInit_ex2(k->hash, k->sha256, NULL) == 1 &&
		EVP_DigestUpdate(k->hash, outer, sizeof(outer)) == 1 &&
		EVP_DigestFinal_ex(k->hash, ret, NULL) == 1;
}

/* HKDF-Expand-Label (RFC 8446 7.1) without a context, of at most one hash. */
static bool expand(struct cls_quic_keys *k, const uint8_t secret[HASH_BYTES], const char *label,
	size_t n, uint8_t *ret)
{
	const size_t label_len = strlen(label);
	uint8_t info[MESSAGE_MAX] = {0, (uint8_t)n, (uint8_t)label_len}, hash[HASH_BYTES];
	size_t len = 3;

	memcpy(info + len, label, label_len);
	len += label_len;
	info[len++] = 0; // length of the context
	info[len++] = 1; // RFC 5869 2.3, the number of the first block
	if (!hmac(k, secret, HASH_BYTES, info, len, hash))
		return false;
	memcpy(ret, hash, n);
	return true;
}

/* RFC 9001 5.2 and 5.1, RFC 9369 3.3.2. */
static bool derive(struct cls_quic_keys *k, const struct cls_quic_version *version,
	const struct cls_quic_cid *cid, struct secrets *ret)
{
	const bool is_v2 = version->is_v2;
	uint8_t initial[HASH_BYTES], client[HASH_BYTES];

	return hmac(k, version->salt, CLS_QUIC_SALT_BYTES, cid->bytes, cid->len, initial) &&
		expand(k, initial, "tls13 client in", HASH_BYTES, client) &&
		expand(k, client, is_v2 ? "tls13 quicv2 key" : "tls13 quic key", KEY_BYTES,
			ret->key) &&
		expand(k, client, is_v2 ? "tls13 quicv2 iv" : "tls13 quic iv", IV_BYTES, ret->iv) &&
		expand(k, client, is_v2 ? "tls13 quicv2 hp" : "tls13 quic hp", KEY_BYTES, ret->hp);
}

static const struct slot *slot_of(struct cls_quic_keys *k, const struct cls_quic_version *version,
	const struct cls_quic_cid *cid)
{
	// By the salt too: what may be of two versions has a slot for each.
	const uint8_t mixed = cid->bytes[0] ^ cid->bytes[7] ^ version->salt[0];
	struct slot *s = &k->slots[mixed & (CACHE_SLOTS - 1)];

	if (s->version == version && memcmp(&s->cid, cid, sizeof(*cid)) == 0)
		return s;
	if (s == k->loaded)
		k->loaded = NULL;
	s->version = derive(k, version, cid, &s->secrets) ? version : NULL;
	s->cid = *cid;
	return s->version != NULL ? s : NULL;
}

/* A key schedule costs as much as 400 bytes of a packet: none where the keys are those of the last one. */
static bool load(struct cls_quic_keys *k, const struct slot *s)
{
	if (s == k->loaded)
		return true;
	k->loaded = NULL;
	if (EVP_EncryptInit_ex2(k->mask, NULL, s->secrets.hp, NULL, NULL) != 1 ||
		EVP_DecryptInit_ex2(k->aead, NULL, s->secrets.key, NULL, NULL) != 1)
		return false;
	k->loaded = s;
	return true;
}

/* A packet whose header is known. */
struct sealed {
	const uint8_t *first, *pn; // in place of what stands in the packet
	size_t pn_off, pn_len, len; // len: without the tag
	const uint8_t *nonce;
};

static bool unseal(
	struct cls_quic_keys *k, const uint8_t *packet, const struct sealed *s, uint8_t *ret_plain)
{
	const uint8_t *cipher = packet + s->pn_off + s->pn_len;
	void *tag = (void *)(cipher + s->len); // only read
	int n;

	return EVP_DecryptInit_ex2(k->aead, NULL, NULL, s->nonce, NULL) == 1 &&
		EVP_CIPHER_CTX_ctrl(k->aead, EVP_CTRL_AEAD_SET_TAG, CLS_QUIC_TAG_BYTES, tag) == 1 &&
		EVP_DecryptUpdate(k->aead, NULL, &n, s->first, 1) == 1 &&
		EVP_DecryptUpdate(k->aead, NULL, &n, packet + 1, (int)(s->pn_off - 1)) == 1 &&
		EVP_DecryptUpdate(k->aead, NULL, &n, s->pn, (int)s->pn_len) == 1 &&
		EVP_DecryptUpdate(k->aead, ret_plain, &n, cipher, (int)s->len) == 1 &&
		EVP_DecryptFinal_ex(k->aead, ret_plain + n, &n) == 1;
}

ssize_t cls_quic_keys_open(struct cls_quic_keys *k, const struct cls_quic_version *version,
	const struct cls_quic_cid *cid, const uint8_t *packet, size_t pn_off, size_t len,
	uint8_t *ret_plain)
{
	uint8_t mask[SAMPLE_BYTES], pn[PN_BYTES_MAX], nonce[IV_BYTES], first;
	struct sealed sealed = {.first = &first, .pn = pn, .pn_off = pn_off, .nonce = nonce};
	const struct slot *s;
	int n;

	if (len > INT_MAX || len < pn_off + SAMPLE_OFF + SAMPLE_BYTES || version->salt == NULL)
		return -1;
	s = slot_of(k, version, cid);
	if (s == NULL || !load(k, s) ||
		EVP_EncryptUpdate(k->mask, mask, &n, packet + pn_off + SAMPLE_OFF, SAMPLE_BYTES) !=
			1)
		return -1;
	first = packet[0] ^ (mask[0] & 0x0f); // RFC 9001 5.4.1
	sealed.pn_len = (size_t)(first & 3) + 1;
	memcpy(nonce, s->secrets.iv, IV_BYTES);
	// Nothing was acknowledged when a hello is sent, so its number stands there whole (RFC 9000 17.1).
	for (size_t i = 0; i < sealed.pn_len; i++) {
		pn[i] = packet[pn_off + i] ^ mask[1 + i];
		nonce[IV_BYTES - sealed.pn_len + i] ^= pn[i];
	}
	sealed.len = len - pn_off - sealed.pn_len - CLS_QUIC_TAG_BYTES;
	if (sealed.len == 0)
		return -1; // RFC 9000 12.4: a packet has at least one frame
	return unseal(k, packet, &sealed, ret_plain) ? (ssize_t)sealed.len : -1;
}
