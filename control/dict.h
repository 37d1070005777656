// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* Names and their numbers: apps and tags. An id is never given to another name, so that records,
 * profiles and a reload agree. Any thread: a catalogue is read in one of its own while control asks. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_dict;

/* Ids are given from `first` on, up to `last`. */
struct ctl_dict *ctl_dict_new(uint32_t first, uint32_t last);
void ctl_dict_free(struct ctl_dict *dict);

/* The id of a name; a new name gets the next free one. Returns 0, or -ENOSPC when all are given. */
[[nodiscard]] int ctl_dict_id(struct ctl_dict *dict, const char *name, uint32_t *ret_id);

/* Whether a name has an id. */
bool ctl_dict_has(const struct ctl_dict *dict, const char *name);

/* Whether n names more could get an id; how many could, and how many have one. */
bool ctl_dict_has_room(const struct ctl_dict *dict, size_t n);
size_t ctl_dict_room(const struct ctl_dict *dict);
size_t ctl_dict_count(const struct ctl_dict *dict);

/* The name of an id, NULL when it was never given. Borrowed for the life of the dictionary. */
const char *ctl_dict_name(const struct ctl_dict *dict, uint32_t id);

/* One behind the last id that was given. */
uint32_t ctl_dict_end(const struct ctl_dict *dict);

/* Those of the process. They live until it ends: a reload that is refused and one that is accepted
 * both leave the ids as they are. */
struct ctl_dict *ctl_dict_apps(void);
struct ctl_dict *ctl_dict_tags(void);

struct cls_catalogue;

/* What an app is called: by the catalogue, else by the one a reload has replaced since. Never NULL. */
const char *ctl_dict_app_name(const struct cls_catalogue *catalogue, uint32_t app);
