/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A history is bounded in number and in bytes, and loses the oldest. */

#include "core/history.h"

#include <string.h>

static void test_order(void) {
        g_autoptr(History) history = history_new();

        g_assert_cmpuint(history_count(history), ==, 0);
        for (uint64_t i = 0; i < 3 * HISTORY_COUNT_MAX; i++) {
                uint64_t version = history_version(history);
                history_add(history, &(HistoryEntry){ .kind = HISTORY_EXIT, .at_realtime_usec = i });
                g_assert_cmpuint(history_version(history), >, version);
                unsigned count = history_count(history);
                g_assert_cmpuint(count, ==, MIN(i + 1, HISTORY_COUNT_MAX));
                for (unsigned j = 0; j < count; j++) {
                        g_assert_cmpuint(history_at(history, j)->at_realtime_usec, ==, i + 1 - count + j);
                }
        }
}

static void test_fields(void) {
        g_autoptr(History) history = history_new();
        const HistoryEntry entry = {
                .kind = HISTORY_RESTART,
                .at_realtime_usec = 1,
                .exit_status = { .code = 2, .signal = 3 },
                .delay_usec = 4,
                .asked = true,
                .uid = 5,
                .verb = (char *) "restart",
                .text = (char *) "because",
        };

        history_add(history, &entry);
        history_add(history, &(HistoryEntry){ .kind = HISTORY_ONLINE });
        const HistoryEntry *first = history_at(history, 0), *second = history_at(history, 1);
        g_assert_cmpint(first->kind, ==, HISTORY_RESTART);
        g_assert_cmpint(first->exit_status.code, ==, 2);
        g_assert_cmpint(first->exit_status.signal, ==, 3);
        g_assert_cmpuint(first->delay_usec, ==, 4);
        g_assert_true(first->asked);
        g_assert_cmpuint(first->uid, ==, 5);
        g_assert_cmpstr(first->verb, ==, "restart");
        g_assert_cmpstr(first->text, ==, "because");
        g_assert_cmpstr(second->verb, ==, "");
        g_assert_cmpstr(second->text, ==, "");
}

/* Cut between characters. */
static void test_long_texts(void) {
        for (size_t shift = 0; shift < 4; shift++) {
                g_autoptr(History) history = history_new();
                GString *text = g_string_new(NULL);
                for (size_t i = 0; i < shift; i++) {
                        g_string_append_c(text, 'x');
                }
                while (text->len < 1000) {
                        g_string_append(text, "\U0001F40C");
                }
                history_add(history, &(HistoryEntry){ .verb = text->str, .text = text->str });
                const HistoryEntry *entry = history_at(history, 0);
                g_assert_true(g_utf8_validate(entry->text, -1, NULL));
                g_assert_cmpuint(strlen(entry->text), <=, HISTORY_TEXT_BYTES_MAX);
                g_assert_cmpuint(strlen(entry->text), >, HISTORY_TEXT_BYTES_MAX - 4);
                g_assert_true(g_str_has_prefix(text->str, entry->text));
                g_assert_cmpuint(strlen(entry->verb), <=, HISTORY_TEXT_BYTES_MAX);
                g_string_free(text, TRUE);
        }
}

static void test_names(void) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        for (int kind = 0; kind < _HISTORY_KIND_MAX; kind++) {
                g_assert_true(g_hash_table_add(seen, (char *) history_kind_to_name((HistoryKind) kind)));
        }
        history_free(NULL);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/history/order", test_order);
        g_test_add_func("/core/history/fields", test_fields);
        g_test_add_func("/core/history/long-texts", test_long_texts);
        g_test_add_func("/core/history/names", test_names);
        return g_test_run();
}
