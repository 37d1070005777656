// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_name_keeps_its_tail_and_has_no_nul(void **)
{
	struct cls_name name = {.host = "before"};
	uint8_t longest[300];

	assert_false(cls_name_set(&name, NULL, 0));
	assert_false(cls_name_set(&name, (const uint8_t *)"a\0b.example", 11));
	assert_false(cls_name_set(&name, (const uint8_t *)"b.example", 10));
	assert_string_equal(name.host, "before");
	assert_true(cls_name_set(&name, (const uint8_t *)"B.example\x01", 10));
	assert_string_equal(name.host, "B.example\x01");
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = (uint8_t)('a' + i % 26);
	for (size_t len = DP_HOST_MAX - 2; len <= sizeof(longest); len++) {
		const size_t kept = len < DP_HOST_MAX ? len : DP_HOST_MAX - 1;

		assert_true(cls_name_set(&name, longest, len));
		assert_int_equal(strlen(name.host), kept);
		assert_memory_equal(name.host, longest + len - kept, kept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_keeps_its_tail_and_has_no_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
