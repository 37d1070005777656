// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* TLS to Redis, where the installed hiredis has it (1.0 and newer with hiredis_ssl). The only file
 * that sees OpenSSL's libssl.
 *
 * The server's certificate is verified, and must be for the host of the URL or the name configured:
 * hiredis by itself checks the signature only. TLS 1.2 or newer. */

#include "control/config.h"
#include "dataplane/err.h"

struct redisAsyncContext;
struct ctl_redis_tls;

/* host: of the URL. Returns 0, -ENOTSUP where this build has no TLS, or -EINVAL with the file that
 * cannot be used. */
[[nodiscard]] int ctl_redis_tls_new(const struct ctl_redis_config *config, const char *host,
	struct ctl_redis_tls **ret_tls, struct dp_err *reterr);
void ctl_redis_tls_free(struct ctl_redis_tls *tls); // NULL is fine

/* Let this connection, just begun, talk TLS; with tls NULL it stays as it is. Returns 0, or -errno and
 * ac->errstr says why. */
[[nodiscard]] int ctl_redis_tls_start(struct ctl_redis_tls *tls, struct redisAsyncContext *ac);

/* Why the last connection failed, as far as TLS knows: the certificate, or what the server said. Borrowed
 * until the next start; NULL = nothing. hiredis reports such an end as one without a reason. */
const char *ctl_redis_tls_cause(struct ctl_redis_tls *tls);
