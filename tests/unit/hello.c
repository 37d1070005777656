// SPDX-License-Identifier: BSD-3-Clause

// What the library makes of a hello is compared in its own words, so with its own headers (classifier/plt.c).
#define NDPI_LIB_COMPILATION
#define _NDPI_CONFIG_H_
#include <ndpi_api.h>

#include "classifier/hello.h"

#include "tests/lib/payload.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { RECORD_BYTES = 5, QUIC_V1 = 1, QUIC_DRAFT_22 = 0xff000016 };

static int (*library_hello)(
	struct ndpi_detection_module_struct *, struct ndpi_flow_struct *, uint32_t);
static struct ndpi_detection_module_struct *nd;

static int setup(void **)
{
	NDPI_PROTOCOL_BITMASK all;

	*(void **)&library_hello = dlsym(RTLD_NEXT, "processClientServerHello");
	assert_non_null(library_hello);
	nd = ndpi_init_detection_module(ndpi_no_prefs);
	assert_non_null(nd);
	NDPI_BITMASK_SET_ALL(all);
	ndpi_set_protocol_detection_bitmask2(nd, &all);
	ndpi_finalize_initialization(nd);
	return 0;
}

static int teardown(void **)
{
	ndpi_exit_detection_module(nd);
	return 0;
}

/* As the dissectors call it. */
static int show(const uint8_t *hello, size_t len, uint32_t version, struct ndpi_flow_struct *flow)
{
	static const struct ndpi_udphdr udp;

	memset(flow, 0, sizeof(*flow));
	nd->packet.payload = hello;
	nd->packet.payload_packet_len = (uint16_t)len;
	nd->packet.udp = version != 0 ? &udp : NULL;
	return library_hello(nd, flow, version);
}

static void same_text(const char *a, const char *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a != NULL)
		assert_string_equal(a, b);
}

/* Everything of a flow that a verdict or another dissector reads. */
static void same_flow(const struct ndpi_flow_struct *a, const struct ndpi_flow_struct *b)
{
	assert_memory_equal(a->detected_protocol_stack, b->detected_protocol_stack,
		sizeof(a->detected_protocol_stack));
	assert_int_equal(a->risk, b->risk);
	assert_int_equal(a->confidence, b->confidence);
	assert_int_equal(a->category, b->category);
	assert_string_equal(a->host_server_name, b->host_server_name);
	assert_int_equal(a->protos.tls_quic.ssl_version, b->protos.tls_quic.ssl_version);
	assert_int_equal(
		a->protos.tls_quic.subprotocol_detected, b->protos.tls_quic.subprotocol_detected);
	same_text(a->protos.tls_quic.alpn, b->protos.tls_quic.alpn);
	same_text(a->protos.tls_quic.encrypted_sni.esni, b->protos.tls_quic.encrypted_sni.esni);
	same_text(a->protos.tls_quic.server_names, b->protos.tls_quic.server_names);
}

/* The library frees what hangs on flows that a dissector gave its name to; here none has. */
static void drop(struct ndpi_flow_struct *flow)
{
	flow->detected_protocol_stack[0] = NDPI_PROTOCOL_TLS;
	ndpi_free_flow_data(flow);
}

/* A copy of just its size, so that a sanitizer sees what is read behind it. Whether it was rewritten. */
static bool compare(const uint8_t *bytes, size_t len, uint32_t version)
{
	static uint8_t buf[CLS_HELLO_MAX + CLS_HELLO_EXTRA];
	struct ndpi_flow_struct *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));
	uint8_t *hello = malloc(len + 1); // the library reads one byte too many of a short one
	size_t n;

	assert_true(a != NULL && b != NULL && hello != NULL);
	memcpy(hello, bytes, len);
	hello[len] = 0;
	n = cls_hello_rewrite(hello, len, version != QUIC_V1, buf);
	if (n > 0) {
		assert_int_equal(show(hello, len, version, a), show(buf, n, version, b));
		same_flow(a, b);
		assert_string_equal(b->protos.tls_quic.ja3_client, ""); // what it is for
		drop(a);
		drop(b);
	}
	free(hello);
	free(a);
	free(b);
	return n > 0;
}

/* Whether it is one of which we know what the library makes of it. */
static bool compare_server(const uint8_t *hello, size_t len)
{
	struct ndpi_flow_struct flow;
	uint16_t cipher;

	if (!cls_hello_is_server_13(hello, len, &cipher))
		return false;
	assert_int_equal(show(hello, len, 0, &flow), 0);
	assert_int_equal(flow.protos.tls_quic.server_unsafe_cipher, 0);
	assert_int_equal(flow.protos.tls_quic.server_cipher, cipher);
	assert_int_equal(flow.protos.tls_quic.ssl_version, 0x0304);
	// And these two and the fingerprint are all.
	memset(flow.protos.tls_quic.ja3_server, 0, sizeof(flow.protos.tls_quic.ja3_server));
	flow.protos.tls_quic.server_cipher = 0;
	flow.protos.tls_quic.ssl_version = 0;
	for (size_t i = 0; i < sizeof(flow); i++)
		assert_int_equal(((const uint8_t *)&flow)[i], 0);
	return true;
}

static size_t server_hello(uint8_t *hello)
{
	struct payload request = {.len = 0}, answer = {.len = 0};
	struct wire_random random;
	const uint8_t *record = answer.bytes;

	wire_random_init(&random, 1);
	payload_tls(&request, &answer, &random);
	memcpy(hello, record + RECORD_BYTES, PAYLOAD_MAX - RECORD_BYTES);
	return (size_t)record[3] << 8 | record[4];
}

static void servers_of_tls_13(void **)
{
	uint8_t hello[PAYLOAD_MAX];
	const size_t len = server_hello(hello);
	unsigned int n_known = 0;

	assert_true(compare_server(hello, len));
	for (size_t n = 0; n < len; n++)
		assert_false(compare_server(hello, n));
	for (size_t i = 0; i < len; i++) {
		const uint8_t before = hello[i];

		for (int k = 0; k <= UINT8_MAX; k++) {
			hello[i] = (uint8_t)k;
			n_known += compare_server(hello, len);
		}
		hello[i] = before;
	}
	assert_true(n_known > 1000 && n_known < len * (UINT8_MAX + 1));
}

static size_t client_hello(uint8_t *hello)
{
	struct payload request = {.len = 0}, answer = {.len = 0};
	struct wire_random random;

	wire_random_init(&random, 1);
	payload_tls(&request, &answer, &random);
	memcpy(hello, request.bytes + RECORD_BYTES, request.len - RECORD_BYTES);
	assert_int_equal(cls_hello_rewrite(answer.bytes + RECORD_BYTES, answer.len - RECORD_BYTES,
				 true, (uint8_t[CLS_HELLO_MAX + CLS_HELLO_EXTRA]){0}),
		0); // a ServerHello
	return request.len - RECORD_BYTES;
}

static void the_same_is_said(void **)
{
	uint8_t hello[PAYLOAD_MAX];
	const size_t len = client_hello(hello);

	assert_true(compare(hello, len, 0));
	assert_true(compare(hello, len, QUIC_V1));
	assert_true(compare(hello, len, QUIC_DRAFT_22));
}

static void what_is_cut_is_left(void **)
{
	uint8_t hello[PAYLOAD_MAX];
	const size_t len = client_hello(hello);

	for (size_t n = 0; n < len; n++)
		assert_false(compare(hello, n, 0));
}

/* Every byte in every shape that matters for a length, alone and with the one before it. */
static void nothing_else_is_said_of_a_broken_one(void **)
{
	static const uint8_t odd[] = {0, 1, 2, 3, 4, 5, 10, 11, 13, 16, 43, 57, 0x7f, 0x80, 0xff};
	uint8_t hello[PAYLOAD_MAX];
	const size_t len = client_hello(hello);
	unsigned int n_rewritten = 0;

	for (size_t i = 0; i < len; i++) {
		const uint8_t before = hello[i];

		for (size_t k = 0; k < sizeof(odd); k++) {
			hello[i] = odd[k];
			n_rewritten += compare(hello, len, 0);
			n_rewritten += compare(hello, len, QUIC_V1);
		}
		hello[i] = before;
	}
	assert_true(n_rewritten > 1000);
}

static void random_ones(void **)
{
	uint8_t hello[PAYLOAD_MAX], broken[PAYLOAD_MAX];
	const size_t len = client_hello(hello);
	unsigned int n_rewritten = 0;
	struct wire_random random;

	wire_random_init(&random, 2);
	for (int i = 0; i < 20000; i++) {
		memcpy(broken, hello, len);
		for (uint32_t n = 1 + wire_below(&random, 4); n > 0; n--)
			broken[wire_below(&random, (uint32_t)len)] = (uint8_t)wire_random(&random);
		n_rewritten += compare(broken, len, i % 2 == 0 ? 0 : QUIC_DRAFT_22);
	}
	assert_true(n_rewritten > 1000);
}

/* One of n bytes, most of them in an extension that nobody knows. */
static size_t long_hello(uint8_t *hello, size_t n)
{
	enum { BEGINNING = 38 + 1 + 2 + 2 + 1 + 1 }; // one cipher, no compression

	memset(hello, 0, n);
	hello[0] = 1;
	wire_16(hello + 2, (uint32_t)n - 4);
	hello[BEGINNING - 5] = 2;
	hello[BEGINNING - 2] = 1;
	wire_16(hello + BEGINNING, (uint32_t)n - BEGINNING - 2);
	wire_16(hello + BEGINNING + 2, 21);
	wire_16(hello + BEGINNING + 4, (uint32_t)n - BEGINNING - 6);
	return n;
}

static void a_long_one_is_left(void **)
{
	static uint8_t hello[CLS_HELLO_MAX + 1];

	assert_true(compare(hello, long_hello(hello, 100), 0));
	assert_true(compare(hello, long_hello(hello, CLS_HELLO_MAX), 0));
	assert_false(compare(hello, long_hello(hello, CLS_HELLO_MAX + 1), 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_said),
		cmocka_unit_test(what_is_cut_is_left),
		cmocka_unit_test(nothing_else_is_said_of_a_broken_one),
		cmocka_unit_test(random_ones),
		cmocka_unit_test(a_long_one_is_left),
		cmocka_unit_test(servers_of_tls_13),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
