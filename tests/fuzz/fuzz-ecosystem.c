/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A document as StartJson takes it, down to the config of each app. */

#include "fuzz.h"

#include "config/ecosystem.h"
#include "core/app-config.h"

#include <string.h>

static void apply(const Ecosystem *ecosystem, unsigned index) {
        const Value *app = ecosystem->apps->items->pdata[index];
        g_autoptr(AppConfig) config = app_config_new();
        g_autoptr(Value) environment = NULL;
        g_auto(Error) error = { 0 };

        for (guint i = 0; i < app->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(app->entries, ValueEntry, i);
                if (app_config_set_by_name(config, entry->key, entry->value, &error) < 0) {
                        g_assert_true(error.code == ERROR_INVALID_CONFIG ||
                                      error.code == ERROR_NOT_SUPPORTED);
                        ecosystem_place_error(ecosystem, index, &error);
                        g_assert_true(g_utf8_validate(error.message, -1, NULL));
                }
        }
        if (ecosystem_environment(app, "production", &environment, &error) >= 0 && environment) {
                g_assert_cmpint(environment->kind, ==, VALUE_MAP);
        }
        (void) app_config_check(config, &error);
        g_autoptr(AppConfig) copy = app_config_copy(config);
        g_assert_cmpint(memcmp(copy->given, config->given, sizeof(copy->given)), ==, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *document = fuzz_text(data, size);
        g_auto(Ecosystem) ecosystem = { 0 };
        g_auto(Error) error = { 0 };

        if (ecosystem_decode(document, &ecosystem, &error) < 0) {
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
                return 0;
        }
        g_assert_cmpint(ecosystem.apps->kind, ==, VALUE_ARRAY);
        for (guint i = 0; i < ecosystem.apps->items->len; i++) {
                const Value *app = ecosystem.apps->items->pdata[i];
                g_assert_cmpint(app->kind, ==, VALUE_MAP);
                apply(&ecosystem, i);
        }
        return 0;
}
