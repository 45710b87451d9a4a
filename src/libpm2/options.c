/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Options of calls: an ordered list of keys with typed values, written into a message as a{sv}. */

#include "options.h"

#include "basic/utf8.h"

#include <string.h>

static void strings_free(char **strings) {
        for (char **s = strings; s && *s; s++) {
                free(*s);
        }
        free(strings);
}

static char **strings_copy(const char *const *strings) {
        size_t length = 0;
        while (strings[length]) {
                length++;
        }
        char **copy = calloc(length + 1, sizeof(*copy));
        for (size_t i = 0; copy && i < length; i++) {
                copy[i] = strdup(strings[i]);
                if (!copy[i]) {
                        strings_free(copy);
                        return NULL;
                }
        }
        return copy;
}

static bool is_utf8(const char *text) {
        return utf8_is_valid(text, strlen(text));
}

PM2_EXPORT int pm2_options_new(pm2_options **ret) {
        pm2_options *options = calloc(1, sizeof(*options));
        if (!options) {
                return -ENOMEM;
        }
        *ret = options;
        return 0;
}

PM2_EXPORT pm2_options *pm2_options_free(pm2_options *options) {
        if (options) {
                for (size_t i = 0; i < options->length; i++) {
                        free(options->items[i].key);
                        strings_free(options->items[i].strings);
                }
                free(options->items);
                free(options);
        }
        return NULL;
}

const Option *options_find(const pm2_options *options, const char *key) {
        for (size_t i = 0; options && i < options->length; i++) {
                if (strcmp(options->items[i].key, key) == 0) {
                        return &options->items[i];
                }
        }
        return NULL;
}

PM2_EXPORT bool pm2_options_has(const pm2_options *options, const char *key) {
        return options_find(options, key) != NULL;
}

static Option *options_extend(pm2_options *options, const char *key) {
        if (options->length == options->allocated) {
                size_t allocated = options->allocated ? options->allocated * 2 : 8;
                Option *items = reallocarray(options->items, allocated, sizeof(*items));
                if (!items) {
                        return NULL;
                }
                options->items = items;
                options->allocated = allocated;
        }
        char *copy = strdup(key);
        if (!copy) {
                return NULL;
        }
        Option *option = &options->items[options->length++];
        *option = (Option){ .key = copy };
        return option;
}

/* Give the key this value; the strings are owned by the option on success and freed otherwise. */
static int options_set(pm2_options *options, const char *key, Option value) {
        if (key[0] == '\0' || !is_utf8(key)) {
                strings_free(value.strings);
                return -EINVAL;
        }
        Option *option = (Option *) options_find(options, key);
        if (!option) {
                option = options_extend(options, key);
        }
        if (!option) {
                strings_free(value.strings);
                return -ENOMEM;
        }
        strings_free(option->strings);
        value.key = option->key;
        *option = value;
        return 0;
}

PM2_EXPORT int pm2_options_set_string(pm2_options *options, const char *key, const char *value) {
        char **strings = strings_copy((const char *const[]){ value, NULL });
        if (!strings) {
                return -ENOMEM;
        }
        return options_set(options, key, (Option){ .type = OPTION_STRING, .strings = strings });
}

PM2_EXPORT int pm2_options_set_bool(pm2_options *options, const char *key, bool value) {
        return options_set(options, key, (Option){ .type = OPTION_BOOL, .boolean = value });
}

PM2_EXPORT int pm2_options_set_int(pm2_options *options, const char *key, int64_t value) {
        return options_set(options, key, (Option){ .type = OPTION_INT, .int64 = value });
}

PM2_EXPORT int pm2_options_set_uint(pm2_options *options, const char *key, uint64_t value) {
        return options_set(options, key, (Option){ .type = OPTION_UINT, .uint64 = value });
}

PM2_EXPORT int pm2_options_set_double(pm2_options *options, const char *key, double value) {
        return options_set(options, key, (Option){ .type = OPTION_DOUBLE, .number = value });
}

PM2_EXPORT int pm2_options_set_strv(pm2_options *options, const char *key, const char *const *strings) {
        char **copy = strings_copy(strings);
        if (!copy) {
                return -ENOMEM;
        }
        return options_set(options, key, (Option){ .type = OPTION_STRV, .strings = copy });
}

/* Whether two assignments are to the same key. */
static bool same_key(const char *one, const char *other) {
        size_t length = (size_t) (strchr(one, '=') - one) + 1;
        return strncmp(one, other, length) == 0;
}

/* Add an assignment to strings, which has room; an equal key is replaced or kept. */
static int add_assignment(char **strings, size_t *length, const char *assignment, bool replace) {
        size_t i = 0;

        while (i < *length && !same_key(strings[i], assignment)) {
                i++;
        }
        if (i < *length && !replace) {
                return 0;
        }
        char *copy = strdup(assignment);
        if (!copy) {
                return -ENOMEM;
        }
        free(strings[i]);
        strings[i] = copy;
        *length += i == *length;
        return 0;
}

/* A name that is not UTF-8 cannot be said on the bus; a value can. */
static bool is_assignment(const char *text) {
        const char *equals = strchr(text, '=');
        return equals && equals > text && utf8_is_valid(text, (size_t) (equals - text));
}

static int set_map(pm2_options *options, const char *key, const char *const *assignments, bool strict) {
        size_t count = 0, length = 0;
        while (assignments[count]) {
                count++;
        }
        char **strings = calloc(count + 1, sizeof(*strings));
        if (!strings) {
                return -ENOMEM;
        }
        for (size_t i = 0; i < count; i++) {
                int r = 0;
                if (is_assignment(assignments[i])) {
                        r = add_assignment(strings, &length, assignments[i], strict);
                } else if (strict) {
                        r = -EINVAL;
                }
                if (r < 0) {
                        strings_free(strings);
                        return r;
                }
        }
        return options_set(options, key, (Option){ .type = OPTION_MAP, .strings = strings });
}

PM2_EXPORT int pm2_options_set_map(pm2_options *options, const char *key, const char *const *assignments) {
        return set_map(options, key, assignments, true);
}

int options_set_environment(pm2_options *options, const char *key, char *const *environment) {
        static const char *const empty[] = { NULL };
        return set_map(options, key, environment ? (const char *const *) environment : empty, false);
}

int options_copy(const pm2_options *options, pm2_options **ret) {
        _cleanup_options_ pm2_options *copy = NULL;

        int r = pm2_options_new(&copy);
        for (size_t i = 0; r >= 0 && options && i < options->length; i++) {
                Option value = options->items[i];
                if (value.strings) {
                        value.strings = strings_copy((const char *const *) value.strings);
                        if (!value.strings) {
                                return -ENOMEM;
                        }
                }
                r = options_set(copy, options->items[i].key, value);
        }
        if (r < 0) {
                return r;
        }
        *ret = copy;
        copy = NULL;
        return 0;
}

static int append_string(sd_bus_message *message, const char *text, bool bytes) {
        return bytes ? sd_bus_message_append_array(message, SD_BUS_TYPE_BYTE, text, strlen(text))
                     : sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, text);
}

/* A string list, as bytes where one string is not UTF-8. */
static int append_strv(sd_bus_message *message, char *const *strings) {
        bool bytes = false;

        for (char *const *s = strings; *s; s++) {
                bytes = bytes || !is_utf8(*s);
        }
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, bytes ? "aay" : "as");
        if (r < 0) {
                return r;
        }
        r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, bytes ? "ay" : "s");
        for (char *const *s = strings; r >= 0 && *s; s++) {
                r = append_string(message, *s, bytes);
        }
        if (r < 0) {
                return r;
        }
        r = sd_bus_message_close_container(message);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_text(sd_bus_message *message, const char *text) {
        bool bytes = !is_utf8(text);

        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, bytes ? "ay" : "s");
        if (r < 0) {
                return r;
        }
        r = append_string(message, text, bytes);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_assignment(sd_bus_message *message, const char *assignment, bool bytes) {
        const char *value = strchr(assignment, '=') + 1;
        _cleanup_free_ char *key = strndup(assignment, (size_t) (value - assignment) - 1);

        if (!key) {
                return -ENOMEM;
        }
        if (!bytes) {
                return sd_bus_message_append(message, "{ss}", key, value);
        }
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
        if (r >= 0) {
                r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, key);
        }
        if (r >= 0) {
                r = append_text(message, value);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

/* A map of strings, or where one of them is not UTF-8 of strings and bytes. */
static int append_map(sd_bus_message *message, char *const *assignments) {
        bool bytes = false;

        for (char *const *s = assignments; *s; s++) {
                bytes = bytes || !is_utf8(*s);
        }
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, bytes ? "a{sv}" : "a{ss}");
        if (r < 0) {
                return r;
        }
        r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, bytes ? "{sv}" : "{ss}");
        for (char *const *s = assignments; r >= 0 && *s; s++) {
                r = append_assignment(message, *s, bytes);
        }
        if (r < 0) {
                return r;
        }
        r = sd_bus_message_close_container(message);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_value(sd_bus_message *message, const Option *option) {
        switch (option->type) {
        case OPTION_BOOL:
                return sd_bus_message_append(message, "v", "b", (int) option->boolean);
        case OPTION_INT:
                return sd_bus_message_append(message, "v", "x", option->int64);
        case OPTION_UINT:
                return sd_bus_message_append(message, "v", "t", option->uint64);
        case OPTION_DOUBLE:
                return sd_bus_message_append(message, "v", "d", option->number);
        case OPTION_STRV:
                return append_strv(message, option->strings);
        case OPTION_MAP:
                return append_map(message, option->strings);
        case OPTION_STRING:
        default:
                return append_text(message, option->strings[0]);
        }
}

int options_append(const pm2_options *options, sd_bus_message *message) {
        int r = sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}");
        for (size_t i = 0; r >= 0 && options && i < options->length; i++) {
                const Option *option = &options->items[i];
                r = sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
                if (r >= 0) {
                        r = sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, option->key);
                }
                if (r >= 0) {
                        r = append_value(message, option);
                }
                if (r >= 0) {
                        r = sd_bus_message_close_container(message);
                }
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}
