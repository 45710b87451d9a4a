/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pm2/pm2.h"

#include "basic/cleanup.h"
#include "basic/macro.h"

#define PM2_EXPORT __attribute__((visibility("default")))

/* How deep values may nest: as deep as JSON from untrusted hands. */
#define VALUE_DEPTH_MAX  64
/* The same within an event of the message bus, within a list. */
#define VALUE_NESTED_MAX (VALUE_DEPTH_MAX + 2)

struct pm2_value {
        pm2_value_type type;
        union {
                bool boolean;
                int64_t int64;
                uint64_t uint64;
                double number;
                char *string;
                struct {
                        pm2_value **items;
                        char **keys; /* NULL in arrays */
                        size_t length, allocated;
                        unsigned height; /* levels of containers below this one */
                };
        };
};

/* A new scalar or container; the string is copied. */
int value_new(pm2_value_type type, pm2_value **ret);
int value_new_string(const char *text, pm2_value **ret);

/* Add without looking for an equal key: for input that may be large. Takes the item on success. */
int value_append(pm2_value *container, const char *key, pm2_value *item);

static inline void cleanup_value(pm2_value **value) {
        (void) pm2_value_free(*value);
}
#define _cleanup_value_ CLEANUP(cleanup_value)
