/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every verb and option is in the manual and in both completions, every option of pm2d and every error in
 * their pages. The source tree is given as argument. */

#include "ctl/ctl.h"

#include <glib.h>
#include <string.h>

static const char *source_root = ".";

static char *read_source(const char *path) {
        g_autofree char *full = g_build_filename(source_root, path, NULL);
        g_autoptr(GError) error = NULL;
        char *text = NULL;

        (void) g_file_get_contents(full, &text, NULL, &error);
        g_assert_no_error(error);
        return text;
}

/* Whether the word is there and nothing of a longer one. */
static bool has_word(const char *text, const char *word) {
        size_t length = strlen(word);

        for (const char *p = strstr(text, word); p; p = strstr(p + 1, word)) {
                bool begins = p == text || !(g_ascii_isalnum(p[-1]) || p[-1] == '-');
                bool ends = !(g_ascii_isalnum(p[length]) || p[length] == '-');
                if (begins && ends) {
                        return true;
                }
        }
        return false;
}

static void assert_word(const char *path, const char *text, const char *word) {
        if (!has_word(text, word)) {
                g_error("%s says nothing of %s", path, word);
        }
}

static void assert_documented(const char *path, bool aliases) {
        g_autofree char *text = read_source(path);

        for (const Verb *verb = verbs; verb->name; verb++) {
                assert_word(path, text, verb->name);
        }
        for (const VerbAlias *alias = verb_aliases; alias->name && aliases; alias++) {
                assert_word(path, text, alias->name);
        }
        for (const OptionSpec *spec = option_specs; spec->name; spec++) {
                g_autofree char *name = g_strconcat("--", spec->name, NULL);
                assert_word(path, text, name);
                if (spec->alias) {
                        g_autofree char *other = g_strconcat("--", spec->alias, NULL);
                        assert_word(path, text, other);
                }
                if (spec->kind == KIND_SWITCH) {
                        g_autofree char *negative = g_strconcat("--no-", spec->name, NULL);
                        assert_word(path, text, negative);
                }
        }
}

/* Every first group that a pattern finds in a source is a word of the page. */
static void assert_found_documented(const char *source, const char *pattern, const char *page) {
        g_autofree char *text = read_source(source), *manual = read_source(page);
        g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_MULTILINE, 0, NULL);
        g_autoptr(GMatchInfo) match = NULL;
        unsigned found = 0;

        for (bool more = g_regex_match(regex, text, 0, &match); more;
             more = g_match_info_next(match, NULL), found++) {
                g_autofree char *word = g_match_info_fetch(match, 1);
                assert_word(page, manual, word);
        }
        g_assert_cmpuint(found, >, 4);
}

static void test_daemon(void) {
        assert_found_documented("src/daemon/main.c", "\"  (--[a-z-]+)", "man/pm2d.8.rst");
}

static void test_errors(void) {
        assert_found_documented(
                        "src/core/error.c", "\\[ERROR_\\w+\\] = \"(\\w+)\"", "man/org.pm2.Manager.5.rst");
}

static void test_manual(void) {
        assert_documented("man/pm2ctl.1.rst", true);
}

static void test_bash(void) {
        assert_documented("shell-completion/bash/pm2ctl", false);
}

static void test_zsh(void) {
        assert_documented("shell-completion/zsh/_pm2ctl", false);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        if (argc > 1) {
                source_root = argv[1];
        }
        g_test_add_func("/ctl/docs/manual", test_manual);
        g_test_add_func("/ctl/docs/daemon", test_daemon);
        g_test_add_func("/ctl/docs/errors", test_errors);
        g_test_add_func("/ctl/docs/bash", test_bash);
        g_test_add_func("/ctl/docs/zsh", test_zsh);
        return g_test_run();
}
