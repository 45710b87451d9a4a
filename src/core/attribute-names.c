/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Names of attributes and of their types. */

#include "core/app-config.h"

#include <string.h>

/* "killTimeout" -> "kill_timeout" */
static char *to_snake_case(const char *name) {
        GString *snake = g_string_new(NULL);

        for (; *name; name++) {
                if (g_ascii_isupper(*name)) {
                        g_string_append_c(snake, '_');
                }
                g_string_append_c(snake, g_ascii_tolower(*name));
        }
        return g_string_free(snake, FALSE);
}

static bool is_alias(const char *aliases, const char *name) {
        size_t length = strlen(name);

        for (const char *p = aliases; p && *p; p += strspn(p, " ")) {
                size_t word = strcspn(p, " ");
                if (word == length && memcmp(p, name, length) == 0) {
                        return true;
                }
                p += word;
        }
        return false;
}

const Attribute *attribute_find(const char *name) {
        g_autofree char *snake = to_snake_case(name);

        for (size_t i = 0; i < n_attributes; i++) {
                if (strcmp(attributes[i].name, snake) == 0 || is_alias(attributes[i].aliases, snake)) {
                        return &attributes[i];
                }
        }
        return NULL;
}

enum {
        GUESS_BYTES_MAX = 64, /* of a name that a guess is tried for */
};

/* How many letters must be put in, taken out or replaced to make one of the other. Two neighbours that
 * changed places count as two. */
static unsigned distance_of(const char *a, const char *b) {
        size_t length = strlen(b);
        unsigned row[GUESS_BYTES_MAX + 1];

        for (size_t j = 0; j <= length; j++) {
                row[j] = (unsigned) j;
        }
        for (size_t i = 0; a[i]; i++) {
                unsigned diagonal = row[0];
                row[0] = (unsigned) i + 1;
                for (size_t j = 0; j < length; j++) {
                        unsigned replace = diagonal + (a[i] != b[j]);
                        diagonal = row[j + 1];
                        row[j + 1] = MIN(MIN(diagonal, row[j]) + 1, replace);
                }
        }
        return row[length];
}

const char *attribute_guess(const char *name) {
        g_autofree char *snake = to_snake_case(name);
        const char *best = NULL;
        size_t length = strlen(snake);
        unsigned nearest = (unsigned) (length + 2) / 3; /* a third of it may be wrong */

        (void) g_strdelimit(snake, "-. ", '_');
        for (size_t i = 0; length <= GUESS_BYTES_MAX && i < n_attributes; i++) {
                unsigned distance = distance_of(attributes[i].name, snake);
                if (distance < nearest || (distance == nearest && !best)) {
                        nearest = distance;
                        best = attributes[i].name;
                }
        }
        return best;
}

const char *attribute_type_to_text(AttributeType type) {
        static const char *const texts[_ATTRIBUTE_TYPE_MAX] = {
                [ATTRIBUTE_STRING] = "a string",
                [ATTRIBUTE_PATH] = "a path",
                [ATTRIBUTE_BOOL] = "true or false",
                [ATTRIBUTE_NUMBER] = "a whole number",
                [ATTRIBUTE_DURATION] = "a duration (milliseconds, or a time span such as \"2s\")",
                [ATTRIBUTE_SIGNAL] = "a signal (its name or number)",
                [ATTRIBUTE_STRINGS] = "an array of strings, or a string to be split",
                [ATTRIBUTE_PATHS] = "a path, or an array of paths",
                [ATTRIBUTE_ENVIRONMENT] = "an object of variables",
                [ATTRIBUTE_CREDENTIALS] = "an object of names and paths",
                [ATTRIBUTE_SIZE] = "a size (bytes, or a number with K, M, G or T)",
                [ATTRIBUTE_EXIT_CODES] = "an exit code, or an array of them",
                [ATTRIBUTE_FILTER] = "true or false, the name of a variable, or an array of parts of names",
                [ATTRIBUTE_PERCENT] = "percent of one core (a number, or \"150%\")",
                [ATTRIBUTE_SCORE] = "a whole number",
                [ATTRIBUTE_COUNT] = "a whole number, or \"max\"",
                [ATTRIBUTE_WORD] = "one of its words",
                [ATTRIBUTE_CRON] = "times as crontab(5) has them (\"0 4 * * *\")",
                [ATTRIBUTE_LIMITS] = "an object of resource limits (number, \"infinity\", \"soft:hard\")",
                [ATTRIBUTE_HEALTH] = "an object with one of http, tcp, unix and exec",
                [ATTRIBUTE_WATCH] = "true or false, a path, or an array of paths",
                [ATTRIBUTE_DEPENDS] = "an array of names, or an object of names and conditions",
                [ATTRIBUTE_OBJECT] = "an object",
                [ATTRIBUTE_OFF] = "not supported",
                [ATTRIBUTE_KEPT] = "anything",
        };
        return texts[type];
}

char *attribute_values_to_text(const Attribute *attribute) {
        if (attribute->type != ATTRIBUTE_WORD) {
                return g_strdup(attribute_type_to_text(attribute->type));
        }
        g_auto(GStrv) words = g_strsplit(attribute->words, " ", -1);
        g_autofree char *all = g_strjoinv(", ", words);
        return g_strconcat("one of ", all, NULL);
}

const char *attribute_type_to_name(AttributeType type) {
        static const char *const names[_ATTRIBUTE_TYPE_MAX] = {
                [ATTRIBUTE_STRING] = "string",
                [ATTRIBUTE_PATH] = "path",
                [ATTRIBUTE_BOOL] = "bool",
                [ATTRIBUTE_NUMBER] = "number",
                [ATTRIBUTE_DURATION] = "duration",
                [ATTRIBUTE_SIGNAL] = "signal",
                [ATTRIBUTE_STRINGS] = "strings",
                [ATTRIBUTE_ENVIRONMENT] = "environment",
                [ATTRIBUTE_SIZE] = "size",
                [ATTRIBUTE_EXIT_CODES] = "exit-codes",
                [ATTRIBUTE_FILTER] = "filter",
                [ATTRIBUTE_PERCENT] = "percent",
                [ATTRIBUTE_SCORE] = "score",
                [ATTRIBUTE_CRON] = "cron",
                [ATTRIBUTE_LIMITS] = "limits",
                [ATTRIBUTE_COUNT] = "count",
                [ATTRIBUTE_WORD] = "word",
                [ATTRIBUTE_PATHS] = "paths",
                [ATTRIBUTE_HEALTH] = "health",
                [ATTRIBUTE_OBJECT] = "object",
                [ATTRIBUTE_OFF] = "off",
                [ATTRIBUTE_KEPT] = "kept",
                [ATTRIBUTE_CREDENTIALS] = "credentials",
                [ATTRIBUTE_WATCH] = "watch",
                [ATTRIBUTE_DEPENDS] = "depends_on",
        };
        return names[type];
}
