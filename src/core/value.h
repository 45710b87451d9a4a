/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A plain value as callers hand it in, whatever it was written in (D-Bus, JSON): what the attribute table
 * validates and what it gives out. Maps keep their order; a later key of the same name is refused by the
 * decoders. Bounded by the decoders in depth, count and size. */

typedef enum ValueKind {
        VALUE_NULL,
        VALUE_BOOL,
        VALUE_INT,
        VALUE_DOUBLE,
        VALUE_STRING,
        VALUE_ARRAY,
        VALUE_MAP,
} ValueKind;

typedef struct Value Value;

typedef struct ValueEntry {
        char *key;
        Value *value;
} ValueEntry;

struct Value {
        ValueKind kind;
        unsigned line; /* of the text that it was decoded from, 0: none */
        union {
                bool boolean;
                int64_t integer;
                double real;
                char *string;     /* NUL-terminated bytes, not necessarily UTF-8 */
                GPtrArray *items; /* of Value */
                GArray *entries;  /* of ValueEntry */
        };
};

enum {
        VALUE_DEPTH_MAX = 64,
        VALUE_COUNT_MAX = 65536,
};

Value *value_new_null(void);
Value *value_new_bool(bool boolean);
Value *value_new_int(int64_t integer);
Value *value_new_double(double real);
Value *value_new_string(const char *string);
Value *value_new_array(void);
Value *value_new_map(void);
void value_free(Value *value);

/* The container takes the value over. */
void value_append(Value *array, Value *item);
void value_set(Value *map, const char *key, Value *value);

/* The value of a key, NULL if there is none; owned by the map. */
const Value *value_get(const Value *map, const char *key);

/* Take the entry of a key out, if there is one. */
void value_remove(Value *map, const char *key);

Value *value_copy(const Value *value);

/* About what it takes, all that is in it included. */
size_t value_bytes(const Value *value);

size_t value_count(const Value *container);

/* "a string", "a number"...: for messages. */
const char *value_kind_to_text(ValueKind kind);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Value, value_free)
