// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/dns.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any message: what is read is a name of hosts and addresses with a time that may be. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cls_dns_answer a;
	size_t len;

	if (!cls_dns_answer(data, size, &a))
		return 0;
	len = strnlen(a.host, sizeof(a.host));
	if (len == 0 || len == sizeof(a.host) || a.n_addrs > CLS_DNS_ADDRS_MAX)
		abort();
	if (strspn(a.host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != len)
		abort();
	for (uint32_t i = 0; i < a.n_addrs; i++) {
		if (a.addrs[i].ttl_s > INT32_MAX)
			abort();
	}
	return 0;
}
