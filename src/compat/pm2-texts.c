/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat/pm2-texts.h"

#include "basic/sd-cleanup.h"
#include "basic/time-util.h"
#include "config/json-members.h"
#include "config/pm2-app.h"

#include <string.h>
#include <time.h>

#define KEEP_USEC (30 * USEC_PER_SEC)

struct Pm2Texts {
        sd_event *event;
        Manager *manager;
        GHashTable *kept; /* id + 1 -> KeptText */
        sd_event_source *timer;
        bool armed, used; /* since the timer was armed */
};

/* Config and environment never change once they are shared: while they are held, the text holds. */
typedef struct KeptText {
        Pm2Text text;
        AppConfig *config;
        Environment *caller_env;
        uint32_t instances;
} KeptText;

static void free_kept(void *item) {
        KeptText *kept = item;

        (void) g_string_free(kept->text.text, TRUE);
        app_config_unref(kept->config);
        environment_unref(kept->caller_env);
        g_free(kept);
}

static void add_unique_id(JsonMembers *members, const Process *process) {
        json_members_string(members, "unique_id", process->unique_id);
}

static void add_variables(JsonMembers *members, const Environment *environment, bool skip_known) {
        for (size_t i = 0; i < environment_count(environment); i++) {
                const char *assignment = environment_at(environment, i);
                size_t length = strcspn(assignment, "=");
                g_autofree char *name = g_strndup(assignment, length);
                if (!skip_known || !pm2_key_is_known(name)) {
                        json_members_string(members, name, assignment + length + 1);
                }
        }
}

/* Attributes that PM2 knows by another name, or that stand somewhere else. */
static bool is_told_otherwise(const Attribute *attribute) {
        static const char *const names[] = {
                "script",
                "name",
                "namespace",
                "cwd",
                "interpreter",
                "env",
                "out_file",
                "error_file",
                "log_file",
                "pid_file",
                "extra",
                "exec_mode",
                "instances",
                "pmx",
                "filter_env",
                "args",
                "node_args",
                "autorestart",
                "autostart",
                "treekill",
                "watch",
                "instance_var",
                "ready_timeout_action",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                if (strcmp(attribute->name, names[i]) == 0) {
                        return true;
                }
        }
        return attribute->type == ATTRIBUTE_OFF;
}

/* Those that PM2's clients always find. */
static void add_usual_attributes(JsonMembers *members, const AppConfig *config) {
        static const char *const names[] = {
                "args", "node_args", "autorestart", "autostart", "treekill", "instance_var",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autoptr(Value) value = app_config_get(config, attribute_find(names[i]));
                if (i > 0 || value_count(value) > 0) {
                        json_members_value(members, names[i], value);
                }
        }
        g_autoptr(Value) watch =
                        config->watch.on ? app_watch_to_value(&config->watch) : value_new_bool(false);
        json_members_value(members, "watch", watch);
}

static void add_given_attributes(JsonMembers *members, const AppConfig *config) {
        for (size_t i = 0; i < n_attributes; i++) {
                const Attribute *attribute = &attributes[i];
                if (is_told_otherwise(attribute) || !app_config_is_given(config, attribute->name)) {
                        continue;
                }
                g_autoptr(Value) value = app_config_get(config, attribute);
                json_members_value(members, attribute->name, value);
        }
        g_autoptr(Value) pmx = app_config_get(config, attribute_find("pmx"));
        if (app_config_is_given(config, "pmx")) {
                json_members_bool(
                                members,
                                "pmx",
                                pmx->kind == VALUE_BOOL ? pmx->boolean
                                                        : pmx->kind != VALUE_STRING ||
                                                                          strcmp(pmx->string, "false") != 0);
        }
}

/* Whether a key is there already. */
static bool is_told(const AppConfig *config, const char *key) {
        static const char *const always[] = {
                "name",      "namespace", "args",         "node_args", "autorestart",
                "autostart", "treekill",  "instance_var", "watch",     "exec_interpreter",
                "exec_mode", "instances", "pmx",
        };
        const Attribute *attribute = attribute_find(key);

        for (size_t i = 0; i < G_N_ELEMENTS(always); i++) {
                if (strcmp(always[i], key) == 0) {
                        return true;
                }
        }
        return pm2_key_is_fact(key) || (attribute && strcmp(attribute->name, key) == 0 &&
                                        !is_told_otherwise(attribute) && app_config_is_given(config, key));
}

static void add_extra(JsonMembers *members, const AppConfig *config) {
        for (guint i = 0; config->extra && i < config->extra->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(config->extra->entries, ValueEntry, i);
                if (!is_told(config, entry->key)) {
                        json_members_value(members, entry->key, entry->value);
                }
        }
}

static bool has_extra(const AppConfig *config, const char *key) {
        return config->extra && value_get(config->extra, key);
}

static void add_places(JsonMembers *members, const Process *process) {
        json_members_string(members, "pm_exec_path", process->exec_path);
        json_members_string(members, "pm_cwd", process->cwd);
        json_members_string(members, "exec_interpreter", process->interpreter);
        json_members_string(members, "exec_mode", app_config_exec_mode(process->config));
        json_members_number(members, "instances", process->instances);
        json_members_string(members, "pm_out_log_path", process->out_log_path);
        json_members_string(members, "pm_err_log_path", process->error_log_path);
        if (process->log_path[0]) {
                json_members_string(members, "pm_log_path", process->log_path);
        }
        json_members_string(members, "pm_pid_path", process->pid_path);
}

/* The text begins and ends with no comma; that of "env" stands before it. */
static void render(Pm2Texts *texts, const Process *process, Pm2Text *ret) {
        const AppConfig *config = process->config;
        g_autoptr(Environment) environment = manager_environment_sent(process);
        JsonMembers members = { .text = ret->text }, variables;

        json_members_string(&members, "name", config->name);
        json_members_string(&members, "namespace", config->namespace);
        ret->env_start = ret->text->len;
        json_members_key(&members, "env");
        json_members_begin(&variables, ret->text);
        add_variables(&variables, environment, false);
        if (!environment_get(environment, "unique_id")) {
                add_unique_id(&variables, process);
        }
        json_members_end(&variables);
        ret->env_length = ret->text->len - ret->env_start;
        add_usual_attributes(&members, config);
        add_given_attributes(&members, config);
        if (!has_extra(config, "username")) {
                json_members_string(&members, "username", manager_user_name(texts->manager, process->owner));
        }
        add_extra(&members, config);
        add_places(&members, process);
        json_members_bool(&members, "vizion_running", false);
        json_members_number(&members, config->instance_var, process->instance);
        add_variables(&members, environment, true);
        add_unique_id(&members, process);
        json_members_string(&members, "version", process->version);
        if (config->exec_mode == EXEC_MODE_CLUSTER) {
                json_members_string(&members, "_pm2_version", manager_settings(texts->manager)->pm2_version);
        }
}

static void arm(Pm2Texts *texts) {
        texts->used = false;
        texts->armed = sd_event_source_set_time_relative(texts->timer, KEEP_USEC) >= 0 &&
                       sd_event_source_set_enabled(texts->timer, SD_EVENT_ONESHOT) >= 0;
}

/* Nobody has asked for a while. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Pm2Texts *texts = userdata;

        texts->armed = false;
        if (texts->used) {
                arm(texts);
        } else {
                g_hash_table_remove_all(texts->kept);
        }
        return 0;
}

static bool holds(const KeptText *kept, const Process *process) {
        return kept->config == process->config && kept->caller_env == process->caller_env &&
               kept->instances == process->instances;
}

const Pm2Text *pm2_texts_get(Pm2Texts *texts, const Process *process) {
        void *key = GUINT_TO_POINTER(process->id + 1);
        KeptText *kept = g_hash_table_lookup(texts->kept, key);

        texts->used = true;
        if (!texts->armed) {
                arm(texts);
        }
        if (kept && holds(kept, process)) {
                return &kept->text;
        }
        kept = g_new0(KeptText, 1);
        kept->text.text = g_string_new(NULL);
        kept->config = app_config_ref(process->config);
        kept->caller_env = environment_ref(process->caller_env);
        kept->instances = process->instances;
        render(texts, process, &kept->text);
        (void) g_hash_table_insert(texts->kept, key, kept);
        return &kept->text;
}

void pm2_texts_forget(Pm2Texts *texts, const Process *process) {
        (void) g_hash_table_remove(texts->kept, GUINT_TO_POINTER(process->id + 1));
}

int pm2_texts_new(sd_event *event, Manager *manager, Pm2Texts **ret) {
        Pm2Texts *texts = g_new0(Pm2Texts, 1);

        texts->event = sd_event_ref(event);
        texts->manager = manager;
        texts->kept = g_hash_table_new_full(NULL, NULL, NULL, free_kept);
        int r = sd_event_add_time_relative(
                        event, &texts->timer, CLOCK_BOOTTIME, KEEP_USEC, 0, on_timer, texts);
        if (r >= 0) {
                r = sd_event_source_set_enabled(texts->timer, SD_EVENT_OFF);
        }
        if (r < 0) {
                pm2_texts_free(texts);
                return r;
        }
        *ret = texts;
        return 0;
}

void pm2_texts_free(Pm2Texts *texts) {
        if (texts) {
                g_hash_table_unref(texts->kept);
                (void) sd_event_source_disable_unref(texts->timer);
                (void) sd_event_unref(texts->event);
                g_free(texts);
        }
}
