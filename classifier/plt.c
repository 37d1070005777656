// SPDX-License-Identifier: BSD-3-Clause

/* The library's modules with their inside, as it sees its own headers. The layout is that of version 4.2 as
 * Debian builds it, without any of the options that change it. */
#define NDPI_LIB_COMPILATION
#define _NDPI_CONFIG_H_ // is not installed, and decides about nothing here
#include <ndpi_api.h>

#include "classifier/hello.h"
#include "classifier/memo.h"
#include "classifier/plt.h"

#include <assert.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

static int (*library_dga)(
	struct ndpi_detection_module_struct *, struct ndpi_flow_struct *, char *, u_int8_t);

/* The test for generated names ends in a risk, which we do not ask for, except where a TLS flow becomes
 * Tor by it: www.NAME.com or .net (tls.c, processClientServerHello). It costs as much as all else
 * that is done with a name. The library's own is found behind ours. */
int ndpi_check_dga_name(struct ndpi_detection_module_struct *nd, struct ndpi_flow_struct *flow,
	char *name, u_int8_t is_hostname)
{
	const size_t len = name != NULL ? strlen(name) : 0;

	if (len < 4 || strncmp(name, "www.", 4) != 0 ||
		(strcmp(name + len - 4, ".com") != 0 && strcmp(name + len - 4, ".net") != 0))
		return 0;
	return library_dga(nd, flow, name, is_hostname);
}

/* --- what it looks up in its tables, see classifier/memo.h -------------------------------------- */

static int (*library_protocol)(
	struct ndpi_detection_module_struct *, char *, u_int, ndpi_protocol_match_result *);
static int (*library_category)(
	struct ndpi_detection_module_struct *, char *, u_int, ndpi_protocol_category_t *);
static u_int16_t (*library_network)(
	struct ndpi_detection_module_struct *, struct in_addr *, u_int16_t);

static _Thread_local struct cls_memo *memo_in_use;

void cls_plt_use(struct cls_memo *memo)
{
	memo_in_use = memo;
}

/* A name that begins with NUL is an empty one for the library, whatever its length. */
static struct cls_memo_name *place_of(const char *name, size_t len)
{
	if (memo_in_use == NULL || name == NULL || len == 0 || name[0] == '\0')
		return NULL;
	return cls_memo_name(memo_in_use, name, len);
}

int ndpi_match_string_subprotocol(struct ndpi_detection_module_struct *nd, char *name, u_int len,
	ndpi_protocol_match_result *ret_match)
{
	struct cls_memo_name *place = place_of(name, len);

	if (place == NULL)
		return library_protocol(nd, name, len, ret_match);
	if (!place->has_protocol) {
		ndpi_protocol_match_result m = {0};
		const int answer = library_protocol(nd, name, len, &m);

		place->protocol = (struct cls_memo_protocol){
			answer, m.protocol_id, m.protocol_category, m.protocol_breed};
		place->has_protocol = true;
	}
	ret_match->protocol_id = place->protocol.id;
	ret_match->protocol_category = (ndpi_protocol_category_t)place->protocol.category;
	ret_match->protocol_breed = (ndpi_protocol_breed_t)place->protocol.breed;
	return place->protocol.answer;
}

/* *ret_category means something where there is one. */
int ndpi_get_custom_category_match(struct ndpi_detection_module_struct *nd, char *name, u_int len,
	ndpi_protocol_category_t *ret_category)
{
	struct cls_memo_name *place = place_of(name, len);

	if (place == NULL)
		return library_category(nd, name, len, ret_category);
	if (!place->has_category) {
		ndpi_protocol_category_t category = *ret_category;
		const int answer = library_category(nd, name, len, &category);

		place->category = (struct cls_memo_category){answer, category};
		place->has_category = true;
	}
	if (place->category.answer != -1)
		*ret_category = (ndpi_protocol_category_t)place->category.category;
	return place->category.answer;
}

u_int16_t ndpi_network_port_ptree_match(
	struct ndpi_detection_module_struct *nd, struct in_addr *addr, u_int16_t port)
{
	struct cls_memo_addr *place;

	if (memo_in_use == NULL)
		return library_network(nd, addr, port);
	place = cls_memo_addr(memo_in_use, addr->s_addr, port);
	if (!place->is_known) {
		place->answer = library_network(nd, addr, port);
		place->is_known = true;
	}
	return place->answer;
}

/* Cross-flow caches would make a verdict depend on which flows one worker saw before, so on the
 * number of workers. The library calls these two through its PLT; ours come first. */
u_int8_t ndpi_lru_find_cache(
	struct ndpi_lru_cache *, u_int32_t, u_int16_t *, u_int8_t /* clean_key_when_found */)
{
	return 0;
}

void ndpi_lru_add_to_cache(struct ndpi_lru_cache *, u_int32_t, u_int16_t)
{
}

/* Asked twice for each dissector that is tried, 175 times for a datagram that nobody knows; the
 * library's own goes bit field by bit field. */
int NDPI_BITMASK_COMPARE(NDPI_PROTOCOL_BITMASK a, NDPI_PROTOCOL_BITMASK b)
{
	ndpi_ndpi_mask common = 0;

	for (size_t i = 0; i < NDPI_NUM_FDS_BITS; i++)
		common |= a.fds_bits[i] & b.fds_bits[i];
	return common != 0;
}

static int (*library_hello)(
	struct ndpi_detection_module_struct *, struct ndpi_flow_struct *, uint32_t);

static bool has_layout; // the module is laid out as our headers have it

int processClientServerHello(struct ndpi_detection_module_struct *nd, struct ndpi_flow_struct *flow,
	uint32_t quic_version);
int is_version_with_var_int_transport_params(uint32_t version); // the library's own

/* As the library does it, which would go on to print it. */
static void take_server_13(struct ndpi_flow_struct *flow, uint16_t cipher)
{
	flow->protos.tls_quic.server_unsafe_cipher = 0;
	flow->protos.tls_quic.server_cipher = cipher;
	flow->protos.tls_quic.ssl_version = 0x0304;
}

/* As processClientServerHello(), with less to print. */
static int look(struct ndpi_detection_module_struct *nd, struct ndpi_flow_struct *flow,
	uint32_t quic_version)
{
	struct ndpi_packet_struct *packet = &nd->packet;
	const uint8_t *hello = packet->payload;
	const uint16_t len = packet->payload_packet_len;
	const bool has_long_params = quic_version == 0 ||
		is_version_with_var_int_transport_params(quic_version) == 0;
	uint8_t buf[CLS_HELLO_MAX + CLS_HELLO_EXTRA];
	uint16_t cipher;
	size_t n = 0;

	if (packet->udp == NULL && cls_hello_is_server_13(hello, len, &cipher)) {
		take_server_13(flow, cipher);
		return 0;
	}
	if (packet->udp == NULL || quic_version != 0)
		n = cls_hello_rewrite(hello, len, has_long_params, buf);
	if (n == 0)
		return library_hello(nd, flow, quic_version);
	packet->payload = buf;
	packet->payload_packet_len = (uint16_t)n;

	const int answer = library_hello(nd, flow, quic_version);

	packet->payload = hello;
	packet->payload_packet_len = len;
	return answer;
}

/* Called for each hello of TLS, DTLS (whose header is another) and QUIC. */
int processClientServerHello(struct ndpi_detection_module_struct *nd, struct ndpi_flow_struct *flow,
	uint32_t quic_version)
{
	return has_layout ? look(nd, flow, quic_version) : library_hello(nd, flow, quic_version);
}

/* Whether a site is of a category that users may define ends in a category, which we do not ask for. */
void ndpi_fill_protocol_category(
	struct ndpi_detection_module_struct *, struct ndpi_flow_struct *, ndpi_protocol *)
{
}

void cls_plt_init(size_t module_size)
{
	has_layout = module_size == sizeof(struct ndpi_detection_module_struct);
	*(void **)&library_dga = dlsym(RTLD_NEXT, "ndpi_check_dga_name");
	*(void **)&library_hello = dlsym(RTLD_NEXT, "processClientServerHello");
	*(void **)&library_protocol = dlsym(RTLD_NEXT, "ndpi_match_string_subprotocol");
	*(void **)&library_category = dlsym(RTLD_NEXT, "ndpi_get_custom_category_match");
	*(void **)&library_network = dlsym(RTLD_NEXT, "ndpi_network_port_ptree_match");
	// We are linked with it.
	assert(library_dga != NULL && library_hello != NULL && library_protocol != NULL &&
		library_category != NULL && library_network != NULL);
}
