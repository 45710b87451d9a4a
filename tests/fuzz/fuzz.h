/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/value.h"

#include <stddef.h>
#include <stdint.h>

/* One input. libFuzzer calls it, or replay.c for each file of the corpus. Always returns 0; what must not be
 * aborts (g_assert_*). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes as a text: up to the first NUL, in memory of just that size. Freed by the caller. */
char *fuzz_text(const uint8_t *data, size_t size);

/* Bytes that are taken from the front. At the end everything is 0. */
typedef struct FuzzReader {
        const uint8_t *data;
        size_t size;
} FuzzReader;

uint8_t fuzz_byte(FuzzReader *reader);
/* A length, and so many bytes as a text. */
char *fuzz_string(FuzzReader *reader);
/* A tree of any kinds, bounded in depth and count as decoders bound theirs. */
Value *fuzz_value(FuzzReader *reader);

/* Every string and key is text, nothing is deeper than VALUE_DEPTH_MAX or more than VALUE_COUNT_MAX. */
void fuzz_check_decoded(const Value *value);
