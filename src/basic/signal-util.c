/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/signal-util.h"

#include "basic/parse-util.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *signal_to_name(int number) {
        static char text[24];

        if (number >= SIGRTMIN && number <= SIGRTMAX) {
                (void) snprintf(text, sizeof(text), "SIGRTMIN+%d", number - SIGRTMIN);
                return text;
        }
        const char *abbreviation = sigabbrev_np(number);
        if (!abbreviation) {
                return NULL;
        }
        (void) snprintf(text, sizeof(text), "SIG%s", abbreviation);
        return text;
}

static int real_time_signal(const char *text) {
        uint32_t offset = 0;

        if (strncasecmp(text, "RTMIN", 5) == 0) {
                if (text[5] && (text[5] != '+' || parse_uint32(text + 6, &offset) < 0)) {
                        return -EINVAL;
                }
                return offset <= (uint32_t) (SIGRTMAX - SIGRTMIN) ? SIGRTMIN + (int) offset : -EINVAL;
        }
        if (strncasecmp(text, "RTMAX", 5) == 0) {
                if (text[5] && (text[5] != '-' || parse_uint32(text + 6, &offset) < 0)) {
                        return -EINVAL;
                }
                return offset <= (uint32_t) (SIGRTMAX - SIGRTMIN) ? SIGRTMAX - (int) offset : -EINVAL;
        }
        return -EINVAL;
}

int signal_from_text(const char *text) {
        uint32_t number;

        if (parse_uint32(text, &number) == 0) {
                /* Those between belong to the C library: they have no name. */
                bool known = number < (uint32_t) SIGRTMIN ? sigabbrev_np((int) number) != NULL
                                                          : number <= (uint32_t) SIGRTMAX;
                return known ? (int) number : -EINVAL;
        }
        if (strncasecmp(text, "SIG", 3) == 0) {
                text += 3;
        }
        for (int i = 1; i < SIGRTMIN; i++) {
                const char *abbreviation = sigabbrev_np(i);
                if (abbreviation && strcasecmp(text, abbreviation) == 0) {
                        return i;
                }
        }
        return real_time_signal(text);
}
