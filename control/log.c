// SPDX-License-Identifier: BSD-3-Clause
#include "control/log.h"

#include "control/utc.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
	LINE_MAX_BYTES = 1024,
	KEY_MAX_BYTES = 96,
	N_SLOTS = 64, // conditions remembered at a time; the one idle longest makes room
};

/* A line under construction: never overflows, cuts instead. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

/* One condition: event word and first field. */
struct slot {
	char key[KEY_MAX_BYTES]; // "" = free
	enum ctl_log_level level;
	uint64_t window_ns; // begin of the window
	uint64_t n_written; // in the window
	uint64_t n_held; // since the last line
};

static struct {
	pthread_mutex_t lock;
	FILE *out; // NULL = standard error
	uint64_t (*clock_ns)(void);
	enum ctl_log_level level;
	int is_journal; // -1 = not looked yet
	struct slot slots[N_SLOTS];
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = CTL_LOG_INFO, .is_journal = -1};

static const char *const level_names[] = {
	[CTL_LOG_ERR] = "error",
	[CTL_LOG_WARNING] = "warning",
	[CTL_LOG_NOTICE] = "notice",
	[CTL_LOG_INFO] = "info",
	[CTL_LOG_DEBUG] = "debug",
};

static void put(struct line *line, const char *text, size_t len)
{
	const size_t room = sizeof(line->text) - 1 - line->len; // 1: newline

	if (len > room)
		len = room;
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void put_str(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void put_count(struct line *line, uint64_t count)
{
	char digits[24];

	put(line, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, count));
}

static bool is_plain(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text <= ' ' || (unsigned char)*text == 0x7f ||
			strchr("\"\\=", *text) != NULL)
			return false;
	}
	return true;
}

static void put_quoted(struct line *line, const char *text)
{
	char escape[8];

	put(line, "\"", 1);
	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			put(line, (char[]){'\\', (char)c}, 2);
		else if (c < ' ' || c == 0x7f)
			put(line, escape, (size_t)snprintf(escape, sizeof(escape), "\\x%02x", c));
		else
			put(line, text, 1);
	}
	put(line, "\"", 1);
}

static void put_field(struct line *line, const struct ctl_log_field *field)
{
	put_str(line, " ");
	put_str(line, field->key);
	put_str(line, "=");
	if (field->kind == CTL_LOG_COUNT)
		put_count(line, field->count);
	else if (field->text == NULL)
		put_str(line, "-");
	else if (is_plain(field->text))
		put_str(line, field->text);
	else
		put_quoted(line, field->text);
}

/* systemd tells device and inode of the journal's socket; a redirected stderr does not match. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	if (logger.out != NULL)
		return false;
	if (logger.is_journal < 0)
		logger.is_journal = stream != NULL && sscanf(stream, "%ju:%ju", &dev, &ino) == 2 &&
			fstat(2, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
	return logger.is_journal > 0;
}

static void put_head(struct line *line, enum ctl_log_level level, const char *event)
{
	char prefix[CTL_UTC_MAX];

	if (is_journal()) {
		put(line, prefix, (size_t)snprintf(prefix, sizeof(prefix), "<%d>", (int)level));
	} else {
		ctl_utc_format(ctl_utc_now_ns(), prefix);
		put_str(line, prefix);
		put_str(line, " ");
		put_str(line, level_names[level]);
		put_str(line, " ");
	}
	put_str(line, event);
}

static void write_line(struct line *line)
{
	FILE *out = logger.out != NULL ? logger.out : stderr;

	line->text[line->len++] = '\n';
	// One write a line: lines of several processes on one terminal do not mix. A full disk
	// behind stderr is nobody's we could tell.
	(void)fwrite(line->text, 1, line->len, out);
	(void)fflush(out);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	if (logger.clock_ns != NULL)
		return logger.clock_ns();
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

/* "N more of these were not written", in the name of the condition. */
static void tell_held(struct slot *slot)
{
	struct line line = {.len = 0};

	put_head(&line, slot->level, slot->key);
	put_str(&line, " repeated=");
	put_count(&line, slot->n_held);
	write_line(&line);
	slot->n_held = 0;
}

static struct slot *slot_of(const char *key, enum ctl_log_level level, uint64_t now)
{
	struct slot *oldest = &logger.slots[0];

	for (size_t i = 0; i < N_SLOTS; i++) {
		struct slot *slot = &logger.slots[i];

		if (strcmp(slot->key, key) == 0)
			return slot;
		if (oldest->key[0] != '\0' &&
			(slot->key[0] == '\0' || slot->window_ns < oldest->window_ns))
			oldest = slot;
	}
	if (oldest->n_held > 0)
		tell_held(oldest);
	*oldest = (struct slot){.level = level, .window_ns = now};
	memcpy(oldest->key, key, strlen(key) + 1);
	return oldest;
}

/* True when the line is to be written; *ret_held is what it has to tell of. */
static bool is_due(const char *key, enum ctl_log_level level, uint64_t *ret_held)
{
	const uint64_t now = now_ns();
	struct slot *slot = slot_of(key, level, now);

	if (now - slot->window_ns >= CTL_LOG_WINDOW_NS) {
		slot->window_ns = now;
		slot->n_written = 0;
	}
	if (slot->n_written >= CTL_LOG_BURST) {
		slot->n_held++;
		return false;
	}
	slot->n_written++;
	*ret_held = slot->n_held;
	slot->n_held = 0;
	return true;
}

void ctl_log_fields(enum ctl_log_level level, const char *event, const struct ctl_log_field *fields)
{
	struct line key = {.len = 0}, line = {.len = 0};
	uint64_t n_held = 0;

	(void)pthread_mutex_lock(&logger.lock); // a plain mutex of ours: cannot fail
	if (level > logger.level)
		goto out;
	put_str(&key, event);
	if (fields[0].kind != CTL_LOG_END)
		put_field(&key, &fields[0]);
	if (key.len >= KEY_MAX_BYTES)
		key.len = KEY_MAX_BYTES - 1;
	key.text[key.len] = '\0';
	if (!is_due(key.text, level, &n_held))
		goto out;

	put_head(&line, level, event);
	for (; fields->kind != CTL_LOG_END; fields++)
		put_field(&line, fields);
	if (n_held > 0) {
		put_str(&line, " repeated=");
		put_count(&line, n_held);
	}
	write_line(&line);
out:
	(void)pthread_mutex_unlock(&logger.lock);
}

void ctl_log_flush(void)
{
	(void)pthread_mutex_lock(&logger.lock);
	for (size_t i = 0; i < N_SLOTS; i++) {
		if (logger.slots[i].n_held > 0)
			tell_held(&logger.slots[i]);
	}
	(void)pthread_mutex_unlock(&logger.lock);
}

void ctl_log_set_level(enum ctl_log_level level)
{
	(void)pthread_mutex_lock(&logger.lock);
	logger.level = level;
	(void)pthread_mutex_unlock(&logger.lock);
}

void ctl_log_redirect(FILE *out, uint64_t (*clock_ns)(void))
{
	(void)pthread_mutex_lock(&logger.lock);
	logger.out = out;
	logger.clock_ns = clock_ns;
	logger.is_journal = -1;
	memset(logger.slots, 0, sizeof(logger.slots));
	(void)pthread_mutex_unlock(&logger.lock);
}
