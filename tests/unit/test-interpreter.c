/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/interpreter.h"

#include <glib.h>

static void test_extensions(void) {
        static const struct {
                const char *extension, *interpreter;
        } samples[] = {
                { ".js", "node" },    { ".mjs", "node" },      { ".cjs", "node" }, { ".sh", "bash" },
                { ".py", "python3" }, { ".rb", "ruby" },       { ".php", "php" },  { ".pl", "perl" },
                { ".ls", "lsc" },     { ".coffee", "coffee" }, { ".ts", "bun" },   { ".tsx", "bun" },
                { "", NULL },         { "js", NULL },          { ".JS", NULL },    { ".", NULL },
                { ".jsx", NULL },     { ".j", NULL },          { ".exe", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_assert_cmpstr(interpreter_for_extension(samples[i].extension), ==, samples[i].interpreter);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/interpreter/extensions", test_extensions);
        return g_test_run();
}
