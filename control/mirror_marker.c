// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror_marker.h"

#include <event2/util.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>

void ctl_marker_init(struct ctl_marker *marker)
{
	uint8_t bytes[CTL_MARKER_TOKEN / 2];

	*marker = (struct ctl_marker){0};
	evutil_secure_rng_get_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)g_snprintf(marker->token + 2 * i, 3, "%02x", bytes[i]);
}

void ctl_marker_set(struct ctl_marker *marker, uint32_t now, char ret_value[CTL_MARKER_MAX])
{
	marker->set = now;
	(void)g_snprintf(ret_value, CTL_MARKER_MAX, "%s:%" PRIu32, marker->token, now);
}

static uint32_t read_value(const struct ctl_marker *marker, const char *value, size_t len)
{
	char digits[12];
	uint64_t set;

	if (value == NULL || len < CTL_MARKER_TOKEN + 2 ||
		len - CTL_MARKER_TOKEN - 1 >= sizeof(digits) ||
		memcmp(value, marker->token, CTL_MARKER_TOKEN) != 0 ||
		value[CTL_MARKER_TOKEN] != ':')
		return 0;
	memcpy(digits, value + CTL_MARKER_TOKEN + 1, len - CTL_MARKER_TOKEN - 1);
	digits[len - CTL_MARKER_TOKEN - 1] = '\0';
	return g_ascii_string_to_unsigned(digits, 10, 1, UINT32_MAX, &set, NULL) ? (uint32_t)set
										 : 0;
}

uint32_t ctl_marker_found(
	struct ctl_marker *marker, const char *value, size_t len, bool *ret_is_lost)
{
	const uint32_t found = read_value(marker, value, len);

	// One that was sent and never answered may have arrived.
	*ret_is_lost = marker->acked != 0 && found < marker->acked;
	marker->acked = marker->set;
	return found;
}
