// SPDX-License-Identifier: BSD-3-Clause
#include "control/seal.h"

#include "control/secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <unistd.h>

enum {
	NONCE_LEN = 12, // NIST SP 800-38D 5.2.1.1
	TAG_LEN = 16,
	HEX_LEN = 2 * CTL_SEAL_KEY_LEN,
	ID_LEN = 8,
};

/* The contexts keep the expanded key: only the nonce is new with each message. */
struct ctl_seal {
	EVP_CIPHER_CTX *seal, *open; // owned
	uint8_t key[CTL_SEAL_KEY_LEN];
	/* Random when the object is made, then counted up: an object never uses one twice, and that
	 * two objects of a key come into each other's 2^32 messages is as likely as 2^-63. */
	uint8_t nonce[NONCE_LEN];
};

/* For what can only fail when libcrypto is broken or memory is out: never write a plain one. */
static void must(int is_good, const char *what)
{
	if (is_good != 1)
		g_error("libcrypto cannot %s with AES-256-GCM", what);
}

static struct ctl_seal *seal_new(const uint8_t key[CTL_SEAL_KEY_LEN])
{
	struct ctl_seal *seal = g_new0(struct ctl_seal, 1);

	memcpy(seal->key, key, CTL_SEAL_KEY_LEN);
	seal->seal = EVP_CIPHER_CTX_new();
	seal->open = EVP_CIPHER_CTX_new();
	must(seal->seal != NULL && seal->open != NULL, "start");
	must(EVP_EncryptInit_ex(seal->seal, EVP_aes_256_gcm(), NULL, key, NULL), "seal");
	must(EVP_DecryptInit_ex(seal->open, EVP_aes_256_gcm(), NULL, key, NULL), "open");
	must(RAND_bytes(seal->nonce, sizeof(seal->nonce)), "make a nonce");
	return seal;
}

static int refuse(struct dp_err *reterr, const char *path)
{
	return dp_fail(reterr, EINVAL,
		"'%s', expected a key of %d hexadecimal digits, as wirecue makes it", path,
		HEX_LEN);
}

static int read_key(const char *path, uint8_t ret_key[CTL_SEAL_KEY_LEN], struct dp_err *reterr)
{
	uint8_t text[HEX_LEN];
	int r = ctl_secret_read(path, text, sizeof(text), reterr);
	uint8_t key[CTL_SEAL_KEY_LEN];

	if (r < 0)
		return r == -EFBIG ? refuse(reterr, path) : r;
	if (r != HEX_LEN)
		return refuse(reterr, path);
	r = 0;
	for (size_t i = 0; i < CTL_SEAL_KEY_LEN; i++) {
		const int high = g_ascii_xdigit_value((char)text[2 * i]);
		const int low = g_ascii_xdigit_value((char)text[2 * i + 1]);

		if (high < 0 || low < 0)
			r = -EINVAL;
		key[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
	}
	if (r == 0)
		memcpy(ret_key, key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	explicit_bzero(text, sizeof(text));
	return r == 0 ? 0 : refuse(reterr, path);
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		const ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_key(int fd)
{
	uint8_t key[CTL_SEAL_KEY_LEN];
	char text[HEX_LEN + 2]; // newline, NUL
	int r;

	must(RAND_priv_bytes(key, sizeof(key)), "make a key");
	for (size_t i = 0; i < sizeof(key); i++)
		(void)g_snprintf(text + 2 * i, 3, "%02x", key[i]);
	text[HEX_LEN] = '\n';
	r = write_all(fd, text, HEX_LEN + 1);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(text, sizeof(text));
	return r;
}

static int sync_folder(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);
	const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		(void)close(fd); // nothing was written
	return r;
}

/* Under a name of its own first: the file is there with the whole key, or it is not there. One that
 * has come meanwhile stays. */
static int make_key(const char *path, struct dp_err *reterr)
{
	g_autofree char *own = g_strconcat(path, ".XXXXXX", NULL);
	const int fd = g_mkstemp_full(own, O_WRONLY | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return dp_fail(reterr, errno, "cannot make the key file '%s': %m", path);
	r = write_key(fd);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && link(own, path) < 0 && errno != EEXIST)
		r = -errno;
	(void)unlink(own); // a second name of the key, or half of one: nobody asks for it
	if (r == 0)
		r = sync_folder(path);
	return r < 0 ? dp_fail(reterr, -r, "cannot make the key file '%s': %m", path) : 0;
}

int ctl_seal_open_key(
	const char *path, bool may_create, struct ctl_seal **ret_seal, struct dp_err *reterr)
{
	uint8_t key[CTL_SEAL_KEY_LEN];
	int r = read_key(path, key, reterr);

	if (r == -ENOENT && may_create) {
		r = make_key(path, reterr);
		if (r == 0)
			r = read_key(path, key, reterr);
	}
	if (r < 0)
		return r;
	*ret_seal = seal_new(key);
	explicit_bzero(key, sizeof(key));
	return 0;
}

struct ctl_seal *ctl_seal_clone(const struct ctl_seal *seal)
{
	return seal_new(seal->key);
}

void ctl_seal_free(struct ctl_seal *seal)
{
	if (seal == NULL)
		return;
	EVP_CIPHER_CTX_free(seal->seal); // wipes the key too
	EVP_CIPHER_CTX_free(seal->open);
	explicit_bzero(seal, sizeof(*seal));
	g_free(seal);
}

static void count_up(uint8_t nonce[NONCE_LEN])
{
	for (size_t i = 0; i < NONCE_LEN && ++nonce[i] == 0; i++)
		;
}

static void id_bytes(uint64_t id, uint8_t ret_bytes[ID_LEN])
{
	const uint64_t be = GUINT64_TO_BE(id);

	memcpy(ret_bytes, &be, ID_LEN);
}

/* nonce, ciphertext, tag */
void ctl_seal_put(
	struct ctl_seal *seal, uint64_t id, const void *plain, size_t len, uint8_t *ret_sealed)
{
	uint8_t *const text = ret_sealed + NONCE_LEN;
	uint8_t bound[ID_LEN];
	int n;

	id_bytes(id, bound);
	count_up(seal->nonce);
	memcpy(ret_sealed, seal->nonce, NONCE_LEN);
	must(EVP_EncryptInit_ex(seal->seal, NULL, NULL, NULL, seal->nonce), "seal");
	must(EVP_EncryptUpdate(seal->seal, NULL, &n, bound, sizeof(bound)), "seal");
	if (len > 0)
		must(EVP_EncryptUpdate(seal->seal, text, &n, plain, (int)len), "seal");
	must(EVP_EncryptFinal_ex(seal->seal, text + len, &n), "seal");
	must(EVP_CIPHER_CTX_ctrl(seal->seal, EVP_CTRL_GCM_GET_TAG, TAG_LEN, text + len), "seal");
}

int ctl_seal_get(
	struct ctl_seal *seal, uint64_t id, const uint8_t *sealed, size_t len, void *ret_plain)
{
	const size_t text_len = len - CTL_SEAL_OVERHEAD;
	const uint8_t *const text = sealed + NONCE_LEN;
	uint8_t bound[ID_LEN], tag[TAG_LEN];
	int n;

	static_assert(CTL_SEAL_OVERHEAD == NONCE_LEN + TAG_LEN);
	if (len < CTL_SEAL_OVERHEAD || text_len > INT_MAX)
		return -EBADMSG;
	id_bytes(id, bound);
	memcpy(tag, text + text_len, TAG_LEN); // the interface takes no const
	must(EVP_DecryptInit_ex(seal->open, NULL, NULL, NULL, sealed), "open");
	must(EVP_DecryptUpdate(seal->open, NULL, &n, bound, sizeof(bound)), "open");
	if (text_len > 0)
		must(EVP_DecryptUpdate(seal->open, ret_plain, &n, text, (int)text_len), "open");
	must(EVP_CIPHER_CTX_ctrl(seal->open, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag), "open");
	if (EVP_DecryptFinal_ex(seal->open, tag, &n) == 1)
		return (int)text_len;
	explicit_bzero(ret_plain, text_len);
	return -EBADMSG;
}
