// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/oracle.h"

#include "classifier/library.h"

#include <stdlib.h>
#include <string.h>

struct cls_oracle {
	struct cls_library *lib;
};

struct cls_oracle *cls_oracle_new(void)
{
	struct cls_oracle *oracle = calloc(1, sizeof(*oracle));

	if (oracle == NULL)
		return NULL;
	oracle->lib = cls_library_new();
	if (oracle->lib == NULL) {
		free(oracle);
		return NULL;
	}
	return oracle;
}

void cls_oracle_free(struct cls_oracle *oracle)
{
	if (oracle == NULL)
		return;
	cls_library_free(oracle->lib);
	free(oracle);
}

/* Of a longer name a flow keeps no more. */
static const char *end_of(const char *name)
{
	const size_t len = strlen(name);

	return len < DP_HOST_MAX ? name : name + len - (DP_HOST_MAX - 1);
}

struct cls_oracle_word cls_oracle_name(struct cls_oracle *oracle, const char *name)
{
	const char *host = end_of(name);
	const ndpi_protocol p = cls_library_listed(oracle->lib, NDPI_PROTOCOL_TLS, host);

	if (p.app_protocol == NDPI_PROTOCOL_UNKNOWN)
		return (struct cls_oracle_word){.found = name};
	return (struct cls_oracle_word){.proto = p.app_protocol,
		.is_alike = cls_library_is_alike(oracle->lib, &p, host),
		.found = cls_library_found(oracle->lib, &p, host)};
}

uint16_t cls_oracle_addr(struct cls_oracle *oracle, const struct dp_addr *addr)
{
	return dp_addr_is_v4(addr) ? cls_library_network(oracle->lib, addr) : 0;
}

uint16_t cls_oracle_port(struct cls_oracle *oracle, uint8_t l4_proto, uint16_t port)
{
	return cls_library_port(oracle->lib, l4_proto, port);
}
