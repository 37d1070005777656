// SPDX-License-Identifier: BSD-3-Clause
#include "control/asked.h"
#include "control/checks.h"
#include "control/flow_name.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any word: what is read as a host may be asked for, and is read as itself. */
static void try_host(const char *word)
{
	struct ctl_asked asked, again;

	if (ctl_asked_read(word, &asked, NULL) < 0)
		return;
	if (ctl_asked_read(asked.text, &again, NULL) < 0 || again.kind != asked.kind ||
		strcmp(again.text, asked.text) != 0 || again.how[0] != '\0')
		abort();
	if (asked.kind == CTL_ASKED_NAME && ctl_check_host(asked.text) != NULL)
		abort();
	if (asked.kind == CTL_ASKED_ADDRESS && dp_addr_cmp(&asked.addr, &again.addr) != 0)
		abort();
	if (asked.kind == CTL_ASKED_PORT && asked.port != again.port)
		abort();
}

static void try_flow(const char *word)
{
	struct dp_five_tuple t;

	if (ctl_flow_name_read(word, &t, NULL) == 0 &&
		(!ctl_flow_name_is(&t, &t) || t.sport == 0 || t.dport == 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *word = malloc(size + 1); // exact: a read past the NUL is seen

	if (word == NULL)
		abort();
	if (size > 0)
		memcpy(word, data, size);
	word[size] = '\0';
	try_host(word);
	try_flow(word);
	free(word);
	return 0;
}
