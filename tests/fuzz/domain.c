// SPDX-License-Identifier: BSD-3-Clause
#include "control/domain.h"

#include "control/checks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static struct ctl_domains *list(void)
{
	static struct ctl_domains *domains; // for the life of the program

	if (domains == NULL)
		check(ctl_domains_open(&domains, NULL) == 0);
	return domains;
}

static void check_read(const char *host, struct ctl_domain *d)
{
	ctl_domain_read(list(), host, d);
	check(memchr(d->name, '\0', sizeof(d->name)) != NULL);
	check(d->domain_off <= strlen(d->name));
	check((d->kind == CTL_DOMAIN_NONE) == (d->name[0] == '\0'));
	for (const char *c = d->name; *c != '\0'; c++)
		check((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
			strchr("-_.*", *c) != NULL);
	check(strchr(d->name + d->domain_off, '*') == NULL);
}

/* Any text: what is taken of it has only bytes of names, its domain may stand in a catalogue, and it is what it
 * itself is read as. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *host = malloc(size + 1); // exact: a read past the NUL is seen
	struct ctl_domain d, again;

	check(host != NULL);
	if (size > 0)
		memcpy(host, data, size);
	host[size] = '\0';
	check_read(host, &d);
	free(host);
	check_read(d.name + d.domain_off, &again);
	check(strcmp(again.name, d.name + d.domain_off) == 0 && again.kind == d.kind);
	if (d.kind != CTL_DOMAIN_OWN)
		return 0;
	check(ctl_check_host(d.name + d.domain_off) == NULL);
	check(ctl_domain_own_len(list(), d.name + d.domain_off) > 0);
	return 0;
}
