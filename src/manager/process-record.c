/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Blobs are GVariants: typed, checked on reading, and free to hold bytes that are not UTF-8. */

#include "manager/process-record.h"

#include "core/variant-bytes.h"

#include <string.h>

#define CONFIG_TYPE  "a{sv}"
#define HISTORY_TYPE "a(utiitbuayay)"
#define REPORT_TYPE  "v"
#define CRASH_TYPE   "v"
#define PLAN_TYPE    "(ayayaybayayayayayay)"
#define PLAN_TYPE_1  "(ayayaybayayayayay)" /* without the combined log */

static GVariant *value_to_variant(const Value *value) {
        GVariantBuilder builder;

        switch (value->kind) {
        case VALUE_BOOL:
                return g_variant_new_boolean(value->boolean);
        case VALUE_INT:
                return g_variant_new_int64(value->integer);
        case VALUE_DOUBLE:
                return g_variant_new_double(value->real);
        case VALUE_STRING:
                return g_variant_new_bytestring(value->string);
        case VALUE_ARRAY:
                g_variant_builder_init(&builder, G_VARIANT_TYPE("av"));
                for (guint i = 0; i < value->items->len; i++) {
                        g_variant_builder_add(&builder, "v", value_to_variant(value->items->pdata[i]));
                }
                return g_variant_builder_end(&builder);
        case VALUE_MAP:
                g_variant_builder_init(&builder, G_VARIANT_TYPE("a(ayv)"));
                for (guint i = 0; i < value->entries->len; i++) {
                        const ValueEntry *entry = &g_array_index(value->entries, ValueEntry, i);
                        g_variant_builder_add(
                                        &builder, "(^ayv)", entry->key, value_to_variant(entry->value));
                }
                return g_variant_builder_end(&builder);
        case VALUE_NULL:
        default:
                return g_variant_new_maybe(G_VARIANT_TYPE_BOOLEAN, NULL);
        }
}

static Value *variant_to_value(GVariant *variant, unsigned depth);

static Value *variant_to_array(GVariant *variant, unsigned depth) {
        Value *array = value_new_array();
        GVariantIter iterator;
        GVariant *item;

        g_variant_iter_init(&iterator, variant);
        while (g_variant_iter_next(&iterator, "v", &item)) {
                value_append(array, variant_to_value(item, depth + 1));
                g_variant_unref(item);
        }
        return array;
}

static Value *variant_to_map(GVariant *variant, unsigned depth) {
        Value *map = value_new_map();
        GVariantIter iterator;
        const char *key;
        GVariant *value;

        g_variant_iter_init(&iterator, variant);
        while (g_variant_iter_next(&iterator, "(^&ayv)", &key, &value)) {
                value_set(map, key, variant_to_value(value, depth + 1));
                g_variant_unref(value);
        }
        return map;
}

static Value *variant_to_value(GVariant *variant, unsigned depth) {
        if (depth > VALUE_DEPTH_MAX) {
                return value_new_null();
        }
        if (g_variant_is_of_type(variant, G_VARIANT_TYPE_BOOLEAN)) {
                return value_new_bool(g_variant_get_boolean(variant));
        }
        if (g_variant_is_of_type(variant, G_VARIANT_TYPE_INT64)) {
                return value_new_int(g_variant_get_int64(variant));
        }
        if (g_variant_is_of_type(variant, G_VARIANT_TYPE_DOUBLE)) {
                return value_new_double(g_variant_get_double(variant));
        }
        if (g_variant_is_of_type(variant, G_VARIANT_TYPE_BYTESTRING)) {
                return value_new_string(g_variant_get_bytestring(variant));
        }
        if (g_variant_is_of_type(variant, G_VARIANT_TYPE("av"))) {
                return variant_to_array(variant, depth);
        }
        if (g_variant_is_of_type(variant, G_VARIANT_TYPE("a(ayv)"))) {
                return variant_to_map(variant, depth);
        }
        return value_new_null();
}

GBytes *record_encode_config(const AppConfig *config) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE(CONFIG_TYPE));
        for (size_t i = 0; i < n_attributes; i++) {
                if (app_config_is_given(config, attributes[i].name)) {
                        g_autoptr(Value) value = app_config_get(config, &attributes[i]);
                        g_variant_builder_add(&builder, "{sv}", attributes[i].name, value_to_variant(value));
                }
        }
        return variant_to_bytes(g_variant_builder_end(&builder));
}

AppConfig *record_decode_config(const void *bytes, size_t size) {
        g_autoptr(GVariant) variant = variant_from_bytes(bytes, size, CONFIG_TYPE);
        g_autoptr(AppConfig) config = app_config_new();
        GVariantIter iterator;
        const char *name;
        GVariant *item;

        if (!variant) {
                return NULL;
        }
        g_variant_iter_init(&iterator, variant);
        while (g_variant_iter_next(&iterator, "{&sv}", &name, &item)) {
                g_autoptr(GVariant) owned = item;
                g_autoptr(Value) value = variant_to_value(owned, 0);
                if (app_config_set_by_name(config, name, value, NULL) < 0) {
                        return NULL;
                }
        }
        return app_config_check(config, NULL) < 0 ? NULL : g_steal_pointer(&config);
}

GBytes *record_encode_environment(const Environment *environment) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_BYTESTRING_ARRAY);
        for (size_t i = 0; i < environment_count(environment); i++) {
                g_variant_builder_add(&builder, "^ay", environment_at(environment, i));
        }
        return variant_to_bytes(g_variant_builder_end(&builder));
}

Environment *record_decode_environment(const void *bytes, size_t size) {
        g_autoptr(GVariant) variant = variant_from_bytes(bytes, size, "aay");

        if (!variant) {
                return NULL;
        }
        g_autofree const char **assignments = g_variant_get_bytestring_array(variant, NULL);
        return environment_new(assignments);
}

GBytes *record_encode_history(const History *history) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE(HISTORY_TYPE));
        for (unsigned i = 0; i < history_count(history); i++) {
                const HistoryEntry *entry = history_at(history, i);
                g_variant_builder_add(
                                &builder,
                                "(utiitbu^ay^ay)",
                                (guint32) entry->kind,
                                (guint64) entry->at_realtime_usec,
                                (gint32) entry->exit_status.code,
                                (gint32) entry->exit_status.signal,
                                (guint64) entry->delay_usec,
                                (gboolean) entry->asked,
                                (guint32) entry->uid,
                                entry->verb,
                                entry->text);
        }
        return variant_to_bytes(g_variant_builder_end(&builder));
}

bool record_decode_history(const void *bytes, size_t size, History *history) {
        g_autoptr(GVariant) variant = variant_from_bytes(bytes, size, HISTORY_TYPE);
        HistoryEntry entry = { 0 };
        GVariantIter iterator;
        guint32 kind;
        guint64 at, delay;
        gboolean asked;

        if (!variant) {
                return false;
        }
        g_variant_iter_init(&iterator, variant);
        while (g_variant_iter_next(
                        &iterator,
                        "(utiitbu^&ay^&ay)",
                        &kind,
                        &at,
                        &entry.exit_status.code,
                        &entry.exit_status.signal,
                        &delay,
                        &asked,
                        &entry.uid,
                        &entry.verb,
                        &entry.text)) {
                if (kind >= _HISTORY_KIND_MAX) {
                        return false;
                }
                entry.kind = (HistoryKind) kind;
                entry.at_realtime_usec = at;
                entry.delay_usec = delay;
                entry.asked = asked;
                history_add(history, &entry);
        }
        return true;
}

GBytes *record_encode_report(const SelfReport *report) {
        g_autoptr(Value) value = self_report_to_value(report);

        return variant_to_bytes(g_variant_new_variant(value_to_variant(value)));
}

bool record_decode_report(const void *bytes, size_t size, SelfReport *report) {
        g_autoptr(GVariant) variant = variant_from_bytes(bytes, size, REPORT_TYPE);

        if (!variant) {
                return false;
        }
        g_autoptr(GVariant) inner = g_variant_get_variant(variant);
        g_autoptr(Value) value = variant_to_value(inner, 0);
        self_report_take_value(report, value);
        return true;
}

GBytes *record_encode_crash(const Value *crash) {
        return crash ? variant_to_bytes(g_variant_new_variant(value_to_variant(crash)))
                     : g_bytes_new(NULL, 0);
}

Value *record_decode_crash(const void *bytes, size_t size) {
        g_autoptr(GVariant) variant = variant_from_bytes(bytes, size, CRASH_TYPE);

        if (!variant) {
                return NULL;
        }
        g_autoptr(GVariant) inner = g_variant_get_variant(variant);
        g_autoptr(Value) crash = variant_to_value(inner, 0);
        return crash->kind == VALUE_MAP ? g_steal_pointer(&crash) : NULL;
}

GBytes *record_encode_plan(const Process *process) {
        return variant_to_bytes(
                        g_variant_new("(^ay^ay^ayb^ay^ay^ay^ay^ay^ay)",
                                      process->exec_path,
                                      process->interpreter,
                                      process->program,
                                      process->shell_command,
                                      process->cwd,
                                      process->out_log_path,
                                      process->error_log_path,
                                      process->pid_path,
                                      process->version,
                                      process->log_path));
}

bool record_decode_plan(const void *bytes, size_t size, ProcessPlan *ret) {
        g_autoptr(GVariant) variant = variant_from_bytes(bytes, size, PLAN_TYPE);
        g_autoptr(GVariant) before = variant ? NULL : variant_from_bytes(bytes, size, PLAN_TYPE_1);
        gboolean shell_command = FALSE;

        if (!variant && !before) {
                return false;
        }
        const GVariant *plan = variant ? variant : before;
        g_variant_get((GVariant *) plan,
                      variant ? "(^ay^ay^ayb^ay^ay^ay^ay^ay^ay)" : "(^ay^ay^ayb^ay^ay^ay^ay^ay)",
                      &ret->exec_path,
                      &ret->interpreter,
                      &ret->program,
                      &shell_command,
                      &ret->cwd,
                      &ret->out_log_path,
                      &ret->error_log_path,
                      &ret->pid_path,
                      &ret->version,
                      &ret->log_path);
        if (before) {
                ret->log_path = g_strdup("");
        }
        ret->shell_command = shell_command;
        return true;
}
