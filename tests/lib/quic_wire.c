// SPDX-License-Identifier: BSD-3-Clause
#include "tests/lib/quic_wire.h"

#include "tests/lib/wire.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>

enum { SALT_BYTES = 20, SECRET_BYTES = 32, TAG_BYTES = 16 };

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

/* Texts stand in packets without a NUL. Returns what is behind it. */
static uint8_t *put_text(uint8_t *p, const char *text)
{
	while (*text != '\0')
		*p++ = (uint8_t)*text++;
	return p;
}

/* --- keys ------------------------------------------------------------------------------------ */

static const char *salt_of(uint32_t version)
{
	static const struct {
		uint32_t first, last;
		const char *salt;
	} salts[] = {
		{0x709a50c4, 0x709a50c4, "a707c203a59b47184a1d62ca570406ea7ae3e5d3"},
		{0x6b3343cf, 0x6b3343cf, "0dede3def700a6db819381be6e269dcbf9bd2ed9"},
		{0xff000016, 0xff000016, "7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a"},
		{0xff000017, 0xff00001c, "c3eef712c72ebb5a11a7d2432bb46365bef9f502"},
		{0xff00001d, 0xff000020, "afbfec289993d24c9e9786f19c6111e04390a899"},
		{0xfaceb001, 0xfaceb001, "7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a"},
		{0xfaceb002, 0xfaceb002, "c3eef712c72ebb5a11a7d2432bb46365bef9f502"},
		{0xfaceb00d, 0xfaceb013, "c3eef712c72ebb5a11a7d2432bb46365bef9f502"},
		{0x51303530, 0x51303530, "504574efd066fe2f9d945cfcdbd3a7f0d3b56b45"},
		{0x54303530, 0x54303530, "7ff579e5acd072915580304c43a2367c60488310"},
		{0x54303531, 0x54303531, "7a4edef4e7ccee5fa4506c19124fc8ccda6e033d"},
		{0x2a2a2a2a, 0x2a2a2a2a, "afbfec289993d24c9e9786f19c6111e04390a899"},
	};

	for (size_t i = 0; i < sizeof(salts) / sizeof(salts[0]); i++)
		if (version >= salts[i].first && version <= salts[i].last)
			return salts[i].salt;
	return "38762cf7f55934b34d179ae6a4c80cadccbb7f0a";
}

static bool is_v2_of(uint32_t version)
{
	return version == 0x6b3343cf || version == 0x709a50c4;
}

static void hkdf(int mode, uint8_t *key, size_t key_len, const char *name, void *value, size_t len,
	uint8_t *ret, size_t n)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, key_len),
		OSSL_PARAM_construct_octet_string(name, value, len),
		OSSL_PARAM_construct_end(),
	};

	must(ctx != NULL && EVP_KDF_derive(ctx, ret, n, params) == 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

/* HKDF-Expand-Label (RFC 8446 7.1). */
static void expand(uint8_t secret[SECRET_BYTES], const char *label, uint8_t *ret, size_t n)
{
	uint8_t info[64] = {0, (uint8_t)n, (uint8_t)strlen(label)};
	const size_t len = 3 + strlen(label) + 1;

	(void)put_text(info + 3, label);
	hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, secret, SECRET_BYTES, OSSL_KDF_PARAM_INFO, info, len,
		ret, n);
}

struct keys {
	uint8_t key[16], iv[12], hp[16];
};

static struct keys derive_anew(const struct quic_wire *w, uint32_t version)
{
	const bool is_v2 = is_v2_of(version);
	const char *hex = salt_of(version);
	uint8_t salt[SALT_BYTES], secret[SECRET_BYTES], client[SECRET_BYTES];
	uint8_t cid[QUIC_WIRE_CID_MAX + 1]; // not empty, for OpenSSL
	struct keys k;

	memcpy(cid, w->dcid, QUIC_WIRE_CID_MAX);
	for (size_t i = 0; i < SALT_BYTES; i++)
		salt[i] = (uint8_t)strtoul((char[]){hex[2 * i], hex[2 * i + 1], '\0'}, NULL, 16);
	hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, cid, w->dcid_len, OSSL_KDF_PARAM_SALT, salt,
		sizeof(salt), secret, sizeof(secret));
	expand(secret, "tls13 client in", client, sizeof(client));
	expand(client, is_v2 ? "tls13 quicv2 key" : "tls13 quic key", k.key, sizeof(k.key));
	expand(client, is_v2 ? "tls13 quicv2 iv" : "tls13 quic iv", k.iv, sizeof(k.iv));
	expand(client, is_v2 ? "tls13 quicv2 hp" : "tls13 quic hp", k.hp, sizeof(k.hp));
	return k;
}

/* Those derived last are kept: a fuzz target writes many packets with few of them. */
static struct keys derive(const struct quic_wire *w, uint32_t version)
{
	static struct {
		uint32_t version;
		uint8_t cid[QUIC_WIRE_CID_MAX], cid_len;
		struct keys keys;
	} known[32], *k;
	static size_t next;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		k = &known[i];
		if (k->version == version && k->cid_len == w->dcid_len &&
			memcmp(k->cid, w->dcid, w->dcid_len) == 0)
			return k->keys;
	}
	k = &known[next++ % (sizeof(known) / sizeof(known[0]))];
	k->version = version;
	k->cid_len = w->dcid_len;
	memcpy(k->cid, w->dcid, QUIC_WIRE_CID_MAX);
	k->keys = derive_anew(w, version);
	return k->keys;
}

/* --- packets --------------------------------------------------------------------------------- */

size_t quic_wire_varint(uint64_t v, size_t n, uint8_t *ret)
{
	static const uint8_t code[] = {[1] = 0, [2] = 0x40, [4] = 0x80, [8] = 0xc0};

	if (n == 0)
		n = v < 1 << 6 ? 1 : v < 1 << 14 ? 2 : v < 1 << 30 ? 4 : 8;
	for (size_t i = n; i-- > 0; v >>= 8)
		ret[i] = (uint8_t)v;
	ret[0] |= code[n];
	return n;
}

size_t quic_wire_crypto(
	uint8_t type, uint64_t offset, const uint8_t *bytes, size_t len, uint8_t *ret)
{
	size_t at = 1;

	ret[0] = type;
	at += quic_wire_varint(offset, 0, ret + at);
	at += quic_wire_varint(len, 0, ret + at);
	memcpy(ret + at, bytes, len);
	return at + len;
}

static size_t put_header(const struct quic_wire *w, size_t pn_len, size_t len, uint8_t *ret)
{
	const uint32_t version = w->version != 0 ? w->version : 1;
	const unsigned type = (w->is_handshake ? 2 : 0) + (is_v2_of(version) ? 1 : 0);
	size_t at = 7;

	ret[0] = (uint8_t)(0xc0 | type << 4 | (unsigned)w->reserved << 2 | (pn_len - 1));
	wire_32(ret + 1, version);
	ret[5] = w->dcid_len;
	memcpy(ret + 6, w->dcid, w->dcid_len);
	at += w->dcid_len;
	ret[at - 1] = w->scid_len;
	memcpy(ret + at, w->scid, w->scid_len);
	at += w->scid_len;
	if (!w->is_handshake) {
		at += quic_wire_varint(w->token_len, 0, ret + at);
		if (w->token_len > 0)
			memcpy(ret + at, w->token, w->token_len);
		at += w->token_len;
	}
	at += quic_wire_varint(pn_len + len + TAG_BYTES, 2, ret + at);
	for (size_t i = 0; i < pn_len; i++)
		ret[at + i] = (uint8_t)(w->pn >> 8 * (pn_len - 1 - i));
	return at + pn_len;
}

static void seal(const struct keys *k, uint32_t pn, const uint8_t *frames, size_t len,
	size_t head_len, uint8_t *packet)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t nonce[sizeof(k->iv)];
	int n;

	memcpy(nonce, k->iv, sizeof(nonce));
	for (size_t i = 0; i < 4; i++)
		nonce[8 + i] ^= (uint8_t)(pn >> 8 * (3 - i));
	must(EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, k->key, nonce) == 1 &&
		EVP_EncryptUpdate(ctx, NULL, &n, packet, (int)head_len) == 1 &&
		EVP_EncryptUpdate(ctx, packet + head_len, &n, frames, (int)len) == 1 &&
		EVP_EncryptFinal_ex(ctx, packet + head_len + len, &n) == 1 &&
		EVP_CIPHER_CTX_ctrl(
			ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, packet + head_len + len) == 1);
	EVP_CIPHER_CTX_free(ctx);
}

static void hide(const struct keys *k, size_t pn_off, size_t pn_len, uint8_t *packet)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t mask[32];
	int n;

	must(EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), NULL, k->hp, NULL) == 1 &&
		EVP_EncryptUpdate(ctx, mask, &n, packet + pn_off + 4, 16) == 1);
	packet[0] ^= mask[0] & 0x0f;
	for (size_t i = 0; i < pn_len; i++)
		packet[pn_off + i] ^= mask[1 + i];
	EVP_CIPHER_CTX_free(ctx);
}

size_t quic_wire_initial(const struct quic_wire *w, const uint8_t *frames, size_t len, uint8_t *ret)
{
	const size_t pn_len = w->pn_len != 0 ? w->pn_len : 1;
	const struct keys k = derive(
		w->keys != NULL ? w->keys : w, w->version != 0 ? w->version : 1);
	const size_t head_len = put_header(w, pn_len, len, ret);

	must(pn_len + len >= 4 && head_len + len + TAG_BYTES <= QUIC_WIRE_MAX);
	seal(&k, w->pn, frames, len, head_len, ret);
	hide(&k, head_len - pn_len, pn_len, ret);
	return head_len + len + TAG_BYTES;
}

/* --- Google's -------------------------------------------------------------------------------- */

void quic_wire_hash(const uint8_t *bytes, size_t len, uint8_t ret[16])
{
	static const uint8_t offset[16] = {0x6c, 0x62, 0x27, 0x2e, 0x07, 0xbb, 0x01, 0x42, //
		0x62, 0xb8, 0x21, 0x75, 0x62, 0x95, 0xc5, 0x8d};
	static const uint8_t prime[16] = {[4] = 0x01, [14] = 0x01, [15] = 0x3b};

	memcpy(ret, offset, sizeof(offset));
	for (size_t at = 0; at < len; at++) {
		uint8_t product[16];
		uint32_t sum = 0;

		ret[15] ^= bytes[at];
		for (size_t i = 0; i < 16; i++, sum >>= 8) { // by hand, lowest byte first
			for (size_t k = 0; k <= i; k++)
				sum += (uint32_t)ret[15 - k] * prime[15 - (i - k)];
			product[15 - i] = (uint8_t)sum;
		}
		memcpy(ret, product, sizeof(product));
	}
}

/* The hash is over all but itself and over who sends it; the lower 96 bits, lowest byte first. */
static void put_hash(uint8_t *packet, size_t hash_at, size_t len, bool says_sender)
{
	uint8_t *all = malloc(len + 6), hash[16];
	size_t n = len - 12;

	must(all != NULL);
	memcpy(all, packet, hash_at);
	memcpy(all + hash_at, packet + hash_at + 12, n - hash_at);
	if (says_sender) {
		(void)put_text(all + n, "Client");
		n += 6;
	}
	quic_wire_hash(all, n, hash);
	for (size_t i = 0; i < 12; i++)
		packet[hash_at + i] = hash[15 - i];
	free(all);
}

size_t quic_wire_clear(uint32_t number, const uint8_t cid[8], uint32_t pn, const uint8_t *frames,
	size_t len, uint8_t *ret)
{
	const uint32_t version = ('Q' << 8 | '0') << 16 | (number / 10 + '0') << 8 |
		(number % 10 + '0');
	const bool is_long = number >= 44;
	size_t at;

	ret[0] = number >= 46 ? 0xc3 : is_long ? 0xff : 0x29; // 4 bytes of packet number
	wire_32(ret + (is_long ? 1 : 9), version);
	ret[is_long ? 5 : 0] = is_long ? 0x50 : ret[0];
	memcpy(ret + (is_long ? 6 : 1), cid, 8);
	at = is_long ? 14 : 13;
	wire_32(ret + at, pn);
	at += 4;

	const size_t hash_at = at;

	at += 12;
	if (number < 34)
		ret[at++] = 0; // private flags
	memcpy(ret + at, frames, len);
	put_hash(ret, hash_at, at + len, number > 36);
	return at + len;
}

static void put_le32(uint8_t *p, size_t v)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

size_t quic_wire_chlo(const char *name, size_t n_pad, uint8_t *ret)
{
	static const char version[] = "Q043";
	const size_t n_tags = name != NULL ? 3 : 2, name_len = name != NULL ? strlen(name) : 0;
	size_t at = 8;

	memset(ret, 0, 8 + 3 * 8);
	(void)put_text(ret, "CHLO");
	ret[4] = (uint8_t)n_tags;
	(void)put_text(ret + at, "PAD");
	put_le32(ret + at + 4, n_pad);
	at += 8;
	if (name != NULL) {
		(void)put_text(ret + at, "SNI");
		put_le32(ret + at + 4, n_pad + name_len);
		at += 8;
	}
	(void)put_text(ret + at, "VER");
	put_le32(ret + at + 4, n_pad + name_len + 4);
	at += 8;
	memset(ret + at, '-', n_pad);
	at += n_pad;
	if (name != NULL)
		(void)put_text(ret + at, name);
	at += name_len;
	(void)put_text(ret + at, version);
	return at + 4;
}
