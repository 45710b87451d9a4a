/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config/ecosystem.h"

#include "config/json-text.h"
#include "core/app-config.h"

#include <string.h>

#define PROFILE_PREFIX "env_"

/* What stands beside "apps". */
static const char *const document_keys[] = { "apps", "deploy" };

static bool is_document_key(const char *key) {
        for (size_t i = 0; i < ELEMENTS(document_keys); i++) {
                if (strcmp(document_keys[i], key) == 0) {
                        return true;
                }
        }
        return g_str_has_prefix(key, "x-");
}

static int refuse_at(const Ecosystem *ecosystem, unsigned line, Error *error, char *message) {
        int r = ecosystem->lines ? error_set(error, ERROR_INVALID_CONFIG, "line %u: %s", line, message)
                                 : error_set(error, ERROR_INVALID_CONFIG, "%s", message);
        g_free(message);
        return r;
}

static int refuse_key(const Ecosystem *ecosystem, const ValueEntry *entry, bool apps, Error *error) {
        const char *guess = attribute_guess(entry->key);
        g_autofree char *quoted = error_quote(entry->key);
        g_autofree char *hint = NULL;

        if (apps && attribute_find(entry->key)) {
                hint = g_strdup(", it belongs to an app");
        } else if (!apps && guess) {
                hint = g_strdup_printf(", did you mean \"%s\"?", guess);
        } else {
                hint =
                                g_strdup_printf(", did you mean \"%s\"?",
                                                g_ascii_tolower(entry->key[0]) == 'd' ? "deploy" : "apps");
        }
        return refuse_at(
                        ecosystem,
                        entry->value->line,
                        error,
                        g_strdup_printf("%s: unknown key of the document%s", quoted, hint));
}

/* Whether a map is an app: it has a key that only apps have. */
static bool is_app(const Value *map) {
        for (guint i = 0; i < map->entries->len; i++) {
                const char *key = g_array_index(map->entries, ValueEntry, i).key;
                if (attribute_find(key) || ecosystem_profile_of(key)) {
                        return true;
                }
        }
        return map->entries->len == 0;
}

/* Take the apps out of a map that has them, and look at what stands beside. */
static int take_apps(Ecosystem *ecosystem, Value *root, Value **ret, Error *error) {
        bool apps = value_get(root, "apps") != NULL;

        for (guint i = 0; i < root->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(root->entries, ValueEntry, i);
                if (!is_document_key(entry->key)) {
                        return refuse_key(ecosystem, entry, apps, error);
                }
                if (strcmp(entry->key, "deploy") == 0) {
                        g_ptr_array_add(ecosystem->notices,
                                        g_strdup("deploy: deployments have no effect here"));
                }
        }
        for (guint i = 0; i < root->entries->len; i++) {
                ValueEntry *entry = &g_array_index(root->entries, ValueEntry, i);
                if (strcmp(entry->key, "apps") == 0) {
                        *ret = entry->value;
                        entry->value = NULL;
                        return 0;
                }
        }
        return error_set(error, ERROR_INVALID_CONFIG, "apps: is missing");
}

static int find_apps(Ecosystem *ecosystem, Value *root, Value **ret, Error *error) {
        ecosystem->shape = ECOSYSTEM_ARRAY;
        if (root->kind == VALUE_MAP && (value_get(root, "apps") || !is_app(root))) {
                g_autoptr(Value) map = root;
                int r = take_apps(ecosystem, map, &root, error);
                if (r < 0) {
                        return r;
                }
                ecosystem->shape = root->kind == VALUE_MAP ? ECOSYSTEM_KEY : ECOSYSTEM_ARRAY;
        } else if (root->kind == VALUE_MAP) {
                ecosystem->shape = ECOSYSTEM_ONE;
        }
        if (root->kind == VALUE_MAP) {
                Value *apps = value_new_array();
                value_append(apps, root);
                root = apps;
        }
        *ret = root;
        return 0;
}

static int check_apps(const Ecosystem *ecosystem, const Value *apps, Error *error) {
        if (apps->kind != VALUE_ARRAY) {
                return refuse_at(
                                ecosystem,
                                apps->line,
                                error,
                                g_strdup_printf("apps: expected an app or an array of apps, got %s",
                                                value_kind_to_text(apps->kind)));
        }
        if (value_count(apps) > ECOSYSTEM_APPS_MAX) {
                return error_set(error, ERROR_INVALID_CONFIG, "apps: over %d", ECOSYSTEM_APPS_MAX);
        }
        for (guint i = 0; i < apps->items->len; i++) {
                const Value *app = apps->items->pdata[i];
                if (app->kind != VALUE_MAP) {
                        return refuse_at(
                                        ecosystem,
                                        app->line,
                                        error,
                                        g_strdup_printf("apps[%u]: expected an object, got %s",
                                                        i,
                                                        value_kind_to_text(app->kind)));
                }
        }
        return 0;
}

static bool has_lines(const char *document) {
        const char *newline = strchr(document, '\n');
        return newline && newline[strspn(newline, " \t\r\n")] != '\0';
}

int ecosystem_decode(const char *document, Ecosystem *ret, Error *error) {
        g_auto(Ecosystem) ecosystem = {
                .lines = has_lines(document),
                .notices = g_ptr_array_new_with_free_func(g_free),
        };
        Value *root = NULL;

        int r = json_text_decode_relaxed(document, strlen(document), &root, error);
        if (r < 0) {
                return r;
        }
        r = find_apps(&ecosystem, root, &ecosystem.apps, error);
        if (r >= 0) {
                r = check_apps(&ecosystem, ecosystem.apps, error);
        }
        if (r < 0) {
                return r;
        }
        *ret = ecosystem;
        ecosystem = (Ecosystem){ 0 };
        return 0;
}

void ecosystem_done(Ecosystem *ecosystem) {
        value_free(ecosystem->apps);
        g_clear_pointer(&ecosystem->notices, g_ptr_array_unref);
        *ecosystem = (Ecosystem){ 0 };
}

/* The key that a message begins with: "env_file" of "env_file: ...", "args" of "args[2]: ..."; NULL: none.
 */
static char *key_of(const char *message) {
        size_t length = strspn(message, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

        if (length == 0 || !message[length] || !strchr(":.[", message[length])) {
                return NULL;
        }
        g_autofree char *key = g_strndup(message, length);
        return attribute_find(key) || ecosystem_profile_of(key) ? g_steal_pointer(&key) : NULL;
}

unsigned ecosystem_line_of(const Ecosystem *ecosystem, unsigned index, const char *message) {
        const Value *app = ecosystem->apps->items->pdata[index];
        g_autofree char *key = key_of(message);
        const Attribute *attribute = key ? attribute_find(key) : NULL;

        if (!ecosystem->lines) {
                return 0;
        }
        for (guint i = 0; i < app->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(app->entries, ValueEntry, i);
                g_autofree char *unknown = error_quote(entry->key);
                if ((attribute && attribute_find(entry->key) == attribute) ||
                    (key && strcmp(entry->key, key) == 0) || g_str_has_prefix(message, unknown)) {
                        return entry->value->line;
                }
        }
        return app->line;
}

void ecosystem_place_error(const Ecosystem *ecosystem, unsigned index, Error *error) {
        unsigned line = ecosystem_line_of(ecosystem, index, error->message);
        g_autofree char *key = key_of(error->message);
        g_autoptr(GString) text = g_string_new(NULL);

        if (line > 0) {
                g_string_append_printf(text, "line %u: ", line);
        }
        if (ecosystem->shape == ECOSYSTEM_ARRAY) {
                g_string_append_printf(text, "apps[%u]%s", index, key ? "." : ": ");
        } else if (ecosystem->shape == ECOSYSTEM_KEY) {
                g_string_append_printf(text, "apps%s", key ? "." : ": ");
        }
        g_string_append(text, error->message);
        g_free(error->message);
        error->message = g_strdup(text->str);
}

const char *ecosystem_profile_of(const char *key) {
        bool profile = g_str_has_prefix(key, PROFILE_PREFIX) && key[strlen(PROFILE_PREFIX)] &&
                       !strpbrk(key, " \t\r\n\f\v") && !attribute_find(key);

        return profile ? key + strlen(PROFILE_PREFIX) : NULL;
}

static int put_variables(Value *environment, const Value *from, const char *key, Error *error) {
        if (from->kind == VALUE_NULL) {
                return 0;
        }
        if (from->kind != VALUE_MAP) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: expected an object of variables, got %s",
                                key,
                                value_kind_to_text(from->kind));
        }
        for (guint i = 0; i < from->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(from->entries, ValueEntry, i);
                value_remove(environment, entry->key);
                value_set(environment, entry->key, value_copy(entry->value));
        }
        return 0;
}

int ecosystem_environment(const Value *app, const char *profile, Value **ret, Error *error) {
        g_autoptr(Value) environment = value_new_map();
        g_autofree char *key = profile ? g_strconcat(PROFILE_PREFIX, profile, NULL) : NULL;
        const Value *base = value_get(app, "env"), *over = key ? value_get(app, key) : NULL;

        int r = base ? put_variables(environment, base, "env", error) : 0;
        if (r >= 0 && over) {
                r = put_variables(environment, over, key, error);
        }
        if (r < 0) {
                return r;
        }
        *ret = base || over ? g_steal_pointer(&environment) : NULL;
        return 0;
}
