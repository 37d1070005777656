// SPDX-License-Identifier: BSD-3-Clause

/* The args of `show flows` from a hostile peer: what is taken is within bounds and fits no flow that it should not,
 * what is refused has a sentence. A cursor is two numbers or none. */

#include "control/flow_filter.h"
#include "control/kept.h"
#include "control/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_filter(const json_t *args, const struct dp_endpoint_nets *nets,
	const struct cls_catalogue *catalogue)
{
	const struct dp_record nobody = {.kind = DP_RECORD_NOTE,
		.app = DP_APP_FIRST + 1000000,
		.evidence = DP_EVIDENCE_COUNT,
		.note = {.why = DP_NOTE_END}};
	struct ctl_flow_filter f;
	struct dp_err err = {""};

	if (ctl_flow_filter_read(args, nets, catalogue, &f, &err) < 0) {
		if (err.text[0] == '\0')
			abort();
		return;
	}
	if (memchr(f.host, '\0', sizeof(f.host)) == NULL || f.host[0] == '.' ||
		memchr(f.pseudonym, '\0', sizeof(f.pseudonym)) == NULL ||
		f.evidence >= DP_EVIDENCE_COUNT || (f.has_endpoint && f.has_pseudonym))
		abort();
	// Of what it has is nothing.
	if ((f.has_app || f.has_evidence || f.host[0] != '\0') &&
		ctl_flow_filter_fits(&f, &nobody, NULL))
		abort();
}

static void try_cursor(const char *text)
{
	char again[CTL_KEPT_CURSOR_MAX];
	uint64_t number, number_again;
	size_t row, row_again;

	if (text == NULL || !ctl_kept_read_cursor(text, &number, &row))
		return;
	ctl_kept_cursor(number, row, again);
	if (number == 0 || !ctl_kept_read_cursor(again, &number_again, &row_again) ||
		number_again != number || row_again != row)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dp_endpoint_nets nets;
	static struct cls_catalogue *catalogue;
	const char *const tags[] = {""};
	json_t *args = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);

	if (catalogue == NULL) {
		dp_endpoint_nets_default(&nets);
		if (cls_catalogue_new(NULL, 0, tags, 1, &catalogue, NULL) < 0)
			abort();
	}
	if (json_is_object(args)) {
		try_filter(args, &nets, catalogue);
		try_cursor(ctl_args_text(args, "after"));
	}
	json_decref(args);
	return 0;
}
