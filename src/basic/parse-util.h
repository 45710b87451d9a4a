/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Whole decimal numbers without blanks; -EINVAL: not one, -ERANGE: does not fit. The out parameter is
 * written on success alone. */
int parse_int64(const char *text, int64_t *ret);
int parse_uint32(const char *text, uint32_t *ret);

/* true yes on 1 / false no off 0, in any case. */
int parse_bool(const char *text, bool *ret);
