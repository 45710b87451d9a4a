/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any texts as patterns of ignore_watch, and any path. What is refused names why. A glob that matches a
 * folder matches what is below it; one without signs matches its own text; and nothing takes for ever. */

#include "fuzz.h"

#include "core/watch-rules.h"

#include <string.h>

#define ROOT "/srv/a.b"

static bool is_plain(const char *pattern) {
        return pattern[0] && !strpbrk(pattern, "*?[]{}\\!") && pattern[0] != '/';
}

static void check_below(const WatchRules *rules, const char *path) {
        g_autofree char *below = g_strconcat(path, "/x", NULL);

        if (watch_rules_ignore(rules, path, strlen(ROOT))) {
                g_assert_true(watch_rules_ignore(rules, below, strlen(ROOT)));
        }
}

static void check_one(const char *pattern, const char *path) {
        char *patterns[] = { (char *) pattern, NULL };
        g_autoptr(WatchRules) rules = NULL;

        if (watch_rules_new(ROOT, patterns, &rules, NULL) < 0) {
                return;
        }
        /* "**" may find it in more ways than are tried. */
        if (pattern[0] != '/' && pattern[0] != '!' && !strstr(pattern, "**")) {
                check_below(rules, path);
        }
        if (is_plain(pattern)) {
                g_autofree char *own = g_canonicalize_filename(pattern, ROOT);
                g_assert_true(watch_rules_ignore(rules, own, strlen(ROOT)));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzReader reader = { data, size };
        g_autoptr(GPtrArray) patterns = g_ptr_array_new_with_free_func(g_free);
        unsigned count = fuzz_byte(&reader) % (WATCH_PATTERNS_MAX + 2);
        g_autoptr(WatchRules) rules = NULL;
        g_auto(Error) error = { 0 };

        g_autofree char *name = fuzz_string(&reader);
        g_autofree char *path = g_strconcat(ROOT "/", name, NULL);
        for (unsigned i = 0; i < count && reader.size > 0; i++) {
                char *pattern = fuzz_string(&reader);
                g_ptr_array_add(patterns, pattern);
                check_one(pattern, path);
        }
        g_ptr_array_add(patterns, NULL);
        if (watch_rules_new(ROOT, (char *const *) patterns->pdata, &rules, &error) < 0) {
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
                g_assert_cmpuint(strlen(error.message), <, 1000);
                return 0;
        }
        (void) watch_rules_ignore(rules, path, strlen(ROOT));
        return 0;
}
