// SPDX-License-Identifier: BSD-3-Clause

/* rediss://: delivered to the server that the certificate names, and to no other. */

#include "control/redis_url.h"
#include "tests/lib/publisher_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tls_rig {
	struct rig *rig;
	char url[64], cert[96], key[96], other_cert[96], other_key[96];
	char listener[8];
};

/* A certificate that signs itself. */
static void make_certificate(const char *key, const char *cert)
{
	g_autofree char *command = g_strdup_printf(
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
		"-subj /CN=test -addext subjectAltName=DNS:redis.example,IP:127.0.0.1 "
		"-keyout %s -out %s 2>/dev/null",
		key, cert);

	assert_int_equal(system(command), 0);
}

static void start_server(struct tls_rig *t, const char *auth_clients)
{
	const char *const args[] = {"--port", "0", "--tls-port", t->listener, "--tls-cert-file",
		t->cert, "--tls-key-file", t->key, "--tls-ca-cert-file", t->cert,
		"--tls-auth-clients", auth_clients, "--appendonly", "yes", "--appendfsync",
		"always", NULL};

	test_redis_start(&t->rig->redis, args);
}

static int setup(void **state)
{
	struct tls_rig *t = g_new0(struct tls_rig, 1);
	const char *dir;

	assert_int_equal(rig_setup((void **)&t->rig), 0);
	dir = t->rig->redis.dir;
	(void)snprintf(t->url, sizeof(t->url), "rediss://127.0.0.1:%u", t->rig->redis.port);
	(void)snprintf(t->listener, sizeof(t->listener), "%u", t->rig->redis.port);
	(void)snprintf(t->cert, sizeof(t->cert), "%s/cert.pem", dir);
	(void)snprintf(t->key, sizeof(t->key), "%s/key.pem", dir);
	(void)snprintf(t->other_cert, sizeof(t->other_cert), "%s/other.pem", dir);
	(void)snprintf(t->other_key, sizeof(t->other_key), "%s/other.key", dir);
	make_certificate(t->key, t->cert);
	make_certificate(t->other_key, t->other_cert);
	t->rig->config.url = t->url;
	t->rig->config.ca_file = t->cert;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tls_rig *t = *state;
	void *rig = t->rig;
	const int r = rig_teardown(&rig);

	g_free(t);
	return r;
}

/* It does not come to a delivery, for a reason that is told. */
static void expect_refusal(struct tls_rig *t, const char *cause)
{
	char sentence[512];

	rig_until_state(t->rig, CTL_REDIS_UNREACHABLE);
	rig_run_ms(t->rig, 100); // some retries
	rig_until_state(t->rig, CTL_REDIS_UNREACHABLE);
	ctl_publisher_sentence(t->rig->publisher, sentence, sizeof(sentence));
	if (strstr(sentence, cause) == NULL)
		fail_msg("'%s' does not say '%s'", sentence, cause);
	assert_int_equal(ctl_outbox_stats(t->rig->outbox).n_waiting, 10);
	rig_disconnect(t->rig);
}

static void everything_is_delivered_over_tls_through_every_restart(void **state)
{
	struct tls_rig *t = *state;

	start_server(t, "no");
	rig_connect(t->rig);
	rig_push(t->rig, 3000);
	for (uint64_t n = 500; n <= 1500; n += 500) {
		rig_until_count(t->rig, "confirmed", n);
		test_redis_kill(&t->rig->redis);
		rig_until_state(t->rig, CTL_REDIS_UNREACHABLE);
		start_server(t, "no");
	}
	rig_until_waiting(t->rig, 0);
	rig_expect(t->rig, 1, 0, 3000);
}

static void a_server_that_nobody_vouches_for_gets_nothing(void **state)
{
	struct tls_rig *t = *state;

	start_server(t, "no");
	t->rig->config.ca_file = t->other_cert;
	rig_push(t->rig, 10);
	rig_connect(t->rig);
	expect_refusal(t, "certificate verify failed");
	t->rig->config.ca_file = t->cert;
	rig_connect(t->rig);
	rig_until_waiting(t->rig, 0);
}

static void a_server_of_another_name_gets_nothing(void **state)
{
	static char other[] = "other.example", named[] = "redis.example";
	struct tls_rig *t = *state;

	start_server(t, "no");
	t->rig->config.tls_server_name = other;
	rig_push(t->rig, 10);
	rig_connect(t->rig);
	expect_refusal(t, "certificate verify failed");
	t->rig->config.tls_server_name = named;
	rig_connect(t->rig);
	rig_until_waiting(t->rig, 0);
}

static void a_server_that_wants_a_certificate_gets_ours(void **state)
{
	struct tls_rig *t = *state;

	start_server(t, "yes");
	rig_push(t->rig, 10);
	rig_connect(t->rig);
	expect_refusal(t, ""); // its alert may be overtaken by the reset behind it
	t->rig->config.cert_file = t->cert;
	t->rig->config.tls_key_file = t->key;
	rig_connect(t->rig);
	rig_until_waiting(t->rig, 0);
}

static void a_file_that_cannot_be_used_is_named(void **state)
{
	static char missing[] = "/nonexistent/ca.pem";
	struct tls_rig *t = *state;
	struct ctl_publisher_config config = {
		.redis = &t->rig->config, .node = "edge1", .outbox = t->rig->outbox};
	struct ctl_publisher *publisher;
	struct dp_err err = {""};

	t->rig->config.ca_file = missing;
	assert_int_equal(ctl_publisher_new(t->rig->base, &config, &publisher, &err), -EINVAL);
	assert_non_null(strstr(err.text, "redis.ca_file '/nonexistent/ca.pem'"));
	t->rig->config.ca_file = t->cert;
	t->rig->config.cert_file = t->cert;
	t->rig->config.tls_key_file = t->other_key; // of another one
	assert_int_equal(ctl_publisher_new(t->rig->base, &config, &publisher, &err), -EINVAL);
	assert_non_null(strstr(err.text, "redis.tls_key_file"));
}

#define TLS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TLS_TEST(everything_is_delivered_over_tls_through_every_restart),
		TLS_TEST(a_server_that_nobody_vouches_for_gets_nothing),
		TLS_TEST(a_server_of_another_name_gets_nothing),
		TLS_TEST(a_server_that_wants_a_certificate_gets_ours),
		TLS_TEST(a_file_that_cannot_be_used_is_named),
	};

	if (!CTL_REDIS_HAS_TLS) {
		puts("SKIP: the hiredis this was built with has no TLS");
		return 77;
	}
	if (!test_redis_is_installed() || system("openssl version >/dev/null 2>&1") != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
