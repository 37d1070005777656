// SPDX-License-Identifier: BSD-3-Clause
#include "control/engine_read.h"
#include "control/intern.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Known inputs hold identities that are sealed with it. */
static const char KEY[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
enum { N_IDS = 8, TICK_NS = 1000 };

static struct ctl_seal *seal;
static struct ctl_config *config;
static GHashTable *interned;

/* In place of GLib's, which keeps every text for good: of the ids of a configuration those are few,
 * of the inputs of an hour they are all the memory. Emptied after each input. */
const char *g_intern_string(const char *text)
{
	const char *known = g_hash_table_lookup(interned, text);
	char *copy;

	if (known != NULL)
		return known;
	copy = g_strdup(text);
	(void)g_hash_table_add(interned, copy);
	return copy;
}

/* And what remembers texts of GLib's. */
const char *ctl_intern(const char *text)
{
	return g_intern_string(text);
}

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

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
	const int fd = memfd_create("key", MFD_CLOEXEC);
	char path[32];

	interned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	must(fd >= 0 && fchmod(fd, 0600) == 0 &&
		write(fd, KEY, sizeof(KEY) - 1) == sizeof(KEY) - 1);
	must(snprintf(path, sizeof(path), "/proc/self/fd/%d", fd) < (int)sizeof(path));
	must(ctl_seal_open_key(path, false, &seal, NULL) == 0);
	must(close(fd) == 0);
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

	g_ptr_array_set_size(engine->by_id, N_IDS);
	engine->n_profiles = N_IDS;
	if (ctl_engine_read_forgotten(engine, data, size, as_of_ns, NULL) < 0 ||
		ctl_engine_read_tick(engine, TICK_NS, data, size, seal, as_of_ns, NULL) < 0)
		return;
	must(ctl_engine_read_tick(engine, TICK_NS, data, size, seal, as_of_ns, NULL) == 0);
	for (uint64_t id = 1; id <= N_IDS; id++) {
		const struct ctl_profile *profile = ctl_engine_profile(engine, id);

		must((profile != NULL) == ctl_idset_has(&engine->unwritten, id));
		must(profile == NULL || (profile->id == id && profile->marks == 0));
		must(profile == NULL || as_of_ns[id - 1] == 0); // who is forgotten stays so
	}
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
	g_hash_table_remove_all(interned);
	return 0;
}
