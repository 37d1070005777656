// SPDX-License-Identifier: BSD-3-Clause
#include "control/sig_fields.h"

#include <stdio.h>

void ctl_sig_tbcd(const uint8_t *p, size_t len, char ret_digits[CTL_SIG_DIGITS])
{
	size_t n = 0;

	for (size_t i = 0; i < 2 * len; i++) {
		const unsigned int digit = i % 2 == 0 ? p[i / 2] & 15 : p[i / 2] >> 4;

		if (digit == 15)
			break;
		if (digit > 9 || n == CTL_SIG_DIGITS - 1) {
			n = 0;
			break;
		}
		ret_digits[n++] = (char)('0' + digit);
	}
	ret_digits[n] = '\0';
}

void ctl_sig_digits(const uint8_t *p, size_t len, size_t min, char ret_digits[CTL_SIG_DIGITS])
{
	const size_t plus = len > 0 && p[0] == '+';

	ret_digits[0] = '\0';
	if (len - plus < min || len - plus >= CTL_SIG_DIGITS)
		return;
	for (size_t i = plus; i < len; i++)
		if (p[i] < '0' || p[i] > '9')
			return;
	memcpy(ret_digits, p + plus, len - plus);
	ret_digits[len - plus] = '\0';
}

void ctl_sig_text(const uint8_t *p, size_t len, char ret_text[CTL_SIG_TEXT])
{
	size_t n = 0;

	for (; n < len && n < CTL_SIG_TEXT - 1 && p[n] != '\0'; n++)
		ret_text[n] = (char)(p[n] > ' ' && p[n] < 0x7f ? p[n] : '?');
	ret_text[n] = '\0';
}

void ctl_sig_apn(const uint8_t *p, size_t len, char ret_text[CTL_SIG_TEXT])
{
	size_t n = 0;

	for (size_t i = 0; i < len && p[i] != 0; i += 1 + (size_t)p[i]) {
		const size_t label = p[i];

		if (label > len - i - 1 || n + 1 + label >= CTL_SIG_TEXT)
			break;
		if (n > 0)
			ret_text[n++] = '.';
		for (size_t k = 1; k <= label; k++)
			ret_text[n++] = (char)(p[i + k] > ' ' && p[i + k] < 0x7f ? p[i + k] : '?');
	}
	ret_text[n] = '\0';
}

void ctl_sig_plmn(const uint8_t p[3], char ret_mcc_mnc[7])
{
	const uint8_t digits[6] = {
		p[0] & 15, p[0] >> 4, p[1] & 15, p[2] & 15, p[2] >> 4, p[1] >> 4};
	const size_t n = digits[5] == 15 ? 5 : 6;

	ret_mcc_mnc[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if (digits[i] > 9)
			return;
	for (size_t i = 0; i < n; i++)
		ret_mcc_mnc[i] = (char)('0' + digits[i]);
	ret_mcc_mnc[n] = '\0';
}

static const struct {
	const char *name;
	uint8_t len, area_len, cell_len; // bytes; PLMN first
} places[] = {
	[CTL_SIG_CGI] = {"cgi", 7, 2, 2},
	[CTL_SIG_SAI] = {"sai", 7, 2, 2},
	[CTL_SIG_RAI] = {"rai", 7, 2, 0}, // TS 29.274 8.21.3: LAC, and a code that is not read
	[CTL_SIG_TAI] = {"tai", 5, 2, 0},
	[CTL_SIG_ECGI] = {"ecgi", 7, 4, 0},
	[CTL_SIG_NCGI] = {"ncgi", 8, 5, 0},
};

size_t ctl_sig_place_len(enum ctl_sig_place place)
{
	return places[place].len;
}

static uint64_t number(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

void ctl_sig_add_place(const uint8_t *p, enum ctl_sig_place place, char uli[CTL_SIG_ULI])
{
	const size_t used = strlen(uli), area_len = places[place].area_len;
	uint64_t area = number(p + 3, area_len);
	char plmn[7], text[48];
	int n;

	ctl_sig_plmn(p, plmn);
	if (plmn[0] == '\0')
		return;
	if (place == CTL_SIG_ECGI)
		area &= 0x0fffffff; // 28 bits, TS 29.274 8.21.5
	if (place == CTL_SIG_NCGI)
		area &= 0xfffffffff; // 36 bits
	n = snprintf(text, sizeof(text), "%s%s:%s-%llu", used > 0 ? "," : "", places[place].name,
		plmn, (unsigned long long)area);
	if (places[place].cell_len > 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "-%llu",
			(unsigned long long)number(p + 3 + area_len, places[place].cell_len));
	if (used + (size_t)n < CTL_SIG_ULI)
		memcpy(uli + used, text, (size_t)n + 1);
}

void ctl_sig_ipv4(const uint8_t p[4], struct dp_addr *ret_addr)
{
	*ret_addr = (struct dp_addr){.b = {[10] = 0xff, [11] = 0xff}};
	memcpy(ret_addr->b + 12, p, 4);
}

void ctl_sig_ue_ipv4(const uint8_t p[4], struct ctl_sig *sig)
{
	if (ctl_be32(p) == 0)
		return;
	ctl_sig_ipv4(p, &sig->ipv4);
	sig->has_ipv4 = true;
}

void ctl_sig_ue_ipv6(const uint8_t *p, size_t n_bytes, uint8_t len, struct ctl_sig *sig)
{
	struct dp_addr addr = {0};
	bool is_any = true;

	if (len == 0 || len > 128 || n_bytes > sizeof(addr.b))
		return;
	memcpy(addr.b, p, n_bytes);
	for (size_t i = 0; i < sizeof(addr.b); i++) {
		const size_t begin = 8 * i;

		if (begin >= len)
			addr.b[i] = 0;
		else if (len - begin < 8)
			addr.b[i] &= (uint8_t)(0xff << (8 - (len - begin)));
		is_any = is_any && addr.b[i] == 0;
	}
	if (is_any)
		return;
	sig->ipv6 = addr;
	sig->ipv6_len = len;
	sig->has_ipv6 = true;
}

void ctl_sig_add_teid(struct ctl_sig *sig, uint64_t id, const struct dp_addr *addr)
{
	if (id == 0 || sig->n_teids == CTL_SIG_TEIDS_MAX)
		return;
	sig->teids[sig->n_teids++] = (struct ctl_sig_end){.id = id, .addr = *addr};
}
