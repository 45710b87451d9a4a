/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/http-status.h"

#include "basic/macro.h"

#include <errno.h>
#include <string.h>

/* Where each character of the beginning of a status line stands. 'd': a digit. */
static const char form[] = "HTTP/1.d ddd";

static bool fits(size_t i, char c) {
        bool digit = c >= '0' && c <= '9';

        return form[i] == 'd' ? digit : c == form[i];
}

/* One character of a status line. 0: it goes on. */
static int feed_line(HttpStatus *status, char c) {
        size_t form_length = sizeof(form) - 1;

        if (status->length < form_length) {
                if (!fits(status->length, c)) {
                        return -EBADMSG;
                }
                status->line[status->length++] = c;
                return 0;
        }
        if (status->length == form_length && c != ' ' && c != '\r' && c != '\n') {
                return -EBADMSG;
        }
        const char *digits = status->line + form_length - 3;
        int number = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
        if (number < 100) {
                return -EBADMSG;
        }
        if (number >= 200) {
                return number;
        }
        if (c == '\n') {
                status->in_headers = true;
                status->length = 0;
                return 0;
        }
        status->length++;
        return status->length > HTTP_STATUS_LINE_MAX ? -EMSGSIZE : 0;
}

/* Of an interim answer: until an empty line. */
static void feed_header(HttpStatus *status, char c) {
        if (c == '\n') {
                status->in_headers = status->length > 0;
                status->length = 0;
        } else if (c != '\r') {
                status->length++;
        }
}

int http_status_feed(HttpStatus *status, const char *bytes, size_t count) {
        for (size_t i = 0; i < count; i++) {
                if (++status->bytes > HTTP_STATUS_BYTES_MAX) {
                        return -EMSGSIZE;
                }
                if (status->in_headers) {
                        feed_header(status, bytes[i]);
                        continue;
                }
                int r = feed_line(status, bytes[i]);
                if (r != 0) {
                        return r;
                }
        }
        return 0;
}
