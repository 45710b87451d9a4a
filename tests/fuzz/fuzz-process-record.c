/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Blobs of the state store: any bytes, which are refused or decode to what can be encoded and comes back;
 * and any config that callers can make, which must come back. */

#include "fuzz.h"

#include "manager/process-record.h"

static void assert_same_bytes(GBytes *a, GBytes *b) {
        g_assert_true(g_bytes_equal(a, b));
}

static AppConfig *decode_config(GBytes *bytes) {
        gsize size;
        const void *data = g_bytes_get_data(bytes, &size);

        return record_decode_config(data, size);
}

static void check_config(const AppConfig *config) {
        g_assert_cmpint(app_config_check(config, NULL), ==, 0);
        g_autoptr(GBytes) bytes = record_encode_config(config);
        g_autoptr(AppConfig) again = decode_config(bytes);
        g_assert_nonnull(again);
        g_assert_cmpint(memcmp(again->given, config->given, sizeof(config->given)), ==, 0);
        g_autoptr(GBytes) bytes_again = record_encode_config(again);
        assert_same_bytes(bytes, bytes_again);
}

static void try_config(const uint8_t *data, size_t size) {
        g_autoptr(AppConfig) config = record_decode_config(data, size);

        if (config) {
                check_config(config);
        }
}

static void try_environment(const uint8_t *data, size_t size) {
        g_autoptr(Environment) environment = record_decode_environment(data, size);

        if (environment) {
                g_autoptr(GBytes) bytes = record_encode_environment(environment);
                gsize encoded;
                const void *start = g_bytes_get_data(bytes, &encoded);
                g_autoptr(Environment) again = record_decode_environment(start, encoded);
                g_assert_nonnull(again);
                g_assert_true(environment_equal(environment, again));
        }
}

/* The plan is taken over. */
static GBytes *encode_plan(ProcessPlan *plan) {
        g_autoptr(AppConfig) config = app_config_new();
        Process *process = process_new(0, "00000000000000000000000000000000", 0, 0, 0);

        process_configure(process, config, NULL, plan);
        GBytes *bytes = record_encode_plan(process);
        process_free(process);
        return bytes;
}

static void try_plan(const uint8_t *data, size_t size) {
        g_auto(ProcessPlan) plan = { 0 }, again = { 0 };
        gsize encoded;

        if (!record_decode_plan(data, size, &plan)) {
                g_assert_null(plan.exec_path);
                g_assert_null(plan.version);
                return;
        }
        g_autoptr(GBytes) bytes = encode_plan(&plan);
        const void *start = g_bytes_get_data(bytes, &encoded);
        g_assert_true(record_decode_plan(start, encoded, &again));
        g_autoptr(GBytes) bytes_again = encode_plan(&again);
        assert_same_bytes(bytes, bytes_again);
}

static void try_crash(const uint8_t *data, size_t size) {
        g_autoptr(Value) crash = record_decode_crash(data, size);

        if (crash) {
                g_autoptr(GBytes) bytes = record_encode_crash(crash);
                gsize encoded;
                const void *start = g_bytes_get_data(bytes, &encoded);
                g_autoptr(Value) again = record_decode_crash(start, encoded);
                g_assert_nonnull(again);
                g_autoptr(GBytes) bytes_again = record_encode_crash(again);
                assert_same_bytes(bytes, bytes_again);
        }
}

static void make_config(FuzzReader *reader) {
        g_autoptr(AppConfig) config = app_config_new();

        while (reader->size > 0) {
                const Attribute *attribute = &attributes[fuzz_byte(reader) % n_attributes];
                g_autoptr(Value) value = fuzz_value(reader);
                (void) app_config_set(config, attribute, value, NULL);
        }
        if (app_config_check(config, NULL) >= 0) {
                check_config(config);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzReader reader = { data, size };

        uint8_t what = fuzz_byte(&reader);
        if (what == UINT8_MAX) { /* beside those that the corpus was made for */
                try_crash(reader.data, reader.size);
                return 0;
        }
        switch (what % 4) {
        case 0:
                try_config(reader.data, reader.size);
                break;
        case 1:
                try_environment(reader.data, reader.size);
                break;
        case 2:
                try_plan(reader.data, reader.size);
                break;
        default:
                make_config(&reader);
                break;
        }
        return 0;
}
