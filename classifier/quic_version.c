// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/quic_version.h"

#include <stddef.h>

static const uint8_t salt_v1[] = // RFC 9001 5.2
	"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
static const uint8_t salt_v2[] = // RFC 9369 3.3.1
	"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9";
static const uint8_t salt_v2_draft[] = // draft-ietf-quic-v2-01 3.3.1
	"\xa7\x07\xc2\x03\xa5\x9b\x47\x18\x4a\x1d\x62\xca\x57\x04\x06\xea\x7a\xe3\xe5\xd3";
static const uint8_t salt_29[] = // draft-ietf-quic-tls-29 5.2
	"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99";
static const uint8_t salt_23[] = // draft-ietf-quic-tls-23 5.2
	"\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02";
static const uint8_t salt_22[] = // draft-ietf-quic-tls-22 5.2
	"\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a";
static const uint8_t salt_q050[] = // Google's, as its library and Wireshark have them
	"\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45";
static const uint8_t salt_t050[] =
	"\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10";
static const uint8_t salt_t051[] =
	"\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d";

static const struct cls_quic_version versions[] = {
	{CLS_QUIC_V1, CLS_QUIC_V1, salt_v1},
	{CLS_QUIC_V2, CLS_QUIC_V2, salt_v2, .is_v2 = true},
	{0x709a50c4, 0x709a50c4, salt_v2_draft, .is_v2 = true}, // of its drafts
	{0xff000016, 0xff000016, salt_22}, // drafts say their number
	{0xff000017, 0xff00001c, salt_23},
	{0xff00001d, 0xff000020, salt_29},
	{0xff000021, 0xff000022, salt_v1},
	{0xfaceb001, 0xfaceb001, salt_22}, // Facebook's mvfst
	{0xfaceb002, 0xfaceb002, salt_23},
	{0xfaceb003, 0xfaceb004, salt_v1}, // other names of version 1
	{0xfaceb005, 0xfaceb01f, salt_23}, // what it takes where it knows no better
	{0x54303530, 0x54303530, salt_t050, CLS_QUIC_TLS_GOOGLE}, // "T050"
	{0x54303531, 0x54303531, salt_t051, CLS_QUIC_TLS_GOOGLE},
	{CLS_QUIC_Q050, CLS_QUIC_Q050, salt_q050, CLS_QUIC_CHLO},
	{0x51303234, 0x51303239, NULL, CLS_QUIC_CHLO_CLEAR}, // "Q024", the oldest that was seen
	{0x51303330, 0x51303339, NULL, CLS_QUIC_CHLO_CLEAR},
	{0x51303430, 0x51303436, NULL, CLS_QUIC_CHLO_CLEAR},
};

/* RFC 9000 15: 0x?a?a?a?a are nobody's, so that servers say what they have. Clients encrypt them as what
 * they have themselves: version 1, or the drafts of the years when they tried this. */
static const struct cls_quic_version nobodys_draft = {0, 0, salt_29};
static const struct cls_quic_version nobodys = {0, 0, salt_v1, .other = &nobodys_draft};

const struct cls_quic_version *cls_quic_version_of(uint32_t version)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (version >= versions[i].first && version <= versions[i].last)
			return &versions[i];
	return (version & 0x0f0f0f0f) == 0x0a0a0a0a ? &nobodys : NULL;
}

uint32_t cls_quic_google_number(uint32_t version)
{
	return ((version >> 8 & 0xff) - '0') * 10 + ((version & 0xff) - '0');
}
