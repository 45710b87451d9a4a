/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* import: the apps of a running PM2, with its daemon still there. */

#include "change.h"
#include "i18n.h"
#include "import.h"
#include "output.h"
#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const result_names[] = {
        [IMPORT_PLANNED] = "planned",
        [IMPORT_LEFT] = "left",
        [IMPORT_TAKEN] = "taken",
        [IMPORT_FAILED] = "failed",
};

static int describe_process(const ImportProcess *process, pm2_value *array) {
        pm2_value *object = NULL;

        int r = pm2_value_new_object(&object);
        if (r >= 0) {
                r = pm2_value_add_uint64(object, "pm_id", process->id);
        }
        if (r >= 0) {
                r = pm2_value_add_string(object, "status", process->status);
        }
        if (r >= 0) {
                r = pm2_value_add_string(object, "action", process->action);
        }
        if (r >= 0) {
                r = pm2_value_add_string(object, "notice", process->notice);
        }
        if (r >= 0) {
                r = pm2_value_add_value(array, NULL, object);
        }
        if (r < 0) {
                (void) pm2_value_free(object);
        }
        return r;
}

/* An array under a key: of what PM2 had, or of what is here now. */
static int add_processes(const ImportApp *app, bool here, pm2_value *object) {
        pm2_value *array = NULL;

        int r = pm2_value_new_array(&array);
        for (guint i = 0; r >= 0 && !here && i < app->processes->len; i++) {
                r = describe_process(&g_array_index(app->processes, ImportProcess, i), array);
        }
        if (r >= 0 && here) {
                r = change_collect(array, app->taken);
        }
        if (r >= 0) {
                r = pm2_value_add_value(object, here ? "taken" : "processes", array);
        }
        if (r < 0) {
                (void) pm2_value_free(array);
        }
        return r;
}

static int describe_app(const ImportApp *app, pm2_value *array) {
        pm2_value *object = NULL;

        int r = pm2_value_new_object(&object);
        if (r >= 0) {
                r = pm2_value_add_string(object, "name", app->name);
        }
        if (r >= 0) {
                r = pm2_value_add_string(object, "result", result_names[app->result]);
        }
        if (r >= 0) {
                r = pm2_value_add_string(object, "message", app->message ? app->message : "");
        }
        if (r >= 0) {
                r = add_processes(app, false, object);
        }
        if (r >= 0) {
                r = add_processes(app, true, object);
        }
        if (r >= 0) {
                r = pm2_value_add_value(array, NULL, object);
        }
        if (r < 0) {
                (void) pm2_value_free(object);
        }
        return r;
}

static int print_import_json(const Import *import) {
        pm2_value *array = NULL;

        int r = pm2_value_new_array(&array);
        for (guint i = 0; r >= 0 && i < import->apps->len; i++) {
                r = describe_app(import->apps->pdata[i], array);
        }
        int status = r < 0 ? change_refuse(r, NULL) : print_json(import->ctl, array);
        (void) pm2_value_free(array);
        return status;
}

static void print_plan(const Import *import) {
        const Ctl *ctl = import->ctl;
        const TableStyle style = {
                .box = ctl->terminal && ctl->utf8,
                .colour = ctl->colour,
                .utf8 = ctl->utf8,
        };
        const TableColumn columns[] = {
                { _("id"), true, 0 },      { _("name"), false, 0 },   { _("status"), false, 0 },
                { _("action"), false, 0 }, { _("notice"), false, 0 },
        };
        g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

        for (guint i = 0; i < import->apps->len; i++) {
                const ImportApp *app = import->apps->pdata[i];
                for (guint k = 0; k < app->processes->len; k++) {
                        const ImportProcess *process = &g_array_index(app->processes, ImportProcess, k);
                        table_add_row(table);
                        table_add_take(table, g_strdup_printf("%" PRIu32, process->id));
                        table_add_cell(table, app->name, NULL);
                        table_add_cell(table, process->status, status_colour(process->status));
                        table_add_cell(table, process->action, NULL);
                        table_add_cell(table, app->message ? app->message : process->notice, NULL);
                }
        }
        g_autofree char *text = table_format(table, &style);
        (void) fputs(text, stdout);
}

/* Whether all is here, or would be; modules of PM2 are not meant to. */
static bool is_complete(const Import *import) {
        for (guint i = 0; i < import->apps->len; i++) {
                const ImportApp *app = import->apps->pdata[i];
                if ((app->result == IMPORT_LEFT && !app->module) || app->result == IMPORT_FAILED ||
                    (app->result == IMPORT_TAKEN && app->message)) {
                        return false;
                }
        }
        return true;
}

static void print_outcome(const Import *import, const ImportApp *app) {
        const Ctl *ctl = import->ctl;

        if (app->message && !(app->module && ctl->silent)) {
                print_error("%s: %s%s",
                            app->name,
                            app->result == IMPORT_LEFT ? _("stays in PM2: ") : "",
                            app->message);
        }
        for (size_t i = 0; ctl->json == JSON_OFF && !ctl->silent && i < pm2_value_get_length(app->taken);
             i++) {
                const pm2_value *process = pm2_value_get_item(app->taken, i);
                g_autofree char *name = text_clean(pm2_process_get_name(process), ctl->utf8);
                (void) printf("%s%s (%u) %s\n",
                              ctl->terminal && ctl->utf8 ? "✓ " : "",
                              name,
                              pm2_process_get_id(process),
                              _("is taken over"));
        }
        (void) fflush(stdout);
}

static void move_all(Import *import) {
        bool go_on = true;

        for (guint i = 0; i < import->apps->len; i++) {
                ImportApp *app = import->apps->pdata[i];
                if (app->result == IMPORT_PLANNED && !go_on) {
                        app->result = IMPORT_FAILED;
                        app->message = g_strdup(_("it was not tried any more, and is as it was"));
                } else if (app->result == IMPORT_PLANNED) {
                        go_on = import_move(import, app);
                }
                print_outcome(import, app);
        }
}

static int run(Import *import, bool dry) {
        const Ctl *ctl = import->ctl;

        int r = pm2_connect(ctl->client, ctl->instance_flags);
        if (r < 0) {
                (void) print_failure(ctl, r);
                return EXIT_NO_DAEMON;
        }
        int status = import_plan(import);
        if (status != EXIT_OK) {
                return status;
        }
        if (!dry) {
                move_all(import);
        }
        if (ctl->json != JSON_OFF) {
                status = print_import_json(import);
        } else if (dry) {
                print_plan(import);
        } else {
                status = print_list(ctl);
        }
        return status != EXIT_OK || is_complete(import) ? status : EXIT_FAILED;
}

int verb_import(Ctl *ctl, const Arguments *arguments) {
        const GPtrArray *words = arguments->positional;
        Import import;

        int status = import_open(ctl, words->len > 0 ? g_ptr_array_index(words, 0) : NULL, &import);
        if (status == EXIT_OK && import.apps->len == 0 && ctl->json == JSON_OFF) {
                if (!ctl->silent) {
                        (void) puts(_("PM2 has no processes"));
                }
        } else if (status == EXIT_OK) {
                status = run(&import, arguments_has(arguments, "dry-run"));
        }
        import_done(&import);
        return status;
}
