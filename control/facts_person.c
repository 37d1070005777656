// SPDX-License-Identifier: BSD-3-Clause
#include "control/facts_person.h"

#include "control/facts_options.h"
#include "control/yaml_options.h"

#include <stdlib.h>
#include <string.h>

/* More than any real person has; keeps the comparison of each with each cheap. */
enum { PARTS_MAX = 64 };

bool ctl_told_once(const struct ctl_told_reader *r, struct ctl_place *place,
	const struct ctl_yaml_node *node, const char *what)
{
	if (place->doc != NULL) {
		ctl_yaml_mistake(r->doc, node,
			"%s, expected once for a subscriber; it is also at %s:%u:%u", what,
			place->doc->path, place->node->line, place->node->column);
		return false;
	}
	*place = (struct ctl_place){r->doc, node};
	return true;
}

/* Whether node is a list to be read: not too long together with the n that are there already. */
static bool is_list(const struct ctl_told_reader *r, const struct ctl_yaml_node *node, size_t n,
	const char *what)
{
	g_autofree char *expected = g_strdup_printf("expected a list of %s", what);

	if (!ctl_yaml_is(r->doc, node, CTL_YAML_LIST, expected))
		return false;
	if (n + ctl_yaml_count(node) <= PARTS_MAX)
		return true;
	ctl_yaml_mistake(r->doc, node, "%zu %s, expected at most %d", n + ctl_yaml_count(node),
		what, PARTS_MAX);
	return false;
}

/* Defaults, then the mapping. */
static void read_map(const struct ctl_told_reader *r, const struct ctl_yaml_node *map,
	const struct ctl_option *options, void *base, const char *const *others)
{
	ctl_options_init(options, base);
	ctl_yaml_options(r->doc, map, &(struct ctl_yaml_part){options, base}, 1, others);
}

static const char *nearest_app(const struct ctl_told_reader *r, const char *name)
{
	g_autofree const char **names = NULL;

	if (ctl_mistakes_count(r->doc->mistakes) >= CTL_MISTAKES_REPORTED_MAX)
		return NULL; // the message is not shown anyway
	names = (const char **)g_hash_table_get_keys_as_array(r->env->app_names, NULL);
	return ctl_nearest(name, names);
}

static void check_app(const struct ctl_told_reader *r, const struct ctl_yaml_node *node)
{
	const char *nearest;
	char found[CTL_QUOTE_MAX];

	if (node->kind != CTL_YAML_SCALAR || g_hash_table_contains(r->env->app_names, node->text))
		return;
	nearest = nearest_app(r, node->text);
	ctl_yaml_mistake(r->doc, node, "%s, expected an app of the catalogue%s%s",
		ctl_yaml_found(r->doc, node, found), nearest != NULL ? " such as " : "",
		nearest != NULL ? nearest : "");
}

static void check_apps(const struct ctl_told_reader *r, const struct ctl_yaml_node *apps)
{
	if (apps == NULL || r->env->app_names == NULL || apps->kind == CTL_YAML_MAP)
		return;
	if (apps->kind != CTL_YAML_LIST) {
		check_app(r, apps);
		return;
	}
	for (CTL_YAML_EACH(app, apps))
		check_app(r, app);
}

static void read_scope(const struct ctl_told_reader *r, const struct ctl_yaml_node *scope,
	struct ctl_bucket *bucket)
{
	struct ctl_told_scope told = {0};

	if (scope == NULL || (scope->kind == CTL_YAML_SCALAR && strcmp(scope->text, "all") == 0))
		return; // CTL_SCOPE_ALL is 0
	if (!ctl_yaml_is(r->doc, scope, CTL_YAML_MAP, "expected all or a mapping {apps: [...]}"))
		return;
	read_map(r, scope, ctl_told_scope_options, &told, NULL);
	check_apps(r, ctl_yaml_get(scope, "apps"));
	bucket->scope = CTL_SCOPE_APPS;
	bucket->apps = told.apps;
}

static void read_bucket(
	const struct ctl_told_reader *r, struct ctl_person *p, const struct ctl_yaml_node *map)
{
	static const char *const others[] = {"scope", NULL};
	struct ctl_told_bucket told = {0};
	struct ctl_bucket *bucket = &p->buckets[p->n_buckets];

	read_map(r, map, ctl_told_bucket_options, &told, others);
	for (size_t i = 0; i < p->n_buckets; i++)
		if (g_strcmp0(p->buckets[i].id, told.id) == 0 && told.id != NULL)
			ctl_yaml_mistake(r->doc, ctl_yaml_get(map, "id"),
				"id, expected each bucket of a plan once");
	*bucket = (struct ctl_bucket){.id = told.id,
		.cap_bytes = told.cap_bytes,
		.anchor_day = (uint8_t)told.anchor_day,
		.zone = told.zone};
	p->n_buckets++;
	if (bucket->zone != NULL) // kept from now on: the next check finds it instead of its file
		(void)ctl_facts_zone(r->facts, bucket->zone);
	read_scope(r, ctl_yaml_get(map, "scope"), bucket);
}

void ctl_told_plan(
	struct ctl_told_reader *r, struct ctl_told_person *told, const struct ctl_yaml_node *plan)
{
	static const char *const others[] = {"buckets", NULL};
	const struct ctl_yaml_node *buckets = ctl_yaml_get(plan, "buckets");
	struct ctl_told_subscription s = {0};
	struct ctl_person *p = told->person;

	if (plan == NULL || !ctl_told_once(r, &told->plan, plan, "plan"))
		return;
	read_map(r, plan, ctl_told_subscription_options, &s, others);
	check_apps(r, ctl_yaml_get(plan, "own_services"));
	check_apps(r, ctl_yaml_get(plan, "zero_rated"));
	p->plan = s.id;
	p->plan_since_ns = s.since_ns;
	p->own_services = s.own_services;
	p->zero_rated = s.zero_rated;
	if (!is_list(r, buckets, 0, "buckets"))
		return;
	p->buckets = g_new0(struct ctl_bucket, ctl_yaml_count(buckets));
	for (CTL_YAML_EACH(bucket, buckets))
		read_bucket(r, p, bucket);
}

void ctl_told_line(
	struct ctl_told_reader *r, struct ctl_told_person *told, const struct ctl_yaml_node *node)
{
	struct ctl_told_line line = {0};

	if (node == NULL || !ctl_told_once(r, &told->line, node, "line"))
		return;
	read_map(r, node, ctl_told_line_options, &line, NULL);
	told->person->line = line.kind;
	told->person->is_minor = line.is_minor;
	told->person->is_regulated = line.is_regulated;
	told->person->has_line_facts = true;
}

static void read_consent(
	const struct ctl_told_reader *r, struct ctl_person *p, const struct ctl_yaml_node *map)
{
	struct ctl_told_consent told = {0};

	read_map(r, map, ctl_told_consent_options, &told, NULL);
	for (size_t i = 0; told.purpose != NULL && i < p->n_consents; i++)
		if (g_strcmp0(p->consents[i].purpose, told.purpose) == 0)
			ctl_yaml_mistake(r->doc, ctl_yaml_get(map, "purpose"),
				"purpose, expected each one once for a subscriber");
	p->consents[p->n_consents++] = (struct ctl_consent){.purpose = told.purpose,
		.is_granted = told.status == 0,
		.until_ns = told.until_ns,
		.version = told.version};
}

void ctl_told_consent(struct ctl_told_reader *r, struct ctl_told_person *told,
	const struct ctl_yaml_node *consent)
{
	struct ctl_person *p = told->person;

	if (!is_list(r, consent, p->n_consents, "consents"))
		return;
	p->consents = g_renew(
		struct ctl_consent, p->consents, p->n_consents + ctl_yaml_count(consent));
	for (CTL_YAML_EACH(one, consent))
		read_consent(r, p, one);
}

static void check_hold(const struct ctl_told_reader *r, const struct ctl_yaml_node *map,
	const struct ctl_told_hold *hold)
{
	const bool is_complaint = hold->kind == CTL_HOLD_COMPLAINT;

	if (hold->until_ns != 0 && hold->until_ns <= hold->since_ns)
		ctl_yaml_mistake(
			r->doc, ctl_yaml_get(map, "until"), "until, expected a time after since");
	if (hold->resolved_ns != 0 && hold->resolved_ns < hold->since_ns)
		ctl_yaml_mistake(r->doc, ctl_yaml_get(map, "resolved"),
			"resolved, expected a time not before since");
	if (hold->resolved_ns != 0 && !is_complaint)
		ctl_yaml_mistake(r->doc, ctl_yaml_get(map, "resolved"),
			"resolved, expected only with kind complaint (others end with until)");
	if (hold->topic != NULL && !is_complaint)
		ctl_yaml_mistake(r->doc, ctl_yaml_get(map, "topic"),
			"topic, expected only with kind complaint");
}

static void read_hold(
	const struct ctl_told_reader *r, struct ctl_person *p, const struct ctl_yaml_node *map)
{
	struct ctl_told_hold told = {0};

	read_map(r, map, ctl_told_hold_options, &told, NULL);
	check_hold(r, map, &told);
	p->holds[p->n_holds++] = (struct ctl_hold){.kind = told.kind,
		.since_ns = told.since_ns,
		.topic = told.topic,
		.until_ns = told.until_ns,
		.resolved_ns = told.resolved_ns};
}

void ctl_told_holds(
	struct ctl_told_reader *r, struct ctl_told_person *told, const struct ctl_yaml_node *holds)
{
	struct ctl_person *p = told->person;

	if (!is_list(r, holds, p->n_holds, "holds"))
		return;
	p->holds = g_renew(struct ctl_hold, p->holds, p->n_holds + ctl_yaml_count(holds));
	for (CTL_YAML_EACH(hold, holds))
		read_hold(r, p, hold);
}

static void read_cycle(
	const struct ctl_told_reader *r, struct ctl_person *p, const struct ctl_yaml_node *map)
{
	struct ctl_told_cycle told = {0};

	read_map(r, map, ctl_told_cycle_options, &told, NULL);
	for (size_t i = 0; told.start_ns != 0 && i < p->n_past; i++)
		if (p->past[i].start_ns == told.start_ns)
			ctl_yaml_mistake(r->doc, ctl_yaml_get(map, "start"),
				"start, expected each cycle once for a subscriber");
	p->past[p->n_past++] = (struct ctl_past_cycle){.start_ns = told.start_ns,
		.bytes = told.bytes,
		.cap_bytes = told.cap_bytes,
		.day_reached = (int32_t)told.day_reached};
}

void ctl_told_cycles(
	struct ctl_told_reader *r, struct ctl_told_person *told, const struct ctl_yaml_node *cycles)
{
	struct ctl_person *p = told->person;

	if (!is_list(r, cycles, p->n_past, "cycles"))
		return;
	p->past = g_renew(struct ctl_past_cycle, p->past, p->n_past + ctl_yaml_count(cycles));
	for (CTL_YAML_EACH(cycle, cycles))
		read_cycle(r, p, cycle);
}

static int cycle_cmp(const void *pa, const void *pb)
{
	const struct ctl_past_cycle *a = pa, *b = pb;

	return (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
}

void ctl_told_finish(struct ctl_told_reader *r, struct ctl_told_person *told)
{
	struct ctl_person *p = told->person;
	const char *of_person = p->zone != NULL ? p->zone : r->env->default_zone;
	const char *of_bucket = NULL;

	for (size_t i = 0; i < p->n_buckets; i++) {
		struct ctl_bucket *bucket = &p->buckets[i];

		if (of_bucket == NULL)
			of_bucket = bucket->zone;
		if (bucket->zone == NULL)
			bucket->zone = g_strdup(of_person);
		bucket->tz = ctl_facts_zone(r->facts, bucket->zone);
	}
	if (p->zone == NULL)
		p->zone = g_strdup(of_bucket != NULL ? of_bucket : of_person);
	p->tz = ctl_facts_zone(r->facts, p->zone);
	if (p->n_past > 0)
		qsort(p->past, p->n_past, sizeof(*p->past), cycle_cmp);
}
