/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "basic/macro.h"

#include <syslog.h>

/* The supervisor's own log: standard error with the <n> prefixes of sd-daemon(3) where that is not a
 * terminal. Output of the supervised processes never goes through here, nor do environment values. */

void log_set_max_level(int level);

/* "debug" ... "err", or 0-7. -EINVAL if it is neither. */
int log_level_from_string(const char *text);

void log_print(int level, const char *format, ...) PRINTF_LIKE(2, 3);

/* Log with the text of the error as %m and return it. */
int log_print_errno(int level, int error, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_debug(...)              log_print(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)               log_print(LOG_INFO, __VA_ARGS__)
#define log_notice(...)             log_print(LOG_NOTICE, __VA_ARGS__)
#define log_warning(...)            log_print(LOG_WARNING, __VA_ARGS__)
#define log_error(...)              log_print(LOG_ERR, __VA_ARGS__)
#define log_warning_errno(err, ...) log_print_errno(LOG_WARNING, err, __VA_ARGS__)
#define log_error_errno(err, ...)   log_print_errno(LOG_ERR, err, __VA_ARGS__)
