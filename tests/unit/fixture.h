/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* What tests with files share. */

/* A new folder of our own; removed with all that is in it by test_folder_remove(). */
char *test_folder_new(void);
void test_folder_remove(char *folder);

/* A file in a folder, with this text; returns its path. Folders in between are made. */
char *test_file_write(const char *folder, const char *name, const char *text);

void test_file_put(const char *folder, const char *name, const char *text);

/* The text of a file; it must be there. */
char *test_file_read(const char *path);

/* The path of a name in a folder. */
char *test_path(const char *folder, const char *name);

/* What makes children needs pidfds, what watches folders openat2(2), and valgrind 3.19 has neither: true,
 * and the plan is to skip all. */
bool test_skip_without_calls(void);

/* Whether a text holds another: says both if not. */
#define test_assert_contains(text, part)                                                                    \
        do {                                                                                                \
                const char *text_ = (text), *part_ = (part);                                                \
                if (!text_ || !strstr(text_, part_)) {                                                      \
                        g_error("%s:%d: '%s' is not in '%s'",                                               \
                                __FILE__,                                                                   \
                                __LINE__,                                                                   \
                                part_,                                                                      \
                                text_ ? text_ : "(null)");                                                  \
                }                                                                                           \
        } while (0)
