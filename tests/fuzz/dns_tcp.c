// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/dns_tcp.h"
#include "classifier/dns.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_CONNECTIONS = 4, N_WAITING = 2, HEAD_LEN = 4 };

static void take(void *arg, const uint8_t *message, size_t len)
{
	struct cls_dns_answer answer;
	unsigned int *n = arg;

	if (len < 12 || len > CLS_DNS_TCP_MAX - 2 || (message[2] & 0xf8) != 0x80)
		abort();
	++*n;
	(void)cls_dns_answer(message, len, &answer);
}

/* Segments of some connections. Of each: connection and how far it begins from where the one before ended,
 * from -128 to 127 or in steps of 256, then its length in two bytes; its bytes follow. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cls_dns_tcp_pool *pool = cls_dns_tcp_pool_new(N_WAITING);
	void *waiting[N_CONNECTIONS] = {NULL};
	uint32_t next[N_CONNECTIONS] = {0, UINT32_MAX - 100, 7, 1U << 31};
	unsigned int n_taken = 0, n_waiting;
	const struct cls_dns_sink sink = {take, &n_taken};

	if (pool == NULL)
		abort();
	while (size >= HEAD_LEN) {
		const unsigned int c = data[0] % N_CONNECTIONS;
		const uint32_t step = data[0] / N_CONNECTIONS % 2 != 0 ? 256 : 1;
		size_t len = (size_t)(data[2] << 8 | data[3]);
		uint8_t *copy;

		next[c] += (uint32_t)(int8_t)data[1] * step;
		len = len < size - HEAD_LEN ? len : size - HEAD_LEN;
		copy = malloc(len > 0 ? len : 1); // of its size: a read behind it is seen
		if (copy == NULL)
			abort();
		memcpy(copy, data + HEAD_LEN, len);
		cls_dns_tcp_put(pool, &waiting[c], next[c], copy, len, &sink);
		free(copy);
		next[c] += (uint32_t)len;
		data += HEAD_LEN + len;
		size -= HEAD_LEN + len;
		n_waiting = 0;
		for (unsigned int i = 0; i < N_CONNECTIONS; i++)
			n_waiting += waiting[i] != NULL;
		if (n_waiting > N_WAITING)
			abort();
	}
	for (unsigned int i = 0; i < N_CONNECTIONS; i++)
		cls_dns_tcp_drop(pool, &waiting[i]);
	cls_dns_tcp_pool_free(pool);
	return 0;
}
