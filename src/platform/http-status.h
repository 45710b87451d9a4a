/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The status of an HTTP/1 answer (RFC 9112, 4), from bytes as they come in. Interim answers (1xx) are passed
 * over. Nothing behind the status line of the final one is looked at. */

enum {
        HTTP_STATUS_LINE_MAX = 1024,
        HTTP_STATUS_BYTES_MAX = 16 * 1024, /* until the status is known, interim answers included */
};

typedef struct HttpStatus {
        char line[sizeof("HTTP/1.1 200 ") - 1]; /* of the status line, as much as tells */
        size_t length;                          /* of the line so far */
        size_t bytes;                           /* in all */
        bool in_headers;                        /* of an interim answer */
} HttpStatus;

/* Starts as {0}. Returns the status, 200 to 999; 0: it is not known yet; -EBADMSG: this is no HTTP/1 answer;
 * -EMSGSIZE: it is too long. Not to be fed on after that. */
int http_status_feed(HttpStatus *status, const char *bytes, size_t count);
