// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/hash.h"

#include <sys/random.h>

uint64_t dp_hash_key[2] = {0x9e3779b97f4a7c15ULL, 0xd6e8feb86659fd93ULL};

void dp_hash_key_init(void)
{
	uint64_t key[2];

	// Without entropy yet, at boot, the constant is better than waiting.
	if (getrandom(key, sizeof(key), GRND_NONBLOCK) != sizeof(key))
		return;
	dp_hash_key[0] = key[0];
	dp_hash_key[1] = key[1];
}
