// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/* libfyaml 0.7.12 forgets up to some KB for a scalar with more than a handful of escapes or lines
 * ("a: 'x''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''"),
 * whoever asks for its text. Our own leaks are still found: theirs are told apart by the library's
 * name in the stack. Include once per program. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}
