// SPDX-License-Identifier: BSD-3-Clause

/* Flows of captures, judged by one catalogue and resolved by another, are what they would have become by the other
 * from their first packet on.
 *
 *   unit_resolve_captures FOLDER... : every capture below is replayed under each catalogue; then what was remembered
 *   of each flow under one is resolved by each, and compared with the replay under that. */

#include "classifier/ndpi.h"
#include "classifier/resolve.h"
#include "control/apps_yaml.h"
#include "control/commands.h"
#include "control/mistakes.h"
#include "dataplane/eal.h"
#include "dataplane/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ftw.h>
#include <sched.h>
#include <stdlib.h>

enum { TICK_NS = 1000000000, N_FLOWS = 16384, N_PRINTED = 20 };

/* The shipped catalogue, and what could become of it. */
enum world {
	SHIPPED,
	NO_HOSTS,
	NO_PROTOCOLS,
	ODD, // every other app
	RENAMED, // all apps have other names, and hosts a tag
	PROTOCOLS, // each protocol of the library is an app, those that carry others included
	N_WORLDS
};

static const char *const world_names[N_WORLDS] = {
	"shipped", "no-hosts", "no-protocols", "odd", "renamed", "protocols"};

static char **folders;
static GPtrArray *captures; // paths, owned
static struct cls_catalogue *worlds[N_WORLDS];
static struct ctl_dict *app_ids, *tag_ids;
static struct ctl_mistakes *mistakes;

/* --- catalogues ------------------------------------------------------------------------------- */

static bool is_left_out(enum world world, const char *key, unsigned int i)
{
	switch (world) {
	case NO_HOSTS:
	case PROTOCOLS:
		return strcmp(key, "hosts") == 0 || strcmp(key, "tags") == 0 ||
			(world == PROTOCOLS && strcmp(key, "ndpi") == 0);
	case NO_PROTOCOLS:
		return strcmp(key, "ndpi") == 0;
	case ODD:
		return i % 2 == 0;
	default:
		return false;
	}
}

static void put_list(GString *out, const char *key, const struct ctl_yaml_node *list)
{
	g_string_append_printf(out, "    %s: [", key);
	for (const struct ctl_yaml_node *n = list->first; n != NULL; n = n->next)
		g_string_append_printf(out, "\"%s\"%s", n->text, n->next != NULL ? ", " : "]\n");
}

static void put_map(GString *out, const char *key, const struct ctl_yaml_node *map)
{
	g_string_append_printf(out, "    %s:\n", key);
	for (const struct ctl_yaml_node *n = map->first; n != NULL; n = n->next) {
		g_string_append(out, "  ");
		put_list(out, n->text, n->value);
	}
}

/* An app of the shipped file as it is in the world, unless nothing is left to recognise it by. */
static void put_app(GString *out, enum world world, const struct ctl_yaml_node *app, unsigned int i)
{
	static const char *const keys[] = {"hosts", "tags", "ndpi", "nets", "ports"};
	const gsize begin = out->len;
	gsize head;

	g_string_append_printf(out, "  - name: %s%s\n    category: %s\n",
		ctl_yaml_get(app, "name")->text, world == RENAMED ? "-b" : "",
		ctl_yaml_get(app, "category")->text);
	head = out->len;
	for (size_t k = 0; k < G_N_ELEMENTS(keys); k++) {
		const struct ctl_yaml_node *value = ctl_yaml_get(app, keys[k]);

		if (value == NULL || is_left_out(world, keys[k], i))
			continue;
		if (strcmp(keys[k], "tags") == 0) {
			put_map(out, "tags", value);
		} else if (strcmp(keys[k], "hosts") == 0 && world == RENAMED &&
			ctl_yaml_get(app, "tags") == NULL) {
			g_string_append(out, "    tags:\n  ");
			put_list(out, "other", value);
		} else {
			put_list(out, keys[k], value);
		}
	}
	if (out->len == head)
		g_string_truncate(out, begin);
}

static void put_protocols(GString *out)
{
	const char *name;

	for (size_t i = 1; (name = cls_ndpi_name(i)) != NULL; i++)
		g_string_append_printf(out,
			"  - {name: protocol-%zu, category: network, ndpi: [\"%s\"]}\n", i, name);
}

static struct cls_catalogue *make_world(const struct ctl_yaml *shipped, enum world world)
{
	g_autoptr(GString)
		text = g_string_new("apps:\n"
				    "  - {name: nobody, category: web, hosts: [nobody.invalid]}\n");
	struct ctl_apps apps;
	struct ctl_yaml *doc;
	unsigned int i = 0;

	if (world == PROTOCOLS)
		put_protocols(text);
	for (const struct ctl_yaml_node *n = ctl_yaml_get(shipped->root, "apps")->first; n != NULL;
		n = n->next)
		put_app(text, world, n, i++);
	assert_int_equal(
		ctl_yaml_parse(world_names[world], text->str, text->len, false, mistakes, &doc), 0);
	if (ctl_apps_read(doc, app_ids, tag_ids, &apps) < 0)
		ctl_mistakes_report(mistakes, ctl_print_mistake, NULL);
	assert_non_null(apps.catalogue);
	g_hash_table_destroy(apps.names);
	ctl_yaml_free(doc);
	return apps.catalogue;
}

static void make_worlds(void)
{
	g_autofree char *path = g_build_filename(
		getenv("WIRECUE_TOP"), "control/catalogue/apps.yaml", NULL);
	struct ctl_yaml *shipped;

	app_ids = ctl_dict_new(DP_APP_FIRST, UINT32_MAX - 1);
	tag_ids = ctl_dict_new(DP_TAG_NONE + 1, UINT16_MAX);
	mistakes = ctl_mistakes_new();
	assert_int_equal(ctl_yaml_load(path, false, mistakes, &shipped), 0);
	for (int i = 0; i < N_WORLDS; i++)
		worlds[i] = make_world(shipped, (enum world)i);
	ctl_yaml_free(shipped);
}

/* --- replays ---------------------------------------------------------------------------------- */

static int compare_notes(const void *a, const void *b)
{
	const struct dp_note *x = &((const struct dp_record *)a)->note,
			     *y = &((const struct dp_record *)b)->note;
	const uint64_t ports[2] = {(uint64_t)x->sport << 24 | (uint64_t)x->dport << 8 | x->l4_proto,
		(uint64_t)y->sport << 24 | (uint64_t)y->dport << 8 | y->l4_proto};
	int r = x->first_ns != y->first_ns ? (x->first_ns < y->first_ns ? -1 : 1) : 0;

	if (r == 0)
		r = dp_addr_cmp(&x->src, &y->src);
	if (r == 0)
		r = dp_addr_cmp(&x->dst, &y->dst);
	if (r == 0 && ports[0] != ports[1])
		r = ports[0] < ports[1] ? -1 : 1;
	return r != 0 ? r : (x->last_ns < y->last_ns ? -1 : x->last_ns > y->last_ns);
}

/* Until all of the capture is worked; what the flows became, sorted. */
static void take_notes(struct dp_path *path, GArray *notes)
{
	uint64_t tick = 0, n_ticks = 0;

	while (!dp_path_is_drained(path)) {
		struct dp_record r = {0};

		if (dp_path_take(path, 0, &r, 1) == 0) {
			dp_path_drained(path, tick, n_ticks);
			(void)sched_yield();
			continue;
		}
		if (r.kind == DP_RECORD_NOTE && r.note.why == DP_NOTE_END)
			g_array_append_val(notes, r);
		if (r.kind == DP_RECORD_TICK_END) {
			tick = r.tick;
			n_ticks = r.end.n_ticks;
		}
	}
	g_array_sort(notes, compare_notes);
}

static GArray *replay(const char *file, const struct cls_catalogue *catalogue)
{
	GArray *notes = g_array_new(FALSE, FALSE, sizeof(struct dp_record));
	struct dp_stage stage;
	struct dp_path_config config = {.n_workers = 1,
		.tick_ns = TICK_NS,
		.n_flows = N_FLOWS,
		.notes = DP_NOTES_ALL,
		.captures = &file,
		.n_captures = 1,
		.stages = &stage};
	struct dp_path *path;
	struct dp_err err = {0};

	dp_endpoint_nets_default(&config.nets);
	assert_int_equal(cls_stage_new(catalogue, &stage, &err), 0);
	if (dp_path_open(&config, &path, &err) < 0 || dp_path_start(path, &err) < 0)
		fail_msg("%s: %s", file, err.text);
	take_notes(path, notes);
	dp_path_close(path);
	return notes;
}

/* --- comparing -------------------------------------------------------------------------------- */

/* What is not remembered cannot be resolved: docs/design.md section 4 says what that is. */
static const struct {
	const char *capture;
	enum world by;
	const char *alias; // of the replay under it
} exceptions[] = {
	{"names/tls12.pcap", ODD, "www.rival-fibre.example"}, // a certificate of three names
};

static struct {
	size_t n_resolved, n_changed, n_excepted, n_wrong;
} counts;

static bool is_excepted(const char *file, enum world by, const struct dp_record *to)
{
	for (size_t i = 0; i < G_N_ELEMENTS(exceptions); i++) {
		if (g_str_has_suffix(file, exceptions[i].capture) && exceptions[i].by == by &&
			strcmp(exceptions[i].alias, to->note.alias) == 0)
			return true;
	}
	return false;
}

static bool is_equal(const struct cls_decision *d, const struct dp_record *r)
{
	return d->app == r->app && d->tag == r->tag && d->evidence == r->evidence;
}

static void print(const char *file, enum world a, enum world b, const struct cls_decision *d,
	const struct dp_record *from, const struct dp_record *to)
{
	const struct dp_note *n = &from->note;
	char word[64];

	if (counts.n_wrong++ >= N_PRINTED)
		return;
	print_error(
		"%s, %s -> %s: port %u, host '%s', alias '%s', %s, basis %02x, effort %u: %s by %u, "
		"and by its packets %s by %u (alias '%s', basis %02x, effort %u)\n",
		file, world_names[a], world_names[b], n->dport, n->host, n->alias,
		cls_proto_name(n->ndpi_master, n->ndpi_app, word, sizeof(word)), n->basis,
		n->effort, cls_app_name(worlds[b], d->app), d->evidence,
		cls_app_name(worlds[b], to->app), to->evidence, to->note.alias, to->note.basis,
		to->note.effort);
}

static void compare(
	const char *file, enum world a, enum world b, const GArray *from, const GArray *to)
{
	assert_int_equal(from->len, to->len);
	for (guint i = 0; i < from->len; i++) {
		const struct dp_record *x = &g_array_index(from, struct dp_record, i);
		const struct dp_record *y = &g_array_index(to, struct dp_record, i);
		const struct cls_known known = cls_known_of_note(x);
		const struct cls_decision d = cls_resolve(worlds[b], &known);

		assert_int_equal(compare_notes(x, y), 0);
		counts.n_resolved++;
		counts.n_changed += !is_equal(&d, x);
		if (is_equal(&d, y))
			continue;
		if (a != b && is_excepted(file, b, y))
			counts.n_excepted++;
		else
			print(file, a, b, &d, x, y);
	}
}

static void compare_all(const char *file)
{
	GArray *notes[N_WORLDS];

	for (int i = 0; i < N_WORLDS; i++)
		notes[i] = replay(file, worlds[i]);
	for (int a = 0; a < N_WORLDS; a++)
		for (int b = 0; b < N_WORLDS; b++)
			compare(file, (enum world)a, (enum world)b, notes[a], notes[b]);
	for (int i = 0; i < N_WORLDS; i++)
		g_array_free(notes[i], TRUE);
}

static void a_flow_is_by_another_catalogue_what_its_packets_would_have_made_it(void **)
{
	for (guint i = 0; i < captures->len; i++)
		compare_all(captures->pdata[i]);
	print_message("%zu flows of %u captures resolved, %zu of them to something else\n",
		counts.n_resolved, captures->len, counts.n_changed);
	assert_true(counts.n_changed > counts.n_resolved / 2);
	assert_int_equal(counts.n_wrong, 0);
	assert_int_equal(counts.n_excepted, G_N_ELEMENTS(exceptions) * (N_WORLDS - 1));
}

/* --- the process ------------------------------------------------------------------------------ */

static int find(const char *path, const struct stat *, int kind, struct FTW *)
{
	if (kind == FTW_F && (g_str_has_suffix(path, ".pcap") || g_str_has_suffix(path, ".pcapng")))
		g_ptr_array_add(captures, g_strdup(path));
	return 0;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int start(void **)
{
	struct dp_err err = {0};

	captures = g_ptr_array_new_with_free_func(g_free);
	for (char **folder = folders; *folder != NULL; folder++)
		assert_int_equal(nftw(*folder, find, 16, FTW_PHYS), 0);
	g_ptr_array_sort(captures, by_name);
	assert_true(captures->len > 0);
	make_worlds();
	if (dp_eal_start(&(struct dp_eal_config){.n_lcores = 2, .pool_bytes = 64 << 20}, &err) <
		0) {
		print_error("%s\n", err.text);
		return -1;
	}
	return 0;
}

static int stop(void **)
{
	dp_eal_stop();
	for (int i = 0; i < N_WORLDS; i++)
		cls_catalogue_free(worlds[i]);
	ctl_mistakes_free(mistakes);
	ctl_dict_free(tag_ids);
	ctl_dict_free(app_ids);
	g_ptr_array_free(captures, TRUE);
	return 0;
}

int main(int, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_flow_is_by_another_catalogue_what_its_packets_would_have_made_it),
	};

	folders = argv + 1;
	return cmocka_run_group_tests_name("resolve_captures", tests, start, stop);
}
