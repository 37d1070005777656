// SPDX-License-Identifier: BSD-3-Clause
#include "control/trigger_file.h"

#include "control/numbering.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ctl_trigger_file {
	FILE *out;
	char *path;
	bool is_replay;
	int errnum; // first failure
	struct ctl_numbering numbering;
};

int ctl_trigger_file_open(
	const char *path, bool is_replay, struct ctl_trigger_file **ret_file, struct dp_err *reterr)
{
	FILE *out = fopen(path, "we");
	struct ctl_trigger_file *file;

	if (out == NULL)
		return dp_fail(reterr, errno,
			"cannot write triggers to '%s': %m, expected a path where a file can be made",
			path);
	file = g_new0(struct ctl_trigger_file, 1);
	file->out = out;
	file->path = g_strdup(path);
	file->is_replay = is_replay;
	ctl_numbering_init(&file->numbering);
	*ret_file = file;
	return 0;
}

void ctl_trigger_file_write(
	struct ctl_trigger_file *file, const struct ctl_trigger *trigger, uint64_t wall_ns)
{
	char *text = ctl_trigger_text(trigger, file->is_replay ? 0 : wall_ns);
	char close[CTL_NUMBERS_TEXT_MAX];
	uint64_t sequence, typesequence;

	if (text == NULL) {
		if (file->errnum == 0)
			file->errnum = EINVAL;
		return;
	}
	ctl_numbering_next(&file->numbering, trigger->type, &sequence, &typesequence);
	(void)ctl_numbers_text(close, sequence, typesequence);
	if (fprintf(file->out, "%s%s\n", text, close) < 0 && file->errnum == 0)
		file->errnum = errno;
	free(text);
}

int ctl_trigger_file_close(struct ctl_trigger_file *file, struct dp_err *reterr)
{
	int r = 0;

	if (file == NULL)
		return 0;
	if (fclose(file->out) != 0 && file->errnum == 0)
		file->errnum = errno;
	if (file->errnum != 0)
		r = dp_fail(reterr, file->errnum, "cannot write triggers to '%s': %m", file->path);
	ctl_numbering_fini(&file->numbering);
	g_free(file->path);
	g_free(file);
	return r;
}
