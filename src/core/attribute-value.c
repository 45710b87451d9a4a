/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From what a caller wrote to the field of an attribute: one setter for each type. */

#include "core/attribute-value.h"

#include "basic/parse-util.h"
#include "basic/signal-util.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "core/command-line.h"
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

static int refuse(const Attribute *attribute, const Value *value, Error *error) {
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

static int set_string(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        if (value->kind != VALUE_STRING) {
                return refuse(attribute, value, error);
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
                return refuse(attribute, value, error);
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
                return refuse(attribute, value, error);
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
                        return refuse(attribute, value, error);
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
                return refuse(attribute, value, error);
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
                return refuse(attribute, value, error);
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
                return refuse(attribute, value, error);
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
                return refuse(attribute, value, error);
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
                return refuse(attribute, value, error);
        }
        double percent = g_ascii_strtod(text, &end);
        if ((*end && strcmp(end, "%") != 0) || strpbrk(text, "xXnN")) {
                return refuse(attribute, value, error);
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
                return refuse(attribute, value, error);
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

static int add_limit(
                const Attribute *attribute,
                const char *name,
                const char *text,
                ResourceLimits *limits,
                Error *error) {
        int resource = resource_from_name(name);

        if (resource < 0) {
                g_autofree char *quoted = error_quote(name);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: %s is no resource (nofile, nproc, core, memlock, as, stack...)",
                                attribute->name,
                                quoted);
        }
        int r = text ? resource_limit_parse(resource, text, &limits->of[resource]) : -EINVAL;
        if (r < 0) {
                g_autofree char *quoted = text ? error_quote(text) : g_strdup("this value");
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s.%s: %s %s",
                                attribute->name,
                                resource_name(resource),
                                quoted,
                                r == -ERANGE ? "is out of range, or its soft limit is over the hard one"
                                             : "is no limit: expected a number, \"infinity\" or "
                                               "\"soft:hard\"");
        }
        return 0;
}

static int set_limits(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        ResourceLimits limits = { 0 };
        int r = 0;

        if (value->kind == VALUE_STRING) { /* as command lines have it */
                g_auto(GStrv) words = g_strsplit_set(value->string, " ,", -1);
                for (char **word = words; r >= 0 && *word; word++) {
                        char *equals = strchr(*word, '=');
                        if (equals) {
                                *equals = '\0';
                        }
                        r = **word || equals ? add_limit(attribute,
                                                         *word,
                                                         equals ? equals + 1 : NULL,
                                                         &limits,
                                                         error)
                                             : 0;
                }
        } else if (value->kind == VALUE_MAP) {
                for (guint i = 0; r >= 0 && i < value->entries->len; i++) {
                        const ValueEntry *entry = &g_array_index(value->entries, ValueEntry, i);
                        bool scalar = entry->value->kind != VALUE_BOOL;
                        g_autofree char *text = scalar ? value_to_text(entry->value) : NULL;
                        r = add_limit(attribute, entry->key, text, &limits, error);
                }
        } else {
                r = refuse(attribute, value, error);
        }
        if (r >= 0) {
                ResourceLimits **field = attribute_field(config, attribute);
                g_free(*field);
                *field = g_memdup2(&limits, sizeof(limits));
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

static int set_object(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        if (value->kind != VALUE_MAP) {
                return refuse(attribute, value, error);
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
                        *(int *) attribute_field(config, attribute) = i;
                        return 0;
                }
        }
        return refuse(attribute, value, error);
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
        [ATTRIBUTE_LIMITS] = set_limits,
        [ATTRIBUTE_COUNT] = set_count,
        [ATTRIBUTE_WORD] = set_word,
        [ATTRIBUTE_PATHS] = set_paths,
        [ATTRIBUTE_OBJECT] = set_object,
        [ATTRIBUTE_OFF] = set_off,
        [ATTRIBUTE_KEPT] = set_kept,
        [ATTRIBUTE_CREDENTIALS] = set_credentials,
};

int attribute_set(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        return setters[attribute->type](config, attribute, value, error);
}
