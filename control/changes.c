// SPDX-License-Identifier: BSD-3-Clause
#include "control/changes.h"

#include "control/change.h"
#include "control/facts.h"
#include "control/loader.h"
#include "control/log.h"
#include "control/notify.h"

#include <errno.h>
#include <string.h>

/* Until whoever asked has read it. */
struct result {
	uint64_t id;
	json_t *row; // owned
	GPtrArray *mistakes; // owned
};

enum { N_RESULTS = 8 };

struct ctl_changes {
	struct ctl_changes_config config;
	struct ctl_loader *loader;
	struct ctl_versions *versions;
	struct ctl_change change; // the last one; the loader's while it runs
	bool is_running; // and the state in it may not be asked for
	bool reload_waits; // for that one
	bool is_stopping;
	struct ctl_apps staged; // catalogue NULL: nothing is
	struct ctl_change_counts staged_counts;
	uint32_t staged_over; // version that was in force then
	struct result results[N_RESULTS]; // of the last changes, by number
};

/* --- answers -------------------------------------------------------------------------------------- */

static void shorten(const char sha256[CTL_SHA256_MAX], char ret_text[CTL_SHA256_SHOWN + 1])
{
	(void)g_strlcpy(ret_text, sha256, CTL_SHA256_SHOWN + 1);
}

static const char *const kind_names[] = {
	[CTL_CHANGE_RELOAD] = "reload",
	[CTL_CHANGE_STAGE] = "stage",
	[CTL_CHANGE_COMMIT] = "commit",
	[CTL_CHANGE_ROLLBACK] = "rollback",
};

static void add_counts(json_t *row, const struct ctl_change_counts *n)
{
	const struct {
		const char *key;
		size_t n;
	} counts[] = {{"apps", n->apps}, {"apps_new", n->apps_new}, {"apps_gone", n->apps_gone},
		{"hosts", n->hosts}, {"hosts_before", n->hosts_before}, {"networks", n->nets},
		{"networks_before", n->nets_before}};

	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		(void)json_object_set_new(
			row, counts[i].key, json_integer((json_int_t)counts[i].n));
}

static void add_what_is_staged(const struct ctl_changes *c, json_t *row)
{
	g_autofree char *file = NULL;
	char sha256[CTL_SHA256_MAX], shown[CTL_SHA256_SHOWN + 1];

	(void)ctl_versions_staged(c->versions, sha256, &file);
	shorten(sha256, shown);
	(void)json_object_set_new(
		row, "version", json_integer((json_int_t)ctl_versions_next(c->versions)));
	(void)json_object_set_new(row, "file", json_string(file));
	(void)json_object_set_new(row, "sha256", json_string(shown));
	add_counts(row, &c->staged_counts);
}

static void add_what_is_in_force(const struct ctl_changes *c, json_t *row)
{
	const struct ctl_change *change = &c->change;
	char shown[CTL_SHA256_SHOWN + 1];

	shorten(change->sha256, shown);
	(void)json_object_set_new(row, "version", json_integer(change->version));
	(void)json_object_set_new(row, "was", json_integer(change->was));
	(void)json_object_set_new(row, "sha256", json_string(shown));
}

static const char *note_of(const struct ctl_changes *c, char text[static 96])
{
	const struct ctl_change *change = &c->change;

	if (change->kind != CTL_CHANGE_STAGE)
		return ctl_versions_are_kept(c->versions)
			? NULL
			: "a restart forgets it: there is no store";
	if (change->same_as == 0)
		return change->is_replacing ? "it takes the place of what was staged before" : NULL;
	(void)g_snprintf(text, 96, "its contents are those of version %u, which is in force",
		change->same_as);
	return text;
}

static json_t *row_of(const struct ctl_changes *c)
{
	static const char *const states[] = {"running", "done", "refused", "failed"};
	const struct ctl_change *change = &c->change;
	const enum ctl_change_state state = c->is_running ? CTL_CHANGE_RUNNING : change->state;
	json_t *row = json_pack("{sI ss ss ss?}", "change", (json_int_t)change->id, "what",
		kind_names[change->kind], "state", states[state], "sentence",
		state == CTL_CHANGE_FAILED ? change->err.text : NULL);
	char text[96];

	if (state != CTL_CHANGE_DONE)
		return row;
	if (change->kind == CTL_CHANGE_STAGE)
		add_what_is_staged(c, row);
	else
		add_what_is_in_force(c, row);
	(void)json_object_set_new(row, "note", json_pack("s?", note_of(c, text)));
	return row;
}

static void keep_result(struct ctl_changes *c)
{
	struct result *result = &c->results[c->change.id % N_RESULTS];

	json_decref(result->row);
	if (result->mistakes != NULL)
		g_ptr_array_unref(result->mistakes);
	*result = (struct result){c->change.id, row_of(c), g_ptr_array_ref(c->change.mistakes)};
}

static const struct result *result_of(const struct ctl_changes *c, uint64_t id)
{
	const struct result *result = &c->results[id % N_RESULTS];

	return id != 0 && result->id == id ? result : NULL;
}

json_t *ctl_changes_json(const struct ctl_changes *c, uint64_t id)
{
	const struct result *result = result_of(c, id);

	if (result != NULL)
		return json_incref(result->row);
	return c->is_running && id == c->change.id ? row_of(c) : NULL;
}

const GPtrArray *ctl_changes_mistakes(const struct ctl_changes *c, uint64_t id)
{
	const struct result *result = result_of(c, id);

	return result != NULL ? result->mistakes : NULL;
}

json_t *ctl_changes_staged_json(const struct ctl_changes *c)
{
	json_t *row = json_pack(
		"{ss}", "state", c->staged.catalogue != NULL ? "staged" : "nothing");

	if (c->staged.catalogue != NULL)
		add_what_is_staged(c, row);
	return row;
}

const struct cls_catalogue *ctl_changes_staged(const struct ctl_changes *c)
{
	return c->staged.catalogue;
}

/* --- what came of it --------------------------------------------------------------------------- */

static void done_stage(struct ctl_changes *c)
{
	struct ctl_change *change = &c->change;
	char sha256[CTL_SHA256_SHOWN + 1];

	c->config.leaving(c->config.ctx);
	ctl_apps_fini(&c->staged);
	c->staged = change->apps;
	change->apps = (struct ctl_apps){0};
	c->staged_counts = change->counts;
	c->staged_over = ctl_versions_in_force(c->versions);
	shorten(change->sha256, sha256);
	ctl_log(CTL_LOG_NOTICE, "catalogue_staged", CTL_TEXT("who", change->who),
		CTL_TEXT("sha256", sha256), CTL_COUNT("apps", change->counts.apps),
		CTL_COUNT("hosts", change->counts.hosts),
		CTL_COUNT("networks", change->counts.nets));
}

static void swap(struct ctl_changes *c, struct ctl_apps *apps)
{
	c->config.leaving(c->config.ctx);
	ctl_pipeline_set_apps(c->config.pipeline, apps);
	ctl_apps_fini(apps);
	c->config.swapped(c->config.ctx);
}

static void done_commit(struct ctl_changes *c)
{
	const struct ctl_change *change = &c->change;
	char sha256[CTL_SHA256_SHOWN + 1];

	swap(c, &c->staged);
	shorten(change->sha256, sha256);
	ctl_log(CTL_LOG_NOTICE, "catalogue_committed", CTL_TEXT("who", change->who),
		CTL_COUNT("version", change->version), CTL_COUNT("was", change->was),
		CTL_TEXT("sha256", sha256));
}

static void done_rollback(struct ctl_changes *c)
{
	struct ctl_change *change = &c->change;
	char sha256[CTL_SHA256_SHOWN + 1];

	swap(c, &change->apps);
	shorten(change->sha256, sha256);
	ctl_log(CTL_LOG_NOTICE, "catalogue_rolled_back", CTL_TEXT("who", change->who),
		CTL_COUNT("version", change->version), CTL_COUNT("was", change->was),
		CTL_TEXT("sha256", sha256));
}

static const char no_copy[] = "it is in force without a copy to go back to";

static void say_unkept(const struct dp_err *why, const char *consequence)
{
	ctl_log(CTL_LOG_ERR, "catalogue_unkept", CTL_TEXT("cause", why->text),
		CTL_TEXT("consequence", consequence));
}

static void done_reload(struct ctl_changes *c)
{
	struct ctl_change *change = &c->change;
	const struct ctl_config *config = change->loaded;

	c->config.leaving(c->config.ctx);
	ctl_pipeline_reload(c->config.pipeline, g_steal_pointer(&change->loaded));
	c->config.swapped(c->config.ctx);
	if (change->unkept.text[0] != '\0')
		say_unkept(&change->unkept, no_copy);
	ctl_log(CTL_LOG_NOTICE, "reloaded", CTL_COUNT("rules", config->n_rules),
		CTL_COUNT("apps", cls_catalogue_count(config->catalogue)),
		CTL_COUNT("subscribers", config->facts->persons->len),
		CTL_COUNT("catalogue", change->version));
	(void)ctl_notify("READY=1\nSTATUS=running");
}

static void refuse_reload(const struct ctl_change *change)
{
	for (guint i = 0; i < change->mistakes->len; i++)
		ctl_log(CTL_LOG_ERR, "config_mistake", CTL_TEXT("at", change->mistakes->pdata[i]));
	if (change->fixed[0] != '\0')
		ctl_log(CTL_LOG_ERR, "reload_refused", CTL_TEXT("changed", change->fixed),
			CTL_TEXT("consequence",
				"needs a restart; the configuration in force stays"));
	else if (change->state == CTL_CHANGE_FAILED)
		ctl_log(CTL_LOG_ERR, "reload_refused", CTL_TEXT("cause", change->err.text),
			CTL_TEXT("consequence", "the configuration in force stays"));
	else
		ctl_log(CTL_LOG_ERR, "reload_refused",
			CTL_TEXT("consequence", "the configuration in force stays"));
	(void)ctl_notify("READY=1\nSTATUS=a reload was refused, see the log");
}

/* The command that asked tells its user; a disk that fails is the operator's as well. */
static void failed(struct ctl_changes *c)
{
	const struct ctl_change *change = &c->change;
	char sha256[CTL_SHA256_MAX];

	if (!ctl_versions_staged(c->versions, sha256, NULL)) {
		c->config.leaving(c->config.ctx);
		ctl_apps_fini(&c->staged); // its copy had to go
	}
	if (change->state == CTL_CHANGE_REFUSED) // paths and words of a file are for who asked
		ctl_log(CTL_LOG_WARNING, "catalogue_refused", CTL_TEXT("who", change->who),
			CTL_TEXT("what", kind_names[change->kind]),
			CTL_COUNT("mistakes", change->mistakes->len),
			CTL_TEXT("consequence", "the catalogue in force stays"));
	else
		ctl_log(CTL_LOG_WARNING, "catalogue_unchanged", CTL_TEXT("who", change->who),
			CTL_TEXT("cause", change->err.text),
			CTL_TEXT("consequence", "the catalogue in force stays"));
}

static void on_done(void *ctx)
{
	static void (*const dones[])(struct ctl_changes *) = {
		[CTL_CHANGE_RELOAD] = done_reload,
		[CTL_CHANGE_STAGE] = done_stage,
		[CTL_CHANGE_COMMIT] = done_commit,
		[CTL_CHANGE_ROLLBACK] = done_rollback,
	};
	struct ctl_changes *c = ctx;

	c->is_running = false;
	if (c->is_stopping)
		return; // workers are gone; what was made durable is for the next start
	if (c->change.state == CTL_CHANGE_DONE)
		dones[c->change.kind](c);
	else if (c->change.kind == CTL_CHANGE_RELOAD)
		refuse_reload(&c->change);
	else
		failed(c);
	if (c->change.kind != CTL_CHANGE_RELOAD)
		keep_result(c);
	if (c->reload_waits)
		ctl_changes_reload(c);
}

/* --- beginning ---------------------------------------------------------------------------------- */

/* given: what is asked for. */
static int begin(
	struct ctl_changes *c, struct ctl_change *given, uint64_t *ret_id, struct dp_err *reterr)
{
	const uint64_t id = c->change.id + 1;
	int r;

	ctl_change_fini(&c->change);
	c->change = *given;
	c->change.id = id;
	c->change.versions = c->versions;
	c->change.config = ctl_pipeline_config_of(c->config.pipeline);
	c->change.staged = &c->staged;
	c->change.config_path = c->config.path;
	c->change.overrides = c->config.overrides;
	ctl_change_init(&c->change);
	r = ctl_loader_start(c->loader, ctl_change_run, &c->change, reterr);
	c->is_running = r == 0;
	if (r < 0)
		c->change.state = CTL_CHANGE_FAILED;
	*ret_id = id;
	return r;
}

/* For what a command asks. */
static int begin_asked(struct ctl_changes *c, enum ctl_change_kind kind,
	const struct ctl_changes_asker *asker, const char *path, uint32_t version, uint64_t *ret_id,
	struct dp_err *reterr)
{
	static const char *const doing[] = {
		[CTL_CHANGE_RELOAD] = "the configuration is being reloaded",
		[CTL_CHANGE_STAGE] = "a catalogue is being staged",
		[CTL_CHANGE_COMMIT] = "a catalogue is being committed",
		[CTL_CHANGE_ROLLBACK] = "a catalogue is being rolled back",
	};
	struct ctl_change change = {.kind = kind, .uid = asker->uid, .version = version};

	if (c->is_stopping)
		return dp_fail(reterr, ESHUTDOWN, "the daemon is stopping");
	if (c->is_running)
		return dp_fail(
			reterr, EBUSY, "%s: ask again when that is done", doing[c->change.kind]);
	change.is_replacing = kind == CTL_CHANGE_STAGE && c->staged.catalogue != NULL;
	change.why = g_strdup(asker->why != NULL ? asker->why : "");
	change.path = g_strdup(path);
	return begin(c, &change, ret_id, reterr);
}

int ctl_changes_stage(struct ctl_changes *c, const struct ctl_changes_asker *asker,
	const char *path, uint64_t *ret_id, struct dp_err *reterr)
{
	return begin_asked(c, CTL_CHANGE_STAGE, asker, path, 0, ret_id, reterr);
}

int ctl_changes_commit(struct ctl_changes *c, const struct ctl_changes_asker *asker,
	uint64_t *ret_id, struct dp_err *reterr)
{
	const uint32_t in_force = ctl_versions_in_force(c->versions);

	if (!c->is_running && c->staged.catalogue == NULL)
		return dp_fail(
			reterr, ENOENT, "nothing is staged: `wirecue apps stage FILE` comes first");
	// What it would change was told of another one; what came in between would be lost unseen.
	if (!c->is_running && in_force != c->staged_over)
		return dp_fail(reterr, ESTALE,
			"version %u is in force by now, and it was staged over version %u: `wirecue apps "
			"stage FILE` tells what it would change",
			in_force, c->staged_over);
	return begin_asked(c, CTL_CHANGE_COMMIT, asker, NULL, 0, ret_id, reterr);
}

int ctl_changes_roll_back(struct ctl_changes *c, const struct ctl_changes_asker *asker,
	uint32_t version, uint64_t *ret_id, struct dp_err *reterr)
{
	return begin_asked(c, CTL_CHANGE_ROLLBACK, asker, NULL, version, ret_id, reterr);
}

void ctl_changes_reload(struct ctl_changes *c)
{
	struct ctl_change change = {.kind = CTL_CHANGE_RELOAD};
	struct dp_err err;
	uint64_t id;

	c->reload_waits = c->is_running;
	if (c->is_running)
		return; // what has changed until then is read then
	(void)ctl_notify("RELOADING=1");
	if (begin(c, &change, &id, &err) == 0)
		return;
	c->change.err = err;
	refuse_reload(&c->change);
}

struct ctl_versions *ctl_changes_versions(const struct ctl_changes *c)
{
	return c->versions;
}

/* --- begin and end ----------------------------------------------------------------------------------- */

static int open_versions(struct ctl_changes *c, struct dp_err *reterr)
{
	const struct ctl_config *config = ctl_pipeline_config_of(c->config.pipeline);
	const char *store = config->store.enabled ? config->store.path : NULL;
	int r = ctl_versions_open(store, &c->versions, reterr);

	if (r == 0 || store == NULL)
		return r;
	say_unkept(reterr, "versions are kept in a temporary folder, a restart forgets them");
	return ctl_versions_open(NULL, &c->versions, reterr);
}

/* What the start has taken becomes a version, when it is none yet. */
static void take(struct ctl_changes *c)
{
	const struct ctl_versions_choice *choice = c->config.start;
	const struct ctl_config *config = ctl_pipeline_config_of(c->config.pipeline);
	struct dp_err err;

	if (choice->damage.text[0] != '\0')
		ctl_log(CTL_LOG_ERR, "catalogue_fallback", CTL_TEXT("cause", choice->damage.text),
			CTL_TEXT("consequence", "the configured file is in force instead"));
	if (choice->mistake.text[0] != '\0')
		ctl_log(CTL_LOG_ERR, "catalogue_mistaken", CTL_TEXT("cause", choice->mistake.text),
			CTL_COUNT("version", choice->version),
			CTL_TEXT("consequence",
				"the configured file is not taken, the version that was in force stays"));
	if (ctl_versions_take(c->versions, choice, config->apps_path, &err) < 0)
		say_unkept(&err, no_copy);
}

int ctl_changes_new(const struct ctl_changes_config *config, struct ctl_changes **ret_changes,
	struct dp_err *reterr)
{
	struct ctl_changes *c = g_new0(struct ctl_changes, 1);
	int r;

	c->config = *config;
	r = open_versions(c, reterr);
	if (r == 0)
		r = ctl_loader_new(config->base, on_done, c, &c->loader, reterr);
	if (r < 0) {
		ctl_changes_free(c);
		return r;
	}
	take(c);
	*ret_changes = c;
	return 0;
}

void ctl_changes_stop(struct ctl_changes *c)
{
	c->is_stopping = true;
}

bool ctl_changes_end(struct ctl_changes *c)
{
	if (c == NULL || ctl_loader_stop(c->loader, CTL_CHANGES_PATIENCE_MS))
		return true;
	ctl_log(CTL_LOG_ERR, "stop_stuck", CTL_TEXT("what", kind_names[c->change.kind]),
		CTL_TEXT("cause", "a file that it reads does not answer"),
		CTL_TEXT("consequence", "wirecue ends without it; what is in force stays"));
	return false;
}

void ctl_changes_free(struct ctl_changes *c)
{
	if (c == NULL)
		return;
	ctl_loader_free(c->loader);
	ctl_change_fini(&c->change);
	for (size_t i = 0; i < N_RESULTS; i++) {
		json_decref(c->results[i].row);
		if (c->results[i].mistakes != NULL)
			g_ptr_array_unref(c->results[i].mistakes);
	}
	ctl_apps_fini(&c->staged);
	ctl_versions_close(c->versions);
	g_free(c);
}
