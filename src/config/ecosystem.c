/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config/ecosystem.h"

#include "config/json-text.h"

#include <string.h>

static int check_apps(const Value *apps, Error *error) {
        if (value_count(apps) > ECOSYSTEM_APPS_MAX) {
                return error_set(error, ERROR_INVALID_CONFIG, "apps: over %d", ECOSYSTEM_APPS_MAX);
        }
        for (guint i = 0; i < apps->items->len; i++) {
                const Value *app = apps->items->pdata[i];
                if (app->kind != VALUE_MAP) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "apps[%u]: expected an object, got %s",
                                        i,
                                        value_kind_to_text(app->kind));
                }
        }
        return 0;
}

/* Take the member of a map out of it. */
static Value *steal_member(Value *map, const char *key) {
        for (guint i = 0; i < map->entries->len; i++) {
                ValueEntry *entry = &g_array_index(map->entries, ValueEntry, i);
                if (strcmp(entry->key, key) == 0) {
                        return g_steal_pointer(&entry->value);
                }
        }
        return NULL;
}

int ecosystem_decode(const char *document, Value **ret, Error *error) {
        g_autoptr(Value) root = NULL;
        g_autoptr(Value) apps = NULL;

        int r = json_text_decode(document, strlen(document), &root, error);
        if (r < 0) {
                return r;
        }
        if (root->kind == VALUE_MAP && value_get(root, "apps")) {
                apps = steal_member(root, "apps");
        } else if (root->kind == VALUE_MAP) {
                apps = value_new_array();
                value_append(apps, g_steal_pointer(&root));
        } else {
                apps = g_steal_pointer(&root);
        }
        if (apps->kind == VALUE_MAP) {
                Value *one = g_steal_pointer(&apps);
                apps = value_new_array();
                value_append(apps, one);
        }
        if (apps->kind != VALUE_ARRAY) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "apps: expected an app or an array of apps, got %s",
                                value_kind_to_text(apps->kind));
        }
        r = check_apps(apps, error);
        if (r < 0) {
                return r;
        }
        *ret = g_steal_pointer(&apps);
        return 0;
}
