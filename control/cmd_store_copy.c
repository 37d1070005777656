// SPDX-License-Identifier: BSD-3-Clause
#include "control/catalogue_choice.h"
#include "control/catalogue_restore.h"
#include "control/folder.h"
#include "control/store_backup.h"
#include "control/store_commands.h"
#include "control/store_copy.h"
#include "control/store_dir.h"
#include "control/store_guard.h"
#include "control/store_reader.h"
#include "control/store_survey.h"
#include "control/utc.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const struct dp_err *err)
{
	return ctl_complain(CTL_EXIT_FAILURE, "%s", err->text);
}

static const char *time_text(uint64_t t_ns, char text[CTL_UTC_MAX])
{
	if (t_ns == 0)
		return "none yet";
	ctl_utc_format(t_ns, text);
	return text;
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Be the one writer of a store that is there. What the lock of root leaves must not keep the daemon
 * out. */
static int hold(const char *folder, struct ctl_store_dir *ret_dir, struct dp_err *reterr)
{
	g_autofree char *writer = g_build_filename(folder, CTL_STORE_WRITER, NULL);
	struct stat st;
	int r = ctl_store_dir_open(folder, ret_dir, reterr);

	if (r < 0)
		return r;
	if (geteuid() == 0 && stat(folder, &st) == 0 && chown(writer, st.st_uid, st.st_gid) < 0)
		r = dp_fail(reterr, errno, "cannot give '%s' the owner of its folder: %m", writer);
	if (r == 0)
		r = ctl_versions_restore_finish(folder, reterr); // of one that was cut short
	if (r < 0)
		ctl_store_dir_close(ret_dir);
	return r;
}

/* --- compact ----------------------------------------------------------------------------------- */

static int compact(const struct ctl_store_dir *dir, struct dp_err *reterr)
{
	struct ctl_store_draft draft;
	struct ctl_store_survey report;
	int r;

	ctl_store_draft_sweep(dir->path);
	r = ctl_store_draft_open(dir->file, &draft, reterr);
	if (r < 0)
		return r;
	r = ctl_store_copy(dir->path, draft.fd, 0, reterr);
	if (r == 0)
		r = ctl_store_survey(draft.path, 0, &report, reterr);
	if (r == 0)
		r = ctl_store_draft_resemble(&draft, dir->file, reterr);
	if (r == 0)
		return ctl_store_draft_settle_store(&draft, reterr);
	ctl_store_draft_drop(&draft);
	return r;
}

int ctl_cmd_store_compact(const struct ctl_store_call *call)
{
	struct ctl_store_dir dir;
	struct ctl_store_survey report;
	struct dp_err err = {0};
	uint64_t before;
	sigset_t old;
	int r;

	// What is no store, or damaged, is said before anything is made.
	r = ctl_store_survey(call->place, CTL_STORE_LONGEST_S, &report, &err);
	if (r == 0)
		r = hold(call->place, &dir, &err);
	if (r < 0)
		return fail(&err);
	ctl_store_put_off_signals(&old);
	before = size_of(dir.file);
	r = compact(&dir, &err);
	if (r == 0)
		(void)printf("compacted: %s, %" PRIu64 " bytes before, %" PRIu64 " after\n",
			dir.file, before, size_of(dir.file));
	ctl_store_dir_close(&dir);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return r < 0 ? fail(&err) : CTL_EXIT_OK;
}

/* --- backup ------------------------------------------------------------------------------------ */

static int judge_target(const struct ctl_store_call *call, struct dp_err *reterr)
{
	struct stat st;

	if (stat(call->file, &st) < 0)
		return errno == ENOENT
			? 0
			: dp_fail(reterr, errno, "cannot look at '%s': %m", call->file);
	if (!S_ISREG(st.st_mode))
		return dp_fail(reterr, EINVAL,
			"'%s' is no regular file, expected the path of a file, or '-'", call->file);
	if (!call->is_forced)
		return dp_fail(reterr, EEXIST,
			"'%s' is there already: give another name, or --force to replace it",
			call->file);
	return 0;
}

static int backup(const struct ctl_store_call *call, struct ctl_bundle_report *ret_bundle,
	struct ctl_store_survey *ret_report, struct dp_err *reterr)
{
	struct ctl_store_draft draft;
	int r = judge_target(call, reterr);

	if (r < 0)
		return r;
	r = ctl_store_draft_open(call->file, &draft, reterr);
	if (r < 0)
		return r;
	r = ctl_store_backup(call->place, draft.fd, CTL_STORE_LONGEST_S, ret_bundle, reterr);
	if (r == 0)
		r = ctl_store_survey(draft.path, 0, ret_report, reterr);
	if (r == 0)
		return ctl_store_draft_settle(&draft, call->is_forced, reterr);
	ctl_store_draft_drop(&draft);
	return r;
}

static void tell_of_bundle(const struct ctl_bundle_report *bundle, FILE *out)
{
	if (!bundle->is_there)
		(void)fprintf(out, "not in it: the versions of the catalogue: %s\n", bundle->fault);
	else if (bundle->n_lines == 0)
		(void)fputs("catalogue: no version yet\n", out);
	else
		(void)fprintf(out,
			"catalogue: version %u in force; %u with a copy, and the history\n",
			bundle->in_force, bundle->n_versions);
	if (bundle->is_there && bundle->n_left_out > 0)
		(void)fprintf(out, "not in it: %u of the catalogue's copies and lines; %s\n",
			bundle->n_left_out, bundle->fault);
}

static void tell_of_key(const struct ctl_store_call *call, FILE *out)
{
	(void)fprintf(out,
		"not in it: the key that seals identities, %s; keep a copy of it elsewhere, "
		"without it nobody knows whom the profiles are of\n",
		call->key_file);
}

/* Standard output: it cannot be read again, so that is left to where it arrives. */
static int backup_stream(const struct ctl_store_call *call)
{
	struct ctl_bundle_report bundle;
	struct dp_err err = {0};

	if (isatty(STDOUT_FILENO) == 1)
		return ctl_complain(CTL_EXIT_USAGE,
			"store backup: standard output is a terminal, expected a file or a pipe");
	if (ctl_store_backup(call->place, STDOUT_FILENO, CTL_STORE_LONGEST_S, &bundle, &err) < 0)
		return fail(&err);
	(void)fputs("backup: written to standard output; check it where it arrives, with "
		    "'wirecue store check FILE'\n",
		stderr);
	tell_of_bundle(&bundle, stderr);
	tell_of_key(call, stderr);
	return CTL_EXIT_OK;
}

int ctl_cmd_store_backup(const struct ctl_store_call *call)
{
	struct ctl_store_survey report = {0};
	struct ctl_bundle_report bundle;
	struct dp_err err = {0};
	char watermark[CTL_UTC_MAX];
	sigset_t old;
	int r;

	if (strcmp(call->file, "-") == 0)
		return backup_stream(call);
	ctl_store_put_off_signals(&old);
	r = backup(call, &bundle, &report, &err);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return fail(&err);
	(void)printf("backup: %s, %" PRIu64 " bytes, checked; watermark %s, last sequence %" PRIu64
		     "\n",
		call->file, report.file_bytes, time_text(report.watermark_ns, watermark),
		report.sequence);
	tell_of_bundle(&bundle, stdout);
	tell_of_key(call, stdout);
	return CTL_EXIT_OK;
}

/* --- restore ----------------------------------------------------------------------------------- */

/* PATH/before-restore-UTC/, of the folder's owner. */
static int make_aside(const char *folder, char **ret_aside, struct dp_err *reterr)
{
	char utc[CTL_UTC_MAX];
	struct stat st;

	ctl_utc_format(ctl_utc_now_ns(), utc); // 2026-03-01T18:00:00.123Z
	for (int i = 1; i < 100; i++) {
		g_autofree char *path = g_strdup_printf("%s/before-restore-%.4s%.2s%.2s"
							"T%.2s%.2s%.2sZ%s%.0d",
			folder, utc, utc + 5, utc + 8, utc + 11, utc + 14, utc + 17,
			i > 1 ? "-" : "", i > 1 ? i : 0);

		if (mkdir(path, 0700) == 0) {
			if (stat(folder, &st) == 0)
				(void)!chown(path, st.st_uid, st.st_gid); // for convenience
			*ret_aside = g_steal_pointer(&path);
			return 0;
		}
		if (errno != EEXIST)
			return dp_fail(reterr, errno, "cannot make '%s': %m", path);
	}
	return dp_fail(
		reterr, EEXIST, "too many stores were set aside in '%s': move them away", folder);
}

/* A second name for the present file, so that the first one is never without one. *ret_aside stays
 * NULL when there is none, and no need for the folder. */
static int set_aside(
	const struct ctl_store_dir *dir, bool is_needed, char **ret_aside, struct dp_err *reterr)
{
	g_autofree char *aside = NULL, *to = NULL;
	const int has_file = ctl_store_dir_has_file(dir, reterr);
	int r = has_file;

	if (r > 0 || (r == 0 && is_needed))
		r = make_aside(dir->path, &aside, reterr);
	if (r < 0 || has_file == 0) {
		*ret_aside = g_steal_pointer(&aside);
		return r;
	}
	to = g_build_filename(aside, CTL_STORE_FILE, NULL);
	if (link(dir->file, to) < 0 && rename(dir->file, to) < 0) {
		r = dp_fail(reterr, errno, "cannot set '%s' aside: %m", dir->file);
		(void)rmdir(aside);
		return r;
	}
	*ret_aside = g_steal_pointer(&aside);
	return 0;
}

/* The versions that were unpacked are to come with this draft. */
static int announce(const struct ctl_store_dir *dir, const struct ctl_store_draft *draft,
	const char *aside, struct dp_err *reterr)
{
	g_autofree char *name = aside != NULL ? g_path_get_basename(aside)
					      : g_strdup("before-restore-"); // nothing goes there
	struct stat st;

	if (fstat(draft->fd, &st) < 0)
		return dp_fail(reterr, errno, "cannot look at '%s': %m", draft->path);
	return ctl_versions_restore_ready(dir->path, st.st_ino, name, reterr);
}

static int prepare(const struct ctl_store_dir *dir, const struct ctl_store_draft *draft,
	bool has_versions, char **ret_aside, struct dp_err *reterr)
{
	g_autofree char *folder = ctl_versions_folder(dir->path);
	int r = ctl_store_dir_has_file(dir, reterr);

	if (r >= 0)
		r = ctl_store_draft_resemble(draft, r == 1 ? dir->file : dir->path, reterr);
	if (r == 0)
		r = set_aside(dir, has_versions && access(folder, F_OK) == 0, ret_aside, reterr);
	if (r == 0 && has_versions)
		r = announce(dir, draft, *ret_aside, reterr);
	return r;
}

/* The draft is a checked copy. What was set aside comes back when it cannot take its place. */
static int put_in_place(const struct ctl_store_dir *dir, struct ctl_store_draft *draft,
	bool has_versions, char **ret_aside, struct dp_err *reterr)
{
	g_autofree char *aside = NULL, *to = NULL;
	struct dp_err err;
	int r = prepare(dir, draft, has_versions, &aside, reterr), finished;

	if (r < 0)
		ctl_store_draft_drop(draft);
	else
		r = ctl_store_draft_settle_store(draft, reterr);
	finished = ctl_versions_restore_finish(dir->path, &err); // or they go, as the draft went
	if (r == 0) {
		*ret_aside = g_steal_pointer(&aside);
		return finished == 0
			? 0
			: dp_fail(reterr, -finished,
				  "'%s' is in place, its versions of the catalogue wait for "
				  "the next start: %s",
				  dir->file, err.text);
	}
	if (aside != NULL) {
		to = g_build_filename(aside, CTL_STORE_FILE, NULL);
		if (access(dir->file, F_OK) < 0)
			(void)rename(to, dir->file); // it is still there if this fails
		else
			(void)unlink(to); // its second name
		(void)rmdir(aside);
	}
	return r;
}

static int restore(const struct ctl_store_call *call, const struct ctl_store_dir *dir,
	struct ctl_store_survey *ret_report, char **ret_aside, struct dp_err *reterr)
{
	g_autofree char *next = ctl_versions_next_folder(dir->path);
	struct ctl_backup_catalogues catalogues;
	struct ctl_store_draft draft;
	int r;

	ctl_store_draft_sweep(dir->path);
	r = ctl_store_draft_open(dir->file, &draft, reterr);
	if (r < 0)
		return r;
	r = ctl_store_unpack(call->file, draft.fd, next, dir->path, &catalogues, reterr);
	if (r == 0) // what takes the place, not what it was copied from
		r = ctl_store_survey(draft.path, 0, ret_report, reterr);
	if (r == 0) {
		ret_report->catalogues = catalogues;
		return put_in_place(dir, &draft, catalogues.bundle.is_there, ret_aside, reterr);
	}
	ctl_store_draft_drop(&draft);
	ctl_folder_remove(next);
	return r;
}

static void tell_of_versions(const struct ctl_backup_catalogues *catalogues)
{
	const struct ctl_bundle_report *bundle = &catalogues->bundle;

	if (!bundle->is_there)
		(void)printf("catalogue: the backup has no versions (%s); those of this store stay "
			     "as they are, and decide what is in force; without any it is the "
			     "configured file\n",
			catalogues->has_bundle ? "they could not be read when it was made"
					       : "an older wirecue made it");
	else if (bundle->n_lines == 0)
		(void)printf("catalogue: no version, the configured file comes into force\n");
	else
		(void)printf("catalogue: version %u was in force; %u with a copy, and the history; "
			     "a configured file that is another one than it was then comes before "
			     "it\n",
			bundle->in_force, bundle->n_versions);
}

static void tell_of_restore(
	const struct ctl_store_call *call, const struct ctl_store_survey *report, const char *aside)
{
	char watermark[CTL_UTC_MAX];

	(void)printf("restored: %s from %s, %" PRIu64
		     " bytes; node %s, watermark %s, last sequence %" PRIu64 "\n",
		call->place, call->file, report->file_bytes, report->node,
		time_text(report->watermark_ns, watermark), report->sequence);
	if (aside != NULL)
		(void)printf("set aside: %s\n", aside);
	tell_of_versions(&report->catalogues);
	if (access(call->key_file, F_OK) < 0)
		(void)printf("missing: the key that seals identities, %s; put the one of this "
			     "store there before wirecue starts\n",
			call->key_file);
	(void)printf(
		"next: usage since the watermark is missing, and shown as a gap. The stream in "
		"Redis may be ahead of this outbox: wirecue then publishes nothing and asks, "
		"see 'wirecue stream'\n");
}

int ctl_cmd_store_restore(const struct ctl_store_call *call)
{
	g_autofree char *aside = NULL;
	struct ctl_store_survey report;
	struct ctl_store_dir dir;
	struct dp_err err = {0};
	sigset_t old;
	int r;

	r = ctl_store_survey(call->file, 0, &report, &err); // before anything is touched
	if (r == 0)
		r = hold(call->place, &dir, &err);
	if (r < 0)
		return fail(&err);
	ctl_store_put_off_signals(&old);
	r = restore(call, &dir, &report, &aside, &err);
	ctl_store_dir_close(&dir);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return fail(&err);
	tell_of_restore(call, &report, aside);
	return CTL_EXIT_OK;
}
