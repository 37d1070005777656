// SPDX-License-Identifier: BSD-3-Clause
#include "control/near.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Where text ends with end: its begin; else NULL. */
static const char *ends_with(const char *text, const char *end)
{
	const size_t len = strlen(text), end_len = strlen(end);

	if (len < end_len || strcmp(text + len - end_len, end) != 0)
		return NULL;
	return text + len - end_len;
}

static bool begins_label(const char *name, const char *at)
{
	return at == name || at[-1] == '.';
}

static bool is_inside(const char *name, const char *rule)
{
	const size_t len = strlen(rule);

	for (const char *at = strstr(name, rule); at != NULL; at = strstr(at + 1, rule)) {
		if (begins_label(name, at) && at[len] == '.')
			return true;
	}
	return false;
}

/* Whether name lies in domain. */
static bool is_in(const char *name, const char *domain)
{
	const char *at = ends_with(name, domain);

	return at != NULL && begins_label(name, at);
}

enum ctl_near ctl_near_of(const char *name, const char *domain, const char *rule)
{
	if (is_in(name, rule))
		return CTL_NEAR_FITS;
	if (ends_with(name, rule) != NULL)
		return CTL_NEAR_END;
	if (is_in(rule, name))
		return CTL_NEAR_ABOVE;
	if (is_inside(name, rule))
		return CTL_NEAR_INSIDE;
	return domain != NULL && is_in(rule, domain) ? CTL_NEAR_DOMAIN : CTL_NEAR_COUNT;
}
