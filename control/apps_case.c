// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_case.h"

#include "classifier/ndpi.h"

#include <stdlib.h>
#include <string.h>

enum { NEAR_MAX = 8 }; // as many as fit a look

static void seen_clear(void *data)
{
	struct ctl_seen *s = data;

	g_free(s->text);
	g_free(s->app);
	g_free(s->category);
	g_free(s->tag);
	g_free(s->place);
}

static GArray *seen_list(void)
{
	GArray *list = g_array_new(FALSE, FALSE, sizeof(struct ctl_seen));

	g_array_set_clear_func(list, seen_clear);
	return list;
}

static struct ctl_seen seen_of(const struct ctl_entry *entry)
{
	return (struct ctl_seen){.kind = entry->kind,
		.text = g_strdup(entry->text),
		.app = g_strdup(entry->app),
		.category = g_strdup(entry->category),
		.tag = g_strdup(entry->tag),
		.place = g_strdup_printf("%s:%u:%u", entry->file, entry->line, entry->column)};
}

/* Labels that both names have at their ends. */
static unsigned int n_common(const char *a, const char *b)
{
	const char *p = a + strlen(a), *q = b + strlen(b);
	unsigned int n = 0;

	while (p > a && q > b && p[-1] == q[-1]) {
		p--;
		q--;
		n += *p == '.';
	}
	return n;
}

static bool is_nearer(const char *name, const struct ctl_seen *a, const struct ctl_seen *b)
{
	const unsigned int a_labels = n_common(name, a->text), b_labels = n_common(name, b->text);

	if (a->near != b->near)
		return a->near < b->near;
	if (a_labels != b_labels)
		return a_labels > b_labels;
	if (a->near != CTL_NEAR_DOMAIN && strlen(a->text) != strlen(b->text))
		return strlen(a->text) > strlen(b->text);
	return strcmp(a->text, b->text) < 0;
}

/* The nearest ones stay, in order. */
static void keep_near(struct ctl_case *c, const struct ctl_entry *entry, enum ctl_near near)
{
	struct ctl_seen seen = seen_of(entry);
	guint i = c->near->len;

	seen.near = near;
	while (i > 0 &&
		is_nearer(c->asked->text, &seen, &g_array_index(c->near, struct ctl_seen, i - 1)))
		i--;
	if (i == NEAR_MAX) {
		seen_clear(&seen);
		return;
	}
	g_array_insert_val(c->near, i, seen);
	if (c->near->len > NEAR_MAX)
		g_array_set_size(c->near, NEAR_MAX);
}

static void keep_fitting(struct ctl_case *c, const struct ctl_entry *entry, uint8_t prefix_len)
{
	struct ctl_seen seen = seen_of(entry);

	seen.prefix_len = prefix_len;
	g_array_append_val(c->fitting, seen);
}

static void look_at_host(struct ctl_case *c, const struct ctl_entry *entry)
{
	enum ctl_near near;

	if (c->asked->kind != CTL_ASKED_NAME)
		return;
	near = ctl_near_of(c->asked->text, c->domain, entry->text);
	if (near == CTL_NEAR_FITS)
		keep_fitting(c, entry, 0);
	else if (near != CTL_NEAR_COUNT && c->near != NULL)
		keep_near(c, entry, near);
}

static void look_at_net(struct ctl_case *c, const struct ctl_entry *entry)
{
	struct dp_prefix prefix;

	if (c->asked->kind == CTL_ASKED_ADDRESS && dp_prefix_parse(entry->text, &prefix) == 0 &&
		dp_prefix_contains(&prefix, &c->asked->addr))
		keep_fitting(c, entry, prefix.len);
}

/* "udp:3478-3481", which was checked when the catalogue was loaded. */
static void look_at_port(struct ctl_case *c, const struct ctl_entry *entry)
{
	unsigned long first, last;
	char *end;

	if (c->asked->kind != CTL_ASKED_PORT || strncmp(entry->text, c->asked->text, 4) != 0)
		return;
	first = last = strtoul(entry->text + 4, &end, 10);
	if (*end == '-')
		last = strtoul(end + 1, NULL, 10);
	if (c->asked->port >= first && c->asked->port <= last)
		keep_fitting(c, entry, 0);
}

void ctl_case_look(struct ctl_case *c, const struct ctl_entry *entry)
{
	switch (entry->kind) {
	case CTL_ENTRY_HOST:
		look_at_host(c, entry);
		break;
	case CTL_ENTRY_NET:
		look_at_net(c, entry);
		break;
	case CTL_ENTRY_PORT:
		look_at_port(c, entry);
		break;
	case CTL_ENTRY_NDPI:
		if (c->proto != 0 && cls_ndpi_proto_by_name(entry->text) == c->proto)
			keep_fitting(c, entry, 0);
		break;
	}
}

static char *domain_of(const struct ctl_explain *by, const char *name)
{
	struct ctl_domain domain;

	ctl_domain_read(by->domains, name, &domain);
	return domain.kind == CTL_DOMAIN_OWN ? g_strdup(domain.name + domain.domain_off) : NULL;
}

void ctl_case_init(struct ctl_case *c, const struct ctl_explain *by, const struct ctl_asked *asked)
{
	const size_t len = strlen(asked->text);

	*c = (struct ctl_case){.asked = asked, .fitting = seen_list()};
	switch (asked->kind) {
	case CTL_ASKED_NAME:
		c->word = cls_oracle_name(by->library, asked->text);
		c->proto = c->word.proto;
		c->domain = domain_of(by, asked->text);
		if (cls_match_host(by->catalogue, asked->text, len).app == DP_APP_UNKNOWN)
			c->near = seen_list();
		break;
	case CTL_ASKED_ADDRESS:
		c->proto = cls_oracle_addr(by->library, &asked->addr);
		break;
	case CTL_ASKED_PORT:
		c->proto = cls_oracle_port(by->library, asked->l4_proto, asked->port);
		break;
	}
}

void ctl_case_fini(struct ctl_case *c)
{
	g_free(c->domain);
	g_array_unref(c->fitting);
	if (c->near != NULL)
		g_array_unref(c->near);
}
