/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "value.h"

#include <systemd/sd-bus.h>

typedef enum OptionType {
        OPTION_STRING,
        OPTION_BOOL,
        OPTION_INT,
        OPTION_UINT,
        OPTION_DOUBLE,
        OPTION_STRV,
        OPTION_MAP,
} OptionType;

typedef struct Option {
        char *key;
        OptionType type;
        union {
                bool boolean;
                int64_t int64;
                uint64_t uint64;
                double number;
        };
        char **strings; /* NULL-terminated; OPTION_STRING has one, OPTION_MAP KEY=VALUE each */
} Option;

struct pm2_options {
        Option *items;
        size_t length, allocated;
};

/* A copy of options; NULL gives an empty one. */
int options_copy(const pm2_options *options, pm2_options **ret);

/* The option of a key, NULL if it is not set. */
const Option *options_find(const pm2_options *options, const char *key);

/* Set a map from an environment: what is not UTF-8 or no assignment is left out, of equal keys the first
 * counts, as for getenv(). */
int options_set_environment(pm2_options *options, const char *key, char *const *environment);

/* Append the options, NULL for none, to a message as a{sv}. */
int options_append(const pm2_options *options, sd_bus_message *message);

static inline void cleanup_options(pm2_options **options) {
        (void) pm2_options_free(*options);
}
#define _cleanup_options_ CLEANUP(cleanup_options)
