// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Rounds of answers in, rates out: the memory of `wirecue top`. Pure: its only clock is the daemon's.
 * One thread. */

#include "control/top_view.h"

struct ctl_top_model;

struct ctl_top_model *ctl_top_model_new(void);
void ctl_top_model_free(struct ctl_top_model *model); // NULL is fine

/* A round of answers, given. Against the one before it makes rates; when it is of another process,
 * it begins anew, and says so. */
void ctl_top_model_take(struct ctl_top_model *model, struct ctl_top_sample *given);

/* Nobody answered for this interval: a hole in the history. What was known stays. */
void ctl_top_model_miss(struct ctl_top_model *model);

/* Borrowed until the model changes. */
const struct ctl_top_view *ctl_top_model_view(const struct ctl_top_model *model);

/* What counters grew by, over seconds: NAN when one fell or no time has passed. */
double ctl_top_rate(uint64_t now, uint64_t before, double seconds);
