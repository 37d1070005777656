// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What an engineer asks the catalogue about: a word of the command line as a server's name, an address or
 * a port. Pure; hostile words are refused. */

#include "control/mistakes.h"
#include "dataplane/addr.h"
#include "dataplane/err.h"

enum ctl_asked_kind { CTL_ASKED_NAME, CTL_ASKED_ADDRESS, CTL_ASKED_PORT };

enum {
	CTL_ASKED_WORD_MAX = 2048, // bytes of a word that is read at all
	CTL_ASKED_TEXT_MAX = 254, // of a name, NUL included (RFC 1035 2.3.4)
	CTL_ASKED_HOW_MAX = 192,
};

struct ctl_asked {
	enum ctl_asked_kind kind;
	char text
		[CTL_ASKED_TEXT_MAX]; // canonical: the name in lower case, the address, "udp:51820"
	struct dp_addr addr; // ADDRESS
	uint16_t port; // PORT; host order
	uint8_t l4_proto; // PORT; 6 or 17
	char how[CTL_ASKED_HOW_MAX]; // what was done to the word, "without its port, in lower case"; "" nothing
	char word
		[CTL_QUOTE_MAX]; // as it was written, as ctl_quote() has it: cut, without a URL's user
};

/* A name may come as a URL, with a port, in upper case, with a final dot, as a wildcard of a certificate, or in
 * letters that are not ASCII; an address in brackets or with a port. Returns 0, or -EINVAL with the
 * sentence "'word', expected ..." (ret_asked untouched). */
[[nodiscard]] int ctl_asked_read(
	const char *word, struct ctl_asked *ret_asked, struct dp_err *reterr);
