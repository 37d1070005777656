// SPDX-License-Identifier: BSD-3-Clause
#include "control/rot_image.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ctl_rot_options options = {
	.enabled = true, .share = 30, .taken = 50, .floor_bytes = 1000000, .n_endpoints = 3};

/* Of the apps that known inputs have. */
static struct cls_catalogue *known(void)
{
	static const char *const tags[] = {""};
	static const struct cls_host_def films[] = {{"films.example", 0}};
	static const struct cls_host_def games[] = {{"games.example", 0}};
	static const struct cls_app_def apps[] = {
		{.id = 10, .name = "films", .category = "streaming", .hosts = films, .n_hosts = 1},
		{.id = 11, .name = "games", .category = "games", .hosts = games, .n_hosts = 1}};
	struct cls_catalogue *catalogue;

	if (cls_catalogue_new(apps, 2, tags, 1, &catalogue, NULL) < 0)
		abort();
	return catalogue;
}

static struct ctl_rot *alarm_of(const struct cls_catalogue *catalogue)
{
	struct ctl_domains *domains;
	struct ctl_rot *rot;

	if (ctl_domains_open(&domains, NULL) < 0)
		abort();
	rot = ctl_rot_new(&options, 1000000000, domains, NULL, NULL, NULL);
	ctl_rot_catalogue(rot, catalogue);
	return rot;
}

/* What is an image is one again when it was written, and can be told, judged and given another catalogue. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cls_catalogue *catalogue;
	struct ctl_pack pack = {0};

	if (catalogue == NULL)
		catalogue = known();

	struct ctl_rot *rot = alarm_of(catalogue), *again = alarm_of(catalogue);

	if (ctl_rot_unpack(rot, data, size) == 0) {
		ctl_rot_pack(rot, &pack);
		if (ctl_rot_unpack(again, pack.data, pack.len) < 0)
			abort();
		json_decref(ctl_rot_json(again));
		ctl_rot_tick(again, (ctl_rot_hours(again) + 30) * 3600 * 1000000000);
		ctl_rot_catalogue(again, catalogue);
	}
	ctl_pack_fini(&pack);
	ctl_rot_free(rot);
	ctl_rot_free(again);
	return 0;
}
