/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes as the answer of an HTTP server: the same comes of them however they are cut, and it is a
 * status, a refusal, or more is to come and the caps hold. */

#include "fuzz.h"

#include "platform/http-status.h"

#include <errno.h>

static int feed(const uint8_t *data, size_t size, size_t at_once) {
        HttpStatus status = { 0 };
        int r = 0;

        for (size_t i = 0; r == 0 && i < size; i += at_once) {
                r = http_status_feed(&status, (const char *) data + i, MIN(at_once, size - i));
        }
        g_assert_true(r != 0 || size <= HTTP_STATUS_BYTES_MAX);
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzReader reader = { data, size };
        size_t at_once = (size_t) fuzz_byte(&reader) + 1;
        int r = feed(reader.data, reader.size, reader.size + 1);

        g_assert_true(r == 0 || r == -EBADMSG || r == -EMSGSIZE || (r >= 200 && r <= 999));
        g_assert_cmpint(feed(reader.data, reader.size, at_once), ==, r);
        return 0;
}
