// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/name.h"

bool cls_name_set(struct cls_name *name, const uint8_t *host, size_t len)
{
	const size_t kept = len < DP_HOST_MAX ? len : DP_HOST_MAX - 1;

	if (len == 0 || memchr(host, '\0', len) != NULL)
		return false;
	memcpy(name->host, host + len - kept, kept);
	name->host[kept] = '\0';
	return true;
}
