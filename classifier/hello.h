// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* A TLS ClientHello as the library shall see it: without what makes it print.
 *
 * nDPI formats the fingerprint JA3, the signature algorithms and the versions of every ClientHello
 * number by number, which takes four times as long as all else that it does with it, and none
 * of them is used for a verdict. No preference turns that off. A hello with more point formats than it
 * has room for gets no JA3, and an extension that it does not know is skipped. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CLS_HELLO_MAX =
		2560, // a longer one is left as it is; those with post-quantum keys have 1.8 KB
	CLS_HELLO_EXTRA = 518, // bytes more in what is written
};

/* Write hello[0..len), a handshake message from its type on, with the same meaning to buf; bytes written.
 * 0: leave it as it is: no ClientHello, not all of it, or one whose inner lengths contradict each other, with
 * which the library's own reading past an extension would tell. has_long_params: QUIC parameters have lengths
 * of 16 bits (drafts before 27). */
size_t cls_hello_rewrite(const uint8_t *hello, size_t len, bool has_long_params,
	uint8_t buf[CLS_HELLO_MAX + CLS_HELLO_EXTRA]);

/* Whether hello[0..len) is a ServerHello of TLS 1.3 as nearly all are, with a version, a key and a cipher of that
 * version: then these two are all that the library takes from it, but for the fingerprint JA3S. */
bool cls_hello_is_server_13(const uint8_t *hello, size_t len, uint16_t *ret_cipher);
