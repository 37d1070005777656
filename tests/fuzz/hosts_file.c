// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_hosts.h"
#include "control/checks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(void *, const char *text)
{
	assert(g_str_has_prefix(text, "f:") || g_str_has_prefix(text, "g:"));
	assert(strpbrk(text, "\n\r") == NULL);
	assert(g_utf8_validate(text, -1, NULL));
}

/* What was read is right, and each host is there once. */
static void check_hosts(const struct ctl_hosts *hosts)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	assert(hosts->defs->len <= hosts->n_max);
	for (guint i = 0; i < hosts->defs->len; i++) {
		const struct cls_host_def *def = &g_array_index(
			hosts->defs, struct cls_host_def, i);

		assert(ctl_check_host(def->host) == NULL);
		assert(g_hash_table_add(seen, (void *)def->host));
		assert(def->tag <= hosts->tags->len);
	}
	for (guint i = 0; i < hosts->tags->len; i++)
		assert(ctl_check_tag(hosts->tags->pdata[i]) == NULL);
}

/* Exactly as many bytes as may be written: AddressSanitizer sees one too far. The block is the caller's. */
static char *read_bytes(
	struct ctl_hosts *hosts, const struct ctl_source *source, const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL)
		abort();
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	ctl_hosts_read(hosts, source, text, size);
	return text;
}

/* Two hosts files, of an app each; a record separator is between them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { N_MAX = 24 }; // few, so that more than that is tried
	struct ctl_mistakes *mistakes = ctl_mistakes_new();
	struct ctl_hosts *hosts = ctl_hosts_new(mistakes);
	const struct ctl_source sources[] = {{"one", "f", ctl_mistakes_add_file(mistakes, "f")},
		{"two", "g", ctl_mistakes_add_file(mistakes, "g")}};
	const uint8_t *const cut = size > 0 ? memchr(data, 0x1e, size) : NULL;
	const size_t first = cut != NULL ? (size_t)(cut - data) : size;
	const size_t second = cut != NULL ? first + 1 : size;
	char *texts[3] = {NULL};
	size_t n_hosts;

	hosts->n_max = N_MAX;
	texts[0] = read_bytes(hosts, &sources[0], data, first);
	texts[1] = read_bytes(hosts, &sources[1], data + second, size - second);
	check_hosts(hosts);
	n_hosts = hosts->defs->len;
	if (ctl_mistakes_count(mistakes) == 0 && n_hosts < N_MAX) {
		// Once more: now every host of the first has an owner, and there is no new one.
		texts[2] = read_bytes(hosts, &sources[1], data, first);
		assert(hosts->defs->len == n_hosts);
		assert(ctl_mistakes_count(mistakes) <= n_hosts);
		assert(first == size ? ctl_mistakes_count(mistakes) == n_hosts : true);
	}
	ctl_mistakes_report(mistakes, check_line, NULL);
	ctl_hosts_settle(hosts);
	ctl_hosts_free(hosts);
	ctl_mistakes_free(mistakes);
	for (size_t i = 0; i < 3; i++)
		free(texts[i]);
	return 0;
}
