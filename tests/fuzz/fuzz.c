/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include <string.h>

enum {
        VALUES_MAX = 200,
        VALUE_LEVELS_MAX = 8,
        STRING_MAX = 64,
};

/* A warning of a library is a finding too. */
__attribute__((constructor)) static void be_strict(void) {
        (void) g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
}

char *fuzz_text(const uint8_t *data, size_t size) {
        return g_strndup(size > 0 ? (const char *) data : "", size);
}

uint8_t fuzz_byte(FuzzReader *reader) {
        if (reader->size == 0) {
                return 0;
        }
        reader->size--;
        return *reader->data++;
}

char *fuzz_string(FuzzReader *reader) {
        size_t wanted = fuzz_byte(reader) % STRING_MAX;
        size_t length = MIN(wanted, reader->size);
        char *text = fuzz_text(reader->data, length);

        reader->data += length;
        reader->size -= length;
        return text;
}

static int64_t take_integer(FuzzReader *reader) {
        unsigned bytes = fuzz_byte(reader) % 9;
        uint64_t number = 0;

        for (unsigned i = 0; i < bytes; i++) {
                number = number << 8 | fuzz_byte(reader);
        }
        return (int64_t) number;
}

static double take_double(FuzzReader *reader) {
        static const double odd[] = { 0.5, -0.0, 1e300, 1e-300, 1e15, 9007199254740993.0, 1.001, -1.5 };
        uint8_t which = fuzz_byte(reader);

        return which < G_N_ELEMENTS(odd) ? odd[which] : (double) take_integer(reader) / 1000;
}

static Value *take_value(FuzzReader *reader, unsigned level, unsigned *count) {
        ValueKind kind = (ValueKind) (fuzz_byte(reader) % (VALUE_MAP + 1));
        bool leaf = level >= VALUE_LEVELS_MAX || ++*count > VALUES_MAX;
        g_autofree char *text = NULL;
        Value *value;

        switch (leaf && kind >= VALUE_ARRAY ? VALUE_NULL : kind) {
        case VALUE_BOOL:
                return value_new_bool(fuzz_byte(reader) & 1);
        case VALUE_INT:
                return value_new_int(take_integer(reader));
        case VALUE_DOUBLE:
                return value_new_double(take_double(reader));
        case VALUE_STRING:
                text = fuzz_string(reader);
                return value_new_string(text);
        case VALUE_ARRAY:
                value = value_new_array();
                for (unsigned n = fuzz_byte(reader) % 16; n > 0; n--) {
                        value_append(value, take_value(reader, level + 1, count));
                }
                return value;
        case VALUE_MAP:
                value = value_new_map();
                for (unsigned n = fuzz_byte(reader) % 16; n > 0; n--) {
                        g_autofree char *key = fuzz_string(reader);
                        Value *item = take_value(reader, level + 1, count);
                        if (value_get(value, key)) {
                                value_free(item); /* decoders refuse a second one */
                        } else {
                                value_set(value, key, item);
                        }
                }
                return value;
        case VALUE_NULL:
        default:
                return value_new_null();
        }
}

Value *fuzz_value(FuzzReader *reader) {
        unsigned count = 0;

        return take_value(reader, 0, &count);
}

static void check(const Value *value, unsigned depth, unsigned *count) {
        g_assert_cmpuint(++*count, <=, VALUE_COUNT_MAX);
        if (value->kind == VALUE_STRING) {
                g_assert_true(g_utf8_validate(value->string, -1, NULL));
        } else if (value->kind == VALUE_ARRAY || value->kind == VALUE_MAP) {
                g_assert_cmpuint(++depth, <=, VALUE_DEPTH_MAX);
        }
        for (size_t i = 0; i < value_count(value); i++) {
                if (value->kind == VALUE_ARRAY) {
                        check(value->items->pdata[i], depth, count);
                } else {
                        const ValueEntry *entry = &g_array_index(value->entries, ValueEntry, i);
                        g_assert_true(g_utf8_validate(entry->key, -1, NULL));
                        g_assert_true(value_get(value, entry->key) == entry->value); /* no key twice */
                        check(entry->value, depth, count);
                }
        }
}

void fuzz_check_decoded(const Value *value) {
        unsigned count = 0;

        check(value, 0, &count);
}
