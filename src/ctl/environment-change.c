/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "environment-change.h"

#include "i18n.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

struct EnvironmentChange {
        GHashTable *environments; /* id -> pm2_value */
};

/* What pm2d tells a process about its own run: other at each start, and no change of anybody's. */
static const char *const own_facts[] = { "pm_uptime", "restart_time", "unstable_restarts", "status", NULL };

static void free_value(void *value) {
        (void) pm2_value_free(value);
}

EnvironmentChange *environment_change_begin(const Ctl *ctl, const char *target) {
        EnvironmentChange *change = g_new0(EnvironmentChange, 1);
        pm2_value *processes = NULL;

        change->environments = g_hash_table_new_full(NULL, NULL, NULL, free_value);
        if (pm2_describe(ctl->client, target, &processes) < 0) {
                return change; /* the restart will say why */
        }
        for (size_t i = 0; i < pm2_value_get_length(processes); i++) {
                uint32_t id = pm2_process_get_id(pm2_value_get_item(processes, i));
                pm2_value *environment = NULL;
                if (pm2_get_process_environment(ctl->client, id, &environment) >= 0) {
                        (void) g_hash_table_insert(change->environments, GUINT_TO_POINTER(id), environment);
                }
        }
        (void) pm2_value_free(processes);
        return change;
}

void environment_change_free(EnvironmentChange *change) {
        if (change) {
                g_hash_table_unref(change->environments);
                g_free(change);
        }
}

/* Names with dots in them are not paths. */
static const char *variable(const pm2_value *environment, const char *name) {
        for (size_t i = 0; i < pm2_value_get_length(environment); i++) {
                const char *text = NULL;
                if (strcmp(pm2_value_get_key(environment, i), name) == 0 &&
                    pm2_value_get_string(pm2_value_get_item(environment, i), "", &text) >= 0) {
                        return text;
                }
        }
        return NULL;
}

static void add_name(GString *names, const char *what, const char *name, bool utf8) {
        g_autofree char *clean = text_clean(name, utf8);

        g_string_append(names, names->len > 0 ? ", " : "");
        g_string_append_printf(names, "%s %s", what, clean);
}

/* "added A, changed B, removed C" */
static char *compare(const pm2_value *before, const pm2_value *after, bool utf8) {
        g_autoptr(GString) added = g_string_new(NULL), removed = g_string_new(NULL);

        for (size_t i = 0; i < pm2_value_get_length(after); i++) {
                const char *name = pm2_value_get_key(after, i);
                const char *old = variable(before, name), *new = variable(after, name);
                if (!g_strv_contains(own_facts, name) && (!old || strcmp(old, new) != 0)) {
                        add_name(added, old ? _("changed") : _("added"), name, utf8);
                }
        }
        for (size_t i = 0; i < pm2_value_get_length(before); i++) {
                const char *name = pm2_value_get_key(before, i);
                if (!g_strv_contains(own_facts, name) && !variable(after, name)) {
                        add_name(removed, _("removed"), name, utf8);
                }
        }
        return g_strconcat(added->str, added->len > 0 && removed->len > 0 ? ", " : "", removed->str, NULL);
}

void environment_change_print(const EnvironmentChange *change, const Ctl *ctl, const pm2_value *processes) {
        for (size_t i = 0; i < pm2_value_get_length(processes); i++) {
                const pm2_value *process = pm2_value_get_item(processes, i);
                uint32_t id = pm2_process_get_id(process);
                const pm2_value *before = g_hash_table_lookup(change->environments, GUINT_TO_POINTER(id));
                pm2_value *after = NULL;
                if (!before || pm2_get_process_environment(ctl->client, id, &after) < 0) {
                        continue;
                }
                g_autofree char *text = compare(before, after, ctl->utf8);
                g_autofree char *name = text_clean(pm2_process_get_name(process), ctl->utf8);
                (void) printf(_("%s (%u) environment: %s\n"), name, id, text[0] ? text : _("unchanged"));
                (void) pm2_value_free(after);
        }
}
