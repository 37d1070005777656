// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* The reference of everything a user can write, made from the tables that read it. */

#include "control/detector.h"

/* Markdown: a heading and a table for each mapping of wirecue.yaml, of apps.yaml, of told files and
 * of each detector (NULL-terminated list). docs/configuration.md holds the same text. */
void ctl_reference_print(const struct ctl_detector *const *detectors, GString *out);
