// SPDX-License-Identifier: BSD-3-Clause
#include "control/log.h"
#include "control/store_commands.h"
#include "control/store_reader.h"
#include "control/store_value.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

struct dump {
	const struct ctl_store_call *call;
	struct ctl_seal *seal; // NULL: identities stay sealed
	enum ctl_table table;
	uint64_t key; // of the value that could not be read
	struct dp_err err;
};

static int on_value(void *ctx, uint64_t key, const void *value, size_t len)
{
	struct dump *dump = ctx;
	json_t *json = ctl_store_value_json(dump->table, key, value, len, dump->seal, &dump->err);
	char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	int r = 0;

	dump->key = key;
	if (json == NULL)
		r = -EBADMSG;
	else if (text == NULL)
		r = dp_fail(&dump->err, ENOMEM, "no memory to write it");
	else if (puts(text) < 0)
		r = dp_fail(&dump->err, errno, "cannot be written: %m");
	free(text);
	json_decref(json);
	return r;
}

static int dump_table(struct dump *dump, struct ctl_store_reader *reader, struct dp_err *reterr)
{
	const int r = ctl_store_reader_walk(reader, dump->table, on_value, dump, reterr);

	if (r < 0 && dump->err.text[0] != '\0')
		return dp_fail(reterr, -r, "'%s': table '%s', key %" PRIu64 ": %s", reader->path,
			ctl_table_names[dump->table], dump->key, dump->err.text);
	return r;
}

/* In the child: whose signals are the default ones, so that it ends with `| head`. */
static int run(void *ctx, struct dp_err *reterr)
{
	struct dump *dump = ctx;
	struct ctl_store_reader *reader;
	int r = ctl_store_reader_open(dump->call->place, &reader, reterr);

	if (r < 0)
		return r;
	for (int i = 0; i < CTL_TABLE_COUNT && r == 0; i++) {
		dump->table = (enum ctl_table)i;
		if ((dump->call->tables & (1U << i)) != 0)
			r = dump_table(dump, reader, reterr);
	}
	ctl_store_reader_close(reader);
	return r;
}

int ctl_cmd_store_dump(const struct ctl_store_call *call)
{
	struct dump dump = {.call = call};
	struct dp_err err = {0};
	int r = 0;

	if (call->is_revealed)
		r = ctl_seal_open_key(call->key_file, false, &dump.seal, &err);
	if (r == 0 && call->is_revealed) // before anything is seen of it
		ctl_log(CTL_LOG_NOTICE, "store_revealed", CTL_TEXT("path", call->place),
			CTL_COUNT("uid", getuid()));
	if (r == 0)
		r = ctl_store_reader_guard(run, &dump, call->place, CTL_STORE_LONGEST_S, &err);
	ctl_seal_free(dump.seal);
	if (r == -EPIPE)
		return CTL_EXIT_OK; // `wirecue store dump | head` has seen enough
	return r < 0 ? ctl_complain(CTL_EXIT_FAILURE, "%s", err.text) : CTL_EXIT_OK;
}
