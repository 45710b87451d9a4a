/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* What a process writes, made into lines of its log: each with a date before it, or as an object of JSON, or
 * as it is. However the bytes come in pieces the lines are the same. */

enum {
        /* A longer line goes out in pieces of this size. Text: the date is before the first alone, so that
         * nothing is to be seen of it. JSON: an object each, of which all but the last have "partial". */
        LOG_LINE_BYTES_MAX = 64 * 1024,
        LOG_STYLE_BYTES_MAX = 16 * 1024,
        /* What the output must have room for: "\u001f" of each byte. */
        LOG_LINES_OUT_MIN = 6 * LOG_LINE_BYTES_MAX + LOG_STYLE_BYTES_MAX,
};

typedef struct LogLineStyle {
        bool json;
        const char *before; /* of text: before each line; "" is nothing */
        const char *facts; /* of JSON: what stands behind the message, as members with a comma before each */
} LogLineStyle;

typedef struct LogLineInput {
        const char *bytes;
        size_t size;
        bool in_line; /* the first piece of a long line has gone out before */
        bool end;     /* nothing will follow */
} LogLineInput;

typedef struct LogLineOutput {
        size_t taken; /* of the input; what is left begins a line, or goes on with a long one */
        size_t made;  /* in the output */
        bool in_line; /* for the next input */
} LogLineOutput;

/* As many lines as there are and as have room. An unfinished line is left alone unless it is too long, or
 * the input ends: then it gets a newline. Nothing taken and nothing made: nothing can be done yet. */
LogLineOutput log_lines_format(
                const LogLineStyle *style, const LogLineInput *input, char *out, size_t out_size);

/* How long the line, or the piece of one, at the beginning of an input is, its newline included; 0: that is
 * not known yet. */
size_t log_line_length(const LogLineInput *input, bool whole_characters);

/* Text as it stands between the quotes of JSON; what is not UTF-8 becomes U+FFFD. Returns the end of it;
 * there must be room for six bytes of each. ret_invalid is set, never cleared. */
char *log_line_escape(const char *text, size_t length, char *out, bool *ret_invalid);
