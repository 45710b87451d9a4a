/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What loading a list would do, and nothing of it: for Validate. */

#include "config/json-text.h"
#include "manager/saved-lists.h"

#include <string.h>

static GPtrArray *existing_of(const Manager *manager, uid_t owner, const char *name) {
        GPtrArray *existing = g_ptr_array_new();

        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                Process *process = registry_at(manager->registry, i);
                if (process->owner == owner && strcmp(process->config->name, name) == 0) {
                        g_ptr_array_add(existing, process);
                }
        }
        return existing;
}

static int check_entry(
                Manager *manager,
                uid_t owner,
                const SavedEntry *entry,
                AppConfig *config,
                GPtrArray **ret_existing,
                Error *error) {
        g_auto(ProcessPlan) plan = { 0 };

        int r = saved_entry_apply(entry, config, error);
        if (r < 0) {
                return r;
        }
        g_autoptr(GPtrArray) existing = existing_of(manager, owner, config->name);
        if (existing->len == 0) {
                g_autoptr(Environment) environment =
                                app_environment_base(manager, owner, entry->environment);
                r = app_plan_make(manager, owner, config, environment, &plan, error);
        }
        if (r >= 0) {
                *ret_existing = g_steal_pointer(&existing);
        }
        return r;
}

static Value *describe_ids(const GPtrArray *processes) {
        Value *ids = value_new_array();

        for (guint i = 0; i < processes->len; i++) {
                value_append(ids, value_new_int(((const Process *) processes->pdata[i])->id));
        }
        return ids;
}

static const char *action_of(const SavedEntry *entry, const AppConfig *config, const GPtrArray *existing) {
        if (existing->len > 0) {
                return "skip";
        }
        return entry->status != SAVED_ONLINE || !config->autostart ? "register" : "start";
}

/* error: set if the entry itself could not be read; else it says what is wrong with it. */
static Value *describe_entry(
                Manager *manager, uid_t owner, const SavedEntry *entry, unsigned index, Error *error) {
        g_autoptr(AppConfig) config = app_config_new();
        g_autoptr(GPtrArray) existing = NULL;
        Value *map = value_new_map();

        int r = error->code != ERROR_NONE ? -ECANCELED
                                          : check_entry(manager, owner, entry, config, &existing, error);
        value_set(map, "name", value_new_string(config->name ? config->name : ""));
        value_set(map, "index", value_new_int(index));
        if (r < 0) {
                Value *errors = value_new_array();
                value_append(errors, value_new_string(error->message));
                value_set(map, "action", value_new_string("fail"));
                value_set(map, "errors", errors);
                return map;
        }
        value_set(map, "action", value_new_string(action_of(entry, config, existing)));
        value_set(map, "instances", value_new_int(existing->len > 0 ? existing->len : 1));
        if (existing->len > 0) {
                value_set(map, "ids", describe_ids(existing));
        }
        return map;
}

static int open_reader(const char *text, SavedListReader **ret, Error *error) {
        size_t length = strlen(text);
        g_autoptr(SavedListReader) reader = NULL;

        /* All of it is looked at in one turn of the loop. */
        if (length > JSON_BYTES_MAX) {
                return error_set(
                                error,
                                ERROR_LIMIT_EXCEEDED,
                                "the list has %zu bytes; one that is to be checked has %d at most",
                                length,
                                JSON_BYTES_MAX);
        }
        int r = saved_list_reader_new(text, length, &reader, error);
        while (r >= 0 && (r = saved_list_reader_check(reader, error)) > 0) {
        }
        if (r >= 0) {
                *ret = g_steal_pointer(&reader);
        }
        return r;
}

int saved_list_validate(
                Manager *manager, const Caller *caller, const char *text, Value **ret, Error *error) {
        g_autoptr(SavedListReader) reader = NULL;

        int r = open_reader(text, &reader, error);
        if (r < 0) {
                return r;
        }
        Value *apps = value_new_array(), *errors = value_new_array(), *result = value_new_map();
        for (unsigned i = 0;; i++) {
                g_auto(SavedEntry) entry = { 0 };
                g_auto(Error) trouble = { 0 };
                if (saved_list_reader_next(reader, &entry, &trouble) == 0) {
                        break;
                }
                value_append(apps, describe_entry(manager, caller->uid, &entry, i, &trouble));
                if (trouble.code != ERROR_NONE) {
                        value_append(errors, value_new_string(trouble.message));
                }
        }
        value_set(result, "ok", value_new_bool(value_count(errors) == 0));
        value_set(result, "apps", apps);
        value_set(result, "errors", errors);
        value_set(result, "notices", value_new_array());
        *ret = result;
        return 0;
}
