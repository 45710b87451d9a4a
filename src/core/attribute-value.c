/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From what a caller wrote to the field of an attribute: one setter for each type. */

#include "core/attribute-value.h"

#include "basic/parse-util.h"
#include "basic/signal-util.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "core/command-line.h"
#include "core/cron.h"
#include "core/value-text.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

enum {
        WORD_BYTES_MAX = 128 * 1024 - 1, /* MAX_ARG_STRLEN of execve(2) */
        TOTAL_BYTES_MAX = 1024 * 1024,   /* of one list of words: well below what execve(2) takes */
        KEPT_BYTES_MAX = 64 * 1024,      /* of one attribute that is only kept */
        EXIT_CODE_MAX = 64 * EXIT_CODE_WORDS - 1,
};

void *attribute_field(const AppConfig *config, const Attribute *attribute) {
        return (char *) config + attribute->offset;
}

int attribute_refuse(const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *got = value_describe(value);
        g_autofree char *wanted = attribute_values_to_text(attribute);

        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "%s: expected %s, got %s",
                        attribute->name,
                        wanted,
                        got);
}

static bool is_in_range(const Attribute *attribute, uint64_t number) {
        return (number == 0 && attribute->or_zero) ||
               (number >= attribute->minimum && number <= attribute->maximum);
}

static int refuse_range(const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *got = value_describe(value);
        bool duration = attribute->type == ATTRIBUTE_DURATION,
             percent = attribute->type == ATTRIBUTE_PERCENT;
        uint64_t unit = duration ? USEC_PER_MSEC : percent ? USEC_PER_PERCENT : 1;

        if (attribute->type == ATTRIBUTE_SCORE || attribute->type == ATTRIBUTE_COUNT) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: %s is out of range, it must be %" PRId64 " to %" PRId64,
                                attribute->name,
                                got,
                                (int64_t) attribute->minimum,
                                (int64_t) attribute->maximum);
        }

        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "%s: %s is out of range, it must be %" PRIu64 " to %" PRIu64 "%s%s",
                        attribute->name,
                        got,
                        attribute->minimum / unit,
                        attribute->maximum / unit,
                        duration  ? " ms"
                        : percent ? "%"
                                  : "",
                        attribute->or_zero ? ", or 0 for none" : "");
}

static bool has_control_character(const char *text) {
        for (; *text; text++) {
                if ((unsigned char) *text < ' ' || *text == 0x7f) {
                        return true;
                }
        }
        return false;
}

static int check_text(
                const Attribute *attribute,
                const char *text,
                uint64_t minimum,
                uint64_t maximum,
                Error *error) {
        size_t length = strlen(text);

        if (length < minimum || length > maximum) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: must have %" PRIu64 " to %" PRIu64 " bytes, got %zu",
                                attribute->name,
                                minimum,
                                maximum,
                                length);
        }
        if (!utf8_is_valid(text, length)) {
                return error_set(error, ERROR_INVALID_CONFIG, "%s: is not valid UTF-8", attribute->name);
        }
        /* A command may be a script of several lines; names and paths go into tables and file names. */
        if (!attribute->lines && has_control_character(text)) {
                g_autofree char *quoted = error_quote(text);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: %s has a control character",
                                attribute->name,
                                quoted);
        }
        return 0;
}

/* What asks for nothing, where the attribute takes that; or for a file by its default name. */
static bool set_none(char **field, const Attribute *attribute, const Value *value) {
        g_autofree char *text = attribute->or_false ? value_to_text(value) : NULL;
        bool on = text && attribute->type == ATTRIBUTE_PATH && value->kind == VALUE_BOOL && value->boolean;

        if (!text || (!on && text[0] && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)) {
                return false;
        }
        g_free(*field);
        *field = on ? g_strdup("true") : NULL;
        return true;
}

static int set_string(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        if (set_none(attribute_field(config, attribute), attribute, value)) {
                return 0;
        }
        if (value->kind != VALUE_STRING) {
                return attribute_refuse(attribute, value, error);
        }
        const char *text = value->string;
        int r = check_text(attribute, text, attribute->minimum, attribute->maximum, error);
        if (r < 0) {
                return r;
        }
        char **field = attribute_field(config, attribute);
        char *copy = g_strdup(text);
        g_free(*field);
        *field = copy;
        return 0;
}

static int set_bool(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *text = value_to_text(value);

        if (!text || parse_bool(text, attribute_field(config, attribute)) < 0) {
                return attribute_refuse(attribute, value, error);
        }
        return 0;
}

static int set_number(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *text = value_to_text(value);
        int64_t number = 0;
        int r = text && value->kind != VALUE_BOOL ? parse_int64(text, &number) : -EINVAL;

        if (r == -EINVAL) {
                return attribute_refuse(attribute, value, error);
        }
        if (r < 0 || number < 0 || !is_in_range(attribute, (uint64_t) number)) {
                return refuse_range(attribute, value, error);
        }
        *(uint64_t *) attribute_field(config, attribute) = (uint64_t) number;
        return 0;
}

static int set_duration(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *text = value_to_text(value);
        uint64_t usec = 0;
        int r = text && value->kind != VALUE_BOOL ? parse_duration_usec(text, &usec) : -EINVAL;

        if (r == -EINVAL) {
                return attribute_refuse(attribute, value, error);
        }
        if (r < 0 || !is_in_range(attribute, usec)) {
                return refuse_range(attribute, value, error);
        }
        *(uint64_t *) attribute_field(config, attribute) = usec;
        return 0;
}

static int set_signal(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *text = value_to_text(value);
        int number = text ? signal_from_text(text) : -EINVAL;

        if (number < 0) {
                return attribute_refuse(attribute, value, error);
        }
        *(int *) attribute_field(config, attribute) = number;
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
                (void) attribute_refuse(attribute, value, error);
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
        char ***field = attribute_field(config, attribute);
        g_strfreev(*field);
        *field = g_steal_pointer(&words);
        return 0;
}

static int set_paths(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        guint count = value->kind == VALUE_ARRAY ? value->items->len : 1;
        g_auto(GStrv) paths = g_new0(char *, count + 1);

        if (count > attribute->maximum) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: over %" PRIu64 " paths",
                                attribute->name,
                                attribute->maximum);
        }
        for (guint i = 0; i < count; i++) {
                const Value *item = value->kind == VALUE_ARRAY ? value->items->pdata[i] : value;
                if (item->kind != VALUE_STRING) {
                        return attribute_refuse(attribute, value, error);
                }
                const char *path = item->string[0] == '-' ? item->string + 1 : item->string;
                int r = check_text(attribute, path, 1, PATH_MAX - 1, error);
                if (r < 0) {
                        return r;
                }
                paths[i] = g_strdup(item->string);
        }
        char ***field = attribute_field(config, attribute);
        g_strfreev(*field);
        *field = g_steal_pointer(&paths);
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
                return attribute_refuse(attribute, value, error);
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
        Environment **field = attribute_field(config, attribute);
        environment_unref(*field);
        *field = environment_new((const char *const *) assignments->pdata);
        return 0;
}

static bool is_credential_name(const char *name) {
        size_t length = strlen(name);

        return length > 0 && length <= NAME_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
               strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == length;
}

static int set_credentials(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autoptr(GPtrArray) assignments = g_ptr_array_new_with_free_func(g_free);

        if (value->kind != VALUE_MAP) {
                return attribute_refuse(attribute, value, error);
        }
        if (value->entries->len > attribute->maximum) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: over %" PRIu64 " files",
                                attribute->name,
                                attribute->maximum);
        }
        for (guint i = 0; i < value->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(value->entries, ValueEntry, i);
                g_autofree char *quoted = error_quote(entry->key);
                if (!is_credential_name(entry->key)) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s: %s cannot be the name of a credential",
                                        attribute->name,
                                        quoted);
                }
                if (entry->value->kind != VALUE_STRING) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s.%s: expected a path, got %s",
                                        attribute->name,
                                        quoted,
                                        value_kind_to_text(entry->value->kind));
                }
                int r = check_text(attribute, entry->value->string, 1, PATH_MAX - 1, error);
                if (r < 0) {
                        return r;
                }
                g_ptr_array_add(assignments, g_strdup_printf("%s=%s", entry->key, entry->value->string));
        }
        g_ptr_array_add(assignments, NULL);
        Environment **field = attribute_field(config, attribute);
        environment_unref(*field);
        *field = environment_new((const char *const *) assignments->pdata);
        return 0;
}

static int set_size(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *text = value_to_text(value);
        uint64_t bytes = 0;
        int r = text && value->kind != VALUE_BOOL ? parse_size(text, &bytes) : -EINVAL;

        if (r == -EINVAL) {
                return attribute_refuse(attribute, value, error);
        }
        if (r < 0 || !is_in_range(attribute, bytes)) {
                return refuse_range(attribute, value, error);
        }
        *(uint64_t *) attribute_field(config, attribute) = bytes;
        return 0;
}

static int add_exit_code(
                const Attribute *attribute,
                const char *text,
                const Value *value,
                uint64_t *codes,
                Error *error) {
        int64_t code = 0;
        int r = text ? parse_int64(text, &code) : -EINVAL;

        if (r == -EINVAL) {
                return attribute_refuse(attribute, value, error);
        }
        if (r < 0 || code < 0 || code > EXIT_CODE_MAX) {
                return refuse_range(attribute, value, error);
        }
        codes[code / 64] |= UINT64_C(1) << (code % 64);
        return 0;
}

static int set_exit_codes(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        uint64_t codes[EXIT_CODE_WORDS] = { 0 };
        g_autofree char *text = value->kind == VALUE_BOOL ? NULL : value_to_text(value);
        int r = 0;

        if (value->kind == VALUE_ARRAY) {
                for (guint i = 0; r >= 0 && i < value->items->len; i++) {
                        const Value *item = value->items->pdata[i];
                        g_autofree char *word = item->kind == VALUE_BOOL ? NULL : value_to_text(item);
                        r = add_exit_code(attribute, word, item, codes, error);
                }
        } else if (value->kind == VALUE_STRING) {
                g_auto(GStrv) words = g_strsplit_set(text, " ,", -1);
                for (char **word = words; r >= 0 && *word; word++) {
                        r = **word ? add_exit_code(attribute, *word, value, codes, error) : 0;
                }
        } else {
                r = add_exit_code(attribute, text, value, codes, error);
        }
        if (r >= 0) {
                memcpy(attribute_field(config, attribute), codes, sizeof(codes));
        }
        return r;
}

static int set_filter(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        EnvironmentFilter filter = { 0 };
        bool flag;

        if (value->kind == VALUE_ARRAY) {
                filter.words = words_of(attribute, value, error);
                if (!filter.words) {
                        return -ECANCELED;
                }
                filter.kind = filter.words[0] ? FILTER_PARTS : FILTER_NONE;
        } else if (value->kind == VALUE_BOOL) {
                filter.kind = value->boolean ? FILTER_ALL : FILTER_NONE;
        } else if (value->kind != VALUE_STRING) {
                return attribute_refuse(attribute, value, error);
        } else if (parse_bool(value->string, &flag) >= 0) {
                filter.kind = flag ? FILTER_ALL : FILTER_NONE; /* as command lines have it */
        } else if (value->string[0]) {
                filter.kind = FILTER_NAME;
                filter.words = g_new0(char *, 2);
                filter.words[0] = g_strdup(value->string);
        }
        for (char **word = filter.words; word && *word; word++) {
                if (!environment_name_is_valid(*word) || strlen(*word) > attribute->maximum) {
                        g_autofree char *quoted = error_quote(*word);
                        environment_filter_done(&filter);
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s: %s cannot be in the name of a variable",
                                        attribute->name,
                                        quoted);
                }
        }
        EnvironmentFilter *field = attribute_field(config, attribute);
        environment_filter_done(field);
        *field = filter;
        return 0;
}

static int set_percent(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *text = value->kind == VALUE_BOOL ? NULL : value_to_text(value);
        char *end = NULL;

        if (!text || !g_ascii_isdigit(text[0])) {
                return attribute_refuse(attribute, value, error);
        }
        double percent = g_ascii_strtod(text, &end);
        if ((*end && strcmp(end, "%") != 0) || strpbrk(text, "xXnN")) {
                return attribute_refuse(attribute, value, error);
        }
        if (!(percent * USEC_PER_PERCENT <= (double) attribute->maximum) ||
            !is_in_range(attribute, (uint64_t) (percent * USEC_PER_PERCENT + 0.5))) {
                return refuse_range(attribute, value, error);
        }
        *(uint64_t *) attribute_field(config, attribute) = (uint64_t) (percent * USEC_PER_PERCENT + 0.5);
        return 0;
}

static int set_score(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_autofree char *text = value->kind == VALUE_BOOL ? NULL : value_to_text(value);
        int64_t number = 0;
        int r = text ? parse_int64(text, &number) : -EINVAL;

        if (r == -EINVAL) {
                return attribute_refuse(attribute, value, error);
        }
        if (r < 0 || number < (int64_t) attribute->minimum || number > (int64_t) attribute->maximum) {
                return refuse_range(attribute, value, error);
        }
        *(int64_t *) attribute_field(config, attribute) = number;
        return 0;
}

static int set_count(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        if (value->kind == VALUE_STRING && strcmp(value->string, "max") == 0) {
                *(int64_t *) attribute_field(config, attribute) = 0;
                return 0;
        }
        return set_score(config, attribute, value, error);
}

static int set_cron(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        static const char *const off[] = { "", "0", "false", NULL };
        g_autofree char *text = value_to_text(value);
        bool none = text && g_strv_contains(off, text);
        g_auto(Error) cause = { 0 };
        Cron cron;

        if (!none && (value->kind != VALUE_STRING || !text)) {
                return attribute_refuse(attribute, value, error);
        }
        int r = none ? 0 : check_text(attribute, text, 1, attribute->maximum, error);
        if (r < 0) {
                return r;
        }
        if (!none && cron_parse(text, &cron, &cause) < 0) {
                g_autofree char *quoted = error_quote(text);
                return error_set(error, cause.code, "%s: %s: %s", attribute->name, quoted, cause.message);
        }
        char **field = attribute_field(config, attribute);
        g_free(*field);
        *field = none ? NULL : g_steal_pointer(&text);
        return 0;
}

static int set_health(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        HealthCheck **field = attribute_field(config, attribute);
        HealthCheck *check = NULL;
        int r = health_check_from_value(value, &check, error);

        if (r >= 0) {
                health_check_free(*field);
                *field = check;
        }
        return r;
}

static bool asks_for_nothing(const Attribute *attribute, const Value *value) {
        g_autofree char *text = value_to_text(value);

        if (!text) {
                return !attribute->fallback && value_count(value) == 0;
        }
        g_auto(GStrv) words = g_strsplit(attribute->fallback ? attribute->fallback : "false 0", " ", -1);
        return !text[0] || g_strv_contains((const char *const *) words, text);
}

static int set_off(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        if (asks_for_nothing(attribute, value)) {
                return 0;
        }
        g_autofree char *got = value_describe(value);
        return error_set(
                        error,
                        ERROR_NOT_SUPPORTED,
                        "%s: %s is not supported by this version of pm2d",
                        attribute->name,
                        got);
}

static int set_kept(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        if (value_bytes(value) > KEPT_BYTES_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: is over %d bytes",
                                attribute->name,
                                KEPT_BYTES_MAX);
        }
        if (!config->kept) {
                config->kept = value_new_map();
        }
        value_remove(config->kept, attribute->name);
        value_set(config->kept, attribute->name, value_copy(value));
        return 0;
}

static int set_watch(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        AppWatch watch;
        int r = app_watch_parse(attribute->name, value, &watch, error);

        if (r >= 0) {
                AppWatch *field = attribute_field(config, attribute);
                app_watch_done(field);
                *field = watch;
        }
        return r;
}

static int set_object(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        if (value->kind != VALUE_MAP) {
                return attribute_refuse(attribute, value, error);
        }
        if (value_bytes(value) > attribute->maximum) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: is over %" PRIu64 " bytes",
                                attribute->name,
                                attribute->maximum);
        }
        Value **field = attribute_field(config, attribute);
        value_free(*field);
        *field = value_copy(value);
        return 0;
}

static int set_word(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        g_auto(GStrv) words = g_strsplit(attribute->words, " ", -1);
        const char *said = value->kind == VALUE_STRING ? value->string
                           : value->kind == VALUE_BOOL ? value->boolean ? "true" : "false"
                                                       : NULL;

        for (int i = 0; said && words[i]; i++) {
                if (strcmp(words[i], said) == 0) {
                        *(int *) attribute_field(config, attribute) =
                                        attribute->distinct_words > 0 ? i % attribute->distinct_words : i;
                        return 0;
                }
        }
        return attribute_refuse(attribute, value, error);
}

static int set_dependencies(
                AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        GArray *dependencies = NULL;

        int r = dependencies_from_value(attribute->name, value, &dependencies, error);
        if (r >= 0) {
                GArray **field = attribute_field(config, attribute);
                g_clear_pointer(field, g_array_unref);
                *field = dependencies;
        }
        return r;
}

typedef int (*Setter)(AppConfig *config, const Attribute *attribute, const Value *value, Error *error);

static const Setter setters[_ATTRIBUTE_TYPE_MAX] = {
        [ATTRIBUTE_STRING] = set_string,
        [ATTRIBUTE_PATH] = set_string,
        [ATTRIBUTE_BOOL] = set_bool,
        [ATTRIBUTE_NUMBER] = set_number,
        [ATTRIBUTE_DURATION] = set_duration,
        [ATTRIBUTE_SIGNAL] = set_signal,
        [ATTRIBUTE_STRINGS] = set_strings,
        [ATTRIBUTE_ENVIRONMENT] = set_environment,
        [ATTRIBUTE_SIZE] = set_size,
        [ATTRIBUTE_EXIT_CODES] = set_exit_codes,
        [ATTRIBUTE_FILTER] = set_filter,
        [ATTRIBUTE_PERCENT] = set_percent,
        [ATTRIBUTE_SCORE] = set_score,
        [ATTRIBUTE_LIMITS] = attribute_set_limits,
        [ATTRIBUTE_COUNT] = set_count,
        [ATTRIBUTE_WORD] = set_word,
        [ATTRIBUTE_PATHS] = set_paths,
        [ATTRIBUTE_OBJECT] = set_object,
        [ATTRIBUTE_CRON] = set_cron,
        [ATTRIBUTE_OFF] = set_off,
        [ATTRIBUTE_KEPT] = set_kept,
        [ATTRIBUTE_CREDENTIALS] = set_credentials,
        [ATTRIBUTE_HEALTH] = set_health,
        [ATTRIBUTE_WATCH] = set_watch,
        [ATTRIBUTE_DEPENDS] = set_dependencies,
};

int attribute_set(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        return setters[attribute->type](config, attribute, value, error);
}
