// SPDX-License-Identifier: BSD-3-Clause
#include "control/near.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_rule_is_as_near_as_the_names_have_in_common(void **)
{
	static const struct {
		const char *name, *domain, *rule;
		enum ctl_near near;
	} rows[] = {
		{"films.example", "films.example", "films.example", CTL_NEAR_FITS},
		{"www.films.example", "films.example", "films.example", CTL_NEAR_FITS},
		{"www.films.example", "films.example", "example", CTL_NEAR_FITS},
		{"films.example", "films.example", "api.films.example", CTL_NEAR_ABOVE},
		{"myfilms.example", "myfilms.example", "films.example", CTL_NEAR_END},
		{"my-films.example", "my-films.example", "films.example", CTL_NEAR_END},
		{"a.myfilms.example", "myfilms.example", "films.example", CTL_NEAR_END},
		{"films.example.evil.test", "evil.test", "films.example", CTL_NEAR_INSIDE},
		{"a.films.example.evil.test", "evil.test", "films.example", CTL_NEAR_INSIDE},
		{"xfilms.example.films.example.evil.test", "evil.test", "films.example",
			CTL_NEAR_INSIDE},
		{"xfilms.example.evil.test", "evil.test", "films.example", CTL_NEAR_COUNT},
		{"www.films.example", "films.example", "api.films.example", CTL_NEAR_DOMAIN},
		{"www.films.co.uk", "films.co.uk", "a.b.films.co.uk", CTL_NEAR_DOMAIN},
		{"www.films.co.uk", "films.co.uk", "other.co.uk", CTL_NEAR_COUNT},
		{"www.films.example", "films.example", "api.xfilms.example", CTL_NEAR_COUNT},
		{"co.uk", NULL, "films.co.uk", CTL_NEAR_ABOVE},
		{"a.co.uk", NULL, "b.co.uk", CTL_NEAR_COUNT},
		{"films.example", "films.example", "films.test", CTL_NEAR_COUNT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			ctl_near_of(rows[i].name, rows[i].domain, rows[i].rule), rows[i].near);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_is_as_near_as_the_names_have_in_common),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
