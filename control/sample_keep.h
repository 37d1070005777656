// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What of a packet's payload may stand in a sample: enough to tell what a protocol looks like, nothing of what people
 * say with it.
 *
 *   TLS and DTLS handshake  as it is; of the client nothing behind its hello (a certificate names somebody)
 *   an HTTP/1 request       its first line with every letter and digit of the target as 'x', and the Host field
 *   other text              nothing
 *   anything else           as it is, up to where text begins in it
 *
 * Behind a packet of text the flow's payload is text for good, or a file: nothing of it is kept. Pure; any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one flow; all 0 in the beginning. */
struct ctl_sample_keep {
	bool is_text, is_tls, is_client_done;
};

/* The next packet of the flow: n > 0 bytes of its payload, hostile, as many as there are. What must not be read is
 * blotted out. is_up: sent by the endpoint. Returns how many bytes, from the first on, may be kept. */
[[nodiscard]] size_t ctl_sample_keep(
	struct ctl_sample_keep *k, uint8_t *payload, size_t n, bool is_up);

/* Whether flows may be kept that the library takes for this protocol: none that tells who somebody is, what somebody
 * looked up, or what people write to each other, whatever its port. NULL is no protocol. */
bool ctl_sample_keeps_proto(const char *ndpi);
