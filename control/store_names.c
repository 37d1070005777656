// SPDX-License-Identifier: BSD-3-Clause
/* Names that an existing store has given numbers to: before it is opened, so without LMDB. */
#include "control/dict.h"
#include "control/store.h"
#include "control/store_peek.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 255 };

/* Ids are given in order and none is ever taken back; where one is missing, what follows is no
 * dictionary. */
static int add_name(void *ctx, uint64_t id, const void *value, size_t len)
{
	struct ctl_dict *dict = ctx;
	g_autofree char *name = NULL;
	uint32_t given;

	if (id != ctl_dict_end(dict) || len > NAME_MAX_BYTES || memchr(value, '\0', len) != NULL)
		return 1;
	name = g_strndup(value, len);
	return ctl_dict_id(dict, name, &given) < 0 || given != id ? 1 : 0;
}

void ctl_store_dictionaries(const char *path, struct ctl_dict *apps, struct ctl_dict *tags)
{
	g_autofree char *file = g_build_filename(path, CTL_STORE_FILE, NULL);
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct ctl_pages pages;
	struct ctl_peek peek = {.pages = &pages, .meta = &pages.newest};
	uint64_t n_records = 0;

	if (fd < 0)
		return; // new, or ctl_store_open() says why not
	if (ctl_pages_open(fd, &pages, NULL) == 0 && ctl_peek_open(&peek, NULL) == 0) {
		if (peek.format.version <= CTL_STORE_VERSION) {
			(void)ctl_peek_read(
				&peek, CTL_TABLE_APPS, add_name, apps, &n_records, NULL);
			(void)ctl_peek_read(
				&peek, CTL_TABLE_TAGS, add_name, tags, &n_records, NULL);
		}
		ctl_peek_close(&peek);
	}
	(void)close(fd); // was only read
}
