// SPDX-License-Identifier: BSD-3-Clause
#include "control/subject.h"

#include "control/engine.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <string.h>

enum { ENDPOINT_CHARS = 16, ACCOUNT_MAX = 100 };

/* A kind of identifier: reads value and writes its canonical text, or returns false. */
struct kind {
	const char *prefix;
	bool (*read)(const char *value, char *ret_text, size_t size);
	const char *expected;
};

/* Digits only, separators dropped; at most max of them. */
static size_t digits(const char *value, char *ret_text, size_t max)
{
	size_t n = 0;

	for (; *value != '\0'; value++) {
		if (strchr(" -./()", *value) != NULL)
			continue;
		if (!g_ascii_isdigit(*value) || n == max)
			return 0;
		ret_text[n++] = *value;
	}
	ret_text[n] = '\0';
	return n;
}

static bool read_msisdn(const char *value, char *ret_text, size_t)
{
	enum { E164_MAX = 15, E164_MIN = 4 }; // ITU-T E.164 6.1

	if (*value == '+')
		value++;
	else if (g_str_has_prefix(value, "00"))
		value += 2;
	ret_text[0] = '+';
	return digits(value, ret_text + 1, E164_MAX) >= E164_MIN && ret_text[1] != '0';
}

static bool read_imsi(const char *value, char *ret_text, size_t)
{
	enum { IMSI_MAX = 15, IMSI_MIN = 6 }; // ITU-T E.212 6.1; 3GPP TS 23.003 2.2

	return digits(value, ret_text, IMSI_MAX) >= IMSI_MIN;
}

static bool read_account(const char *value, char *ret_text, size_t size)
{
	const size_t len = strlen(value);

	if (len == 0 || len > ACCOUNT_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)value[i] <= ' ' || value[i] == 0x7f)
			return false;
	return g_utf8_validate(value, -1, NULL) && g_strlcpy(ret_text, value, size) < size;
}

static bool read_ip(const char *value, char *ret_text, size_t)
{
	struct dp_addr addr;

	if (dp_addr_parse(value, &addr) < 0)
		return false;
	(void)dp_addr_format(&addr, ret_text);
	return true;
}

static const struct kind kinds[] = {
	[CTL_SUBJECT_MSISDN] = {"msisdn:", read_msisdn,
		"expected a number of 4 to 15 digits with its country code such as msisdn:+999..."},
	[CTL_SUBJECT_IMSI] = {"imsi:", read_imsi, "expected 6 to 15 digits such as imsi:00101..."},
	[CTL_SUBJECT_ACCOUNT] = {"account:", read_account,
		"expected 1 to 100 characters without blanks such as account:A-1"},
	[CTL_SUBJECT_PLAIN] = {"ip:", read_ip, "expected an address such as ip:192.0.2.1"},
};
enum { KIND_IP = CTL_SUBJECT_PLAIN }; // plain is no kind of its own, so its place is free

static const struct kind *kind_of(
	const struct ctl_privacy *privacy, const char *identifier, const char **ret_value)
{
	struct dp_addr addr;

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (g_str_has_prefix(identifier, kinds[i].prefix)) {
			*ret_value = identifier + strlen(kinds[i].prefix);
			return &kinds[i];
		}
	}
	*ret_value = identifier;
	if (*identifier == '+')
		return &kinds[CTL_SUBJECT_MSISDN];
	if (dp_addr_parse(identifier, &addr) == 0)
		return &kinds[KIND_IP];
	return &kinds[privacy->subject == CTL_SUBJECT_PLAIN ? CTL_SUBJECT_ACCOUNT
							    : privacy->subject];
}

int ctl_subject_canonical(const struct ctl_privacy *privacy, const char *identifier,
	char ret_canonical[CTL_SUBJECT_MAX], struct dp_err *reterr)
{
	const char *value;
	const struct kind *kind = kind_of(privacy, identifier, &value);
	char text[CTL_SUBJECT_MAX];

	if (!kind->read(value, text, sizeof(text)))
		return dp_fail(reterr, EINVAL, "%s", kind->expected);
	(void)g_snprintf(ret_canonical, CTL_SUBJECT_MAX, "%s%s", kind->prefix, text);
	return 0;
}

/* RFC 4648 6 in lower case without padding; the last group is filled with zero bits. */
static void base32(const uint8_t *bytes, size_t n_bytes, char *ret_text)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint32_t bits = 0;
	unsigned n_bits = 0;

	for (size_t i = 0; i < n_bytes; i++) {
		bits = bits << 8 | bytes[i];
		for (n_bits += 8; n_bits >= 5; n_bits -= 5)
			*ret_text++ = alphabet[bits >> (n_bits - 5) & 31];
	}
	if (n_bits > 0)
		*ret_text++ = alphabet[bits << (5 - n_bits) & 31];
	*ret_text = '\0';
}

static void pseudonym(
	const struct ctl_privacy *privacy, const char *canonical, char ret_subject[CTL_SUBJECT_MAX])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;

	if (privacy->subject == CTL_SUBJECT_PLAIN) {
		(void)g_strlcpy(ret_subject, canonical, CTL_SUBJECT_MAX);
		return;
	}
	if (HMAC(EVP_sha256(), privacy->key, (int)privacy->key_len, (const uint8_t *)canonical,
		    strlen(canonical), mac, &mac_len) == NULL)
		g_error("libcrypto cannot compute HMAC-SHA-256"); // never publish a plain one
	base32(mac, mac_len, ret_subject);
}

int ctl_subject_of(const struct ctl_privacy *privacy, const char *identifier, char *ret_subject,
	struct dp_err *reterr)
{
	char canonical[CTL_SUBJECT_MAX];
	const int r = ctl_subject_canonical(privacy, identifier, canonical, reterr);

	if (r < 0)
		return r;
	pseudonym(privacy, canonical, ret_subject);
	return 0;
}

/* "msisdn:+999...", by the configured kind or the first that was told. */
static int identifier_of(const struct ctl_privacy *privacy, const struct ctl_person *person,
	char ret_identifier[CTL_SUBJECT_MAX], struct dp_err *reterr)
{
	const char *const values[] = {
		[CTL_SUBJECT_MSISDN] = person->msisdn,
		[CTL_SUBJECT_IMSI] = person->imsi,
		[CTL_SUBJECT_ACCOUNT] = person->account,
		[CTL_SUBJECT_PLAIN] = NULL,
	};
	size_t i = (size_t)privacy->subject;

	for (size_t other = 0; values[i] == NULL && other < CTL_SUBJECT_PLAIN; other++)
		i = values[other] == NULL ? i : other;
	if (values[i] == NULL)
		return dp_fail(reterr, EINVAL, "a subscriber has no identifier");
	(void)g_snprintf(ret_identifier, CTL_SUBJECT_MAX, "%s%s", kinds[i].prefix, values[i]);
	return 0;
}

int ctl_subject_of_person(const struct ctl_privacy *privacy, const struct ctl_person *person,
	char ret_subject[CTL_SUBJECT_MAX], struct dp_err *reterr)
{
	char identifier[CTL_SUBJECT_MAX];
	const int r = identifier_of(privacy, person, identifier, reterr);

	return r < 0 ? r : ctl_subject_of(privacy, identifier, ret_subject, reterr);
}

struct ctl_namer {
	const struct ctl_privacy *privacy; // borrowed
	EVP_MAC_CTX *mac; // owned; has the key; NULL when names are plain
};

static void must(bool is_so)
{
	if (!is_so)
		g_error("libcrypto cannot compute HMAC-SHA-256"); // never publish a plain one
}

struct ctl_namer *ctl_namer_new(const struct ctl_privacy *privacy)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end(),
	};
	struct ctl_namer *namer = g_new0(struct ctl_namer, 1);
	EVP_MAC *hmac;

	namer->privacy = privacy;
	if (privacy->subject == CTL_SUBJECT_PLAIN)
		return namer;
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	must(hmac != NULL);
	namer->mac = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac);
	must(namer->mac != NULL &&
		EVP_MAC_init(namer->mac, privacy->key, privacy->key_len, params) == 1);
	return namer;
}

void ctl_namer_free(struct ctl_namer *namer)
{
	EVP_MAC_CTX_free(namer->mac); // NULL is fine
	g_free(namer);
}

static void name(struct ctl_namer *namer, const char *canonical, char ret_subject[CTL_SUBJECT_MAX])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	size_t mac_len = 0;

	if (namer->privacy->subject == CTL_SUBJECT_PLAIN) {
		(void)g_strlcpy(ret_subject, canonical, CTL_SUBJECT_MAX);
		return;
	}
	must(EVP_MAC_init(namer->mac, NULL, 0, NULL) == 1 && // the key stays
		EVP_MAC_update(namer->mac, (const uint8_t *)canonical, strlen(canonical)) == 1 &&
		EVP_MAC_final(namer->mac, mac, &mac_len, sizeof(mac)) == 1);
	base32(mac, mac_len, ret_subject);
}

int ctl_namer_person(struct ctl_namer *namer, const struct ctl_person *person,
	char ret_subject[CTL_SUBJECT_MAX], struct dp_err *reterr)
{
	char identifier[CTL_SUBJECT_MAX], canonical[CTL_SUBJECT_MAX];
	int r = identifier_of(namer->privacy, person, identifier, reterr);

	if (r == 0)
		r = ctl_subject_canonical(namer->privacy, identifier, canonical, reterr);
	if (r < 0)
		return r;
	name(namer, canonical, ret_subject);
	return 0;
}

void ctl_subject_by_place(const struct ctl_person *person, char ret_subject[CTL_SUBJECT_MAX])
{
	(void)g_snprintf(ret_subject, CTL_SUBJECT_MAX, "subscriber:%" G_GUINT64_FORMAT, person->id);
}

void ctl_namer_endpoint(
	struct ctl_namer *namer, const struct dp_addr *endpoint, char ret_name[CTL_SUBJECT_MAX])
{
	char text[DP_ADDR_STRLEN], canonical[CTL_SUBJECT_MAX], subject[CTL_SUBJECT_MAX];

	(void)dp_addr_format(endpoint, text);
	if (namer->privacy->subject == CTL_SUBJECT_PLAIN) {
		(void)g_snprintf(ret_name, CTL_SUBJECT_MAX, "endpoint:%s", text);
		return;
	}
	(void)g_snprintf(canonical, sizeof(canonical), "ip:%s", text);
	name(namer, canonical, subject);
	(void)g_snprintf(ret_name, CTL_SUBJECT_MAX, "endpoint:%.*s", ENDPOINT_CHARS, subject);
}
