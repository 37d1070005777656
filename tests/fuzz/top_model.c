// SPDX-License-Identifier: BSD-3-Clause

/* What a daemon answers `wirecue top`: a line a record, its first letter says of which question ('a' is
 * the first); an empty line ends the round. Then everything is drawn and printed: within the screen,
 * nothing that a terminal obeys. */

#include "control/top_model.h"
#include "control/top_draw.h"
#include "control/top_json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROUNDS_MAX = 16 };

static void draw(const struct ctl_top_view *view, unsigned int n)
{
	struct ctl_top_ui ui = {
		.interval_s = 2, .pane = (enum ctl_top_pane)(n % CTL_TOP_PANE_COUNT)};
	struct ctl_top_screen s;

	ctl_top_screen_init(&s, (int)(n * 7 % 40), (int)(n * 31 % 130), n % 2 == 0);
	ctl_top_draw(&s, view, &ui);
	for (int i = 0; i < s.n_rows * s.n_cols; i++) {
		if (s.cells[i].ch < ' ' || s.cells[i].ch == 0x7f ||
			s.cells[i].style >= CTL_TOP_STYLE_COUNT)
			abort();
	}
	ctl_top_screen_fini(&s);
}

static void print(const struct ctl_top_view *view)
{
	json_t *object = ctl_top_json(view, 10);
	char *json = json_dumps(object, JSON_COMPACT), *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (json == NULL || out == NULL)
		abort(); // every text is UTF-8, every number finite
	ctl_top_print(object, out);
	(void)fclose(out); // memory
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' && text[i] != '\n')
			abort();
	}
	free(text);
	free(json);
	json_decref(object);
}

static struct ctl_top_sample *end_round(
	struct ctl_top_model *model, struct ctl_top_sample *sample, unsigned int n)
{
	ctl_top_model_take(model, sample);
	draw(ctl_top_model_view(model), n);
	print(ctl_top_model_view(model));
	return ctl_top_sample_new();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_top_model *model = ctl_top_model_new();
	struct ctl_top_sample *sample = ctl_top_sample_new();
	const uint8_t *const end = data + size;
	unsigned int n_rounds = 0;

	while (data < end && n_rounds < ROUNDS_MAX) {
		const uint8_t *newline = memchr(data, '\n', (size_t)(end - data));
		const uint8_t *const line_end = newline != NULL ? newline : end;
		const unsigned int what = (unsigned int)(*data - 'a');
		json_t *record;

		if (line_end == data) {
			sample = end_round(model, sample, ++n_rounds);
		} else if (what < CTL_TOP_WHAT_COUNT) {
			record = json_loadb((const char *)data + 1, (size_t)(line_end - data - 1),
				JSON_REJECT_DUPLICATES, NULL);
			if (json_is_object(record)) {
				ctl_top_sample_add(sample, (enum ctl_top_what)what, record);
				sample->was_told[what] = true;
			}
			json_decref(record);
		}
		data = newline != NULL ? newline + 1 : end;
	}
	sample = end_round(model, sample, n_rounds);
	ctl_top_sample_free(sample);
	ctl_top_model_free(model);
	return 0;
}
