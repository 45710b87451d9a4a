/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What outlives the supervisor comes back as it was; what is broken is refused and never trusted. */

#include "manager/process-record.h"

#include "fixture.h"
#include "value-fixture.h"

#include <string.h>

static AppConfig *config_of(const char *const settings[][2]) {
        AppConfig *config = app_config_new();

        for (; (*settings)[0]; settings++) {
                g_autoptr(Value) value = test_value((*settings)[1]);
                g_auto(Error) error = { 0 };
                if (app_config_set_by_name(config, (*settings)[0], value, &error) < 0) {
                        g_error("%s", error.message);
                }
        }
        return config;
}

static void test_config(void) {
        static const char *const settings[][2] = {
                { "script", "s:api.js" },
                { "name", "s:api" },
                { "args", "a:one|\xff" },
                { "env", "m:A=1|B=" },
                { "filter_env", "a:SECRET|KEY" },
                { "stop_exit_codes", "l:i:0|i:143" },
                { "exp_backoff_restart_delay", "s:1500us" },
                { "kill_signal", "s:SIGRTMIN+3" },
                { "pre_start", "s:echo one\necho two" },
                { "autostart", "false" },
                { "vizion", "false" },
                { "io", "M:conf=null|list=[]|deep={}" },
                { "axm_options", "l:null|true|d:0.5" },
                { NULL, NULL },
        };
        g_autoptr(AppConfig) config = config_of(settings);
        g_autoptr(GBytes) bytes = record_encode_config(config);
        g_autoptr(AppConfig) again =
                        record_decode_config(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));

        g_assert_nonnull(again);
        g_assert_cmpint(memcmp(again->given, config->given, sizeof(config->given)), ==, 0);
        for (size_t i = 0; i < n_attributes; i++) {
                g_autoptr(Value) before = app_config_get(config, &attributes[i]);
                g_autoptr(Value) after = app_config_get(again, &attributes[i]);
                g_autofree char *before_text = test_value_to_text(before);
                g_autofree char *after_text = test_value_to_text(after);
                g_assert_cmpstr(after_text, ==, before_text);
        }
}

static History *sample_history(void) {
        History *history = history_new();

        for (int kind = 0; kind < _HISTORY_KIND_MAX; kind++) {
                history_add(history,
                            &(HistoryEntry){
                                            .kind = (HistoryKind) kind,
                                            .at_realtime_usec = UINT64_C(1) << (kind * 4 % 64),
                                            .exit_status = { .code = kind - 1, .signal = kind },
                                            .delay_usec = (uint64_t) kind,
                                            .asked = kind % 2,
                                            .uid = 1000,
                                            .verb = (char *) "stop",
                                            .text = (char *) "z\xc3\xa4hl \xff",
                            });
        }
        return history;
}

static void test_history(void) {
        g_autoptr(History) history = sample_history();
        g_autoptr(History) again = history_new();
        g_autoptr(GBytes) bytes = record_encode_history(history);

        g_assert_true(record_decode_history(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), again));
        g_assert_cmpuint(history_count(again), ==, history_count(history));
        for (unsigned i = 0; i < history_count(history); i++) {
                const HistoryEntry *a = history_at(history, i), *b = history_at(again, i);
                g_assert_cmpint(a->kind, ==, b->kind);
                g_assert_cmpuint(a->at_realtime_usec, ==, b->at_realtime_usec);
                g_assert_cmpint(a->exit_status.code, ==, b->exit_status.code);
                g_assert_cmpint(a->exit_status.signal, ==, b->exit_status.signal);
                g_assert_cmpuint(a->delay_usec, ==, b->delay_usec);
                g_assert_true(a->asked == b->asked);
                g_assert_cmpuint(a->uid, ==, b->uid);
                g_assert_cmpstr(a->verb, ==, b->verb);
                g_assert_cmpstr(a->text, ==, b->text);
        }
}

/* Every cut and every wrong byte: refused, or read as something that is whole. */
static void test_broken_history(void) {
        g_autoptr(History) history = sample_history();
        g_autoptr(GBytes) bytes = record_encode_history(history);
        gsize size;
        const char *data = g_bytes_get_data(bytes, &size);

        for (gsize cut = 1; cut < size; cut++) {
                g_autoptr(History) again = history_new();
                g_assert_false(record_decode_history(data, cut, again));
        }
        for (gsize at = 0; at < size; at++) {
                g_autofree char *wrong = g_memdup2(data, size);
                g_autoptr(History) again = history_new();
                wrong[at] = (char) (wrong[at] ^ 0x5a);
                (void) record_decode_history(wrong, size, again);
                for (unsigned i = 0; i < history_count(again); i++) {
                        g_assert_cmpint(history_at(again, i)->kind, <, _HISTORY_KIND_MAX);
                }
        }
}

/* The most that a history can be is what one process may cost. */
static void test_history_bytes(void) {
        g_autoptr(History) history = history_new();
        g_autofree char *text = g_strnfill(10000, 'x');

        for (int i = 0; i < 1000; i++) {
                history_add(history, &(HistoryEntry){ .verb = (char *) "restart", .text = text });
        }
        g_autoptr(GBytes) bytes = record_encode_history(history);
        g_assert_cmpuint(g_bytes_get_size(bytes), <, 16 * 1024);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/manager/process-record/config", test_config);
        g_test_add_func("/manager/process-record/history", test_history);
        g_test_add_func("/manager/process-record/broken-history", test_broken_history);
        g_test_add_func("/manager/process-record/history-bytes", test_history_bytes);
        return g_test_run();
}
