/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The config of an app, read and written only through the attribute table. What a caller wrote is read in
 * attribute-value.c, by one setter for each type; here are the getters and the whole. */

#include "core/app-config.h"

#include "basic/signal-util.h"
#include "basic/time-util.h"
#include "core/attribute-value.h"
#include "core/cron.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static uint64_t *given_word(AppConfig *config, const Attribute *attribute) {
        return &config->given[(attribute - attributes) / 64];
}

static uint64_t bit_of(const Attribute *attribute) {
        return UINT64_C(1) << ((attribute - attributes) % 64);
}

static bool is_given(const AppConfig *config, const Attribute *attribute) {
        return config->given[(attribute - attributes) / 64] & bit_of(attribute);
}

/* No value: what a field has before its default is set. */
static void clear_field(AppConfig *config, const Attribute *attribute) {
        switch (attribute->type) {
        case ATTRIBUTE_STRING:
        case ATTRIBUTE_PATH:
        case ATTRIBUTE_CRON:
                g_clear_pointer((char **) attribute_field(config, attribute), g_free);
                break;
        case ATTRIBUTE_STRINGS:
        case ATTRIBUTE_PATHS:
                g_clear_pointer((char ***) attribute_field(config, attribute), g_strfreev);
                break;
        case ATTRIBUTE_ENVIRONMENT:
        case ATTRIBUTE_CREDENTIALS:
                g_clear_pointer((Environment **) attribute_field(config, attribute), environment_unref);
                break;
        case ATTRIBUTE_FILTER:
                environment_filter_done(attribute_field(config, attribute));
                break;
        case ATTRIBUTE_EXIT_CODES:
                memset(attribute_field(config, attribute), 0, sizeof(config->stop_exit_codes));
                break;
        case ATTRIBUTE_SCORE:
                *(int64_t *) attribute_field(config, attribute) = OOM_SCORE_KEPT;
                break;
        case ATTRIBUTE_LIMITS:
                g_clear_pointer((ResourceLimits **) attribute_field(config, attribute), g_free);
                break;
        case ATTRIBUTE_HEALTH:
                g_clear_pointer((HealthCheck **) attribute_field(config, attribute), health_check_free);
                break;
        case ATTRIBUTE_WATCH:
                app_watch_done(attribute_field(config, attribute));
                break;
        case ATTRIBUTE_DEPENDS:
                g_clear_pointer((GArray **) attribute_field(config, attribute), g_array_unref);
                break;
        case ATTRIBUTE_OBJECT:
                g_clear_pointer((Value **) attribute_field(config, attribute), value_free);
                break;
        case ATTRIBUTE_KEPT:
                if (config->kept) {
                        value_remove(config->kept, attribute->name);
                }
                break;
        case ATTRIBUTE_WORD:
        case ATTRIBUTE_BOOL:
        case ATTRIBUTE_COUNT:
        case ATTRIBUTE_NUMBER:
        case ATTRIBUTE_DURATION:
        case ATTRIBUTE_SIGNAL:
        case ATTRIBUTE_SIZE:
        case ATTRIBUTE_PERCENT:
        case ATTRIBUTE_OFF:
        case _ATTRIBUTE_TYPE_MAX:
        default:
                break;
        }
}

static void set_default(AppConfig *config, const Attribute *attribute) {
        assert(attribute->type < _ATTRIBUTE_TYPE_MAX);
        clear_field(config, attribute);
        if (attribute->type == ATTRIBUTE_STRINGS || attribute->type == ATTRIBUTE_PATHS) {
                *(char ***) attribute_field(config, attribute) = g_new0(char *, 1);
        } else if (attribute->type == ATTRIBUTE_ENVIRONMENT || attribute->type == ATTRIBUTE_CREDENTIALS) {
                *(Environment **) attribute_field(config, attribute) = environment_new_empty();
        } else if (attribute->fallback && attribute->type != ATTRIBUTE_OFF) {
                g_autoptr(Value) value = value_new_string(attribute->fallback);
                int r = attribute_set(config, attribute, value, NULL);
                assert(r == 0);
                (void) r;
        }
        *given_word(config, attribute) &= ~bit_of(attribute);
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
                if (!is_given(config, &attributes[i])) {
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
        value_free(config->kept);
        g_free(config);
}

int app_config_set(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        if (value->kind == VALUE_NULL) {
                set_default(config, attribute);
                return 0;
        }
        int r = attribute_set(config, attribute, value, error);
        if (r >= 0 && attribute->type != ATTRIBUTE_OFF) {
                *given_word(config, attribute) |= bit_of(attribute);
        }
        return r;
}

int app_config_set_by_name(AppConfig *config, const char *name, const Value *value, Error *error) {
        const Attribute *attribute = attribute_find(name);

        if (!attribute) {
                g_autofree char *quoted = error_quote(name);
                const char *guess = attribute_guess(name);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: unknown attribute%s%s%s",
                                quoted,
                                guess ? ", did you mean \"" : "",
                                guess ? guess : "",
                                guess ? "\"?" : "");
        }
        return app_config_set(config, attribute, value, error);
}

static Value *strings_to_value(char *const *strings) {
        Value *array = value_new_array();

        for (; *strings; strings++) {
                value_append(array, value_new_string(*strings));
        }
        return array;
}

static Value *exit_codes_to_value(const uint64_t *codes) {
        Value *array = value_new_array();

        for (int code = 0; code < 64 * EXIT_CODE_WORDS; code++) {
                if (codes[code / 64] & UINT64_C(1) << (code % 64)) {
                        value_append(array, value_new_int(code));
                }
        }
        return array;
}

static Value *filter_to_value(const EnvironmentFilter *filter) {
        switch (filter->kind) {
        case FILTER_NAME:
                return value_new_string(filter->words[0]);
        case FILTER_PARTS:
                return strings_to_value(filter->words);
        case FILTER_NONE:
        case FILTER_ALL:
        default:
                return value_new_bool(filter->kind == FILTER_ALL);
        }
}

static Value *kept_to_value(const AppConfig *config, const Attribute *attribute) {
        const Value *value = config->kept ? value_get(config->kept, attribute->name) : NULL;
        return value ? value_copy(value) : value_new_null();
}

static Value *word_to_value(const Attribute *attribute, int place) {
        g_auto(GStrv) words = g_strsplit(attribute->words, " ", -1);
        const char *word = words[place];
        bool yes = strcmp(word, "true") == 0;

        return yes || strcmp(word, "false") == 0 ? value_new_bool(yes) : value_new_string(word);
}

static Value *percent_to_value(uint64_t usec) {
        if (usec % USEC_PER_PERCENT == 0) {
                return value_new_int((int64_t) (usec / USEC_PER_PERCENT));
        }
        return value_new_double((double) usec / USEC_PER_PERCENT);
}

Value *app_config_get(const AppConfig *config, const Attribute *attribute) {
        const void *field = attribute_field(config, attribute);

        switch (attribute->type) {
        case ATTRIBUTE_STRING:
        case ATTRIBUTE_PATH: {
                const char *text = *(char *const *) field;
                return text ? value_new_string(text)
                       : attribute->or_false && is_given(config, attribute)
                                       ? value_new_bool(false) /* it is to be none */
                                       : value_new_null();
        }
        case ATTRIBUTE_CRON: {
                const char *text = *(char *const *) field;
                return text                          ? value_new_string(text)
                       : is_given(config, attribute) ? value_new_bool(false) /* it is to be none */
                                                     : value_new_null();
        }
        case ATTRIBUTE_BOOL:
                return value_new_bool(*(const bool *) field);
        case ATTRIBUTE_NUMBER:
        case ATTRIBUTE_SIZE:
                return value_new_int((int64_t) * (const uint64_t *) field);
        case ATTRIBUTE_DURATION: {
                uint64_t usec = *(const uint64_t *) field;
                if (usec % USEC_PER_MSEC == 0) {
                        return value_new_int((int64_t) (usec / USEC_PER_MSEC));
                }
                return value_new_double((double) usec / (double) USEC_PER_MSEC);
        }
        case ATTRIBUTE_PERCENT:
                return percent_to_value(*(const uint64_t *) field);
        case ATTRIBUTE_SCORE: {
                int64_t score = *(const int64_t *) field;
                return score == OOM_SCORE_KEPT ? value_new_null() : value_new_int(score);
        }
        case ATTRIBUTE_COUNT:
                return value_new_int(*(const int64_t *) field);
        case ATTRIBUTE_WORD:
                return word_to_value(attribute, *(const int *) field);
        case ATTRIBUTE_OBJECT: {
                const Value *map = *(Value *const *) field;
                return map ? value_copy(map) : value_new_map();
        }
        case ATTRIBUTE_HEALTH: {
                const HealthCheck *check = *(HealthCheck *const *) field;
                return check                         ? health_check_to_value(check)
                       : is_given(config, attribute) ? value_new_bool(false) /* it is to be none */
                                                     : value_new_null();
        }
        case ATTRIBUTE_WATCH:
                return app_watch_to_value(field);
        case ATTRIBUTE_DEPENDS:
                return dependencies_to_value(*(GArray *const *) field);
        case ATTRIBUTE_LIMITS:
                return resource_limits_to_value(*(ResourceLimits *const *) field);
        case ATTRIBUTE_SIGNAL:
                return value_new_string(signal_to_name(*(const int *) field));
        case ATTRIBUTE_STRINGS:
        case ATTRIBUTE_PATHS:
                return strings_to_value(*(char **const *) field);
        case ATTRIBUTE_ENVIRONMENT:
        case ATTRIBUTE_CREDENTIALS:
                return environment_to_value(*(Environment *const *) field);
        case ATTRIBUTE_EXIT_CODES:
                return exit_codes_to_value(field);
        case ATTRIBUTE_FILTER:
                return filter_to_value(field);
        case ATTRIBUTE_KEPT:
                return kept_to_value(config, attribute);
        case ATTRIBUTE_OFF:
        case _ATTRIBUTE_TYPE_MAX:
        default:
                return value_new_null();
        }
}

bool app_config_is_given(const AppConfig *config, const char *name) {
        const Attribute *attribute = attribute_find(name);
        return attribute && is_given(config, attribute);
}

const char *app_config_exec_mode(const AppConfig *config) {
        return config->exec_mode == EXEC_MODE_CLUSTER ? "cluster_mode" : "fork_mode";
}

bool app_config_merges_logs(const AppConfig *config) {
        return app_config_is_given(config, "merge_logs")
                               ? config->merge_logs
                               : !app_config_is_given(config, "instances") &&
                                                 config->exec_mode == EXEC_MODE_FORK;
}

char *app_config_list_kept(const AppConfig *config) {
        GString *names = NULL;

        for (guint i = 0; config->kept && i < config->kept->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(config->kept->entries, ValueEntry, i);
                if (!names) {
                        names = g_string_new(entry->key);
                } else {
                        g_string_append_printf(names, ", %s", entry->key);
                }
        }
        return names ? g_string_free(names, FALSE) : NULL;
}

bool app_config_is_stop_code(const AppConfig *config, int exit_code) {
        return exit_code >= 0 && exit_code < 64 * EXIT_CODE_WORDS &&
               config->stop_exit_codes[exit_code / 64] & UINT64_C(1) << (exit_code % 64);
}

bool app_config_is_replaceable(const AppConfig *config) {
        return config->exec_mode == EXEC_MODE_CLUSTER || config->listen[0];
}

/* A name that is made has the limits of one that is given; it is not given for that. */
static int rename_by(AppConfig *config, const char *attribute, const char *name, Error *error) {
        g_autoptr(AppConfig) scratch = app_config_new();
        g_autoptr(Value) value = value_new_string(name);
        g_auto(Error) cause = { 0 };

        if (app_config_set_by_name(scratch, "name", value, &cause) < 0) {
                return error_set(error, ERROR_INVALID_CONFIG, "%s: %s", attribute, cause.message);
        }
        g_free(config->name);
        config->name = g_strdup(name);
        return 0;
}

int app_config_apply_prefix(AppConfig *config, Error *error) {
        if (!config->name_prefix || !config->name) {
                return 0;
        }
        g_autofree char *head = g_strconcat(config->name_prefix, ":", NULL);
        if (g_str_has_prefix(config->name, head)) {
                return 0;
        }
        g_autofree char *name = g_strconcat(head, config->name, NULL);
        return rename_by(config, "name_prefix", name, error);
}

int app_config_append_profile(AppConfig *config, const char *profile, Error *error) {
        if (!config->append_env_to_name || !config->name) {
                return 0;
        }
        g_autofree char *name = g_strconcat(config->name, "-", profile, NULL);
        return rename_by(config, "append_env_to_name", name, error);
}

/* A name that reads as another kind of target could never be addressed. */
static bool name_is_ambiguous(const char *name) {
        return strcmp(name, "all") == 0 || name[0] == '/';
}

static int check_variable(const char *attribute, const char *name, Error *error) {
        if (environment_name_is_valid(name)) {
                return 0;
        }
        g_autofree char *quoted = error_quote(name);
        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "%s: %s cannot be the name of a variable",
                        attribute,
                        quoted);
}

int app_config_check(const AppConfig *config, Error *error) {
        if (!config->script) {
                return error_set(error, ERROR_INVALID_CONFIG, "script: is required");
        }
        if (!config->name) {
                return error_set(error, ERROR_INVALID_CONFIG, "name: is required");
        }
        int r = check_variable("instance_var", config->instance_var, error);
        if (r >= 0 && config->increment_var) {
                r = check_variable("increment_var", config->increment_var, error);
        }
        if (r < 0) {
                return r;
        }
        if (config->cron_timezone && !cron_zone_name_is_valid(config->cron_timezone)) {
                g_autofree char *quoted = error_quote(config->cron_timezone);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "cron_timezone: %s cannot be the name of a time zone, which is as "
                                "\"Europe/Berlin\"",
                                quoted);
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
        return app_watch_check(config, error);
}
