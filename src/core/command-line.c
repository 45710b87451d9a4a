/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/command-line.h"

#include <stdbool.h>
#include <string.h>

/* Append what stands between quotes; returns the position after the closing one, NULL if there is none. */
static const char *take_quoted(const char *p, GString *word) {
        char quote = *p++;

        for (; *p && *p != quote; p++) {
                if (quote == '"' && *p == '\\' && (p[1] == '"' || p[1] == '\\')) {
                        p++;
                }
                g_string_append_c(word, *p);
        }
        return *p ? p + 1 : NULL;
}

/* One word from p on, which is no blank. */
static const char *take_word(const char *p, GString *word) {
        while (p && *p && !strchr(" \t\r\n", *p)) {
                if (*p == '\'' || *p == '"') {
                        p = take_quoted(p, word);
                } else if (*p == '\\' && p[1]) {
                        g_string_append_c(word, p[1]);
                        p += 2;
                } else {
                        g_string_append_c(word, *p++);
                }
        }
        return p;
}

char **command_line_split(const char *text) {
        g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
        const char *p = text + strspn(text, " \t\r\n");

        while (*p) {
                GString *word = g_string_new(NULL);
                p = take_word(p, word);
                g_ptr_array_add(words, g_string_free(word, FALSE));
                if (!p) {
                        return NULL;
                }
                p += strspn(p, " \t\r\n");
        }
        g_ptr_array_add(words, NULL);
        return (char **) g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

/* What a shell does by itself (POSIX 2.14 and 2.9, bash(1)), and so cannot become. */
static const char *const shell_words[] = {
        ".",      ":",       "[[",      "alias",     "bg",       "bind",    "break",    "builtin", "caller",
        "case",   "cd",      "command", "compgen",   "complete", "compopt", "continue", "coproc",  "declare",
        "dirs",   "disown",  "do",      "done",      "elif",     "else",    "enable",   "esac",    "eval",
        "exit",   "export",  "fc",      "fg",        "fi",       "for",     "function", "getopts", "hash",
        "help",   "history", "if",      "in",        "jobs",     "let",     "local",    "logout",  "mapfile",
        "popd",   "pushd",   "read",    "readarray", "readonly", "return",  "select",   "set",     "shift",
        "shopt",  "source",  "suspend", "then",      "time",     "times",   "trap",     "type",    "typeset",
        "ulimit", "umask",   "unalias", "unset",     "until",    "wait",    "while",    "{",       "}",
        "!",
};

static bool is_name_character(char c) {
        return g_ascii_isalnum(c) || c == '_';
}

/* NAME=... */
static bool is_assignment(const char *word) {
        size_t length = 0;

        while (is_name_character(word[length])) {
                length++;
        }
        return length > 0 && !g_ascii_isdigit(word[0]) && word[length] == '=';
}

/* The end of a word, past its quotes; NULL: one is not closed. */
static const char *end_of_word(const char *p) {
        while (*p && !strchr(" \t", *p)) {
                if (*p == '\'') {
                        p = strchr(p + 1, '\'');
                } else if (*p == '"') {
                        for (p++; *p && *p != '"'; p++) {
                                p += *p == '\\' && p[1];
                        }
                } else if (*p == '\\' && p[1]) {
                        p++;
                }
                if (!p || !*p) {
                        return NULL;
                }
                p++;
        }
        return p;
}

/* Nothing that parts commands or runs one within another; "2>&1" is a redirection. Quotes are closed. */
static bool is_one_command(const char *text) {
        bool single = false, twofold = false; /* quotes that are open */
        char before = '\0';

        for (const char *p = text; *p; before = *p, p++) {
                if (single) {
                        single = *p != '\'';
                        continue;
                }
                if (*p == '`' || (*p == '$' && p[1] == '(') || *p == '\n' || *p == '\r') {
                        return false;
                }
                if (*p == '\\' && p[1]) {
                        p++;
                        if (*p == '\n') {
                                return false;
                        }
                } else if (*p == '"') {
                        twofold = !twofold;
                } else if (!twofold && *p == '\'') {
                        single = true;
                } else if (!twofold &&
                           (strchr(";|()", *p) || (*p == '&' && before != '>' && before != '<'))) {
                        return false;
                }
        }
        return !single && !twofold;
}

/* A path, or a plain word that is none of the shell's. */
static bool is_program(const char *word, size_t length) {
        if (memchr(word, '/', length)) {
                return true;
        }
        for (size_t i = 0; i < length; i++) {
                if (!is_name_character(word[i]) && !strchr("+-.:@%,", word[i])) {
                        return false;
                }
        }
        for (size_t i = 0; i < G_N_ELEMENTS(shell_words); i++) {
                if (strlen(shell_words[i]) == length && memcmp(shell_words[i], word, length) == 0) {
                        return false;
                }
        }
        return length > 0;
}

char *command_line_with_exec(const char *text) {
        const char *word = text + strspn(text, " \t"), *end = NULL;

        if (!is_one_command(text)) {
                return NULL;
        }
        while (is_assignment(word)) {
                end = end_of_word(word);
                if (!end) {
                        return NULL;
                }
                word = end + strspn(end, " \t");
        }
        end = end_of_word(word);
        if (!end || !is_program(word, (size_t) (end - word))) {
                return NULL;
        }
        if (end - word == 4 && memcmp(word, "exec", 4) == 0) {
                return g_strdup(text);
        }
        g_autofree char *head = g_strndup(text, (gsize) (word - text));
        return g_strconcat(head, "exec ", word, NULL);
}
