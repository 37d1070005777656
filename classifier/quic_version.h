// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The versions of QUIC whose first packets can be read, and in what they differ. Constant; any thread. */

#include <stdbool.h>
#include <stdint.h>

enum {
	CLS_QUIC_SALT_BYTES = 20,
	CLS_QUIC_V1 = 0x00000001, // RFC 9000
	CLS_QUIC_V2 = 0x6b3343cf, // RFC 9369
	CLS_QUIC_Q050 = 0x51303530, // "Q050"
};

/* What an Initial carries. */
enum cls_quic_hello {
	CLS_QUIC_TLS, // a ClientHello in frames of RFC 9000 19
	CLS_QUIC_TLS_GOOGLE, // a ClientHello in Google's frames
	CLS_QUIC_CHLO, // Google's own hello, in its frames
	CLS_QUIC_CHLO_CLEAR, // the same, not encrypted; header and hash are Google's too
};

struct cls_quic_version {
	uint32_t first, last; // versions that are the same here
	const uint8_t *salt; // RFC 9001 5.2; NULL: not encrypted
	enum cls_quic_hello hello;
	bool is_v2; // labels and packet types of RFC 9369 3
	const struct cls_quic_version *other; // what it may be as well; NULL: nothing
};

/* NULL: no version known here, among them 0, which is Version Negotiation. */
const struct cls_quic_version *cls_quic_version_of(uint32_t version);

/* 43 of Q043: of those with a hello in clear. */
uint32_t cls_quic_google_number(uint32_t version);
