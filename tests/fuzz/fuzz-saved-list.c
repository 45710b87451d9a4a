/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A saved list, ours or PM2's: checked, then read twice with the same result; what can be used of it is
 * written and read again. */

#include "fuzz.h"

#include "config/saved-list.h"

#include <string.h>

enum {
        ENTRIES_MAX = 1000, /* that are written again */
};

static void check_message(const Error *error) {
        g_assert_cmpint(error->code, !=, ERROR_NONE);
        g_assert_true(g_str_has_prefix(error->message, "line "));
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
}

/* NULL: it is refused. */
static SavedListReader *open_list(const char *text, size_t size) {
        g_autoptr(SavedListReader) reader = NULL;
        g_auto(Error) error = { 0 };

        int r = saved_list_reader_new(text, size, &reader, &error);
        while (r >= 0) {
                r = saved_list_reader_check(reader, &error);
                if (r == 0) {
                        return g_steal_pointer(&reader);
                }
        }
        check_message(&error);
        return NULL;
}

static bool set_member(AppConfig *config, const ValueEntry *member) {
        g_auto(Error) error = { 0 };

        if (app_config_set_by_name(config, member->key, member->value, &error) >= 0) {
                return true;
        }
        g_assert_true(g_utf8_validate(error.message, -1, NULL));
        return false;
}

static bool apply(const SavedEntry *entry, AppConfig *config) {
        for (guint i = 0; i < entry->attributes->entries->len; i++) {
                const ValueEntry *member = &g_array_index(entry->attributes->entries, ValueEntry, i);
                if (!set_member(config, member)) {
                        return false;
                }
        }
        return true;
}

/* What was written is read as it was. */
static void check_written(const char *text, size_t size, unsigned count) {
        g_autoptr(SavedListReader) reader = open_list(text, size);
        unsigned found = 0;

        g_assert_nonnull(reader);
        for (;;) {
                g_auto(SavedEntry) entry = { 0 };
                g_autoptr(AppConfig) config = app_config_new();
                int r = saved_list_reader_next(reader, &entry, NULL);
                g_assert_cmpint(r, >=, 0);
                if (r == 0) {
                        break;
                }
                g_assert_true(apply(&entry, config));
                found++;
        }
        g_assert_cmpuint(found, ==, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *text = g_malloc(size + 1);
        unsigned count = 0;

        memcpy(text, data, size);
        text[size] = '\0';
        g_autoptr(SavedListReader) reader = open_list(text, size);
        if (!reader) {
                return 0;
        }
        g_autoptr(Environment) none = environment_new_empty();
        SavedListWriter *writer = saved_list_writer_new();
        for (int r = 1; r != 0;) {
                g_auto(SavedEntry) entry = { 0 };
                g_auto(Error) error = { 0 };
                g_autoptr(AppConfig) config = app_config_new();
                r = saved_list_reader_next(reader, &entry, &error);
                if (r < 0) {
                        check_message(&error);
                } else if (r > 0 && apply(&entry, config) && count < ENTRIES_MAX) {
                        saved_list_writer_add(
                                        writer,
                                        config,
                                        entry.environment ? entry.environment : none,
                                        entry.status);
                        count++;
                }
        }
        size_t length = 0;
        g_autofree char *written = saved_list_writer_finish(writer, &length);
        check_written(written, length, count);
        return 0;
}
