/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static int max_level = LOG_INFO;

static const char *const level_names[] = {
        [LOG_EMERG] = "emerg",     [LOG_ALERT] = "alert",   [LOG_CRIT] = "crit", [LOG_ERR] = "err",
        [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

void log_set_max_level(int level) {
        max_level = level;
}

int log_level_from_string(const char *text) {
        for (int i = 0; i < (int) ELEMENTS(level_names); i++) {
                if (strcasecmp(text, level_names[i]) == 0 || (text[0] == '0' + i && text[1] == '\0')) {
                        return i;
                }
        }
        return -EINVAL;
}

static void log_line(int level, const char *format, va_list arguments) PRINTF_LIKE(2, 0);

static void log_line(int level, const char *format, va_list arguments) {
        if (level > max_level) {
                return;
        }
        char text[2048];
        (void) vsnprintf(text, sizeof(text), format, arguments);
        for (char *p = text; *p; p++) {
                if ((unsigned char) *p < ' ') {
                        *p = ' ';
                }
        }
        if (isatty(STDERR_FILENO)) {
                (void) fprintf(stderr, "pm2d: %s\n", text);
        } else {
                (void) fprintf(stderr, "<%d>%s\n", level, text);
        }
}

void log_print(int level, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        log_line(level, format, arguments);
        va_end(arguments);
}

int log_print_errno(int level, int error, const char *format, ...) {
        va_list arguments;
        errno = abs(error);
        va_start(arguments, format);
        log_line(level, format, arguments);
        va_end(arguments);
        return -abs(error);
}
