/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What PM2 has, and what of it can be had here: the supervisor is asked, by Validate, about each process as
 * if it stood in a dump. */

#include "import.h"

#include "i18n.h"
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        ASK_TIMEOUT_MSEC = 10000,
        LIST_TIMEOUT_MSEC = 60000, /* figures of all processes are read for it */
        PROCESSES_MAX = 100000,
};

static const char *text_of(const pm2_value *value, const char *path) {
        const char *text = "";
        (void) pm2_value_get_string(value, path, &text);
        return text;
}

static bool is_true(const pm2_value *value, const char *path) {
        bool given = false;
        return pm2_value_get_bool(value, path, &given) >= 0 && given;
}

static void app_free(void *item) {
        ImportApp *app = item;
        g_array_unref(app->processes);
        g_free(app->message);
        (void) pm2_value_free(app->taken);
        g_free(app);
}

void import_done(Import *import) {
        amp_client_free(import->daemon);
        g_free(import->version);
        (void) pm2_value_free(import->list);
        g_clear_pointer(&import->apps, g_ptr_array_unref);
}

static ImportApp *app_of(Import *import, const char *name) {
        for (guint i = 0; i < import->apps->len; i++) {
                ImportApp *app = import->apps->pdata[i];
                if (strcmp(app->name, name) == 0) {
                        return app;
                }
        }
        ImportApp *app = g_new0(ImportApp, 1);
        app->name = name;
        app->processes = g_array_new(FALSE, FALSE, sizeof(ImportProcess));
        g_ptr_array_add(import->apps, app);
        return app;
}

static void leave(ImportApp *app, char *why) {
        if (app->result == IMPORT_LEFT) { /* the first reason will do */
                g_free(why);
                return;
        }
        app->result = IMPORT_LEFT;
        app->message = why;
        for (guint i = 0; i < app->processes->len; i++) {
                g_array_index(app->processes, ImportProcess, i).action = "leave";
        }
}

static bool status_runs(const char *status) {
        return strcmp(status, "stopped") != 0 && strcmp(status, "errored") != 0;
}

static int take_process(Import *import, const pm2_value *item) {
        const pm2_value *facts = pm2_value_get(item, "pm2_env");
        const char *name = text_of(item, "name");
        uint64_t id = 0;

        if (pm2_value_get_type(facts) != PM2_VALUE_OBJECT || !name[0]) {
                print_error(_("PM2's list has an entry that is no process"));
                return EXIT_FAILED;
        }
        ImportApp *app = app_of(import, name);
        /* While PM2 reloads a process the old one has a word for its id. */
        bool numbered = pm2_value_get_uint64(facts, "pm_id", &id) >= 0 && id <= UINT32_MAX;
        const char *status = text_of(facts, "status");
        ImportProcess process = {
                .facts = facts,
                .id = (uint32_t) id,
                .status = status,
                .runs = status_runs(status),
                .action = "leave",
                .notice = strcmp(status, "errored") == 0 ? _("errored in PM2: it is tried again") : "",
        };
        g_array_append_val(app->processes, process);
        app->module = app->module || is_true(facts, "pmx_module");
        if (!numbered) {
                leave(app, g_strdup(_("PM2 is reloading it")));
        }
        return EXIT_OK;
}

static int read_list(Import *import) {
        g_autofree char *message = NULL;

        int r = amp_client_call(
                        import->daemon, "getMonitorData", NULL, LIST_TIMEOUT_MSEC, &import->list, &message);
        if (r < 0) {
                print_error("%s", message);
                return EXIT_FAILED;
        }
        size_t count = pm2_value_get_length(import->list);
        if (pm2_value_get_type(import->list) != PM2_VALUE_ARRAY || count > PROCESSES_MAX) {
                print_error(_("PM2's daemon, %s: %s"), "getMonitorData", _("its answer makes no sense"));
                return EXIT_FAILED;
        }
        int status = EXIT_OK;
        for (size_t i = 0; i < count && status == EXIT_OK; i++) {
                status = take_process(import, pm2_value_get_item(import->list, i));
        }
        return status;
}

/* pm2d answers as PM2 does, but for its own name in this report, which old versions of PM2 do not have. */
static int refuse_ourselves(const Import *import, const char *path) {
        g_autofree char *message = NULL;
        pm2_value *report = NULL;

        int r = amp_client_call(import->daemon, "getReport", NULL, ASK_TIMEOUT_MSEC, &report, &message);
        bool ours = r >= 0 && pm2_value_get(report, "pm2d_version");
        (void) pm2_value_free(report);
        if (ours) {
                print_error(_("%s is served by pm2d: there is no other PM2 to take anything from"), path);
                return EXIT_FAILED;
        }
        if (r < 0 && r != -EREMOTEIO) {
                print_error("%s", message);
                return EXIT_FAILED;
        }
        return EXIT_OK;
}

static int read_version(Import *import, const char *path) {
        g_autofree char *message = NULL;
        pm2_value *version = NULL;

        int r = amp_client_call(import->daemon, "getVersion", NULL, ASK_TIMEOUT_MSEC, &version, &message);
        if (r >= 0 && pm2_value_get_type(version) != PM2_VALUE_STRING) {
                message = g_strdup_printf(
                                _("PM2's daemon, %s: %s"), "getVersion", _("its answer makes no sense"));
                r = -EBADMSG;
        }
        if (r >= 0) {
                import->version = g_strdup(text_of(version, ""));
        } else {
                print_error("%s: %s", path, message);
        }
        (void) pm2_value_free(version);
        return r < 0 ? EXIT_FAILED : EXIT_OK;
}

int import_open(Ctl *ctl, const char *home, Import *import) {
        g_autofree char *path = amp_home_socket(home), *message = NULL;

        *import = (Import){ .ctl = ctl, .apps = g_ptr_array_new_with_free_func(app_free) };
        int r = amp_client_open(path, &import->daemon, &message);
        if (r < 0) {
                print_error("%s", message);
                return r == -EPERM || r == -EACCES ? EXIT_ACCESS : EXIT_FAILED;
        }
        int status = read_version(import, path);
        if (status == EXIT_OK) {
                status = refuse_ourselves(import, path);
        }
        return status == EXIT_OK ? read_list(import) : status;
}

/* [process], as a dump has it. */
static int make_dump(const pm2_value *facts, char **ret) {
        pm2_value *list = NULL, *copy = NULL;

        int r = pm2_value_new_array(&list);
        if (r >= 0) {
                r = pm2_value_copy(facts, &copy);
        }
        if (r >= 0) {
                r = pm2_value_add_value(list, NULL, copy);
        }
        if (r >= 0) {
                copy = NULL;
                r = pm2_value_to_json(list, PM2_JSON_SHORT, ret);
        }
        (void) pm2_value_free(copy);
        (void) pm2_value_free(list);
        return r;
}

static int validate(const Import *import, const pm2_value *facts, pm2_value **ret) {
        pm2_options *options = NULL;
        char *dump = NULL;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = pm2_options_set_bool(options, "saved", true);
        }
        if (r >= 0) {
                r = make_dump(facts, &dump);
        }
        if (r >= 0) {
                r = pm2_validate(import->ctl->client, dump, options, ret);
        }
        free(dump);
        (void) pm2_options_free(options);
        return r;
}

static int plan_process(const Import *import, ImportApp *app, ImportProcess *process) {
        pm2_value *result = NULL;

        int r = validate(import, process->facts, &result);
        if (r == -ECONNRESET || r == -ENOTCONN || r == -EACCES || r == -ENOMEM) {
                return print_failure(import->ctl, r);
        }
        const char *action = text_of(result, "apps.0.action");
        if (r < 0) {
                leave(app, g_strdup(pm2_last_error_message(import->ctl->client)));
        } else if (strcmp(action, "start") == 0) {
                process->action = "start";
        } else if (strcmp(action, "register") == 0) {
                process->action = "register";
        } else if (strcmp(action, "skip") == 0) {
                leave(app, g_strdup(_("pm2d has an app of this name")));
        } else {
                leave(app, g_strdup(text_of(result, "apps.0.errors.0")));
        }
        (void) pm2_value_free(result);
        return EXIT_OK;
}

int import_plan(Import *import) {
        for (guint i = 0; i < import->apps->len; i++) {
                ImportApp *app = import->apps->pdata[i];
                if (app->module) {
                        leave(app, g_strdup(_("it is a module of PM2")));
                }
                for (guint k = 0; app->result == IMPORT_PLANNED && k < app->processes->len; k++) {
                        int status = plan_process(
                                        import, app, &g_array_index(app->processes, ImportProcess, k));
                        if (status != EXIT_OK) {
                                return status;
                        }
                }
        }
        return EXIT_OK;
}
