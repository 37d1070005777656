// SPDX-License-Identifier: BSD-3-Clause
#include "control/profile_who.h"

#include "control/image_fields.h"
#include "control/profile_image.h"

#include <glib.h>
#include <string.h>

enum {
	PLAIN_USUAL = 256,
	PLAIN_MAX = 1024,
	NAME_BYTES_MAX = 255,
	N_NAMES = 3, // account, imsi, msisdn
};

static void pack_name(struct ctl_pack *out, const char *name)
{
	ctl_pack_text(out, name == NULL ? "" : name);
}

void ctl_profile_pack_who(
	const struct ctl_profile *profile, struct ctl_seal *seal, struct ctl_pack *out)
{
	uint8_t sealed[PLAIN_USUAL + CTL_SEAL_OVERHEAD];
	struct ctl_pack plain = {0};
	g_autofree uint8_t *long_sealed = NULL;
	uint8_t *to = sealed;
	size_t part;

	ctl_pack_u64(&plain, profile->who);
	if (profile->who == CTL_WHO_PERSON) {
		pack_name(&plain, profile->identity->account);
		pack_name(&plain, profile->identity->imsi);
		pack_name(&plain, profile->identity->msisdn);
	} else {
		ctl_pack_bytes(&plain, profile->endpoint.b, sizeof(profile->endpoint.b));
	}
	if (plain.len > PLAIN_USUAL)
		to = long_sealed = g_malloc(plain.len + CTL_SEAL_OVERHEAD);
	ctl_seal_put(seal, profile->id, plain.data, plain.len, to);
	part = ctl_pack_open(out, CTL_PART_WHO);
	ctl_pack_bytes(out, to, plain.len + CTL_SEAL_OVERHEAD);
	ctl_pack_close(out, part);
	explicit_bzero(plain.data, plain.len);
	ctl_pack_fini(&plain);
}

/* The texts where they are: once all are found, the length of the next one has been read and makes
 * place for the NUL, as the byte behind the last one does. */
static void read_person(struct ctl_profile *profile, uint8_t *plain, struct ctl_unpack *in)
{
	const char *names[N_NAMES] = {NULL};
	size_t ends[N_NAMES];

	for (size_t i = 0; i < N_NAMES; i++) {
		size_t len;
		const uint8_t *name = ctl_unpack_bytes(in, &len);

		if (len > NAME_BYTES_MAX || (len > 0 && memchr(name, '\0', len) != NULL))
			ctl_unpack_spoil(in);
		if (len > 0)
			names[i] = (const char *)name;
		ends[i] = (size_t)(name - plain) + len;
	}
	if (in->is_bad || in->at < in->end)
		return;
	for (size_t i = 0; i < N_NAMES; i++)
		plain[ends[i]] = '\0';
	ctl_profile_is_person(profile, names[0], names[1], names[2]);
}

static void read_endpoint(struct ctl_profile *profile, struct ctl_unpack *in)
{
	struct dp_addr endpoint;
	size_t len;
	const uint8_t *data = ctl_unpack_bytes(in, &len);

	if (len != sizeof(endpoint.b) || in->at < in->end) {
		ctl_unpack_spoil(in);
		return;
	}
	memcpy(endpoint.b, data, len);
	ctl_profile_is_endpoint(profile, &endpoint);
}

/* Returns whether it is somebody. plain has a byte behind its end. */
static bool read_plain(struct ctl_profile *profile, uint8_t *plain, size_t len)
{
	struct ctl_unpack in = ctl_unpack_of(plain, len);

	switch (ctl_unpack_u64(&in)) {
	case CTL_WHO_PERSON:
		read_person(profile, plain, &in);
		break;
	case CTL_WHO_ENDPOINT:
		read_endpoint(profile, &in);
		break;
	default:
		return false;
	}
	return !in.is_bad && in.at == in.end;
}

void ctl_profile_unpack_who(
	struct ctl_profile *profile, struct ctl_seal *seal, struct ctl_unpack *in)
{
	uint8_t plain[PLAIN_MAX + 1];
	size_t len;
	const uint8_t *sealed = ctl_unpack_bytes(in, &len);
	const int plain_len = len > PLAIN_MAX ? -1
					      : ctl_seal_get(seal, profile->id, sealed, len, plain);

	if (plain_len < 0) {
		ctl_unpack_spoil(in);
		return;
	}
	if (!read_plain(profile, plain, (size_t)plain_len))
		ctl_unpack_spoil(in);
	explicit_bzero(plain, (size_t)plain_len + 1);
}
