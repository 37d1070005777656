// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Who a profile is of, unreadable on disk: AES-256-GCM (NIST SP 800-38D), 96-bit nonce, 128-bit tag.
 *
 * The key is a file of its own, outside of the store and of its backups: whoever has the store alone
 * has numbers without persons. Bound to the profile's id, so that two cannot be swapped. Not for two
 * threads at once: each makes its own with ctl_seal_clone. */

#include "dataplane/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CTL_SEAL_OVERHEAD = 12 + 16, CTL_SEAL_KEY_LEN = 32 };

struct ctl_seal;

/* Read the key file: 32 bytes as 64 hex digits, for its owner only. may_create: a missing one is
 * made with mode 0600. Returns 0, or -errno with a sentence. */
[[nodiscard]] int ctl_seal_open_key(
	const char *path, bool may_create, struct ctl_seal **ret_seal, struct dp_err *reterr);
struct ctl_seal *ctl_seal_clone(const struct ctl_seal *seal);
void ctl_seal_free(struct ctl_seal *seal); // wipes the key; NULL is fine

/* ret_sealed holds len + CTL_SEAL_OVERHEAD. No nonce is used twice. */
void ctl_seal_put(
	struct ctl_seal *seal, uint64_t id, const void *plain, size_t len, uint8_t *ret_sealed);

/* ret_plain holds len - CTL_SEAL_OVERHEAD. Returns the length of the plain text, -EBADMSG when it
 * was not sealed with this key and id, or was altered. */
[[nodiscard]] int ctl_seal_get(
	struct ctl_seal *seal, uint64_t id, const uint8_t *sealed, size_t len, void *ret_plain);
