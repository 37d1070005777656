// SPDX-License-Identifier: BSD-3-Clause
#include "control/subject.h"

#include "control/engine.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any text under any kind: what has a canonical form is named by it, and the form is its own. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); // exact: a read past the NUL is seen
	char canonical[CTL_SUBJECT_MAX], again[CTL_SUBJECT_MAX];
	char subject[CTL_SUBJECT_MAX], same[CTL_SUBJECT_MAX];

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	for (int kind = CTL_SUBJECT_MSISDN; kind <= CTL_SUBJECT_PLAIN; kind++) {
		const struct ctl_privacy privacy = {.subject = kind, .key_len = 16};

		if (ctl_subject_canonical(&privacy, text, canonical, NULL) < 0)
			continue;
		if (ctl_subject_canonical(&privacy, canonical, again, NULL) < 0 ||
			strcmp(canonical, again) != 0)
			abort();
		if (ctl_subject_of(&privacy, text, subject, NULL) < 0 ||
			ctl_subject_of(&privacy, canonical, same, NULL) < 0 ||
			strcmp(subject, same) != 0)
			abort();
	}
	free(text);
	return 0;
}
