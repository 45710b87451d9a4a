/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The config of an app, read and written only through the attribute table: one setter and one getter for
 * each attribute type. */

#include "core/app-config.h"

#include "basic/parse-util.h"
#include "basic/signal-util.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "core/command-line.h"
#include "core/value-text.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
        WORD_BYTES_MAX = 128 * 1024 - 1, /* MAX_ARG_STRLEN of execve(2) */
        TOTAL_BYTES_MAX = 1024 * 1024,   /* of one list of words: well below what execve(2) takes */
};

static void *field_of(const AppConfig *config, const Attribute *attribute) {
        return (char *) config + attribute->offset;
}

static uint64_t bit_of(const Attribute *attribute) {
        return UINT64_C(1) << (attribute - attributes);
}

static int refuse(const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *got = value_describe(value);

        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "%s: expected %s, got %s",
                        attribute->name,
                        attribute_type_to_text(attribute->type),
                        got);
}

static int refuse_range(const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *got = value_describe(value);
        uint64_t unit = attribute->type == ATTRIBUTE_DURATION ? USEC_PER_MSEC : 1;

        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "%s: %s is out of range, it must be %" PRIu64 " to %" PRIu64 "%s",
                        attribute->name,
                        got,
                        attribute->minimum / unit,
                        attribute->maximum / unit,
                        attribute->type == ATTRIBUTE_DURATION ? " ms" : "");
}

static bool has_control_character(const char *text) {
        for (; *text; text++) {
                if ((unsigned char) *text < ' ' || *text == 0x7f) {
                        return true;
                }
        }
        return false;
}

static int set_string(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        if (value->kind != VALUE_STRING) {
                return refuse(attribute, value, error);
        }
        const char *text = value->string;
        size_t length = strlen(text);
        if (length < attribute->minimum || length > attribute->maximum) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: must have %" PRIu64 " to %" PRIu64 " bytes, got %zu",
                                attribute->name,
                                attribute->minimum,
                                attribute->maximum,
                                length);
        }
        if (!utf8_is_valid(text, length)) {
                return error_set(error, ERROR_INVALID_CONFIG, "%s: is not valid UTF-8", attribute->name);
        }
        /* A command may be a script of several lines; names and paths go into tables and file names. */
        if (attribute->offset != offsetof(AppConfig, script) && has_control_character(text)) {
                g_autofree char *quoted = error_quote(text);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: %s has a control character",
                                attribute->name,
                                quoted);
        }
        char **field = field_of(config, attribute);
        char *copy = g_strdup(text);
        g_free(*field);
        *field = copy;
        return 0;
}

static int set_bool(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *text = value_to_text(value);

        if (!text || parse_bool(text, field_of(config, attribute)) < 0) {
                return refuse(attribute, value, error);
        }
        return 0;
}

static int set_number(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *text = value_to_text(value);
        int64_t number = 0;
        int r = text && value->kind != VALUE_BOOL ? parse_int64(text, &number) : -EINVAL;

        if (r == -EINVAL) {
                return refuse(attribute, value, error);
        }
        if (r < 0 || number < 0 || (uint64_t) number < attribute->minimum ||
            (uint64_t) number > attribute->maximum) {
                return refuse_range(attribute, value, error);
        }
        *(uint64_t *) field_of(config, attribute) = (uint64_t) number;
        return 0;
}

static int set_duration(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *text = value_to_text(value);
        uint64_t usec = 0;
        int r = text && value->kind != VALUE_BOOL ? parse_duration_usec(text, &usec) : -EINVAL;

        if (r == -EINVAL) {
                return refuse(attribute, value, error);
        }
        if (r < 0 || usec < attribute->minimum || usec > attribute->maximum) {
                return refuse_range(attribute, value, error);
        }
        *(uint64_t *) field_of(config, attribute) = usec;
        return 0;
}

static int set_signal(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *text = value_to_text(value);
        int number = text ? signal_from_text(text) : -EINVAL;

        if (number < 0) {
                return refuse(attribute, value, error);
        }
        *(int *) field_of(config, attribute) = number;
        return 0;
}

/* Words of a caller as a NULL-ended array; NULL with the error set. */
static char **words_of(const Attribute *attribute, const Value *value, Error *error) {
        if (value->kind == VALUE_STRING) {
                char **words = command_line_split(value->string);
                if (!words) {
                        (void) error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s: a quote is not closed",
                                        attribute->name);
                }
                return words;
        }
        if (value->kind != VALUE_ARRAY) {
                (void) refuse(attribute, value, error);
                return NULL;
        }
        g_auto(GStrv) words = g_new0(char *, value->items->len + 1);
        for (guint i = 0; i < value->items->len; i++) {
                const Value *item = value->items->pdata[i];
                words[i] = value_to_text(item);
                if (!words[i]) {
                        (void) error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s[%u]: expected a string, got %s",
                                        attribute->name,
                                        i,
                                        value_kind_to_text(item->kind));
                        return NULL;
                }
        }
        return g_steal_pointer(&words);
}

static int set_strings(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_auto(GStrv) words = words_of(attribute, value, error);

        if (!words) {
                return -ECANCELED;
        }
        size_t count = 0, total = 0;
        for (; words[count]; count++) {
                size_t length = strlen(words[count]);
                total += length + 1;
                if (length > WORD_BYTES_MAX || total > TOTAL_BYTES_MAX || count >= attribute->maximum) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s: over %" PRIu64
                                        " words, or a word over %d bytes, or over %d bytes "
                                        "in all",
                                        attribute->name,
                                        attribute->maximum,
                                        WORD_BYTES_MAX,
                                        TOTAL_BYTES_MAX);
                }
        }
        char ***field = field_of(config, attribute);
        g_strfreev(*field);
        *field = g_steal_pointer(&words);
        return 0;
}

static int add_variable(
                const Attribute *attribute, const ValueEntry *entry, GPtrArray *assignments, Error *error) {
        g_autofree char *quoted = error_quote(entry->key);

        if (!environment_name_is_valid(entry->key)) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: %s cannot be the name of a variable",
                                attribute->name,
                                quoted);
        }
        if (entry->value->kind == VALUE_NULL) {
                return 0;
        }
        g_autofree char *text = value_to_text(entry->value);
        if (!text) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s.%s: expected a string, a number or a boolean, got %s",
                                attribute->name,
                                quoted,
                                value_kind_to_text(entry->value->kind));
        }
        char *assignment = g_strdup_printf("%s=%s", entry->key, text);
        g_ptr_array_add(assignments, assignment);
        if (strlen(assignment) > WORD_BYTES_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s.%s: is over %d bytes",
                                attribute->name,
                                quoted,
                                WORD_BYTES_MAX);
        }
        return 0;
}

static int set_environment(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        if (value->kind != VALUE_MAP) {
                return refuse(attribute, value, error);
        }
        if (value->entries->len > attribute->maximum) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: over %" PRIu64 " variables",
                                attribute->name,
                                attribute->maximum);
        }
        g_autoptr(GPtrArray) assignments = g_ptr_array_new_with_free_func(g_free);
        size_t total = 0;
        for (guint i = 0; i < value->entries->len; i++) {
                int r =
                                add_variable(attribute,
                                             &g_array_index(value->entries, ValueEntry, i),
                                             assignments,
                                             error);
                if (r < 0) {
                        return r;
                }
        }
        for (guint i = 0; i < assignments->len; i++) {
                total += strlen(assignments->pdata[i]) + 1;
        }
        if (total > TOTAL_BYTES_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: over %d bytes in all",
                                attribute->name,
                                TOTAL_BYTES_MAX);
        }
        g_ptr_array_add(assignments, NULL);
        Environment **field = field_of(config, attribute);
        environment_unref(*field);
        *field = environment_new((const char *const *) assignments->pdata);
        return 0;
}

typedef int (*Setter)(AppConfig *config, const Attribute *attribute, const Value *value, Error *error);

static const Setter setters[_ATTRIBUTE_TYPE_MAX] = {
        [ATTRIBUTE_STRING] = set_string,     [ATTRIBUTE_PATH] = set_string,
        [ATTRIBUTE_BOOL] = set_bool,         [ATTRIBUTE_NUMBER] = set_number,
        [ATTRIBUTE_DURATION] = set_duration, [ATTRIBUTE_SIGNAL] = set_signal,
        [ATTRIBUTE_STRINGS] = set_strings,   [ATTRIBUTE_ENVIRONMENT] = set_environment,
};

/* No value: what a field has before its default is set. */
static void clear_field(AppConfig *config, const Attribute *attribute) {
        switch (attribute->type) {
        case ATTRIBUTE_STRING:
        case ATTRIBUTE_PATH:
                g_clear_pointer((char **) field_of(config, attribute), g_free);
                break;
        case ATTRIBUTE_STRINGS:
                g_clear_pointer((char ***) field_of(config, attribute), g_strfreev);
                break;
        case ATTRIBUTE_ENVIRONMENT:
                g_clear_pointer((Environment **) field_of(config, attribute), environment_unref);
                break;
        case ATTRIBUTE_BOOL:
        case ATTRIBUTE_NUMBER:
        case ATTRIBUTE_DURATION:
        case ATTRIBUTE_SIGNAL:
        case _ATTRIBUTE_TYPE_MAX:
        default:
                break;
        }
}

static void set_default(AppConfig *config, const Attribute *attribute) {
        assert(attribute->type < _ATTRIBUTE_TYPE_MAX);
        clear_field(config, attribute);
        if (attribute->type == ATTRIBUTE_STRINGS) {
                *(char ***) field_of(config, attribute) = g_new0(char *, 1);
        } else if (attribute->type == ATTRIBUTE_ENVIRONMENT) {
                *(Environment **) field_of(config, attribute) = environment_new_empty();
        } else if (attribute->fallback) {
                g_autoptr(Value) value = value_new_string(attribute->fallback);
                int r = setters[attribute->type](config, attribute, value, NULL);
                assert(r == 0);
                (void) r;
        }
        config->given &= ~bit_of(attribute);
}

AppConfig *app_config_new(void) {
        AppConfig *config = g_new0(AppConfig, 1);

        config->n_ref = 1;
        for (size_t i = 0; i < n_attributes; i++) {
                set_default(config, &attributes[i]);
        }
        return config;
}

AppConfig *app_config_copy(const AppConfig *config) {
        AppConfig *copy = app_config_new();

        for (size_t i = 0; i < n_attributes; i++) {
                if (!(config->given & bit_of(&attributes[i]))) {
                        continue;
                }
                g_autoptr(Value) value = app_config_get(config, &attributes[i]);
                int r = app_config_set(copy, &attributes[i], value, NULL);
                assert(r == 0);
                (void) r;
        }
        return copy;
}

AppConfig *app_config_ref(AppConfig *config) {
        config->n_ref++;
        return config;
}

void app_config_unref(AppConfig *config) {
        if (!config || --config->n_ref > 0) {
                return;
        }
        for (size_t i = 0; i < n_attributes; i++) {
                clear_field(config, &attributes[i]);
        }
        g_free(config);
}

int app_config_set(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        if (value->kind == VALUE_NULL) {
                set_default(config, attribute);
                return 0;
        }
        int r = setters[attribute->type](config, attribute, value, error);
        if (r < 0) {
                return r;
        }
        config->given |= bit_of(attribute);
        return 0;
}

int app_config_set_by_name(AppConfig *config, const char *name, const Value *value, Error *error) {
        const Attribute *attribute = attribute_find(name);

        if (!attribute) {
                g_autofree char *quoted = error_quote(name);
                return error_set(error, ERROR_INVALID_CONFIG, "%s: unknown attribute", quoted);
        }
        return app_config_set(config, attribute, value, error);
}

static Value *environment_to_value(const Environment *environment) {
        Value *map = value_new_map();

        for (size_t i = 0; i < environment_count(environment); i++) {
                const char *assignment = environment_at(environment, i);
                size_t length = strcspn(assignment, "=");
                g_autofree char *name = g_strndup(assignment, length);
                value_set(map, name, value_new_string(assignment + length + 1));
        }
        return map;
}

static Value *strings_to_value(char *const *strings) {
        Value *array = value_new_array();

        for (; *strings; strings++) {
                value_append(array, value_new_string(*strings));
        }
        return array;
}

Value *app_config_get(const AppConfig *config, const Attribute *attribute) {
        const void *field = field_of(config, attribute);

        switch (attribute->type) {
        case ATTRIBUTE_STRING:
        case ATTRIBUTE_PATH: {
                const char *text = *(char *const *) field;
                return text ? value_new_string(text) : value_new_null();
        }
        case ATTRIBUTE_BOOL:
                return value_new_bool(*(const bool *) field);
        case ATTRIBUTE_NUMBER:
                return value_new_int((int64_t) * (const uint64_t *) field);
        case ATTRIBUTE_DURATION: {
                uint64_t usec = *(const uint64_t *) field;
                if (usec % USEC_PER_MSEC == 0) {
                        return value_new_int((int64_t) (usec / USEC_PER_MSEC));
                }
                return value_new_double((double) usec / (double) USEC_PER_MSEC);
        }
        case ATTRIBUTE_SIGNAL:
                return value_new_string(signal_to_name(*(const int *) field));
        case ATTRIBUTE_STRINGS:
                return strings_to_value(*(char **const *) field);
        case ATTRIBUTE_ENVIRONMENT:
                return environment_to_value(*(Environment *const *) field);
        case _ATTRIBUTE_TYPE_MAX:
        default:
                return value_new_null();
        }
}

bool app_config_is_given(const AppConfig *config, const char *name) {
        const Attribute *attribute = attribute_find(name);
        return attribute && config->given & bit_of(attribute);
}

/* A name that reads as another kind of target could never be addressed. */
static bool name_is_ambiguous(const char *name) {
        return strcmp(name, "all") == 0 || name[0] == '/';
}

int app_config_check(const AppConfig *config, Error *error) {
        if (!config->script) {
                return error_set(error, ERROR_INVALID_CONFIG, "script: is required");
        }
        if (!config->name) {
                return error_set(error, ERROR_INVALID_CONFIG, "name: is required");
        }
        if (name_is_ambiguous(config->name)) {
                g_autofree char *quoted = error_quote(config->name);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "name: %s is taken: \"all\", paths and /regex/ are targets",
                                quoted);
        }
        if (config->namespace && name_is_ambiguous(config->namespace)) {
                g_autofree char *quoted = error_quote(config->namespace);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "namespace: %s is taken: \"all\", paths and /regex/ are targets",
                                quoted);
        }
        return 0;
}
