/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The options of calls. */

#include "manager/request.h"

#include "fixture.h"
#include "value-fixture.h"

#include <errno.h>
#include <string.h>

enum {
        ALL_KEYS = REQUEST_FORCE | REQUEST_START | REQUEST_ENVIRONMENT | REQUEST_UPDATE_ENV | REQUEST_CWD |
                   REQUEST_ONLY,
};

static void test_defaults(void) {
        g_autoptr(Value) options = value_new_map();
        g_auto(Request) request = { 0 };
        g_auto(Error) error = { 0 };

        g_assert_cmpint(request_parse(&request, options, 0, &error), ==, 0);
        g_assert_true(request.wait);
        g_assert_true(request.start);
        g_assert_false(request.force);
        g_assert_false(request.update_env);
        g_assert_cmpuint(request.timeout_usec, ==, 0);
        g_assert_null(request.caller_env);
        g_assert_null(request.cwd);
        g_assert_null(request.only);
        g_assert_cmpuint(request.attributes->len, ==, 0);
        request_done(&request);
        g_assert_null(request_attribute(&request, "name"));
}

static void test_all(void) {
        g_autoptr(Value) options = test_value("M:wait=false|timeout=i:5|force=true|start=false|update_env="
                                              "true|cwd=s:/srv|name=s:x|env={}");
        g_auto(Request) request = { 0 };
        g_auto(Error) error = { 0 };

        value_set(options, "caller_env", test_value("m:PATH=/bin|HOME=/h"));
        value_set(options, "only", test_value("a:one|two"));
        g_assert_cmpint(request_parse(&request, options, ALL_KEYS | REQUEST_ATTRIBUTES, &error), ==, 0);
        g_assert_false(request.wait);
        g_assert_cmpuint(request.timeout_usec, ==, 5);
        g_assert_true(request.force);
        g_assert_false(request.start);
        g_assert_true(request.update_env);
        g_assert_cmpstr(request.cwd, ==, "/srv");
        g_assert_cmpstr(environment_get(request.caller_env, "HOME"), ==, "/h");
        g_assert_cmpuint(g_strv_length(request.only), ==, 2);
        g_assert_cmpstr(request.only[1], ==, "two");
        /* the rest is attributes */
        g_assert_cmpuint(request.attributes->len, ==, 2);
        g_assert_cmpstr(request_attribute(&request, "name")->string, ==, "x");
        g_assert_cmpint(request_attribute(&request, "env")->kind, ==, VALUE_MAP);
        g_assert_null(request_attribute(&request, "cwd"));
}

/* A key that a call does not take is unknown, or an attribute where there may be some. */
static void test_unknown(void) {
        static const struct {
                const char *key, *value;
                unsigned needed;
        } samples[] = {
                { "force", "true", REQUEST_FORCE },
                { "start", "true", REQUEST_START },
                { "caller_env", "{}", REQUEST_ENVIRONMENT },
                { "update_env", "true", REQUEST_UPDATE_ENV },
                { "cwd", "s:/", REQUEST_CWD },
                { "only", "[]", REQUEST_ONLY },
                { "name", "s:x", REQUEST_ATTRIBUTES },
                { "nonsense", "i:5", REQUEST_ATTRIBUTES },
                { "Wait", "true", REQUEST_ATTRIBUTES },
                { "", "true", REQUEST_ATTRIBUTES },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autoptr(Value) options = value_new_map();
                g_auto(Request) taken = { 0 }, refused = { 0 };
                g_auto(Error) error = { 0 };
                g_autofree char *quoted = error_quote(samples[i].key);
                value_set(options, samples[i].key, test_value(samples[i].value));
                g_assert_cmpint(request_parse(&taken, options, samples[i].needed, &error), ==, 0);
                unsigned others = ALL_KEYS & ~samples[i].needed;
                g_assert_cmpint(request_parse(&refused, options, others, &error), ==, -ECANCELED);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_ARGS);
                test_assert_contains(error.message, quoted);
        }
}

static void test_wrong_kinds(void) {
        static const struct {
                const char *key;
                const char *values[9];
        } samples[] = {
                { "wait", { "s:true", "i:1", "null", "d:1", "[]", "{}" } },
                { "timeout",
                  { "s:5", "true", "null", "d:5", "i:-1", "i:-9223372036854775808", "[]", "{}" } },
                { "force", { "s:yes", "i:1", "null", "[]" } },
                { "start", { "s:no", "i:0", "null", "{}" } },
                { "update_env", { "s:yes", "i:1", "null" } },
                { "caller_env", { "s:A=1", "a:A=1", "i:5", "true", "M:A=[]", "M:=s:x" } },
                { "cwd", { "i:5", "true", "null", "[]", "{}" } },
                { "only", { "s:one", "i:5", "true", "null", "{}", "l:s:x|i:5", "l:null" } },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                for (size_t j = 0; samples[i].values[j]; j++) {
                        g_autoptr(Value) options = value_new_map();
                        g_auto(Request) request = { 0 };
                        g_auto(Error) error = { 0 };
                        g_autofree char *prefix = g_strdup_printf("option %s: ", samples[i].key);
                        g_test_message("%s <- %s", samples[i].key, samples[i].values[j]);
                        value_set(options, samples[i].key, test_value(samples[i].values[j]));
                        int r = request_parse(&request, options, ALL_KEYS | REQUEST_ATTRIBUTES, &error);
                        g_assert_cmpint(r, ==, -ECANCELED);
                        g_assert_cmpint(error.code, ==, ERROR_INVALID_ARGS);
                        g_assert_true(g_str_has_prefix(error.message, prefix));
                }
        }
}

/* caller_env has the rules of the attribute "env". */
static void test_caller_env(void) {
        g_autoptr(Value) options = value_new_map();
        g_auto(Request) request = { 0 };

        value_set(options, "caller_env", test_value("M:A=i:1|B=true|C=null|D=s:\xff"));
        g_assert_cmpint(request_parse(&request, options, REQUEST_ENVIRONMENT, NULL), ==, 0);
        g_assert_cmpuint(environment_count(request.caller_env), ==, 3);
        g_assert_cmpstr(environment_get(request.caller_env, "A"), ==, "1");
        g_assert_cmpstr(environment_get(request.caller_env, "B"), ==, "true");
        g_assert_null(environment_get(request.caller_env, "C"));
        g_assert_cmpstr(environment_get(request.caller_env, "D"), ==, "\xff"); /* bytes */
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/manager/request/defaults", test_defaults);
        g_test_add_func("/manager/request/all", test_all);
        g_test_add_func("/manager/request/unknown", test_unknown);
        g_test_add_func("/manager/request/wrong-kinds", test_wrong_kinds);
        g_test_add_func("/manager/request/caller-env", test_caller_env);
        return g_test_run();
}
