// SPDX-License-Identifier: BSD-3-Clause
#include "control/redis_tls.h"

#include "control/hiredis_compat.h"

#include <errno.h>

#if WIRECUE_REDIS_TLS

#include <arpa/inet.h>
#include <glib.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

struct ctl_redis_tls {
	SSL_CTX *ctx; // owned
	char *name; // owned: whom the certificate must be for
	SSL *ssl; // of the last connection: our reference
	char cause[160];
};

static int fail_file(const char *option, const char *path, struct dp_err *reterr)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return dp_fail(reterr, EINVAL, "cannot use redis.%s '%s': %s", option, path,
		why != NULL ? why : "unknown error");
}

static int load(SSL_CTX *ctx, const struct ctl_redis_config *config, struct dp_err *reterr)
{
	if (config->ca_file == NULL) {
		if (SSL_CTX_set_default_verify_paths(ctx) != 1)
			return dp_fail(reterr, EINVAL,
				"cannot read the system's certificates: set redis.ca_file");
	} else if (SSL_CTX_load_verify_locations(ctx, config->ca_file, NULL) != 1) {
		return fail_file("ca_file", config->ca_file, reterr);
	}
	if (config->cert_file == NULL)
		return 0;
	if (SSL_CTX_use_certificate_chain_file(ctx, config->cert_file) != 1)
		return fail_file("cert_file", config->cert_file, reterr);
	if (SSL_CTX_use_PrivateKey_file(ctx, config->tls_key_file, SSL_FILETYPE_PEM) != 1)
		return fail_file("tls_key_file", config->tls_key_file, reterr);
	return 0;
}

int ctl_redis_tls_new(const struct ctl_redis_config *config, const char *host,
	struct ctl_redis_tls **ret_tls, struct dp_err *reterr)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int r;

	if (ctx == NULL)
		return dp_fail(reterr, ENOMEM, "cannot set up TLS: out of memory");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	r = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1
		? load(ctx, config, reterr)
		: dp_fail(reterr, EINVAL, "cannot set up TLS 1.2");
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	*ret_tls = g_new0(struct ctl_redis_tls, 1);
	(*ret_tls)->ctx = ctx;
	(*ret_tls)->name = g_strdup(
		config->tls_server_name != NULL ? config->tls_server_name : host);
	return 0;
}

void ctl_redis_tls_free(struct ctl_redis_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	SSL_CTX_free(tls->ctx);
	g_free(tls->name);
	g_free(tls);
}

/* Names are told to the server (RFC 6066 3: no addresses) and looked for in its certificate. */
static bool expect_name(SSL *ssl, const char *name)
{
	unsigned char binary[sizeof(struct in6_addr)];
	const bool is_address = inet_pton(AF_INET, name, binary) == 1 ||
		inet_pton(AF_INET6, name, binary) == 1;

	if (is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

/* What the server refuses us with (RFC 8446 6.2), other than its ordinary goodbye. */
static void note_alert(const SSL *ssl, int where, int value)
{
	struct ctl_redis_tls *tls = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT &&
		(value & 0xff) != SSL_AD_CLOSE_NOTIFY)
		(void)snprintf(tls->cause, sizeof(tls->cause), "the server refuses TLS: %s",
			SSL_alert_desc_string_long(value));
}

int ctl_redis_tls_start(struct ctl_redis_tls *tls, struct redisAsyncContext *ac)
{
	const char *cause;
	SSL *ssl;

	if (tls == NULL)
		return 0;
	tls->cause[0] = '\0';
	SSL_free(tls->ssl);
	tls->ssl = ssl = SSL_new(tls->ctx);
	if (ssl != NULL && expect_name(ssl, tls->name) && SSL_set_app_data(ssl, tls) == 1) {
		SSL_set_info_callback(ssl, note_alert);
		(void)SSL_up_ref(ssl); // one for hiredis, which frees it, one for the cause
		if (redisInitiateSSL(&ac->c, ssl) == REDIS_OK)
			return 0;
		SSL_free(ssl);
	}
	cause = ctl_redis_tls_cause(tls); // a near server may have answered already
	if (cause != NULL || ac->c.errstr[0] == '\0')
		(void)g_strlcpy(ac->c.errstr, cause != NULL ? cause : "cannot begin TLS",
			sizeof(ac->c.errstr));
	ac->errstr = ac->c.errstr;
	return -EPROTO;
}

const char *ctl_redis_tls_cause(struct ctl_redis_tls *tls)
{
	long verified;

	if (tls == NULL || tls->ssl == NULL)
		return NULL;
	verified = SSL_get_verify_result(tls->ssl);
	if (verified != X509_V_OK)
		(void)snprintf(tls->cause, sizeof(tls->cause), "certificate verify failed: %s",
			X509_verify_cert_error_string(verified));
	return tls->cause[0] != '\0' ? tls->cause : NULL;
}

#else

struct ctl_redis_tls {
	int unused; // there never is one
};

int ctl_redis_tls_new(const struct ctl_redis_config *, const char *, struct ctl_redis_tls **,
	struct dp_err *reterr)
{
	return dp_fail(reterr, ENOTSUP, "the hiredis this was built with has no TLS");
}

void ctl_redis_tls_free(struct ctl_redis_tls *)
{
}

int ctl_redis_tls_start(struct ctl_redis_tls *, struct redisAsyncContext *)
{
	return 0;
}

const char *ctl_redis_tls_cause(struct ctl_redis_tls *)
{
	return NULL;
}

#endif
