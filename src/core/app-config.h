/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/environment.h"
#include "core/error.h"
#include "core/value.h"

#include <stdbool.h>
#include <stdint.h>

/* What the user declares about an app. Every field is one row of the attribute table in
 * app-attributes.c: decoders, messages, defaults and the manual come from there. */
typedef struct AppConfig {
        unsigned n_ref;
        uint64_t given; /* bit i: attribute i was set by the user, not by its default */

        char *script;
        char *name;
        char *namespace;
        char *cwd;
        char **args;
        char *interpreter;
        char **node_args;
        Environment *env;
        bool autorestart;
        uint64_t min_uptime_usec;
        uint64_t max_restarts;
        uint64_t kill_timeout_usec;
        int kill_signal;
        bool treekill;
        char *out_file;
        char *error_file;
        char *pid_file;
        bool merge_logs;
} AppConfig;

typedef enum AttributeType {
        ATTRIBUTE_STRING,
        ATTRIBUTE_PATH,
        ATTRIBUTE_BOOL,
        ATTRIBUTE_NUMBER,
        ATTRIBUTE_DURATION, /* milliseconds, or a time span as in systemd.time(7) */
        ATTRIBUTE_SIGNAL,
        ATTRIBUTE_STRINGS, /* an array, or a string that is split as a shell would */
        ATTRIBUTE_ENVIRONMENT,
        _ATTRIBUTE_TYPE_MAX,
} AttributeType;

typedef struct Attribute {
        const char *name;
        const char *aliases; /* separated by blanks; the camelCase form of each name is one too */
        AttributeType type;
        size_t offset;        /* of the field in AppConfig */
        uint64_t minimum;     /* of a number, in µs of a duration */
        uint64_t maximum;     /* of a number, in µs of a duration, in bytes of a string */
        const char *fallback; /* the default, as a caller could write it; NULL: none */
        const char *help;     /* one sentence for the manual */
} Attribute;

/* The table, in the order of the manual. */
extern const Attribute attributes[];
extern const size_t n_attributes;

/* Row by name or alias, also in camelCase; NULL if there is none. */
const Attribute *attribute_find(const char *name);

/* "duration": how the manual and messages call a type. */
const char *attribute_type_to_text(AttributeType type);

/* All defaults. */
AppConfig *app_config_new(void);
AppConfig *app_config_copy(const AppConfig *config);
AppConfig *app_config_ref(AppConfig *config);
void app_config_unref(AppConfig *config);

/* Set one attribute from what a caller wrote; null brings the default back. InvalidConfig names the key
 * and the value. Only before the config is shared. */
int app_config_set(AppConfig *config, const Attribute *attribute, const Value *value, Error *error);

/* Set by the name; an unknown one is InvalidConfig. */
int app_config_set_by_name(AppConfig *config, const char *name, const Value *value, Error *error);

/* The value of an attribute in its natural type (durations in ms); the caller frees it. */
Value *app_config_get(const AppConfig *config, const Attribute *attribute);

bool app_config_is_given(const AppConfig *config, const char *name);

/* What no single attribute can tell: a script is there, a name is there. */
int app_config_check(const AppConfig *config, Error *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(AppConfig, app_config_unref)
