// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* How near a name without a rule is to a rule that there is. Pure. */

/* Nearest first. */
enum ctl_near {
	CTL_NEAR_FITS, // the rule is for this name
	CTL_NEAR_ABOVE, // the rule is of a name below it: api.films.example for films.example
	CTL_NEAR_END, // it ends like the rule, but not on a label: myfilms.example
	CTL_NEAR_INSIDE, // it has the rule inside, not at its end: films.example.evil.example
	CTL_NEAR_DOMAIN, // both are in one domain: www.films.example and api.films.example
	CTL_NEAR_COUNT, // nothing of all that
};

/* name, rule: in lower case, without a final dot. domain: where in name the part begins that somebody has
 * registered; NULL: nobody's. */
enum ctl_near ctl_near_of(const char *name, const char *domain, const char *rule);
