/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/environment-file.h"

#include <string.h>

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r';
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_of_name(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '.' ||
               c == '-';
}

static char *skip_blanks(const EnvironmentFile *file, char *p) {
        while (p < file->end && is_blank(*p)) {
                p++;
        }
        return p;
}

static char *end_of_name(const EnvironmentFile *file, char *p) {
        while (p < file->end && is_of_name(*p)) {
                p++;
        }
        return p;
}

static char *end_of_line(const EnvironmentFile *file, char *p) {
        char *newline = memchr(p, '\n', (size_t) (file->end - p));
        return newline ? newline : file->end;
}

void environment_file_init(EnvironmentFile *file, char *text, size_t size) {
        char *nul = memchr(text, '\0', size);

        *file = (EnvironmentFile){
                .next = text,
                .end = nul ? nul : text + size,
                .ends_in_nul = nul != NULL,
                .next_line = 1,
        };
}

/* To the first character that is neither blank nor of a comment. */
static bool find_assignment(EnvironmentFile *file) {
        char *p = file->next;

        for (; p < file->end; p++) {
                if (*p == '\n') {
                        file->next_line++;
                } else if (*p == '#') {
                        p = end_of_line(file, p) - 1;
                } else if (!is_blank(*p)) {
                        break;
                }
        }
        file->next = p;
        file->line = file->next_line;
        return p < file->end;
}

static EnvironmentFileResult refuse_name(const EnvironmentFile *file, const char *p, const char *end) {
        if (end == file->end && file->ends_in_nul) {
                return ENVIRONMENT_FILE_NUL;
        }
        return memchr(p, '=', (size_t) (end - p)) ? ENVIRONMENT_FILE_BAD_NAME
                                                  : ENVIRONMENT_FILE_NO_ASSIGNMENT;
}

/* Of "NAME=" or "export NAME =", the name and what stands behind the '='. */
static EnvironmentFileResult take_name(
                const EnvironmentFile *file, char **ret_name, size_t *ret_length, char **ret_value) {
        char *name = file->next, *end = end_of_name(file, name), *equals = skip_blanks(file, end);

        if (end - name == strlen("export") && memcmp(name, "export", strlen("export")) == 0 &&
            equals > end && equals < file->end && *equals != '=') {
                name = equals;
                end = end_of_name(file, name);
                equals = skip_blanks(file, end);
        }
        if (end == name || is_digit(*name) || equals == file->end || *equals != '=') {
                return refuse_name(file, name, end_of_line(file, name));
        }
        *ret_name = name;
        *ret_length = (size_t) (end - name);
        *ret_value = skip_blanks(file, equals + 1);
        return ENVIRONMENT_FILE_VARIABLE;
}

/* The value is moved to where it belongs; the end of it is returned. */
static char *take_plain(EnvironmentFile *file, char *from, char *to) {
        char *line_end = end_of_line(file, from), *end = from;

        while (end < line_end && !(*end == '#' && is_blank(end[-1]))) {
                end++;
        }
        while (end > from && is_blank(end[-1])) {
                end--;
        }
        memmove(to, from, (size_t) (end - from));
        file->next = line_end;
        if (line_end < file->end) { /* now, for the newline may give way to the NUL */
                file->next++;
                file->next_line++;
        }
        return to + (end - from);
}

static char unescape(char c) {
        switch (c) {
        case 'n':
                return '\n';
        case 't':
                return '\t';
        case '\\':
        case '"':
        case '$':
                return c;
        default:
                return '\0';
        }
}

static EnvironmentFileResult take_quoted(EnvironmentFile *file, char *from, char **to) {
        char quote = *from++;

        for (; from < file->end && *from != quote; from++) {
                bool escape = quote == '"' && *from == '\\' && from + 1 < file->end && unescape(from[1]);
                file->next_line += *from == '\n';
                if (escape) {
                        *(*to)++ = unescape(*++from);
                } else {
                        *(*to)++ = *from;
                }
        }
        if (from == file->end && file->ends_in_nul) {
                file->line = file->next_line;
                return ENVIRONMENT_FILE_NUL;
        }
        if (from == file->end) {
                return ENVIRONMENT_FILE_OPEN_QUOTE;
        }
        char *behind = skip_blanks(file, from + 1);
        if (behind < file->end && *behind == '#' && behind > from + 1) {
                behind = end_of_line(file, behind);
        }
        if (behind < file->end && *behind != '\n') {
                file->line = file->next_line;
                return ENVIRONMENT_FILE_BEHIND_QUOTE;
        }
        file->next = behind;
        return ENVIRONMENT_FILE_VARIABLE;
}

EnvironmentFileResult environment_file_next(EnvironmentFile *file, char **ret) {
        char *name, *value;
        size_t length;

        if (!find_assignment(file)) {
                return file->ends_in_nul ? ENVIRONMENT_FILE_NUL : ENVIRONMENT_FILE_END;
        }
        EnvironmentFileResult result = take_name(file, &name, &length, &value);
        if (result != ENVIRONMENT_FILE_VARIABLE) {
                return result;
        }
        bool quoted = value < file->end && (*value == '\'' || *value == '"');
        char *to = name + length + 1;
        name[length] = '=';
        if (quoted) {
                result = take_quoted(file, value, &to);
        } else {
                to = take_plain(file, value, to);
        }
        if (result != ENVIRONMENT_FILE_VARIABLE) {
                return result;
        }
        *to = '\0';
        *ret = name;
        return to - name > ENVIRONMENT_FILE_ASSIGNMENT_MAX ? ENVIRONMENT_FILE_TOO_LONG
                                                           : ENVIRONMENT_FILE_VARIABLE;
}

const char *environment_file_error_to_text(int result) {
        static const char *const texts[_ENVIRONMENT_FILE_RESULT_MAX] = {
                [ENVIRONMENT_FILE_NO_ASSIGNMENT] = "is not NAME=value",
                [ENVIRONMENT_FILE_BAD_NAME] = "what stands before the '=' cannot be the name of a variable",
                [ENVIRONMENT_FILE_OPEN_QUOTE] = "a quote is not closed",
                [ENVIRONMENT_FILE_BEHIND_QUOTE] = "something stands behind the closing quote",
                [ENVIRONMENT_FILE_NUL] = "has a NUL byte",
                [ENVIRONMENT_FILE_TOO_LONG] = "the variable is over 131071 bytes",
                [ENVIRONMENT_FILE_TOO_MANY] = "over 8192 variables in all",
        };

        return result >= 0 && result < _ENVIRONMENT_FILE_RESULT_MAX ? texts[result] : NULL;
}
