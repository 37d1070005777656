// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine_read.h"
#include "tests/fuzz/sealed.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_IDS = 8, TICK_NS = 1000 };

static struct ctl_config *config;

static void say(void *, const char *text)
{
	(void)fprintf(stderr, "%s\n", text);
}

static void no_trigger(void *, struct ctl_trigger *)
{
	abort(); // reading decides nothing
}

int LLVMFuzzerInitialize(int *, char ***)
{
	sealed_init();
	must(ctl_config_load(NULL, NULL, say, NULL, &config) == 0);
	return 0;
}

static void read_meta(struct ctl_engine *engine, const uint8_t *data, size_t size)
{
	char *naming = NULL;

	if (ctl_engine_read_meta(engine, data, size, &naming, NULL) < 0) {
		must(naming == NULL);
		return;
	}
	json_decref(ctl_engine_triggers_json(engine));
	json_decref(ctl_engine_suppressed_json(engine));
	g_free(naming);
}

/* As a restart reads it; a second time changes nothing more. */
static void read_tick(struct ctl_engine *engine, const uint8_t *data, size_t size)
{
	uint64_t as_of_ns[N_IDS] = {0};
	struct ctl_reading reading = {.as_of_ns = as_of_ns};
	int r;

	g_ptr_array_set_size(engine->by_id, N_IDS);
	engine->n_profiles = N_IDS;
	r = ctl_engine_read_ids(engine, data, size, &reading, NULL);
	if (r == 0)
		r = ctl_engine_read_tick(engine, TICK_NS, data, size, seal, &reading, NULL);
	if (r < 0) {
		ctl_idset_fini(&reading.changed);
		return;
	}
	must(ctl_engine_read_tick(engine, TICK_NS, data, size, seal, &reading, NULL) == 0);
	for (uint64_t id = 1; id <= N_IDS; id++) {
		const struct ctl_profile *profile = ctl_engine_profile(engine, id);

		must((profile != NULL) == ctl_idset_has(&engine->unwritten, id));
		must(profile == NULL || (profile->id == id && profile->marks == 0));
		must(profile == NULL || as_of_ns[id - 1] == 0); // who is forgotten stays so
		must(profile == NULL || ctl_idset_has(&reading.changed, id));
	}
	ctl_idset_fini(&reading.changed);
}

/* Any bytes as the state of the node (the first byte is 0) or as a tick of the journal. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_engine *engine;
	struct dp_err err;

	if (size == 0)
		return 0;
	must(ctl_engine_new(config, no_trigger, NULL, &engine, &err) == 0);
	if (data[0] == 0)
		read_meta(engine, data + 1, size - 1);
	else
		read_tick(engine, data + 1, size - 1);
	ctl_engine_free(engine);
	sealed_forget();
	return 0;
}
