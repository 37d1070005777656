// SPDX-License-Identifier: BSD-3-Clause
#include "control/addr_hash.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* Pair-multiply-shift: strongly universal, so two given addresses meet by one in 2^32 (M. Thorup,
 * "High Speed Hashing for Integers and Strings", 3.5). */
static const uint64_t *secret(void)
{
	static uint64_t words[5];
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

guint ctl_addr_hash(gconstpointer addr)
{
	const uint64_t *s = secret();
	uint32_t w[4];

	memcpy(w, ((const struct dp_addr *)addr)->b, sizeof(w));
	return (guint)(((w[0] + s[0]) * (w[1] + s[1]) + (w[2] + s[2]) * (w[3] + s[3]) + s[4]) >>
		32);
}

gboolean ctl_addr_equal(gconstpointer a, gconstpointer b)
{
	return dp_addr_cmp(a, b) == 0;
}
