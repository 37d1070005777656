// SPDX-License-Identifier: BSD-3-Clause
#include "control/facts_yaml.h"

#include "tests/fuzz/libfyaml_leak.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(void *, const char *text)
{
	assert(*text != '\0');
	assert(strpbrk(text, "\n\r") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ctl_told_env env = {.default_zone = "UTC", .ipv6_prefix_len = 64};
	struct ctl_mistakes *mistakes = ctl_mistakes_new();
	struct ctl_facts *facts = NULL;
	struct dp_addr addr;
	bool is_ambiguous;

	if (ctl_told_parse("f", (const char *)data, size, &env, mistakes, &facts) == 0) {
		const struct ctl_person *p;

		assert(ctl_mistakes_count(mistakes) == 0);
		assert(dp_addr_parse("10.20.0.11", &addr) == 0);
		for (uint64_t t_ns = 0; t_ns < UINT64_MAX / 2; t_ns += UINT64_MAX / 16) {
			p = ctl_facts_binding(facts, &addr, t_ns, &is_ambiguous);
			assert(p == NULL || !is_ambiguous);
			assert(p == NULL || p == facts->persons->pdata[p->id - 1]);
		}
	}
	ctl_mistakes_report(mistakes, check_line, NULL);
	ctl_facts_free(facts);
	ctl_mistakes_free(mistakes);
	return 0;
}
