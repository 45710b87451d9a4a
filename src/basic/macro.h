/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#define ELEMENTS(array)       (sizeof(array) / sizeof((array)[0]))
#define PRINTF_LIKE(fmt, arg) __attribute__((format(printf, fmt, arg)))

/* A libc call that returns -1 and sets errno, as a negative errno. */
#define RET_NERRNO(expression)                                                                              \
        ({                                                                                                  \
                int ret_nerrno_ = (expression);                                                             \
                ret_nerrno_ < 0 ? -errno : ret_nerrno_;                                                     \
        })
