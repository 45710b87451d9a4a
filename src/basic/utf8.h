/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether length bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms) without NUL. */
bool utf8_is_valid(const char *text, size_t length);
