/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text as the attribute "health", as command lines have it. What is refused names why; what is taken is
 * told back as what it is, and goes nowhere but to an address and a request of one line. */

#include "fuzz.h"

#include "core/health-check.h"

#include <string.h>

static void check_target(const HealthCheck *check, const char *target) {
        g_auto(HealthAddress) address = { 0 };

        if (health_address_parse(check->kind, target, &address, NULL) < 0) {
                return;
        }
        g_assert_true((address.port > 0) != (address.path != NULL));
        g_assert_true((check->kind == HEALTH_HTTP) == (address.resource != NULL));
        for (const char *c = address.resource; c && *c; c++) {
                g_assert_true(*c > ' ' && *c < 0x7f);
        }
        for (const char *c = address.authority; c && *c; c++) {
                g_assert_true(*c > ' ' && *c < 0x7f);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const assignments[] = { "A=80", "B=/x\r\ny", NULL };
        g_autoptr(Environment) environment = environment_new(assignments);
        g_autofree char *text = fuzz_text(data, size);
        g_autoptr(Value) value = value_new_string(text);
        g_autoptr(HealthCheck) check = NULL;
        g_autoptr(HealthCheck) again = NULL;
        g_auto(Error) error = { 0 };

        if (health_check_from_value(value, &check, &error) < 0) {
                g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                g_assert_true(g_str_has_prefix(error.message, "health"));
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
                return 0;
        }
        if (!check) {
                return 0;
        }
        g_autoptr(Value) told = health_check_to_value(check);
        g_assert_cmpint(health_check_from_value(told, &again, NULL), ==, 0);
        g_assert_true(health_check_equal(check, again));
        g_assert_cmpuint(check->rules.timeout_usec, <=, check->rules.interval_usec);
        if (check->kind != HEALTH_EXEC) {
                g_autofree char *target = NULL;
                if (health_target_expand(check->target, environment, &target, NULL) >= 0) {
                        check_target(check, target);
                }
        }
        return 0;
}
