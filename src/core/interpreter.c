/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/interpreter.h"

#include "basic/macro.h"

#include <string.h>

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
