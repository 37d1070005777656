// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* What consumer.c knows of one trigger: how to read it, and nothing about Redis streams. */

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Borrowed while it is being acted on. */
struct offer {
	json_t *event; // the CloudEvent as docs/triggers.md has it
	const char *id, *type, *subject, *rule;
	uint64_t sequence;
	int64_t expires_ms;
	const char *entry_id; // in the stream
	const redisReply *text; // the field "event" as it came; NULL = there is none
};

static int64_t clock_ms(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* For memory that cannot be had there is nothing better to do here. */
static void *must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

__attribute__((format(printf, 1, 2))) static char *text_of(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	return text;
}

/* RFC 3339 as wirecue writes it, in UTC, with or without fractions. -1 = it is not. */
static int64_t ms_of(const char *utc)
{
	struct tm tm = {0};
	const char *p = strptime(utc, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t ms = 0, unit = 100;

	if (p == NULL)
		return -1;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
			ms += (*p - '0') * unit;
	return strcmp(p, "Z") == 0 ? (int64_t)timegm(&tm) * 1000 + ms : -1;
}

static bool is_made_of(const char *s, size_t len, const char *accepted)
{
	return s != NULL && strlen(s) == len && strspn(s, accepted) == len;
}

static bool is_type(const char *s)
{
	const char *version = s != NULL ? strrchr(s, '.') : NULL;

	return version != NULL && strncmp(s, "wirecue.", 8) == 0 && version[1] == 'v' &&
		version[2] != '\0' && version[2 + strspn(version + 2, "0123456789")] == '\0';
}

/* Read the trigger in an entry. NULL, or why it is none. Looks at what this program relies on; fields
 * it does not know are none of its business. offer->event is the caller's in any case. */
static const char *offer_read(struct offer *offer)
{
	const char *version, *sequence, *expiry;

	if (offer->text == NULL)
		return "it has no field 'event'";
	offer->event = json_loadb(offer->text->str, offer->text->len, 0, NULL);
	if (!json_is_object(offer->event))
		return "'event' is not a JSON object";
#define TEXT(name) json_string_value(json_object_get(offer->event, name))
	version = TEXT("specversion"), sequence = TEXT("sequence"), expiry = TEXT("expirytime");
	offer->id = TEXT("id"), offer->type = TEXT("type"), offer->subject = TEXT("subject");
#undef TEXT
	offer->rule = json_string_value(json_object_get(
		json_object_get(json_object_get(offer->event, "data"), "rule"), "id"));
	if (version == NULL || strcmp(version, "1.0") != 0)
		return "not a CloudEvent 1.0";
	if (!is_made_of(offer->id, 32, "0123456789abcdef"))
		return "'id' is not 32 hexadecimal digits";
	if (!is_type(offer->type))
		return "'type' is not wirecue.FAMILY.EVENT.vN";
	if (offer->subject == NULL || offer->subject[0] == '\0')
		return "'subject' is missing";
	if (!is_made_of(sequence, 20, "0123456789"))
		return "'sequence' is not 20 digits";
	if (expiry == NULL || ms_of(expiry) < 0)
		return "'expirytime' is not RFC 3339 in UTC";
	if (offer->rule == NULL)
		return "'data.rule.id' is missing";
	offer->sequence = strtoull(sequence, NULL, 10);
	offer->expires_ms = ms_of(expiry);
	return NULL;
}

/* Not to be acted on, whatever it says: made by hand, or its subject is only measured. */
static bool is_not_meant(const struct offer *offer)
{
	const json_t *rule = json_object_get(json_object_get(offer->event, "data"), "rule");

	return json_is_true(json_object_get(offer->event, "test")) ||
		json_is_true(json_object_get(rule, "control_group"));
}

/* FNV-1a, 32 bits: the same in every language. */
static long share_of(const char *subject, long n_shares)
{
	uint32_t h = 0x811C9DC5;

	for (; *subject != '\0'; subject++)
		h = (h ^ (uint8_t)*subject) * 0x01000193;
	return (long)(h % (uint32_t)n_shares) + 1;
}

static bool is_before(const char *a, const char *b)
{
	uint64_t a_ms = 0, a_n = 0, b_ms = 0, b_n = 0;

	sscanf(a, "%" SCNu64 "-%" SCNu64, &a_ms, &a_n);
	sscanf(b, "%" SCNu64 "-%" SCNu64, &b_ms, &b_n);
	return a_ms < b_ms || (a_ms == b_ms && a_n < b_n);
}
