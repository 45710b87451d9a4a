/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which processes a caller means. */

#include "core/target.h"

#include "fixture.h"
#include "process-fixture.h"

#include <errno.h>
#include <string.h>

static const Caller root = { .uid = 0, .gid = 0, .via = "test" };
static const Caller user = { .uid = 1000, .gid = 1000, .via = "test" };

/* id, name, namespace, owner */
static const struct {
        const char *name, *namespace;
        uid_t owner;
} processes[] = {
        { "api", "web", 1000 },         { "api", "web", 1000 },
        { "worker", "jobs", 1000 },     { "web", "default", 1000 },
        { "1", "numbers", 1000 },       { "a.b(c)", "x:y", 1000 },
        { "zähl-日", "default", 1000 }, { "api", "web", 0 },
        { "root-only", "secret", 0 },   { "id:2", "uid:x", 1000 },
        { "name:api", "all-of", 1000 },
};

static Registry *make_registry(void) {
        Registry *registry = registry_new(100);

        for (size_t i = 0; i < G_N_ELEMENTS(processes); i++) {
                (void) test_process_add(
                                registry, processes[i].name, processes[i].namespace, processes[i].owner);
        }
        return registry;
}

/* The ids that a target gives, as text; the name of the error if there is one. */
static char *resolve(const Registry *registry, const Caller *caller, const char *target) {
        g_autoptr(GPtrArray) found = NULL;
        g_auto(Error) error = { 0 };

        int r = target_resolve(registry, caller, target, &found, &error);
        if (r < 0) {
                g_assert_cmpint(r, ==, -ECANCELED);
                g_assert_null(found);
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
                return g_strdup(error_code_to_name(error.code));
        }
        GString *ids = g_string_new(NULL);
        for (guint i = 0; i < found->len; i++) {
                g_string_append_printf(ids, "%s%u", i > 0 ? " " : "", ((Process *) found->pdata[i])->id);
        }
        return g_string_free(ids, FALSE);
}

static void test_kinds(void) {
        static const struct {
                const char *target, *expected; /* for the user */
        } samples[] = {
                { "all", "0 1 2 3 4 5 6 9 10" },
                /* an exact name goes before a namespace, that before an id */
                { "api", "0 1" },
                { "worker", "2" },
                { "web", "3" },
                { "jobs", "2" },
                { "default", "3 6" },
                { "1", "4" },
                { "2", "2" },
                { "02", "2" },
                { "a.b(c)", "5" },
                { "zähl-日", "6" },
                { "API", "NoSuchProcess" },
                { "ap", "NoSuchProcess" },
                { "11", "NoSuchProcess" },
                { "-2", "NoSuchProcess" },
                { "4294967298", "NoSuchProcess" }, /* 2 in 32 bits */
                { "", "NoSuchProcess" },
                { " api", "NoSuchProcess" },
                { "*", "NoSuchProcess" },
                { "ALL", "NoSuchProcess" },
                /* the kind is said */
                { "name:api", "0 1" },
                { "name:1", "4" },
                { "name:all", "NoSuchProcess" },
                { "name:", "NoSuchProcess" },
                { "name:name:api", "10" },
                { "name:id:2", "9" },
                { "ns:web", "0 1" },
                { "ns:x:y", "5" },
                { "ns:uid:x", "9" },
                { "ns:api", "NoSuchProcess" },
                { "id:1", "1" },
                { "id:2", "2" },
                { "id:", "NoSuchProcess" },
                { "id:x", "NoSuchProcess" },
                { "id: 1", "NoSuchProcess" },
                { "id:99999999999999999999", "NoSuchProcess" },
                { "uid:00000000000000000000000000000002", "2" },
                { "uid:2", "NoSuchProcess" },
                { "uid:", "NoSuchProcess" },
                { "pid:2", "NoSuchProcess" },
                /* object paths */
                { "/org/pm2/Process/2", "2" },
                { "/org/pm2/Process/99", "NoSuchProcess" },
                { "/org/pm2/Process/", "NoSuchProcess" },
                { "/org/pm2/Process/x", "NoSuchProcess" },
                { "/org/pm2/Process/2/", "NoSuchProcess" },
                { "/org/pm2", "NoSuchProcess" },
                /* what others alone have is refused */
                { "root-only", "AccessDenied" },
                { "name:root-only", "AccessDenied" },
                { "secret", "AccessDenied" },
                { "id:8", "AccessDenied" },
                { "8", "AccessDenied" },
                { "/org/pm2/Process/8", "AccessDenied" },
                { "uid:00000000000000000000000000000008", "AccessDenied" },
                { "/root/", "AccessDenied" },
        };
        g_autoptr(Registry) registry = make_registry();

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *found = resolve(registry, &user, samples[i].target);
                g_test_message("'%s'", samples[i].target);
                g_assert_cmpstr(found, ==, samples[i].expected);
        }
}

static void test_expressions(void) {
        static const struct {
                const char *target, *expected;
        } samples[] = {
                { "/api/", "0 1 10" },
                { "/^api$/", "0 1" },
                { "/^(api|worker)$/", "0 1 2" },
                { "/./", "0 1 2 3 4 5 6 9 10" },
                { "/^a\\.b\\(c\\)$/", "5" },
                { "/a.b.c./", "5" },
                { "/ä/", "6" },
                { "/^.{6}$/", "2 5 6" }, /* characters, not bytes */
                { "/(?i)API/", "0 1 10" },
                { "/^$/", "NoSuchProcess" },
                { "/nothing/", "NoSuchProcess" },
                { "/(/", "InvalidData" },
                { "/[/", "InvalidData" },
                { "/*/", "InvalidData" },
                { "/(?<x/", "InvalidData" },
                { "/\\/", "InvalidData" },
                { "/\\p\xff\xff\xff\xff/", "InvalidData" },
                { "/api\xc3/", "InvalidData" },
                { "/(*LIMIT_MATCH=4000000000)^(a+)+$/", "InvalidData" }, /* it would lift the limit */
                { "/(*UTF)api/", "InvalidData" },
                { "//", "NoSuchProcess" },
                { "/", "NoSuchProcess" },
                { "/api", "NoSuchProcess" },
        };
        g_autoptr(Registry) registry = make_registry();

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *found = resolve(registry, &user, samples[i].target);
                g_autofree char *quoted = error_quote(samples[i].target);
                g_test_message("%s", quoted);
                g_assert_cmpstr(found, ==, samples[i].expected);
        }
}

static void test_expression_length(void) {
        g_autoptr(Registry) registry = make_registry();
        g_autofree char *longest = g_strnfill(256, 'x');
        g_autofree char *fits = g_strdup_printf("/%s/", longest);
        g_autofree char *too_long = g_strdup_printf("/%sx/", longest);
        g_autofree char *fits_result = resolve(registry, &user, fits);
        g_autofree char *too_long_result = resolve(registry, &user, too_long);

        g_assert_cmpstr(fits_result, ==, "NoSuchProcess");
        g_assert_cmpstr(too_long_result, ==, "InvalidData");
}

/* Expressions that would backtrack for years. */
static void test_backtracking(void) {
        static const char *const targets[] = {
                "/^(a+)+$/",
                "/^(a|aa)+$/",
                "/^(.*)*$x/",
                "/(a*)*(a*)*(a*)*b/",
                "/(?:(?:a{1,20}){1,20}){1,20}b/",
                "/^(?:a?){60}a{60}$/",
                "/^((a)|(a)|(a))+$/",
                "/(?=(a+))*(a+)+b$/",
        };
        g_autoptr(Registry) registry = registry_new(100);
        g_autofree char *as = g_strnfill(250, 'a');
        g_autofree char *name = g_strconcat(as, "!", NULL);

        for (int i = 0; i < 20; i++) {
                (void) test_process_add(registry, name, "default", 1000);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(targets); i++) {
                gint64 started = g_get_monotonic_time();
                g_autofree char *found = resolve(registry, &user, targets[i]);
                gint64 took_msec = (g_get_monotonic_time() - started) / 1000;
                g_test_message("%s: %s, %d ms", targets[i], found, (int) took_msec);
                g_assert_cmpint(took_msec, <, 2000); /* with sanitizers and on a busy machine */
        }
}

/* root commands everything. */
static void test_root(void) {
        g_autoptr(Registry) registry = make_registry();
        static const char *const samples[][2] = {
                { "all", "0 1 2 3 4 5 6 7 8 9 10" },
                { "api", "0 1 7" },
                { "secret", "8" },
                { "id:8", "8" },
                { "/api/", "0 1 7 10" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *found = resolve(registry, &root, samples[i][0]);
                g_assert_cmpstr(found, ==, samples[i][1]);
        }
}

static void test_empty_list(void) {
        g_autoptr(Registry) registry = registry_new(1);
        g_autofree char *all = resolve(registry, &user, "all");
        g_autofree char *any = resolve(registry, &user, "/./");
        g_autofree char *name = resolve(registry, &user, "api");

        g_assert_cmpstr(all, ==, "");
        g_assert_cmpstr(any, ==, "NoSuchProcess");
        g_assert_cmpstr(name, ==, "NoSuchProcess");
}

/* The message has the target, short and printable. */
static void test_messages(void) {
        g_autoptr(Registry) registry = make_registry();
        g_autoptr(GPtrArray) found = NULL;
        g_auto(Error) error = { 0 };
        g_autofree char *huge = g_strnfill(1000000, '\n');

        g_assert_cmpint(target_resolve(registry, &user, "no\nsuch", &found, &error), ==, -ECANCELED);
        g_assert_cmpstr(error.message, ==, "no process matches 'no\\x0asuch'");
        g_assert_cmpint(target_resolve(registry, &user, huge, &found, &error), ==, -ECANCELED);
        g_assert_cmpuint(strlen(error.message), <, 600);
        g_assert_cmpint(target_resolve(registry, &user, "/(/", &found, NULL), ==, -ECANCELED);
}

/* What is kept means the same whatever else there is: a word is name, namespace and id at once. */
static void test_kept(void) {
        static const struct {
                const char *target, *expected;
        } cases[] = {
                { "all", "0 1 2 3 4 5 6 7 8 9 10" },
                { "api", "0 1 7" },
                { "web", "0 1 3 7" },
                { "1", "1 4" },
                { "name:web", "3" },
                { "ns:web", "0 1 7" },
                { "id:1", "1" },
                { "id:x", "" },
                { "uid:x", "" },
                { "/^w/", "2 3" },
                { "/org/pm2/Process/4", "4" },
                { "/org/pm2/Process/", "" },
                { "", "" },
        };
        g_autoptr(Registry) registry = make_registry();

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(Target) target = NULL;
                g_autoptr(GString) ids = g_string_new(NULL);
                g_assert_cmpint(target_new(cases[i].target, &target, NULL), ==, 0);
                for (size_t n = 0; n < registry_count(registry); n++) {
                        const Process *process = registry_at(registry, n);
                        if (target_matches(target, process)) {
                                g_string_append_printf(ids, "%s%u", ids->len > 0 ? " " : "", process->id);
                        }
                }
                g_test_message("%s", cases[i].target);
                g_assert_cmpstr(ids->str, ==, cases[i].expected);
        }
        Target *none = NULL;
        g_auto(Error) error = { 0 };
        g_assert_cmpint(target_new("/(/", &none, &error), ==, -ECANCELED);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_DATA);
        g_assert_null(none);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/target/kinds", test_kinds);
        g_test_add_func("/core/target/expressions", test_expressions);
        g_test_add_func("/core/target/expression-length", test_expression_length);
        g_test_add_func("/core/target/backtracking", test_backtracking);
        g_test_add_func("/core/target/root", test_root);
        g_test_add_func("/core/target/empty-list", test_empty_list);
        g_test_add_func("/core/target/messages", test_messages);
        g_test_add_func("/core/target/kept", test_kept);
        return g_test_run();
}
