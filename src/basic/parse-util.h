/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Whole decimal numbers without blanks; -EINVAL: not one, -ERANGE: does not fit. The out parameter is
 * written on success alone. */
int parse_int64(const char *text, int64_t *ret);
int parse_uint32(const char *text, uint32_t *ret);

/* Bytes: a number, or one with a unit K, M, G or T (also KB, KiB...; in any case), which are powers of 1024,
 * and then with a fraction, "1.5G". -EINVAL: not one; -ERANGE: over INT64_MAX. */
int parse_size(const char *text, uint64_t *ret);

/* true yes on 1 / false no off 0, in any case. */
int parse_bool(const char *text, bool *ret);
