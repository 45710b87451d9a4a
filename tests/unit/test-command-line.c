/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/command-line.h"

#include <string.h>

static const struct {
        const char *text;
        const char *words; /* separated by |, NULL: refused */
} samples[] = {
        { "", "" },
        { "   \t\r\n ", "" },
        { "one", "one" },
        { "one two  three", "one|two|three" },
        { "  one\ttwo\nthree\r\n", "one|two|three" },
        { "'one two' three", "one two|three" },
        { "\"one two\" three", "one two|three" },
        { "one'two'\"three\"four", "onetwothreefour" },
        { "''", "<empty>" },
        { "a '' \"\" b", "a|<empty>|<empty>|b" },
        { "one\\ two", "one two" },
        { "\\'one\\'", "'one'" },
        { "\\\\", "\\" },
        { "\"say \\\"hi\\\"\"", "say \"hi\"" },
        { "\"back\\\\slash\"", "back\\slash" },
        { "\"kept \\n \\$ \\a\"", "kept \\n \\$ \\a" },
        { "'no \\ escapes \\'", "no \\ escapes \\" },
        { "\"it's\"", "it's" },
        { "'\"'", "\"" },
        { "'a\nb'", "a\nb" },
        { "--port=3000 --name 'my app'", "--port=3000|--name|my app" },
        { "$HOME `id` *.js ~ # ; & >", "$HOME|`id`|*.js|~|#|;|&|>" }, /* no expansions */
        { "end\\", "end\\" },
        { "zähl 日本", "zähl|日本" },
        { "'", NULL },
        { "\"", NULL },
        { "one 'two", NULL },
        { "one \"two", NULL },
        { "one \"two\\\"", NULL },
        { "'a'b'", NULL },
        { "\"\\", NULL },
};

static void test_samples(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_auto(GStrv) words = command_line_split(samples[i].text);
                g_test_message("<%s>", samples[i].text);
                if (!samples[i].words) {
                        g_assert_null(words);
                        continue;
                }
                g_assert_nonnull(words);
                for (char **word = words; *word; word++) {
                        if ((*word)[0] == '\0') {
                                g_free(*word);
                                *word = g_strdup("<empty>");
                        }
                }
                g_autofree char *joined = g_strjoinv("|", words);
                g_assert_cmpstr(joined, ==, samples[i].words);
        }
}

/* Any words, quoted as a shell wants it, come back. */
static void test_round_trip(void) {
        static const char *const words[] = { "a", "", "b c", "it's", "\\", "\"", "'", "\t\n", "$x", "日" };
        g_autoptr(GString) line = g_string_new(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
                g_autofree char *quoted = g_shell_quote(words[i]);
                g_string_append_printf(line, " %s", quoted);
        }
        g_auto(GStrv) split = command_line_split(line->str);
        g_assert_nonnull(split);
        g_assert_cmpuint(g_strv_length(split), ==, G_N_ELEMENTS(words));
        for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
                g_assert_cmpstr(split[i], ==, words[i]);
        }
}

static const struct {
        const char *text;
        const char *expected; /* NULL: it cannot be */
} commands[] = {
        { "node app.js", "exec node app.js" },
        { "  node app.js", "  exec node app.js" },
        { "/opt/run --port 80", "exec /opt/run --port 80" },
        { "./run", "exec ./run" },
        { "$HOME/run x", "exec $HOME/run x" },
        { "'/my app/run' x", "exec '/my app/run' x" },
        { "python3.11 app.py", "exec python3.11 app.py" },
        { "exec node app.js", "exec node app.js" },
        { "PORT=80 node app.js", "PORT=80 exec node app.js" },
        { "A='b c' D=\"e\\\" f\" G=h\\ i node x", "A='b c' D=\"e\\\" f\" G=h\\ i exec node x" },
        { "A=1 exec node x", "A=1 exec node x" },
        { "node app.js >log 2>&1", "exec node app.js >log 2>&1" },
        { "node app.js <in", "exec node app.js <in" },
        { "node 'a;b' \"c|d\" e\\;f", "exec node 'a;b' \"c|d\" e\\;f" },
        { "node '$(x) `y`'", "exec node '$(x) `y`'" },
        { "node $X ${Y} ~ *.js", "exec node $X ${Y} ~ *.js" },
        { "node x # why", "exec node x # why" },
        { "", NULL },
        { "  ", NULL },
        { "A=1", NULL },
        { "A=1 B=2", NULL },
        { "cd /x", NULL },
        { "cd /x && node y", NULL },
        { "node x; node y", NULL },
        { "node x | tee y", NULL },
        { "node x || true", NULL },
        { "node x &", NULL },
        { "node x &>y", NULL },
        { "(node x)", NULL },
        { "{ node x; }", NULL },
        { "! node x", NULL },
        { "if true", NULL },
        { ". ./env", NULL },
        { "time node x", NULL },
        { "node `x`", NULL },
        { "node $(x)", NULL },
        { "node \"$(x)\"", NULL },
        { "node \"`x`\"", NULL },
        { "node <(x)", NULL },
        { "node x\nnode y", NULL },
        { "node \\\n x", NULL },
        { "$PROGRAM x", NULL },
        { "\"cd\" /x", NULL },
        { ">log node x", NULL },
        { "node 'x", NULL },
        { "node \"x", NULL },
        { "A='x node", NULL },
};

static void test_with_exec(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
                g_autofree char *text = command_line_with_exec(commands[i].text);
                g_test_message("<%s>", commands[i].text);
                g_assert_cmpstr(text, ==, commands[i].expected);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/command-line/samples", test_samples);
        g_test_add_func("/core/command-line/round-trip", test_round_trip);
        g_test_add_func("/core/command-line/with-exec", test_with_exec);
        return g_test_run();
}
