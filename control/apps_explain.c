// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_explain.h"

#include "classifier/ndpi.h"
#include "control/apps_case.h"

#include <jansson.h>
#include <string.h>

enum { RULES_MAX = CLS_HOST_LABELS_MAX };

struct explaining {
	const struct ctl_explain *by;
	struct ctl_case *cases; // owned
	size_t n_cases;
	GPtrArray *records;
};

/* --- records ---------------------------------------------------------------------------------- */

/* A record in the making; NULL: nothing is to be said. */
struct row {
	const char *verdict, *strength, *rule, *app, *category, *tag, *place;
};

[[gnu::format(printf, 4, 5)]] static void say(
	struct explaining *e, const struct ctl_case *c, const struct row *row, const char *fmt, ...)
{
	g_autofree char *why = NULL;
	va_list ap;

	va_start(ap, fmt);
	why = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	g_ptr_array_add(e->records,
		json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s}", "host",
			c->asked->text, "verdict", row->verdict, "strength", row->strength, "rule",
			row->rule, "app", row->app, "category", row->category, "tag", row->tag,
			"place", row->place, "why", why));
}

static const char *place_of(const struct ctl_case *c, enum ctl_entry_kind kind, const char *text)
{
	for (guint i = 0; i < c->fitting->len; i++) {
		const struct ctl_seen *seen = &g_array_index(c->fitting, struct ctl_seen, i);

		// There is one entry of the library's protocol at most.
		if (seen->kind == kind && (text == NULL || strcmp(seen->text, text) == 0))
			return seen->place;
	}
	return NULL;
}

static struct row row_of(const struct ctl_explain *by, const char *verdict, const char *strength,
	const char *rule, uint32_t app)
{
	return (struct row){.verdict = verdict,
		.strength = strength,
		.rule = rule,
		.app = cls_app_name(by->catalogue, app),
		.category = cls_app_category(by->catalogue, app)};
}

/* The library's word: a protocol, which an app of the catalogue claims, or none. */
static void say_library(struct explaining *e, const struct ctl_case *c, const char *verdict,
	const char *strength, const char *why)
{
	const uint32_t app = cls_match_ndpi(e->by->catalogue, c->proto).app;
	g_autofree char *rule = g_strdup_printf("ndpi:%s", cls_ndpi_name(c->proto));
	struct row row = row_of(e->by, verdict, strength, rule, app);

	row.place = place_of(c, CTL_ENTRY_NDPI, NULL);
	if (app != DP_APP_UNKNOWN) {
		say(e, c, &row, "%s", why);
		return;
	}
	row.verdict = "ignored";
	row.app = row.category = NULL;
	say(e, c, &row, "no app claims that protocol of the library");
}

static void say_unknown(struct explaining *e, const struct ctl_case *c, const char *why)
{
	const struct row row = {.verdict = "unknown", .app = "unknown"};

	say(e, c, &row, "%s", why);
}

static void say_near(struct explaining *e, const struct ctl_case *c)
{
	static const char *const reasons[CTL_NEAR_COUNT] = {
		[CTL_NEAR_ABOVE] = "the rule is for a name below it",
		[CTL_NEAR_END] = "it ends like the rule, but not on a label boundary",
		[CTL_NEAR_INSIDE] = "it has the rule inside, not at its end",
		[CTL_NEAR_DOMAIN] = "a rule of the same domain",
	};

	for (guint i = 0; c->near != NULL && i < c->near->len; i++) {
		const struct ctl_seen *seen = &g_array_index(c->near, struct ctl_seen, i);
		const struct row row = {.verdict = "near",
			.strength = "strong",
			.rule = seen->text,
			.app = seen->app,
			.category = seen->category,
			.tag = seen->tag,
			.place = seen->place};

		say(e, c, &row, "%s", reasons[seen->near]);
	}
}

static void say_winner(
	struct explaining *e, const struct ctl_case *c, const struct row *row, size_t n)
{
	const bool is_relay = strcmp(row->category, CLS_CATEGORY_RELAY) == 0;
	g_autofree char *which = n > 1
		? g_strdup_printf("the longest of %zu hosts of the catalogue that fit", n)
		: g_strdup("the one host of the catalogue that fits");

	say(e, c, row, "%s on a label boundary%s", which,
		is_relay
			? "; with an encrypted hello inside, what the subscriber looked up comes before it"
			: "");
}

static void say_library_on_name(struct explaining *e, const struct ctl_case *c, size_t n_rules)
{
	struct row row;
	g_autofree char *rule = NULL, *why = NULL;

	if (c->word.is_alike) {
		rule = g_strdup_printf("ndpi:%s", cls_ndpi_name(c->proto));
		row = (struct row){.verdict = "ignored", .strength = "strong", .rule = rule};
		say(e, c, &row,
			"the library's table has a name like it, but not on label boundaries: no app rests on that");
		return;
	}
	why = g_strdup_printf(n_rules > 0
			? "hosts of the catalogue come before the library's own table, which has '%s'"
			: "no host of the catalogue fits, and the library's own table has '%s'",
		c->word.found);
	say_library(e, c, n_rules > 0 ? "loses" : "wins", "strong", why);
}

/* Whether an app would rest on the library's word of it. */
static bool is_claimed(const struct explaining *e, const struct ctl_case *c)
{
	return c->proto != 0 && !c->word.is_alike &&
		cls_match_ndpi(e->by->catalogue, c->proto).app != DP_APP_UNKNOWN;
}

static void explain_name(struct explaining *e, const struct ctl_case *c)
{
	const struct cls_catalogue *catalogue = e->by->catalogue;
	struct cls_host_rule rules[RULES_MAX];
	const size_t n = cls_catalogue_rules(
		catalogue, c->asked->text, strlen(c->asked->text), rules, RULES_MAX);

	for (size_t i = 0; i < n; i++) {
		struct row row = row_of(
			e->by, i == 0 ? "wins" : "loses", "strong", rules[i].host, rules[i].app);

		row.tag = rules[i].tag != DP_TAG_NONE ? cls_tag_name(catalogue, rules[i].tag)
						      : NULL;
		row.place = place_of(c, CTL_ENTRY_HOST, rules[i].host);
		if (i == 0)
			say_winner(e, c, &row, n);
		else
			say(e, c, &row, "a longer host fits");
	}
	if (n == 0 && !is_claimed(e, c))
		say_unknown(e, c,
			"no host of the catalogue fits, nor a name of the library's table that an app "
			"claims");
	if (c->proto != 0)
		say_library_on_name(e, c, n);
	if (n == 0 && !is_claimed(e, c))
		say_near(e, c);
}

static gint longest_first(gconstpointer a, gconstpointer b)
{
	const struct ctl_seen *x = a, *y = b;

	return (int)y->prefix_len - (int)x->prefix_len;
}

/* A network or a port of the catalogue. */
static void say_place(struct explaining *e, const struct ctl_case *c, const struct ctl_seen *seen,
	const char *verdict, const char *why)
{
	const struct row row = {.verdict = verdict,
		.strength = "weak",
		.rule = seen->text,
		.app = seen->app,
		.category = seen->category,
		.place = seen->place};

	say(e, c, &row, "%s", why);
}

/* Those of the catalogue that have it, of which the first one wins. Whether there is one. */
static bool say_places(struct explaining *e, const struct ctl_case *c, enum ctl_entry_kind kind,
	const char *const why[2])
{
	bool is_won = false;

	for (guint i = 0; i < c->fitting->len; i++) {
		const struct ctl_seen *seen = &g_array_index(c->fitting, struct ctl_seen, i);

		if (seen->kind != kind)
			continue;
		say_place(e, c, seen, is_won ? "loses" : "wins", why[is_won]);
		is_won = true;
	}
	return is_won;
}

/* Weak evidence: it decides where no name, certificate, look-up or payload does. */
static void explain_address(struct explaining *e, const struct ctl_case *c)
{
	static const char *const why[2] = {
		"the longest network of the catalogue that has it; only where no name, look-up or "
		"payload decides",
		"what stands above it comes first"};

	g_array_sort(c->fitting, longest_first);

	const bool is_won = say_places(e, c, CTL_ENTRY_NET, why);

	if (c->proto != 0)
		say_library(e, c, is_won ? "loses" : "wins", "weak",
			is_won ? "networks of the catalogue come before the library's own"
			       : "no network of the catalogue has it, and one of the library's own has; "
				 "only where no name, look-up or payload decides");
	if (!is_won && !is_claimed(e, c))
		say_unknown(e, c,
			"no network of the catalogue has it, nor one of the library's that an app claims");
}

static void explain_port(struct explaining *e, const struct ctl_case *c)
{
	static const char *const why[2] = {
		"the port of the catalogue; only where nothing else decides, networks neither",
		"what stands above it comes first"};

	const bool is_won = say_places(e, c, CTL_ENTRY_PORT, why);

	if (!is_won)
		say_unknown(e, c, "no port of the catalogue is this one");
	if (c->proto != 0)
		say_library(e, c, is_won ? "loses" : "may", "weak",
			is_won ? "ports of the catalogue come before what the library guesses by them"
			       : "the library guesses it by the port, where the payload does not rule it out");
}

/* --- all of it -------------------------------------------------------------------------------- */

static void explain(struct explaining *e, const struct ctl_case *c)
{
	const struct row read = {.verdict = "read"};

	if (c->asked->how[0] != '\0')
		say(e, c, &read, "%s, %s", c->asked->word, c->asked->how);
	switch (c->asked->kind) {
	case CTL_ASKED_NAME:
		explain_name(e, c);
		break;
	case CTL_ASKED_ADDRESS:
		explain_address(e, c);
		break;
	case CTL_ASKED_PORT:
		explain_port(e, c);
		break;
	}
}

static void look_at(void *ctx, const struct ctl_entry *entry)
{
	struct explaining *e = ctx;

	for (size_t i = 0; i < e->n_cases; i++)
		ctl_case_look(&e->cases[i], entry);
}

int ctl_explain(const struct ctl_explain *by, const struct ctl_asked *asked, size_t n_asked,
	GPtrArray *ret_records, struct dp_err *reterr)
{
	struct explaining e = {.by = by,
		.cases = g_new(struct ctl_case, n_asked),
		.n_cases = n_asked,
		.records = ret_records};
	int r;

	for (size_t i = 0; i < n_asked; i++)
		ctl_case_init(&e.cases[i], by, &asked[i]);
	r = ctl_entries_read(by->path, look_at, &e, reterr);
	for (size_t i = 0; i < n_asked; i++) {
		if (r == 0)
			explain(&e, &e.cases[i]);
		ctl_case_fini(&e.cases[i]);
	}
	g_free(e.cases);
	return r;
}
