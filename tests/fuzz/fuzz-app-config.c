/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Values of any shape, as a D-Bus call can bring them, as attributes and as options of a call. */

#include "fuzz.h"

#include "core/app-config.h"
#include "manager/request.h"

#include <string.h>

static bool is_same(const Value *a, const Value *b) {
        if (a->kind != b->kind || value_count(a) != value_count(b)) {
                return false;
        }
        switch (a->kind) {
        case VALUE_BOOL:
                return a->boolean == b->boolean;
        case VALUE_INT:
                return a->integer == b->integer;
        case VALUE_STRING:
                return strcmp(a->string, b->string) == 0;
        case VALUE_ARRAY:
                for (guint i = 0; i < a->items->len; i++) {
                        if (!is_same(a->items->pdata[i], b->items->pdata[i])) {
                                return false;
                        }
                }
                return true;
        case VALUE_MAP:
                for (guint i = 0; i < a->entries->len; i++) {
                        const ValueEntry *entry = &g_array_index(a->entries, ValueEntry, i);
                        const Value *other = value_get(b, entry->key);
                        if (!other || !is_same(entry->value, other)) {
                                return false;
                        }
                }
                return true;
        case VALUE_NULL:
        case VALUE_DOUBLE: /* of a duration below a millisecond: not compared to the last bit */
        default:
                return true;
        }
}

static void set_attribute(AppConfig *config, const Attribute *attribute, const Value *value) {
        g_auto(Error) error = { 0 };

        if (app_config_set(config, attribute, value, &error) < 0) {
                bool off = attribute->type == ATTRIBUTE_OFF;
                g_assert_cmpint(error.code, ==, off ? ERROR_NOT_SUPPORTED : ERROR_INVALID_CONFIG);
                g_assert_true(g_str_has_prefix(error.message, attribute->name));
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
        }
}

static void check_copy(const AppConfig *config) {
        g_autoptr(AppConfig) copy = app_config_copy(config);

        g_assert_cmpint(memcmp(copy->given, config->given, sizeof(copy->given)), ==, 0);
        for (size_t i = 0; i < n_attributes; i++) {
                g_autoptr(Value) before = app_config_get(config, &attributes[i]);
                g_autoptr(Value) after = app_config_get(copy, &attributes[i]);
                g_assert_true(is_same(before, after));
        }
}

static void parse_options(const Value *options, unsigned keys) {
        g_auto(Request) request = { 0 };
        g_auto(Error) error = { 0 };

        if (options->kind != VALUE_MAP) {
                return;
        }
        if (request_parse(&request, options, keys, &error) < 0) {
                g_assert_cmpint(error.code, ==, ERROR_INVALID_ARGS);
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
        } else {
                (void) request_attribute(&request, "name");
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autoptr(AppConfig) config = app_config_new();
        FuzzReader reader = { data, size };

        while (reader.size > 0) {
                uint8_t which = fuzz_byte(&reader);
                g_autoptr(Value) value = fuzz_value(&reader);
                if (which < 0x80) {
                        set_attribute(config, &attributes[which % n_attributes], value);
                } else {
                        parse_options(value, which & 0x7f);
                }
        }
        check_copy(config);
        return 0;
}
