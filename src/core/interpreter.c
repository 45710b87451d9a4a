/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/interpreter.h"

#include "basic/macro.h"

#include <string.h>

#define BLANKS " \t\r"

static const struct {
        const char *extension;
        const char *interpreter;
} interpreters[] = {
        { ".js", "node" },       { ".mjs", "node" }, { ".cjs", "node" }, { ".sh", "bash" },
        { ".py", "python3" },    { ".rb", "ruby" },  { ".php", "php" },  { ".pl", "perl" },
        { ".coffee", "coffee" }, { ".ls", "lsc" },   { ".ts", "bun" },   { ".tsx", "bun" },
};

const char *interpreter_for_extension(const char *extension) {
        for (size_t i = 0; i < ELEMENTS(interpreters); i++) {
                if (strcmp(interpreters[i].extension, extension) == 0) {
                        return interpreters[i].interpreter;
                }
        }
        return NULL;
}

const char *interpreter_instead_of(const char *interpreter) {
        return strcmp(interpreter, "python3") == 0 ? "python" : NULL;
}

const char *interpreter_wanted_version(const char *interpreter) {
        static const char prefix[] = "node@";
        return g_str_has_prefix(interpreter, prefix) ? interpreter + strlen(prefix) : NULL;
}

static const char *skip_v(const char *version) {
        return version + (*version == 'v');
}

bool interpreter_version_matches(const char *version, const char *wanted) {
        version = skip_v(version);
        wanted = skip_v(wanted);
        size_t length = strlen(wanted);

        return length > 0 && strncmp(version, wanted, length) == 0 &&
               (version[length] == '\0' || version[length] == '.');
}

int interpreter_version_compare(const char *a, const char *b) {
        const char *p = skip_v(a), *q = skip_v(b);

        while (*p || *q) {
                char *p_end, *q_end;
                guint64 one = g_ascii_strtoull(p, &p_end, 10), other = g_ascii_strtoull(q, &q_end, 10);
                if (one != other) {
                        return one < other ? -1 : 1;
                }
                if (*p_end != '.' || *q_end != '.') {
                        return strcmp(p_end, q_end);
                }
                p = p_end + 1;
                q = q_end + 1;
        }
        return 0;
}

static const char *base_name(const char *program) {
        const char *slash = strrchr(program, '/');
        return slash ? slash + 1 : program;
}

bool interpreter_is_node(const char *program) {
        const char *base = base_name(program);
        return strcmp(base, "node") == 0 || strcmp(base, "nodejs") == 0;
}

bool interpreter_is_deno(const char *program) {
        return strcmp(base_name(program), "deno") == 0;
}

bool interpreter_has_cluster(const char *program) {
        return interpreter_is_node(program) || interpreter_is_deno(program) ||
               strcmp(base_name(program), "bun") == 0;
}

/* Whether a program is env(1), which looks another one up. */
static bool is_env(const char *program) {
        return strcmp(base_name(program), "env") == 0;
}

char *interpreter_of_first_line(const char *text, bool *ret_alone) {
        if (!g_str_has_prefix(text, "#!")) {
                return NULL;
        }
        g_autofree char *line = g_strndup(text + 2, strcspn(text + 2, "\n"));
        g_auto(GStrv) all = g_strsplit_set(line, BLANKS, -1);
        g_autoptr(GPtrArray) words = g_ptr_array_new();
        for (char **word = all; *word; word++) {
                if (**word) {
                        g_ptr_array_add(words, *word);
                }
        }
        if (words->len == 0) {
                return NULL;
        }
        guint program = 0;
        bool options = false;
        if (is_env(words->pdata[0])) {
                for (program = 1; program < words->len; program++) {
                        const char *word = words->pdata[program];
                        if (word[0] != '-' && !strchr(word, '=')) {
                                break;
                        }
                        options = options || strcmp(word, "-S") != 0;
                }
        }
        if (program >= words->len) {
                return NULL;
        }
        *ret_alone = !options && program + 1 == words->len;
        return g_strdup(words->pdata[program]);
}
