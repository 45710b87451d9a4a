/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A document as StartJson takes it, down to the config of each app. */

#include "fuzz.h"

#include "config/ecosystem.h"
#include "core/app-config.h"

static void apply(const Value *app) {
        g_autoptr(AppConfig) config = app_config_new();
        g_auto(Error) error = { 0 };

        for (guint i = 0; i < app->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(app->entries, ValueEntry, i);
                if (app_config_set_by_name(config, entry->key, entry->value, &error) < 0) {
                        g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
                        g_assert_true(g_utf8_validate(error.message, -1, NULL));
                }
        }
        (void) app_config_check(config, &error);
        g_autoptr(AppConfig) copy = app_config_copy(config);
        g_assert_cmpuint(copy->given, ==, config->given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *document = fuzz_text(data, size);
        g_autoptr(Value) apps = NULL;
        g_auto(Error) error = { 0 };

        if (ecosystem_decode(document, &apps, &error) < 0) {
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
                return 0;
        }
        g_assert_cmpint(apps->kind, ==, VALUE_ARRAY);
        for (guint i = 0; i < apps->items->len; i++) {
                const Value *app = apps->items->pdata[i];
                g_assert_cmpint(app->kind, ==, VALUE_MAP);
                apply(app);
        }
        return 0;
}
