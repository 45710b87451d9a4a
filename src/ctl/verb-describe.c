/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* describe: all facts of a process in sections. What this pm2ctl does not know by name comes last under
 * the supervisor's own names, so that a newer one loses nothing. */

#include "change.h"
#include "i18n.h"
#include "output.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum FieldKind {
        FIELD_ANY,
        FIELD_STATUS,
        FIELD_BYTES,
        FIELD_PERCENT,
        FIELD_TIME, /* milliseconds since 1970, 0 = never */
        FIELD_USEC, /* the same in microseconds */
} FieldKind;

typedef struct Field {
        const char *path; /* below the process; NULL begins a section */
        const char *label;
        FieldKind kind;
} Field;

static const Field fields[] = {
        { NULL, N_("Process"), FIELD_ANY },
        { "pm2_env.status", N_("status"), FIELD_STATUS },
        { "name", N_("name"), FIELD_ANY },
        { "pm2_env.namespace", N_("namespace"), FIELD_ANY },
        { "pm2_env.version", N_("version"), FIELD_ANY },
        { "pid", N_("pid"), FIELD_ANY },
        { "pm2_env.pm_uptime", N_("started"), FIELD_TIME },
        { "pm2_env.created_at", N_("created"), FIELD_TIME },
        { "pm2_env.restart_time", N_("restarts"), FIELD_ANY },
        { "pm2_env.unstable_restarts", N_("unstable restarts"), FIELD_ANY },
        { "pm2_env.health_status", N_("health"), FIELD_ANY },
        { "pm2_env.next_cron_run", N_("next cron run"), FIELD_USEC },
        { "pm2_env.username", N_("user"), FIELD_ANY },
        { "monit.memory", N_("memory"), FIELD_BYTES },
        { "monit.cpu", N_("cpu"), FIELD_PERCENT },
        { NULL, N_("Program"), FIELD_ANY },
        { "pm2_env.pm_exec_path", N_("script"), FIELD_ANY },
        { "pm2_env.args", N_("arguments"), FIELD_ANY },
        { "pm2_env.exec_interpreter", N_("interpreter"), FIELD_ANY },
        { "pm2_env.node_args", N_("interpreter arguments"), FIELD_ANY },
        { "pm2_env.exec_mode", N_("mode"), FIELD_ANY },
        { "pm2_env.instances", N_("instances"), FIELD_ANY },
        { "pm2_env.accepted", N_("connections accepted"), FIELD_ANY },
        { "pm2_env.pm_cwd", N_("folder"), FIELD_ANY },
        { "pm2_env.listen_sockets", N_("listens on"), FIELD_ANY },
        { NULL, N_("Files"), FIELD_ANY },
        { "pm2_env.pm_out_log_path", N_("output log"), FIELD_ANY },
        { "pm2_env.pm_err_log_path", N_("error log"), FIELD_ANY },
        { "pm2_env.pm_pid_path", N_("pid file"), FIELD_ANY },
};

static char *value_text(const pm2_value *value, FieldKind kind) {
        uint64_t number = 0;
        double percent = 0;
        const char *text;
        char *json = NULL;

        if (kind == FIELD_BYTES && pm2_value_get_uint64(value, "", &number) >= 0) {
                return format_bytes(number);
        }
        if (kind == FIELD_PERCENT && pm2_value_get_double(value, "", &percent) >= 0) {
                return g_strdup_printf("%.1f%%", percent);
        }
        if (kind == FIELD_USEC && pm2_value_get_uint64(value, "", &number) >= 0) {
                return number ? format_time(number / 1000) : g_strdup(_("never"));
        }
        if (kind == FIELD_TIME && pm2_value_get_uint64(value, "", &number) >= 0) {
                return number ? format_time(number) : g_strdup(_("never"));
        }
        if (pm2_value_get_string(value, "", &text) >= 0) {
                return g_strdup(text);
        }
        if (pm2_value_to_json(value, PM2_JSON_SHORT, &json) < 0) {
                return g_strdup("?");
        }
        char *copy = g_strdup(json);
        free(json);
        return copy;
}

static void print_field(const Ctl *ctl, const char *label, const pm2_value *value, FieldKind kind) {
        g_autofree char *text = value_text(value, kind);
        g_autofree char *clean = text_clean(text, ctl->utf8);
        g_autofree char *clean_label = text_clean(label, ctl->utf8);
        size_t width = text_width(clean_label, ctl->utf8);
        const char *colour = ctl->colour && kind == FIELD_STATUS ? status_colour(text) : NULL;

        (void) printf("  %s%*s %s%s%s\n",
                      clean_label,
                      width < 24 ? (int) (24 - width) : 0,
                      "",
                      colour ? colour : "",
                      clean,
                      colour ? "\033[0m" : "");
}

static void print_section(const Ctl *ctl, const char *title) {
        (void) printf("\n%s%s%s\n", ctl->colour ? "\033[1m" : "", title, ctl->colour ? "\033[0m" : "");
}

static bool is_known(const char *key) {
        for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
                const char *path = fields[i].path;
                if (path && g_str_has_prefix(path, "pm2_env.") && strcmp(path + 8, key) == 0) {
                        return true;
                }
        }
        /* Said elsewhere already. */
        return strcmp(key, "env") == 0 || strcmp(key, "name") == 0 || strcmp(key, "pm_id") == 0;
}

static void print_rest(const Ctl *ctl, const pm2_value *facts) {
        bool titled = false;

        for (size_t i = 0; i < pm2_value_get_length(facts); i++) {
                const char *key = pm2_value_get_key(facts, i);
                if (!key || is_known(key)) {
                        continue;
                }
                if (!titled) {
                        print_section(ctl, _("More"));
                        titled = true;
                }
                print_field(ctl, key, pm2_value_get_item(facts, i), FIELD_ANY);
        }
}

/* Of the environment only what is not the same here: the rest says nothing. */
static void print_environment(const Ctl *ctl, const pm2_value *environment) {
        bool titled = false;

        for (size_t i = 0; i < pm2_value_get_length(environment); i++) {
                const char *key = pm2_value_get_key(environment, i), *text = NULL;
                const pm2_value *item = pm2_value_get_item(environment, i);
                const char *here = key ? getenv(key) : NULL;
                if (!key ||
                    (pm2_value_get_string(item, "", &text) >= 0 && here && strcmp(here, text) == 0)) {
                        continue;
                }
                if (!titled) {
                        print_section(ctl, _("Environment, where it differs from the one here"));
                        titled = true;
                }
                print_field(ctl, key, item, FIELD_ANY);
        }
}

static void print_process(const Ctl *ctl, const pm2_value *process) {
        g_autofree char *name = text_clean(pm2_process_get_name(process), ctl->utf8);
        const char *section = NULL;

        (void) printf(_("Process %u, %s"), pm2_process_get_id(process), name);
        (void) puts("");
        for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
                const pm2_value *value = fields[i].path ? pm2_value_get(process, fields[i].path) : NULL;
                if (!fields[i].path) {
                        section = fields[i].label;
                } else if (value) {
                        if (section) {
                                print_section(ctl, _(section));
                                section = NULL;
                        }
                        print_field(ctl, _(fields[i].label), value, fields[i].kind);
                }
        }
        print_rest(ctl, pm2_value_get(process, "pm2_env"));
        print_environment(ctl, pm2_value_get(process, "pm2_env.env"));
}

static void print_described(const Ctl *ctl, const pm2_value *processes, bool *first) {
        for (size_t i = 0; i < pm2_value_get_length(processes); i++) {
                if (!*first) {
                        (void) puts("");
                }
                *first = false;
                print_process(ctl, pm2_value_get_item(processes, i));
        }
}

int verb_describe(Ctl *ctl, const Arguments *arguments) {
        pm2_value *all = NULL;
        int status = EXIT_OK;
        bool first = true;

        int r = pm2_value_new_array(&all);
        for (guint i = 0; r >= 0 && i < arguments->positional->len; i++) {
                pm2_value *processes = NULL;
                int described = pm2_describe(
                                ctl->client, g_ptr_array_index(arguments->positional, i), &processes);
                if (described < 0) {
                        status = print_failure(ctl, described);
                        continue;
                }
                r = change_collect(all, processes);
                (void) pm2_value_free(processes);
        }
        if (r < 0) {
                print_error("%s", g_strerror(-r));
                status = EXIT_FAILED;
        } else if (ctl->json != JSON_OFF) {
                int printed = print_json(ctl, all);
                status = status == EXIT_OK ? printed : status;
        } else {
                print_described(ctl, all, &first);
        }
        (void) pm2_value_free(all);
        return arguments->positional->len > 1 && status != EXIT_OK ? EXIT_FAILED : status;
}
