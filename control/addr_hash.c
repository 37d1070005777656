// SPDX-License-Identifier: BSD-3-Clause
#include "control/addr_hash.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static const uint64_t *secret(void)
{
	static uint64_t words[4];
	static bool is_made;
	size_t len = 0;

	while (!is_made && len < sizeof(words)) {
		const ssize_t n = getrandom((char *)words + len, sizeof(words) - len, 0);

		if (n < 0 && errno != EINTR)
			g_error("the kernel gives no random bytes: %s", g_strerror(errno));
		len += n > 0 ? (size_t)n : 0;
	}
	is_made = true;
	return words;
}

/* The two halves of a 128-bit product: every bit of the result hangs on every bit of both. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

guint ctl_addr_hash(gconstpointer addr)
{
	const uint64_t *s = secret();
	uint64_t w[2];

	memcpy(w, ((const struct dp_addr *)addr)->b, sizeof(w));
	return (guint)fold(fold(w[0] ^ s[0], w[1] ^ s[1]) ^ s[2], s[3]);
}

gboolean ctl_addr_equal(gconstpointer a, gconstpointer b)
{
	return dp_addr_cmp(a, b) == 0;
}

guint ctl_name_hash(gconstpointer name)
{
	const uint64_t *s = secret();
	const size_t len = strlen(name);
	uint64_t h = len;

	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t w = 0;

		memcpy(&w, (const char *)name + i, MIN(len - i, sizeof(w)));
		h = fold(h ^ s[0], w ^ s[1]);
	}
	return (guint)fold(h ^ s[2], s[3]);
}
