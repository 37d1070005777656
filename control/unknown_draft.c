// SPDX-License-Identifier: BSD-3-Clause
#include "control/unknown_draft.h"

#include "classifier/ndpi.h"
#include "control/checks.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	INDENT = 2,
	INDENT_MAX = 16,
	NAME_MAX_LEN = 63, // control/checks.h, ctl_check_name()
};

struct draft {
	const struct cls_catalogue *catalogue;
	const struct ctl_domains *domains;
	GHashTable *taken; // names, hosts and protocols of the draft itself; owned texts
	GHashTable *wanted; // name -> of how many hosts it would be the short name; owned texts
	GString *out;
	int indent;
};

/* --- names ------------------------------------------------------------------------------------ */

static bool is_free(const struct draft *d, const char *name)
{
	return ctl_check_name(name) == NULL && strcmp(name, "unknown") != 0 &&
		strcmp(name, "undecided") != 0 && strcmp(name, "total") != 0 &&
		cls_app_by_name(d->catalogue, name) == DP_APP_UNKNOWN &&
		!g_hash_table_contains(d->taken, name);
}

/* Of any text: what a name may have of it, at most len bytes of it. */
static char *as_name(const char *text, size_t len)
{
	GString *name = g_string_new(NULL);

	for (size_t i = 0; i < len && name->len < NAME_MAX_LEN; i++) {
		const char c = g_ascii_tolower(text[i]);

		if (g_ascii_isalnum(c))
			g_string_append_c(name, c);
		else if (name->len > 0 && name->str[name->len - 1] != '-')
			g_string_append_c(name, '-');
	}
	while (name->len > 0 && name->str[name->len - 1] == '-')
		g_string_truncate(name, name->len - 1);
	return g_string_free(name, FALSE);
}

/* `wanted`, or else `longer`, or else one of them with a number. Owned by the caller, and taken. */
static char *name_of(struct draft *d, char *wanted, char *longer)
{
	char *name = NULL;

	if (is_free(d, wanted))
		name = g_strdup(wanted);
	else if (is_free(d, longer))
		name = g_strdup(longer);
	for (int n = 2; name == NULL; n++) {
		char *numbered = g_strdup_printf(
			"%.*s-%d", NAME_MAX_LEN - 12, *wanted != '\0' ? wanted : "app", n);

		if (is_free(d, numbered))
			name = numbered;
		else
			g_free(numbered);
	}
	g_free(wanted);
	g_free(longer);
	g_hash_table_add(d->taken, g_strdup(name));
	return name;
}

/* vod.operator.example: operator-vod, as the shipped catalogue has it; is_long: operator-vod-example. Owned by the
 * caller. */
static char *host_as_name(const struct draft *d, const struct ctl_unknown_row *row, bool is_long)
{
	const size_t own_len = ctl_domain_own_len(d->domains, row->domain);
	const size_t below_len = strlen(row->what) - strlen(row->domain);
	g_autofree char *text = g_strdup_printf("%.*s.%.*s%s", (int)own_len, row->domain,
		(int)below_len, row->what, is_long ? row->domain + own_len : "");

	return as_name(text, strlen(text));
}

/* Of two that have the same short name neither gets it: which one has more bytes is another tomorrow. */
static char *name_of_host(struct draft *d, const struct ctl_unknown_row *row)
{
	g_autofree char *brief = host_as_name(d, row, false);
	const bool is_shared = GPOINTER_TO_UINT(g_hash_table_lookup(d->wanted, brief)) > 1;

	return name_of(d, host_as_name(d, row, is_shared), host_as_name(d, row, true));
}

/* --- categories ------------------------------------------------------------------------------- */

/* What the library files its protocol under, in words of ours. */
static const char *category_of(const char *proto)
{
	static const struct {
		const char *library, *ours;
	} words[] = {{"Media", "streaming"}, {"Video", "streaming"}, {"Streaming", "streaming"},
		{"Music", "music"}, {"SocialNetwork", "social"}, {"Chat", "messaging"},
		{"VoIP", "messaging"}, {"Game", "games"}, {"Cloud", "cloud"}, {"VPN", "vpn"},
		{"Email", "mail"}, {"Shopping", "shopping"}, {"SoftwareUpdate", "software"},
		{"Collaborative", "work"}, {"Productivity", "work"}, {"Database", "work"},
		{"RemoteAccess", "remote"}, {"Advertisement", "ads"}, {"IoT-Scada", "iot"},
		{"VirtAssistant", "assistants"}, {"Network", "network"}, {"System", "network"},
		{"RPC", "network"}, {"ConnCheck", "network"}, {"Download", "p2p"}};
	const char *library = cls_ndpi_category(proto);

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		if (strcmp(words[i].library, library) == 0)
			return words[i].ours;
	}
	return "web";
}

/* The part of "TLS.NetFlix" that says most. */
static const char *last_proto(const char *proto)
{
	const char *dot = strrchr(proto, '.');

	return dot != NULL ? dot + 1 : proto;
}

static const char *category_of_row(const struct ctl_unknown_row *row)
{
	return row->category != NULL ? row->category : category_of(last_proto(row->proto));
}

/* A protocol that says what an app is, and that nobody has: not those that carry everything. */
static bool is_protocol_free(const struct draft *d, const char *proto)
{
	static const char *const carriers[] = {
		"Unknown", "TLS", "DTLS", "QUIC", "HTTP", "HTTP_Connect", "HTTP_Proxy", "DNS"};
	const int number = cls_ndpi_proto_by_name(proto);

	for (size_t i = 0; i < G_N_ELEMENTS(carriers); i++) {
		if (g_ascii_strcasecmp(carriers[i], proto) == 0)
			return false;
	}
	return number > 0 && cls_match_ndpi(d->catalogue, (uint16_t)number).app == DP_APP_UNKNOWN &&
		!g_hash_table_contains(d->taken, proto);
}

/* --- entries ---------------------------------------------------------------------------------- */

[[gnu::format(printf, 2, 3)]] static void line(struct draft *d, const char *fmt, ...)
{
	va_list ap;

	g_string_append_printf(d->out, "%*s", d->indent, "");
	va_start(ap, fmt);
	g_string_append_vprintf(d->out, fmt, ap);
	va_end(ap);
	g_string_append_c(d->out, '\n');
}

/* What is commented out has no blank behind its '#', so that an editor's "uncomment" makes it an entry. */
static void entry(struct draft *d, bool is_live, const char *name, const char *category,
	const char *recognised_by)
{
	const char *mark = is_live ? "" : "#";

	line(d, "%s- name: %s", mark, name);
	line(d, "%s  category: %s", mark, category);
	line(d, "%s  %s", mark, recognised_by);
}

static void numbers(struct draft *d, const struct ctl_unknown_row *row, const char *what)
{
	g_autofree char *examples = g_strjoinv(", ", (char **)row->examples);

	g_string_append_c(d->out, '\n');
	line(d, "# %s: bytes %" PRIu64 ", flows %" PRIu64 ", subscribers %" PRIu64 "; %s", what,
		row->bytes, row->flows, row->subscribers, row->proto);
	if (*examples != '\0')
		line(d, "# seen: %s", examples);
	if (row->app != NULL)
		line(d,
			"# %" PRIu64
			" bytes of it count for '%s' by address or port: does it belong there?",
			row->weak_bytes, row->app);
}

/* Why a host cannot stand in the catalogue as it is; NULL: it can. Owned by the caller. */
static char *objection_to(const struct draft *d, const struct ctl_unknown_row *row)
{
	const struct cls_match m = cls_match_host(d->catalogue, row->what, strlen(row->what));

	if (row->is_shared || ctl_check_host(row->what) != NULL)
		return g_strdup(
			"nobody's own, so nothing is drafted: all that ends in it would be one app");
	if (m.app != DP_APP_UNKNOWN)
		return g_strdup_printf(
			"a host of '%s' has it already, which these flows did not show in time",
			cls_app_name(d->catalogue, m.app));
	return NULL;
}

static void want_name(struct draft *d, const struct ctl_unknown_row *row)
{
	g_autofree char *objection = objection_to(d, row);
	char *brief;
	guint n;

	if (objection != NULL)
		return;
	brief = host_as_name(d, row, false);
	n = GPOINTER_TO_UINT(g_hash_table_lookup(d->wanted, brief));
	(void)g_hash_table_insert(d->wanted, brief, GUINT_TO_POINTER(n + 1));
}

static void draft_host(struct draft *d, const struct ctl_unknown_row *row)
{
	g_autofree char *objection = objection_to(d, row);
	g_autofree char *hosts = g_strdup_printf("hosts: [%s]", row->what);
	g_autofree char *name = NULL;

	numbers(d, row, row->what);
	if (objection != NULL) {
		line(d, "# %s", objection);
		return;
	}
	if (strcmp(row->what, row->domain) != 0)
		line(d, "# nine tenths or more of what %s has", row->domain);
	name = name_of_host(d, row);
	entry(d, true, name, category_of_row(row), hosts);
}

static void draft_protocol(struct draft *d, const char *proto)
{
	const bool is_plain = proto[strspn(proto,
				      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_")] == '\0';
	g_autofree char *ndpi = g_strdup_printf(is_plain ? "ndpi: [%s]" : "ndpi: [\"%s\"]", proto);
	g_autofree char *name = name_of(
		d, as_name(proto, strlen(proto)), g_strdup_printf("%s", "app"));

	g_hash_table_add(d->taken, g_strdup(proto));
	entry(d, true, name, category_of(proto), ndpi);
}

static void draft_nets(struct draft *d, const struct ctl_unknown_row *row)
{
	g_autofree char *nets = g_strdup_printf("nets: [\"%s\"]", row->what);
	g_autofree char *text = g_strdup_printf("%s-%u-%s", row->l4, row->port, row->what);
	g_autofree char *name = NULL;

	// A network has one app, whatever the port.
	if (!g_hash_table_add(d->taken, g_strdup(row->what))) {
		line(d, "# nothing is drafted: the address has an entry above");
		return;
	}
	name = name_of(d, as_name(text, strlen(text)), g_strdup(""));
	line(d, "# commented out: an address says where and not what. It counts bytes; no trigger rests on it.");
	entry(d, false, name, category_of_row(row), nets);
}

static void draft_nameless(struct draft *d, const struct ctl_unknown_row *row)
{
	const char *proto = last_proto(row->proto);
	g_autofree char *what = row->port == 0
		? g_strdup_printf("%s %s", row->what, row->l4)
		: g_strdup_printf("%s %s:%u", row->what, row->l4, row->port);

	numbers(d, row, what);
	if (is_protocol_free(d, proto))
		draft_protocol(d, proto);
	else if (row->kind == CTL_UNKNOWN_SERVER && row->app == NULL)
		draft_nets(d, row);
	else
		line(d, "# nothing is drafted: there is no name, and no protocol that only it has");
}

void ctl_unknown_draft(const GPtrArray *rows, const struct cls_catalogue *catalogue,
	const struct ctl_domains *domains, int indent, GString *out)
{
	static const char *const heading[] = {
		"Drafted by 'wirecue apps unknown --draft': names and categories are guesses.",
		NULL};

	ctl_unknown_draft_under(heading, rows, catalogue, domains, indent, out);
}

void ctl_unknown_draft_under(const char *const *heading, const GPtrArray *rows,
	const struct cls_catalogue *catalogue, const struct ctl_domains *domains, int indent,
	GString *out)
{
	struct draft d = {.catalogue = catalogue,
		.domains = domains,
		.taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
		.out = out,
		.indent = indent};

	// A file need not end in a newline, and then one is needed before anything else.
	g_string_append_c(out, '\n');
	for (; *heading != NULL; heading++)
		line(&d, "# %s", *heading);
	for (guint i = 0; i < rows->len; i++) {
		const struct ctl_unknown_row *row = rows->pdata[i];

		if (row->kind == CTL_UNKNOWN_HOST)
			want_name(&d, row);
	}
	for (guint i = 0; i < rows->len; i++) {
		const struct ctl_unknown_row *row = rows->pdata[i];

		if (row->kind == CTL_UNKNOWN_HOST)
			draft_host(&d, row);
		else
			draft_nameless(&d, row);
	}
	g_hash_table_destroy(d.taken);
	g_hash_table_destroy(d.wanted);
}

int ctl_unknown_draft_indent(const char *path)
{
	FILE *file = fopen(path, "re");
	int indent = INDENT;
	char text[INDENT_MAX + 3];
	bool is_begin = true; // of a line

	while (file != NULL && fgets(text, sizeof(text), file) != NULL) {
		const size_t n = strspn(text, " ");

		if (is_begin && n <= INDENT_MAX && text[n] == '-' && text[n + 1] == ' ') {
			indent = (int)n;
			break;
		}
		is_begin = strchr(text, '\n') != NULL;
	}
	if (file != NULL)
		(void)fclose(file);
	return indent;
}
