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
	N_TEXTS = 4, // account, imsi, msisdn, subject
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
		if (profile->subject != NULL && profile->named_under != 0) {
			ctl_pack_u64(&plain, profile->named_under);
			ctl_pack_text(&plain, profile->subject);
		}
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

/* One of the texts, where it is; NULL = not told. *ret_end: behind it. */
static const char *read_text(struct ctl_unpack *in, uint8_t *plain, uint8_t **ret_end)
{
	size_t len;
	const uint8_t *text = ctl_unpack_bytes(in, &len);

	if (len > NAME_BYTES_MAX || (len > 0 && memchr(text, '\0', len) != NULL))
		ctl_unpack_spoil(in);
	*ret_end = plain + (text - plain) + len;
	return len == 0 ? NULL : (const char *)text;
}

/* Once all are found, what stands behind each text has been read and makes place for its NUL; behind
 * the last one there is a byte to spare. */
static void read_person(struct ctl_profile *profile, uint8_t *plain, struct ctl_unpack *in)
{
	uint8_t *ends[N_TEXTS];
	const char *account = read_text(in, plain, &ends[0]);
	const char *imsi = read_text(in, plain, &ends[1]);
	const char *msisdn = read_text(in, plain, &ends[2]);
	const bool has_subject = ctl_unpack_has_more(in);
	const uint64_t named_under = has_subject ? ctl_unpack_u64(in) : 0;
	const char *subject = has_subject ? read_text(in, plain, &ends[3]) : NULL;

	if (in->is_bad || in->at < in->end || (has_subject && subject == NULL)) {
		ctl_unpack_spoil(in);
		return;
	}
	for (size_t i = 0; i < (has_subject ? N_TEXTS : N_TEXTS - 1); i++)
		*ends[i] = '\0';
	ctl_profile_is_person(profile, account, imsi, msisdn);
	ctl_profile_name(profile, subject, named_under);
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
