/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A file of variables: lines of NAME=value, blank lines, and comments that begin with '#'. "export " may
 * stand before a name and blanks beside the '='. A value ends at the end of the line or at a '#' behind a
 * blank, and loses its last blanks; in 'single quotes' it is what it is, in "double quotes" \n \t \\ \" and
 * \$ are escapes, and in both it may have several lines.
 *
 * Read in place, for it is done where nothing may be allocated. */

typedef enum EnvironmentFileResult {
        ENVIRONMENT_FILE_END,
        ENVIRONMENT_FILE_VARIABLE,
        ENVIRONMENT_FILE_NO_ASSIGNMENT, /* this and all below: an error */
        ENVIRONMENT_FILE_BAD_NAME,
        ENVIRONMENT_FILE_OPEN_QUOTE,
        ENVIRONMENT_FILE_BEHIND_QUOTE,
        ENVIRONMENT_FILE_NUL,
        ENVIRONMENT_FILE_TOO_LONG,
        ENVIRONMENT_FILE_TOO_MANY, /* found by who counts them */
        _ENVIRONMENT_FILE_RESULT_MAX,
} EnvironmentFileResult;

enum {
        ENVIRONMENT_FILE_BYTES_MAX = 1024 * 1024,
        ENVIRONMENT_FILE_ASSIGNMENT_MAX = 128 * 1024 - 1, /* MAX_ARG_STRLEN of execve(2), with the NUL */
        ENVIRONMENT_FILE_VARIABLES_MAX = 8192,
};

typedef struct EnvironmentFile {
        char *next, *end;
        bool ends_in_nul;
        unsigned next_line;
        unsigned line; /* of the last result, from 1 */
} EnvironmentFile;

/* The text and the byte behind it may be written, and must stay as long as its variables. */
void environment_file_init(EnvironmentFile *file, char *text, size_t size);

/* The next variable as "NAME=value", or what is wrong; after that it must not be called again. */
EnvironmentFileResult environment_file_next(EnvironmentFile *file, char **ret);

/* "is not NAME=value": what an error says of its line, NULL: it is none. Nothing of the line is in it. */
const char *environment_file_error_to_text(int result);
