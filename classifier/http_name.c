// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/http_name.h"

enum {
	METHOD_MAX = 32, // twice the longest that is registered
	LINES_MAX = 128, // of fields, where servers take 100 or so. Start value
};

/* What bytes of a kind may be; '%' of a name is followed by two hexadecimal digits. */
enum {
	TOKEN = 1 << 0, // RFC 9110 5.6.2: methods, names of fields
	NAME = 1 << 1, // RFC 3986 3.2.2, reg-name
	HEX = 1 << 2,
	DIGIT = 1 << 3,
};

static const uint8_t kinds[256] = {
	['!'] = TOKEN | NAME,
	['#'] = TOKEN,
	['$'] = TOKEN | NAME,
	['%'] = TOKEN,
	['&'] = TOKEN | NAME,
	['\''] = TOKEN | NAME,
	['('] = NAME,
	[')'] = NAME,
	['*'] = TOKEN | NAME,
	['+'] = TOKEN | NAME,
	[','] = NAME,
	['-'] = TOKEN | NAME,
	['.'] = TOKEN | NAME,
	['0' ... '9'] = TOKEN | NAME | HEX | DIGIT,
	[';'] = NAME,
	['='] = NAME,
	['A' ... 'F'] = TOKEN | NAME | HEX,
	['G' ... 'Z'] = TOKEN | NAME,
	['^'] = TOKEN,
	['_'] = TOKEN | NAME,
	['`'] = TOKEN,
	['a' ... 'f'] = TOKEN | NAME | HEX,
	['g' ... 'z'] = TOKEN | NAME,
	['|'] = TOKEN,
	['~'] = TOKEN | NAME,
};

struct text {
	const uint8_t *p;
	size_t len;
};

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Bytes of that kind that text begins with. */
static size_t run_of(struct text text, unsigned kind)
{
	size_t n = 0;

	while (n < text.len && (kinds[text.p[n]] & kind) != 0)
		n++;
	return n;
}

static struct text behind(struct text text, size_t n)
{
	return (struct text){text.p + n, text.len - n};
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* --- a host ---------------------------------------------------------------------------------- */

static bool is_encoded(struct text text)
{
	return text.len >= 3 && text.p[0] == '%' &&
		(kinds[text.p[1]] & kinds[text.p[2]] & HEX) != 0;
}

/* Bytes of a registered name, or of what stands in brackets. */
static size_t name_run(struct text text, bool has_colons)
{
	size_t n = 0;

	while (n < text.len) {
		if ((kinds[text.p[n]] & NAME) != 0 || (has_colons && text.p[n] == ':'))
			n++;
		else if (is_encoded(behind(text, n)))
			n += 3;
		else
			break;
	}
	return n;
}

/* RFC 3986 3.2.2 and 3.2.3: a host, and a port which is left out. */
static enum cls_name_step read_host(struct text text, struct cls_name *ret_name)
{
	const bool has_brackets = text.len > 0 && text.p[0] == '[';
	const size_t n_within = name_run(behind(text, has_brackets), has_brackets);
	const size_t n = n_within + 2 * (size_t)has_brackets;
	struct cls_name name = {0};

	if (n_within == 0 || n > text.len || (has_brackets && text.p[n - 1] != ']'))
		return CLS_NAME_NONE;
	if (n < text.len &&
		(text.p[n] != ':' || n + 1 + run_of(behind(text, n + 1), DIGIT) < text.len))
		return CLS_NAME_NONE;
	(void)cls_name_set(&name, text.p, n); // it is not empty and has no NUL
	*ret_name = name;
	return CLS_NAME_FOUND;
}

/* --- the first line -------------------------------------------------------------------------- */

struct request {
	struct text method, target;
	struct text fields; // what comes behind the line
};

/* RFC 9112 3: any printable byte, though RFC 3986 has fewer. */
static size_t target_run(struct text text)
{
	size_t n = 0;

	while (n < text.len && text.p[n] > ' ' && text.p[n] != 0x7f)
		n++;
	return n;
}

/* Take n bytes, of 1 to max, and the blank behind them, off *left. */
static enum cls_name_step take_word(struct text *left, size_t n, size_t max, struct text *ret_word)
{
	if (n > max || (n < left->len && (n == 0 || left->p[n] != ' ')))
		return CLS_NAME_NONE;
	if (n == left->len)
		return CLS_NAME_MORE;
	*ret_word = (struct text){left->p, n};
	*left = behind(*left, n + 1);
	return CLS_NAME_FOUND;
}

/* Take the version and the end of the line, which may lack its CR (RFC 9112 2.2), off *left. */
static enum cls_name_step take_version(struct text *left)
{
	static const uint8_t version[] = {'H', 'T', 'T', 'P', '/', '1', '.'};
	size_t n = sizeof(version);

	if (memcmp(left->p, version, smaller(left->len, n)) != 0)
		return CLS_NAME_NONE;
	if (left->len > n && (kinds[left->p[n]] & DIGIT) == 0)
		return CLS_NAME_NONE;
	n++;
	n += left->len > n && left->p[n] == '\r';
	if (left->len > n && left->p[n] != '\n')
		return CLS_NAME_NONE;
	if (left->len <= n)
		return CLS_NAME_MORE;
	*left = behind(*left, n + 1);
	return CLS_NAME_FOUND;
}

/* FOUND: *ret_request is written. */
static enum cls_name_step read_line(struct text left, struct request *ret_request)
{
	enum cls_name_step step;

	while (left.len >= 2 && left.p[0] == '\r' && left.p[1] == '\n')
		left = behind(left, 2); // RFC 9112 2.2: empty lines before it
	if (left.len == 1 && left.p[0] == '\r')
		return CLS_NAME_MORE;
	step = take_word(&left, run_of(left, TOKEN), METHOD_MAX, &ret_request->method);
	if (step == CLS_NAME_FOUND)
		step = take_word(&left, target_run(left), SIZE_MAX, &ret_request->target);
	if (step == CLS_NAME_FOUND)
		step = take_version(&left);
	ret_request->fields = left;
	return step;
}

/* Whether the target has an authority: of CONNECT it is one, of the absolute form has one. */
static bool has_authority(const struct request *request, struct text *ret_authority)
{
	static const uint8_t connect[] = {'C', 'O', 'N', 'N', 'E', 'C', 'T'};
	struct text text = request->target;
	size_t n = run_of(text, TOKEN); // a scheme

	if (request->method.len == sizeof(connect) &&
		memcmp(request->method.p, connect, sizeof(connect)) == 0) {
		*ret_authority = text;
		return true;
	}
	if (n == 0 || text.len - n < 3 || memcmp(text.p + n, "://", 3) != 0)
		return false;
	text = behind(text, n + 3);
	for (n = 0; n < text.len && text.p[n] != '/' && text.p[n] != '?' && text.p[n] != '#';)
		n++;
	text.len = n;
	while (n > 0 && text.p[n - 1] != '@')
		n--;
	*ret_authority = behind(text, n); // without who asks
	return true;
}

/* --- fields ---------------------------------------------------------------------------------- */

/* Whether line is the Host field; *ret_value without blanks around. */
static bool is_host(struct text line, struct text *ret_value)
{
	static const uint8_t name[] = {'h', 'o', 's', 't'};

	if (line.len <= sizeof(name) || line.p[sizeof(name)] != ':')
		return false;
	for (size_t i = 0; i < sizeof(name); i++) {
		if ((line.p[i] | 0x20) != name[i])
			return false;
	}
	line = behind(line, sizeof(name) + 1);
	while (line.len > 0 && is_blank(line.p[0]))
		line = behind(line, 1);
	while (line.len > 0 && is_blank(line.p[line.len - 1]))
		line.len--;
	*ret_value = line;
	return true;
}

/* A line that goes on in the next one (RFC 9112 5.2) is refused, so a field is whole when the byte behind it
 * is there. Lines that are no fields are passed over, as servers do. */
static enum cls_name_step read_fields(struct text left, struct cls_name *ret_name)
{
	for (int n_lines = 0; left.len > 0 && !is_blank(left.p[0]); n_lines++) {
		const uint8_t *end = memchr(left.p, '\n', left.len);
		struct text line, value;

		if (n_lines == LINES_MAX)
			return CLS_NAME_NONE;
		if (end == NULL)
			return CLS_NAME_MORE;
		line = (struct text){left.p, (size_t)(end - left.p)};
		left = behind(left, line.len + 1);
		line.len -= line.len > 0 && line.p[line.len - 1] == '\r';
		if (line.len == 0)
			return CLS_NAME_NONE;
		if (!is_host(line, &value))
			continue;
		if (left.len == 0)
			return CLS_NAME_MORE;
		return is_blank(left.p[0]) ? CLS_NAME_NONE : read_host(value, ret_name);
	}
	return left.len == 0 ? CLS_NAME_MORE : CLS_NAME_NONE;
}

enum cls_name_step cls_http_name(const uint8_t *stream, size_t len, struct cls_name *ret_name)
{
	struct request request;
	struct text authority;
	const enum cls_name_step step = read_line((struct text){stream, len}, &request);

	if (step != CLS_NAME_FOUND)
		return step;
	if (has_authority(&request, &authority))
		return read_host(authority, ret_name);
	return read_fields(request.fields, ret_name);
}
