/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What ignore_watch leaves out. What globs match is what PM2 7.0.4 was seen to leave out. */

#include "core/watch-rules.h"

#include "fixture.h"

#define ROOT "/srv/app"

static bool ignores(const char *pattern, const char *path) {
        char *patterns[] = { (char *) pattern, NULL };
        g_autoptr(WatchRules) rules = NULL;

        g_assert_cmpint(watch_rules_new(ROOT, pattern ? patterns : NULL, &rules, NULL), ==, 0);
        return watch_rules_ignore(rules, path, strlen(ROOT));
}

static void test_globs(void) {
        static const struct {
                const char *pattern, *path;
                bool ignored;
        } samples[] = {
                { "sub", ROOT "/sub", true },
                { "sub", ROOT "/sub/c.txt", true },
                { "sub", ROOT "/subway", false },
                { "sub", ROOT "/x/sub", false },
                { "./sub/", ROOT "/sub/a", true },
                { ROOT "/sub", ROOT "/sub/a", true },
                { ROOT "/sub/", ROOT "/sub/a", true },
                { "../other", "/srv/other/a", true },
                { "*.log", ROOT "/x.log", true },
                { "*.log", ROOT "/sub/x.log", false },
                { "*.log", ROOT "/.log", true },
                { "**/*.log", ROOT "/x.log", true },
                { "**/*.log", ROOT "/a/b/x.log", true },
                { "**/sub", ROOT "/sub/a", true },
                { "**/sub", ROOT "/x/sub/a", true },
                { "sub/*", ROOT "/sub", false },
                { "sub/*", ROOT "/sub/deep/d.log", true },
                { "sub/**", ROOT "/sub", true },
                { "sub/**", ROOT "/sub/deep/d.log", true },
                { "sub/**/**", ROOT "/sub/deep/d.log", true },
                { "sub/**/d", ROOT "/sub/d", true },
                { "sub/**/d", ROOT "/sub/x/y/d", true },
                { "*", ROOT "/a", true },
                { "**", ROOT "/a/b", true },
                { "{a,b}.txt", ROOT "/b.txt", true },
                { "{a,b}.txt", ROOT "/c.txt", false },
                { "{a,{b,c}d}.txt", ROOT "/cd.txt", true },
                { "{a}.txt", ROOT "/{a}.txt", true },
                { "{a,b", ROOT "/{a,b", true },
                { "[ab].txt", ROOT "/a.txt", true },
                { "[!ab].txt", ROOT "/a.txt", false },
                { "[!ab].txt", ROOT "/c.txt", true },
                { "[^a]b", ROOT "//b", false },
                { "[a-c]", ROOT "/b", true },
                { "[]]", ROOT "/]", true },
                { "[id", ROOT "/[id", true },
                { "?.txt", ROOT "/a.txt", true },
                { "?.txt", ROOT "/ab.txt", false },
                { "sub?x", ROOT "/sub/x", false },
                { "\\*", ROOT "/*", true },
                { "\\*", ROOT "/a", false },
                { "(group)+x.$", ROOT "/(group)+x.$", true },
                { "c.log", ROOT "/sub/c.log", false },
                { "!a", ROOT "/a", false },
                { "", ROOT "/a", false },
                { "\xff*", ROOT "/\xff\xfe", true },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *shown = g_strescape(samples[i].path, NULL);
                g_test_message("%zu: %s", i, shown);
                g_assert_cmpint(ignores(samples[i].pattern, samples[i].path), ==, samples[i].ignored);
        }
}

static void test_expressions(void) {
        g_assert_true(ignores("/\\.tmp$/", ROOT "/a/b.tmp"));
        g_assert_false(ignores("/\\.tmp$/", ROOT "/a/b.tmp/c"));
        g_assert_true(ignores("/CACHE/i", ROOT "/cache/x"));
        g_assert_false(ignores("/CACHE/", ROOT "/cache/x"));
        g_assert_true(ignores("/[\\/\\\\]\\./", ROOT "/.git/x"));
        g_assert_true(ignores("/[/]x/", ROOT "/x"));
        g_assert_false(ignores("/app/", ROOT "/x"));
        g_assert_true(ignores("/app\\/x/", ROOT "/x"));
        g_assert_true(ignores("/^\\/srv\\/app\\/tmp/", ROOT "/tmp/a"));
        /* that is a path */
        g_assert_false(ignores("/a/b/", ROOT "/a/b"));
}

static void test_default(void) {
        g_assert_true(ignores(NULL, ROOT "/.git"));
        g_assert_true(ignores(NULL, ROOT "/a/.env"));
        g_assert_true(ignores(NULL, ROOT "/node_modules/a"));
        g_assert_true(ignores(NULL, ROOT "/a/node_modules"));
        g_assert_false(ignores(NULL, ROOT "/a.js"));
        g_autoptr(WatchRules) rules = NULL;
        static const char hidden[] = "/home/x/.app/node_modules/y";
        g_assert_cmpint(watch_rules_new(hidden, NULL, &rules, NULL), ==, 0);
        g_assert_false(watch_rules_ignore(rules, "/home/x/.app/node_modules/y/a.js", strlen(hidden)));
        g_assert_true(watch_rules_ignore(rules, "/home/x/.app/node_modules/y/.a", strlen(hidden)));
}

static void test_cwd(void) {
        static char pattern[] = "tmp", *patterns[] = { pattern, NULL };
        g_autoptr(WatchRules) rules = NULL;

        g_assert_cmpint(watch_rules_new("/srv/[a]*{b,c}", patterns, &rules, NULL), ==, 0);
        g_assert_true(watch_rules_ignore(rules, "/srv/[a]*{b,c}/tmp/x", 5));
        g_assert_false(watch_rules_ignore(rules, "/srv/ab/tmp/x", 5));
}

static void test_exceptions(void) {
        static char all[] = "*.log", keep[] = "!keep.log";
        char *patterns[] = { keep, all, NULL };
        g_autoptr(WatchRules) rules = NULL;

        g_assert_cmpint(watch_rules_new(ROOT, patterns, &rules, NULL), ==, 0);
        g_assert_true(watch_rules_ignore(rules, ROOT "/a.log", strlen(ROOT)));
        g_assert_false(watch_rules_ignore(rules, ROOT "/keep.log", strlen(ROOT)));
}

/* What would try for ever is given up, and does not match. */
static void test_limit(void) {
        g_autofree char *name = g_strnfill(200, 'a');
        g_autofree char *path = g_strconcat(ROOT "/", name, "!", NULL);

        g_assert_false(ignores("/(a+)+(a+)+$/", path));
        g_assert_false(ignores("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", path));
}

static void test_refused(void) {
        static const struct {
                const char *pattern, *message;
        } samples[] = {
                { "/(/", "ignore_watch[0]: '/(/' is no regular expression" },
                { "/(*LIMIT_MATCH=1)a/", "options of PCRE are not taken" },
                { "[z-a]", "is no pattern" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                char *patterns[] = { (char *) samples[i].pattern, NULL };
                g_autoptr(WatchRules) rules = NULL;
                g_auto(Error) error = { 0 };
                g_assert_cmpint(watch_rules_new(ROOT, patterns, &rules, &error), ==, -ECANCELED);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                g_test_message("%s", error.message);
                g_assert_nonnull(strstr(error.message, samples[i].message));
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/watch-rules/globs", test_globs);
        g_test_add_func("/core/watch-rules/expressions", test_expressions);
        g_test_add_func("/core/watch-rules/default", test_default);
        g_test_add_func("/core/watch-rules/cwd", test_cwd);
        g_test_add_func("/core/watch-rules/exceptions", test_exceptions);
        g_test_add_func("/core/watch-rules/limit", test_limit);
        g_test_add_func("/core/watch-rules/refused", test_refused);
        return g_test_run();
}
