// SPDX-License-Identifier: BSD-3-Clause
#include "control/apps_hosts.h"

#include "control/checks.h"

#include <string.h>

static bool is_same_host(const void *things, size_t i, const void *thing)
{
	const GArray *defs = things;

	return strcmp(g_array_index(defs, struct cls_host_def, i).host, thing) == 0;
}

struct ctl_hosts *ctl_hosts_new(struct ctl_mistakes *mistakes)
{
	struct ctl_hosts *hosts = g_new0(struct ctl_hosts, 1);

	hosts->defs = g_array_new(FALSE, FALSE, sizeof(struct cls_host_def));
	hosts->tags = g_ptr_array_new();
	hosts->tag_numbers = g_hash_table_new(g_str_hash, g_str_equal);
	hosts->claims = ctl_claims_new("host", is_same_host, hosts->defs, mistakes);
	hosts->mistakes = mistakes;
	hosts->n_max = CTL_HOSTS_MAX;
	return hosts;
}

void ctl_hosts_settle(struct ctl_hosts *hosts)
{
	ctl_claims_free(hosts->claims);
	hosts->claims = NULL;
}

void ctl_hosts_free(struct ctl_hosts *hosts)
{
	if (hosts == NULL)
		return;
	ctl_claims_free(hosts->claims);
	g_hash_table_unref(hosts->tag_numbers);
	g_ptr_array_unref(hosts->tags);
	g_array_unref(hosts->defs);
	g_free(hosts);
}

uint16_t ctl_hosts_tag(struct ctl_hosts *hosts, const struct ctl_source *source,
	struct ctl_spot spot, const char *tag)
{
	const guint known = GPOINTER_TO_UINT(g_hash_table_lookup(hosts->tag_numbers, tag));
	char found[CTL_QUOTE_MAX];

	if (known != 0)
		return (uint16_t)known;
	if (hosts->tags->len < CTL_HOSTS_TAGS_MAX) {
		g_ptr_array_add(hosts->tags, (void *)tag);
		g_hash_table_insert(
			hosts->tag_numbers, (void *)tag, GUINT_TO_POINTER(hosts->tags->len));
		return (uint16_t)hosts->tags->len;
	}
	if (!hosts->has_too_many_tags)
		ctl_mistake(hosts->mistakes, source->file, spot.line, spot.column,
			"%s, expected at most %d different tags in a catalogue",
			ctl_quote(tag, found), CTL_HOSTS_TAGS_MAX);
	hosts->has_too_many_tags = true;
	return 0;
}

void ctl_hosts_add(struct ctl_hosts *hosts, const struct ctl_source *source, struct ctl_spot spot,
	const char *host, uint16_t tag)
{
	const struct cls_host_def def = {host, tag};
	const uint32_t hash = ctl_claims_hash(host, strlen(host));

	if (hosts->defs->len < hosts->n_max) {
		if (ctl_claim(hosts->claims, source, spot, hash, host, host))
			g_array_append_val(hosts->defs, def);
		return;
	}
	if (!hosts->is_full)
		ctl_mistake(hosts->mistakes, source->file, spot.line, spot.column,
			"host number %zu, expected at most %zu in a catalogue", hosts->n_max + 1,
			hosts->n_max);
	hosts->is_full = true;
}

/* A line of a hosts file, without what ends it. */
struct line {
	struct ctl_hosts *hosts;
	const struct ctl_source *source;
	const char *begin;
	char *end; // may be written
	uint32_t number;
};

/* Columns count characters, as those of YAML do: a byte that goes on with one does not count. */
static struct ctl_spot spot_of(const struct line *line, const char *at)
{
	struct ctl_spot spot = {line->number, 1};

	for (const char *p = line->begin; p < at; p++)
		spot.column += ((unsigned char)*p & 0xc0) != 0x80;
	return spot;
}

[[gnu::format(printf, 3, 4)]] static void mistake(
	const struct line *line, const char *at, const char *fmt, ...)
{
	const struct ctl_spot spot = spot_of(line, at);
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	ctl_mistake(line->hosts->mistakes, line->source->file, spot.line, spot.column, "%s", text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_control(char c)
{
	return g_ascii_iscntrl(c) && c != '\t';
}

/* Whether the line is text; the first byte that is none becomes a mistake. */
static bool is_text(const struct line *line)
{
	const char *bad = line->end;
	bool is_plain = true;

	for (const char *p = line->begin; p < line->end; p++)
		is_plain &= (*p >= ' ' && *p < 0x7f) || *p == '\t';
	if (is_plain)
		return true;
	(void)g_utf8_validate_len(line->begin, (gsize)(line->end - line->begin), &bad);
	for (const char *p = line->begin; p < bad; p++)
		if (is_control(*p))
			bad = p;
	if (bad == line->end)
		return true;
	mistake(line, bad, "a byte 0x%02x, expected UTF-8 text without control characters",
		(unsigned char)*bad);
	return false;
}

/* The next word from *p on, NULL when there is none or a comment. It gets its NUL in the text, over what
 * ended it, which *p is then behind. */
static char *next_word(const struct line *line, char **p)
{
	char *word;

	while (*p < line->end && is_blank(**p))
		(*p)++;
	if (*p >= line->end || **p == '#')
		return NULL;
	word = *p;
	while (*p < line->end && !is_blank(**p))
		(*p)++;
	*(*p)++ = '\0';
	return word;
}

static void read_words(const struct line *line)
{
	char *p = (char *)line->begin, found[CTL_QUOTE_MAX];
	const char *const host = next_word(line, &p);
	const char *const tag = host == NULL ? NULL : next_word(line, &p);
	const char *const more = tag == NULL ? NULL : next_word(line, &p);
	const char *const wrong_host = host == NULL ? NULL : ctl_check_host(host);
	const char *const wrong_tag = tag == NULL ? NULL : ctl_check_tag(tag);
	uint16_t number = 0;

	if (host == NULL)
		return;
	if (wrong_host != NULL)
		mistake(line, host, "%s, %s", ctl_quote(host, found), wrong_host);
	if (wrong_tag != NULL)
		mistake(line, tag, "%s, %s", ctl_quote(tag, found), wrong_tag);
	if (more != NULL)
		mistake(line, more, "%s, expected a host, its tag and then at most a '#' comment",
			ctl_quote(more, found));
	if (wrong_host != NULL || wrong_tag != NULL)
		return;
	if (tag != NULL)
		number = ctl_hosts_tag(line->hosts, line->source, spot_of(line, tag), tag);
	ctl_hosts_add(line->hosts, line->source, spot_of(line, host), host, number);
}

static void read_line(const struct line *line)
{
	const size_t len = (size_t)(line->end - line->begin);

	if (len > CTL_HOSTS_LINE_MAX)
		mistake(line, line->begin, "a line of %zu bytes, expected at most %d", len,
			CTL_HOSTS_LINE_MAX);
	else if (is_text(line))
		read_words(line);
}

void ctl_hosts_read(
	struct ctl_hosts *hosts, const struct ctl_source *source, char *text, size_t len)
{
	static const char mark[] = "\xef\xbb\xbf";
	char *const text_end = text + len;
	struct line line = {hosts, source, text, text, 0};

	if (len >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0)
		text += strlen(mark);
	while (text < text_end) {
		char *const newline = memchr(text, '\n', (size_t)(text_end - text));

		line.begin = text;
		line.end = newline != NULL ? newline : text_end;
		line.number++;
		text = line.end + 1;
		if (line.end > line.begin && line.end[-1] == '\r')
			line.end--;
		read_line(&line);
	}
}
