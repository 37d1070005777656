// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/host_table.h"

#include <errno.h>
#include <stdlib.h>

enum { HOSTS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct host {
	const char *text;
	size_t len;
};

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* What the header says of a host and a name, byte by byte. */
static bool fits(const struct host *host, const char *name, size_t len)
{
	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len < host->len || (len > host->len && name[len - host->len - 1] != '.'))
		return false;
	for (size_t i = 0; i < host->len; i++)
		if (lower(name[len - host->len + i]) != lower(host->text[i]))
			return false;
	return true;
}

/* A host that the table takes is one of those that fit each name. */
static void add(struct cls_host_table *t, struct host *hosts, size_t *n, struct host host)
{
	const struct cls_match m = {DP_APP_FIRST, (uint16_t)*n};
	struct cls_match first;
	const int r = cls_host_table_add(t, host.text, host.len, m, &first);

	if (r == 0)
		hosts[(*n)++] = (struct host){
			host.text, host.len - (host.text[host.len - 1] == '.')};
	check(r == 0 || r == -EINVAL || (r == -EEXIST && first.tag < *n));
}

static void look(const struct cls_host_table *t, const struct host *hosts, size_t n,
	const char *name, size_t len)
{
	struct cls_host_rule rules[CLS_HOST_LABELS_MAX];
	const size_t n_rules = cls_host_table_rules(t, name, len, rules, CLS_HOST_LABELS_MAX);
	const struct cls_match m = cls_host_table_find(t, name, len);
	size_t n_fit = 0;

	for (size_t i = 0; i < n; i++)
		n_fit += fits(&hosts[i], name, len);
	check(n_rules == n_fit);
	check(m.app == (n_fit > 0 ? DP_APP_FIRST : DP_APP_UNKNOWN));
	for (size_t i = 0; i < n_rules; i++) {
		check(fits(&hosts[rules[i].tag], name, len));
		check(i == 0 || hosts[rules[i].tag].len < hosts[rules[i - 1].tag].len);
	}
	check(n_fit == 0 || m.tag == rules[0].tag);
}

/* Lines: all are hosts, the last one is the name; byte 0 says whether each hash is the same. A search of every host
 * finds the same, and nothing is read around the name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host hosts[HOSTS_MAX];
	struct cls_host_table t;
	size_t n = 0;

	if (size < 1 || cls_host_table_init(&t, HOSTS_MAX, size) < 0)
		return -1;
	if (data[0] % 2 != 0)
		memset(t.key, 0, sizeof(t.key));

	const char *text = (const char *)data + 1;
	const char *const end = (const char *)data + size;
	const char *line_end = memchr(text, '\n', size - 1);

	for (; line_end != NULL; line_end = memchr(text, '\n', (size_t)(end - text))) {
		if (n < HOSTS_MAX)
			add(&t, hosts, &n, (struct host){text, (size_t)(line_end - text)});
		text = line_end + 1;
	}

	const size_t len = (size_t)(end - text);
	char *name = malloc(len > 0 ? len : 1); // exact: a read around it is seen

	check(name != NULL);
	memcpy(name, text, len);
	look(&t, hosts, n, name, len);
	free(name);
	cls_host_table_fini(&t);
	return 0;
}
