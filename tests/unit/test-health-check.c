/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/health-check.h"
#include "value-fixture.h"

#include <errno.h>
#include <string.h>

/* What is taken, and what is told back of it; and what is refused, and with which words. */
static const struct {
        const char *notation;
        const char *told; /* NULL: none */
        const char *refused;
} cases[] = {
        { "false", NULL, NULL },
        { "i:0", NULL, NULL },
        { "s:", NULL, NULL },
        { "{}", NULL, NULL },
        { "M:tcp=i:80",
          "{tcp: s:80, interval: i:10000, timeout: i:5000, retries: i:3, start_period: i:0, restart: false}",
          NULL },
        { "m:http=http://[::1]/x|interval=2s|retries=5|start_period=1min|restart=yes|status=204",
          "{http: s:http://[::1]/x, interval: i:2000, timeout: i:2000, retries: i:5, start_period: i:60000, "
          "restart: true, status: s:204-204}",
          NULL },
        { "s:exec='test -e \"x y\"' interval=100 timeout=10",
          "{exec: s:test -e \"x y\", interval: i:100, timeout: i:10, retries: i:3, start_period: i:0, "
          "restart: false}",
          NULL },
        { "m:unix=${DIR}/x.sock|timeout=10.5",
          "{unix: s:${DIR}/x.sock, interval: i:10000, timeout: d:10.5, retries: i:3, start_period: i:0, "
          "restart: false}",
          NULL },
        { "m:tcp=1|timeout=1.5", NULL, "health.timeout: '1.5' is out of range" },
        { "M:tcp=i:80|interval=null|retries=null",
          "{tcp: s:80, interval: i:10000, timeout: i:5000, retries: i:3, start_period: i:0, restart: false}",
          NULL },
        { "true", NULL, "health: expected an object" },
        { "a:http|x", NULL, "health: expected an object" },
        { "i:5", NULL, "health: expected an object" },
        { "s:http", NULL, "health: expected name=value" },
        { "s:tcp=1 tcp=2", NULL, "health.'tcp': is there twice" },
        { "s:exec='x", NULL, "health: a quote is not closed" },
        { "m:interval=5s", NULL, "health: one of http, tcp, unix and exec is missing" },
        { "m:tcp=1|http=http://127.0.0.1/", NULL, "health.http: there is health.tcp already" },
        { "m:tcp=", NULL, "health.tcp: must have" },
        { "m:exec=\xff", NULL, "health.exec: is not valid UTF-8" },
        { "M:unix=i:5", NULL, "health.unix: expected a string" },
        { "M:http=true", NULL, "health.http: expected a string" },
        { "M:exec={}", NULL, "health.exec: expected a command" },
        { "M:exec=[]", NULL, "health.exec: must have 1 to" },
        { "m:tcp=1|interval=99",
          NULL,
          "health.interval: '99' is out of range, it must be 100 to 86400000 ms" },
        { "m:tcp=1|interval=2days", NULL, "health.interval: " },
        { "M:tcp=i:1|interval=true", NULL, "health.interval: expected a duration" },
        { "m:tcp=1|interval=100|timeout=101", NULL, "health.timeout: '101' is longer than the interval" },
        { "m:tcp=1|start_period=-1", NULL, "health.start_period: " },
        { "m:tcp=1|retries=1001", NULL, "health.retries: expected" },
        { "m:tcp=1|retries=1.5", NULL, "health.retries: expected" },
        { "m:tcp=1|restart=perhaps", NULL, "health.restart: expected" },
        { "m:tcp=1|status=200", NULL, "health.status: is of http alone" },
        { "m:http=http://127.0.0.1/|status=199", NULL, "health.status: expected" },
        { "m:http=http://127.0.0.1/|status=200-1000", NULL, "health.status: expected" },
        { "m:http=http://127.0.0.1/|status=200-", NULL, "health.status: expected" },
        { "m:tcp=1|interval\n=1", NULL, "unknown member" },
};

static void test_values(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(Value) value = test_value(cases[i].notation);
                g_autoptr(HealthCheck) check = NULL;
                g_auto(Error) error = { 0 };
                g_test_message("%s", cases[i].notation);
                int r = health_check_from_value(value, &check, &error);
                if (cases[i].refused) {
                        g_assert_cmpint(r, ==, -ECANCELED);
                        g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                        g_assert_nonnull(strstr(error.message, cases[i].refused));
                        continue;
                }
                g_assert_cmpint(r, ==, 0);
                g_assert_true((check != NULL) == (cases[i].told != NULL));
                if (check) {
                        g_autoptr(Value) told = health_check_to_value(check);
                        g_autofree char *text = test_value_to_text(told);
                        g_autoptr(HealthCheck) again = NULL;
                        g_autoptr(HealthCheck) copy = health_check_copy(check);
                        g_assert_cmpstr(text, ==, cases[i].told);
                        g_assert_cmpint(health_check_from_value(told, &again, NULL), ==, 0);
                        g_assert_true(health_check_equal(check, again));
                        g_assert_true(health_check_equal(check, copy));
                }
        }
}

static void test_words(void) {
        g_autoptr(Value) map = value_new_map();
        g_autoptr(HealthCheck) check = NULL;
        g_autoptr(HealthCheck) other = NULL;
        Value *words = test_value("a:curl|-f|");

        value_set(map, "exec", words);
        g_assert_cmpint(health_check_from_value(map, &check, NULL), ==, 0);
        g_assert_cmpuint(g_strv_length(check->words), ==, 3);
        g_assert_null(check->target);
        value_append(words, value_new_string("more"));
        g_assert_cmpint(health_check_from_value(map, &other, NULL), ==, 0);
        g_assert_false(health_check_equal(check, other));
        g_autofree char *blanks = g_strnfill(HEALTH_TARGET_BYTES_MAX, 'a');
        value_append(words, value_new_string(blanks));
        HealthCheck *none = NULL;
        g_assert_cmpint(health_check_from_value(map, &none, NULL), ==, -ECANCELED);
        g_assert_null(none);
}

static const struct {
        HealthKind kind;
        const char *target;
        const char *text; /* host port path authority resource; NULL: refused */
} addresses[] = {
        { HEALTH_TCP, "80", "- 80 - - -" },
        { HEALTH_TCP, "localhost:80", "- 80 - - -" },
        { HEALTH_TCP, "127.0.0.1:65535", "127.0.0.1 65535 - - -" },
        { HEALTH_TCP, "[::1]:1", "::1 1 - - -" },
        { HEALTH_TCP, "[::1]", NULL },
        { HEALTH_TCP, "[::1]80", NULL },
        { HEALTH_TCP, "[::1", NULL },
        { HEALTH_TCP, "[127.0.0.1]:80", NULL },
        { HEALTH_TCP, "::1:80", NULL },
        { HEALTH_TCP, "127.1:80", NULL },
        { HEALTH_TCP, "example.org:80", NULL },
        { HEALTH_TCP, ":80", NULL },
        { HEALTH_TCP, "127.0.0.1:", NULL },
        { HEALTH_TCP, "0", NULL },
        { HEALTH_TCP, "65536", NULL },
        { HEALTH_TCP, "127.0.0.1", NULL },
        { HEALTH_UNIX, "/run/x.sock", "- 0 /run/x.sock - -" },
        { HEALTH_UNIX, "x.sock", NULL },
        { HEALTH_UNIX, "@x", NULL },
        { HEALTH_HTTP, "http://127.0.0.1", "127.0.0.1 80 - 127.0.0.1 /" },
        { HEALTH_HTTP, "http://localhost:8080/a?b#c", "- 8080 - localhost:8080 /a?b" },
        { HEALTH_HTTP, "http://[::1]:8080?b", "::1 8080 - [::1]:8080 /?b" },
        { HEALTH_HTTP, "http://unix:/run/x.sock", "- 0 /run/x.sock localhost /" },
        { HEALTH_HTTP, "http://unix:/run/x.sock:/a:b", "- 0 /run/x.sock localhost /a:b" },
        { HEALTH_HTTP, "http://unix:/run/x.sock:a", NULL },
        { HEALTH_HTTP, "http://unix:x.sock:/", NULL },
        { HEALTH_HTTP, "https://127.0.0.1/", NULL },
        { HEALTH_HTTP, "127.0.0.1/", NULL },
        { HEALTH_HTTP, "http://", NULL },
        { HEALTH_HTTP, "http://user@127.0.0.1/", NULL },
        { HEALTH_HTTP, "http://127.0.0.1/a\r\nX: y", NULL },
        { HEALTH_HTTP, "http://127.0.0.1/a b", NULL },
        { HEALTH_HTTP, "http://127.0.0.1/\xc3\xa9", NULL },
};

static void test_addresses(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
                g_auto(HealthAddress) address = { 0 };
                g_auto(Error) error = { 0 };
                g_test_message("%s", addresses[i].target);
                int r = health_address_parse(addresses[i].kind, addresses[i].target, &address, &error);
                g_assert_cmpint(r, ==, addresses[i].text ? 0 : -ECANCELED);
                if (r < 0) {
                        continue;
                }
                g_autofree char *text =
                                g_strdup_printf("%s %u %s %s %s",
                                                address.host ? address.host : "-",
                                                address.port,
                                                address.path ? address.path : "-",
                                                address.authority ? address.authority : "-",
                                                address.resource ? address.resource : "-");
                g_assert_cmpstr(text, ==, addresses[i].text);
        }
        g_autofree char *blanks = g_strnfill(200, 'a');
        g_autofree char *path = g_strconcat("/", blanks, NULL);
        HealthAddress address;
        g_assert_cmpint(health_address_parse(HEALTH_UNIX, path, &address, NULL), ==, -ECANCELED);
}

static void test_variables(void) {
        static const char *const assignments[] = { "PORT=80", "EMPTY=", "LOOP=${PORT}", NULL };
        static const struct {
                const char *target, *text;
        } texts[] = {
                { "127.0.0.1:${PORT}", "127.0.0.1:80" },
                { "${EMPTY}${PORT}${PORT}", "8080" },
                { "${LOOP}", "${PORT}" },
                { "$PORT ${", "$PORT ${" },
                { "${NOWHERE}", NULL },
                { "${}", NULL },
        };
        g_autoptr(Environment) environment = environment_new(assignments);

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autofree char *text = NULL;
                int r = health_target_expand(texts[i].target, environment, &text, NULL);
                g_assert_cmpint(r, ==, texts[i].text ? 0 : -ECANCELED);
                g_assert_cmpstr(text, ==, texts[i].text);
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/health-check/values", test_values);
        g_test_add_func("/health-check/words", test_words);
        g_test_add_func("/health-check/addresses", test_addresses);
        g_test_add_func("/health-check/variables", test_variables);
        return g_test_run();
}
