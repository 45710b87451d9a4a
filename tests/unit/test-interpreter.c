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

static void test_versions(void) {
        static const struct {
                const char *version, *wanted;
                bool matches;
        } samples[] = {
                { "v18.20.4", "18", true },    { "v18.20.4", "v18", true },  { "v18.20.4", "18.20", true },
                { "v18.20.4", "18.2", false }, { "v18.20.4", "1", false },   { "v18.20.4", "18.20.4", true },
                { "v8.1.0", "18", false },     { "v18.20.4", "", false },    { "v18.20.4", "v", false },
                { "v180.0.0", "18", false },   { "system", "system", true }, { "v18.20.4", "18.", false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_test_message("%s %s", samples[i].version, samples[i].wanted);
                g_assert_cmpint(interpreter_version_matches(samples[i].version, samples[i].wanted),
                                ==,
                                samples[i].matches);
        }
        g_assert_cmpint(interpreter_version_compare("v18.9.0", "v18.20.0"), <, 0);
        g_assert_cmpint(interpreter_version_compare("v20.0.0", "v18.20.4"), >, 0);
        g_assert_cmpint(interpreter_version_compare("18.1", "v18.1"), ==, 0);
        g_assert_cmpint(interpreter_version_compare("v18.1.0", "v18.1"), >, 0);
        g_assert_cmpint(interpreter_version_compare("v18.1.0-rc1", "v18.1.0-rc2"), <, 0);
        g_assert_cmpstr(interpreter_wanted_version("node@18"), ==, "18");
        g_assert_cmpstr(interpreter_wanted_version("node@"), ==, "");
        g_assert_null(interpreter_wanted_version("node"));
        g_assert_null(interpreter_wanted_version("/opt/node@18"));
        g_assert_cmpstr(interpreter_instead_of("python3"), ==, "python");
        g_assert_null(interpreter_instead_of("node"));
}

static void test_first_lines(void) {
        static const struct {
                const char *line, *program;
                bool alone;
        } samples[] = {
                { "#!/bin/sh", "/bin/sh", true },
                { "#!/bin/sh\necho", "/bin/sh", true },
                { "#! /bin/sh \r\n", "/bin/sh", true },
                { "#!/bin/sh -e", "/bin/sh", false },
                { "#!/usr/bin/env ruby", "ruby", true },
                { "#!/usr/bin/env -S node --flag", "node", false },
                { "#!/usr/bin/env -S node", "node", true },
                { "#!/usr/bin/env -i A=1 perl", "perl", false },
                { "#!/usr/bin/env", NULL, false },
                { "#!/usr/bin/env -S", NULL, false },
                { "#!", NULL, false },
                { "#!\n/bin/sh", NULL, false },
                { "", NULL, false },
                { "# /bin/sh", NULL, false },
                { "\177ELF", NULL, false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                bool alone = false;
                g_test_message("%s", samples[i].line);
                g_autofree char *program = interpreter_of_first_line(samples[i].line, &alone);
                g_assert_cmpstr(program, ==, samples[i].program);
                g_assert_cmpint(alone, ==, samples[i].alone);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/interpreter/extensions", test_extensions);
        g_test_add_func("/core/interpreter/versions", test_versions);
        g_test_add_func("/core/interpreter/first-lines", test_first_lines);
        return g_test_run();
}
