/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/request.h"

#include "core/app-config.h"
#include "core/value-text.h"

#include <string.h>

typedef int (*Reader)(Request *request, const Value *value, void *field, const char *key, Error *error);

static int refuse(const char *key, const char *expected, const Value *value, Error *error) {
        g_autofree char *got = value_describe(value);

        return error_set(error, ERROR_INVALID_ARGS, "option %s: expected %s, got %s", key, expected, got);
}

static int read_bool(Request *request, const Value *value, void *field, const char *key, Error *error) {
        if (value->kind != VALUE_BOOL) {
                return refuse(key, "a boolean", value, error);
        }
        *(bool *) field = value->boolean;
        return 0;
}

static int read_usec(Request *request, const Value *value, void *field, const char *key, Error *error) {
        if (value->kind != VALUE_INT || value->integer < 0) {
                return refuse(key, "microseconds", value, error);
        }
        *(uint64_t *) field = (uint64_t) value->integer;
        return 0;
}

static int read_string(Request *request, const Value *value, void *field, const char *key, Error *error) {
        if (value->kind != VALUE_STRING) {
                return refuse(key, "a string", value, error);
        }
        g_free(*(char **) field);
        *(char **) field = g_strdup(value->string);
        return 0;
}

static int read_strings(Request *request, const Value *value, void *field, const char *key, Error *error) {
        if (value->kind != VALUE_ARRAY) {
                return refuse(key, "an array of strings", value, error);
        }
        g_auto(GStrv) strings = g_new0(char *, value->items->len + 1);
        for (guint i = 0; i < value->items->len; i++) {
                const Value *item = value->items->pdata[i];
                if (item->kind != VALUE_STRING) {
                        return refuse(key, "an array of strings", item, error);
                }
                strings[i] = g_strdup(item->string);
        }
        g_strfreev(*(char ***) field);
        *(char ***) field = g_steal_pointer(&strings);
        return 0;
}

/* The same rules as for the attribute "env". */
static int read_environment(
                Request *request, const Value *value, void *field, const char *key, Error *error) {
        g_autoptr(AppConfig) scratch = app_config_new();
        g_auto(Error) cause = { 0 };

        if (app_config_set_by_name(scratch, "env", value, &cause) < 0) {
                return error_set(error, ERROR_INVALID_ARGS, "option %s: %s", key, cause.message);
        }
        environment_unref(*(Environment **) field);
        *(Environment **) field = environment_ref(scratch->env);
        return 0;
}

static const struct {
        const char *key;
        unsigned allowed_by; /* of RequestKeys; 0: always */
        size_t offset;
        Reader read;
} options_table[] = {
        { "wait", 0, offsetof(Request, wait), read_bool },
        { "timeout", 0, offsetof(Request, timeout_usec), read_usec },
        { "force", REQUEST_FORCE, offsetof(Request, force), read_bool },
        { "start", REQUEST_START, offsetof(Request, start), read_bool },
        { "update_env", REQUEST_UPDATE_ENV, offsetof(Request, update_env), read_bool },
        { "caller_env", REQUEST_ENVIRONMENT, offsetof(Request, caller_env), read_environment },
        { "cwd", REQUEST_CWD, offsetof(Request, cwd), read_string },
        { "only", REQUEST_ONLY, offsetof(Request, only), read_strings },
        { "env", REQUEST_PROFILE, offsetof(Request, profile), read_string },
        { "saved", REQUEST_SAVED, offsetof(Request, saved), read_bool },
};

static int parse_entry(Request *request, const ValueEntry *entry, unsigned keys, Error *error) {
        for (size_t i = 0; i < ELEMENTS(options_table); i++) {
                unsigned allowed_by = options_table[i].allowed_by;
                if (strcmp(options_table[i].key, entry->key) == 0 &&
                    (allowed_by == 0 || keys & allowed_by)) {
                        return options_table[i].read(
                                        request,
                                        entry->value,
                                        (char *) request + options_table[i].offset,
                                        entry->key,
                                        error);
                }
        }
        if (keys & REQUEST_ATTRIBUTES) {
                g_ptr_array_add(request->attributes, (void *) entry);
                return 0;
        }
        g_autofree char *quoted = error_quote(entry->key);
        return error_set(error, ERROR_INVALID_ARGS, "unknown option %s", quoted);
}

int request_parse(Request *request, const Value *options, unsigned keys, Error *error) {
        *request = (Request){ .wait = true, .start = true, .attributes = g_ptr_array_new() };
        for (guint i = 0; i < options->entries->len; i++) {
                int r = parse_entry(request, &g_array_index(options->entries, ValueEntry, i), keys, error);
                if (r < 0) {
                        return r;
                }
        }
        return 0;
}

void request_done(Request *request) {
        environment_unref(request->caller_env);
        g_free(request->cwd);
        g_strfreev(request->only);
        g_free(request->profile);
        if (request->attributes) {
                g_ptr_array_unref(request->attributes);
        }
        *request = (Request){ 0 };
}

const Value *request_attribute(const Request *request, const char *name) {
        for (guint i = 0; request->attributes && i < request->attributes->len; i++) {
                const ValueEntry *entry = request->attributes->pdata[i];
                if (strcmp(entry->key, name) == 0) {
                        return entry->value;
                }
        }
        return NULL;
}
