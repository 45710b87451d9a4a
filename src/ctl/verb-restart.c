/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "attributes.h"
#include "change.h"
#include "document.h"
#include "environment-change.h"
#include "i18n.h"

/* restart and reload differ in the call alone. */
static int (*arg_call)(pm2_client *, const char *, const pm2_options *, pm2_value **);
static const char *arg_done;

static int call_restart(
                Ctl *ctl, const char *target, const pm2_options *options, pm2_value **ret_processes) {
        return arg_call(ctl->client, target, options, ret_processes);
}

static int call_restart_with_environment(
                Ctl *ctl, const char *target, const pm2_options *options, pm2_value **ret_processes) {
        EnvironmentChange *change = environment_change_begin(ctl, target);
        int r = arg_call(ctl->client, target, options, ret_processes);

        if (r >= 0) {
                environment_change_print(change, ctl, *ret_processes);
        }
        environment_change_free(change);
        return r;
}

/* Without waiting nothing has changed yet, and JSON is no place for it. */
static bool tells_environment(const Ctl *ctl, const Arguments *arguments) {
        const char *wait = arguments_get(arguments, "wait");

        return arguments_has(arguments, "update-env") && !ctl->silent && ctl->json == JSON_OFF &&
               !(wait && wait[0] == 'f');
}

static bool has_file(const Arguments *arguments) {
        for (guint i = 0; i < arguments->positional->len; i++) {
                if (document_is_file(g_ptr_array_index(arguments->positional, i))) {
                        return true;
                }
        }
        return false;
}

/* What a file declares is started where it does not exist, as PM2 does it. */
static int restart_files(
                Ctl *ctl,
                const Arguments *arguments,
                const pm2_options *options,
                const pm2_options *document_options) {
        Change change;
        bool go_on = true;

        int r = change_begin(&change, ctl, arg_done);
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        for (guint i = 0; go_on && i < arguments->positional->len; i++) {
                const char *word = g_ptr_array_index(arguments->positional, i);
                pm2_value *processes = NULL;
                if (document_is_file(word)) {
                        go_on = document_start(&change, arguments, word, document_options);
                } else {
                        r = arg_call(ctl->client, word, options, &processes);
                        go_on = change_add(&change, r, processes);
                }
        }
        return change_end(&change);
}

static int relaunch_files(Ctl *ctl, const Arguments *arguments) {
        pm2_options *options = NULL, *document_options = NULL;
        char *message = NULL;

        int r = document_check_options(arguments, &message);
        if (r >= 0) {
                r = pm2_options_new(&options);
        }
        if (r >= 0) {
                r = pm2_options_new(&document_options);
        }
        if (r >= 0) {
                r = attributes_add_call(arguments, options, &message);
        }
        if (r >= 0) {
                r = attributes_add_call(arguments, document_options, &message);
        }
        if (r >= 0) {
                r = document_add_options(arguments, document_options);
        }
        int status = r < 0 ? change_refuse(r, message)
                           : restart_files(ctl, arguments, options, document_options);
        (void) pm2_options_free(options);
        (void) pm2_options_free(document_options);
        return status;
}

static int relaunch(Ctl *ctl, const Arguments *arguments) {
        pm2_options *options = NULL;
        char *message = NULL;

        if (has_file(arguments)) {
                return relaunch_files(ctl, arguments);
        }
        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = attributes_add_call(arguments, options, &message);
        }
        if (r >= 0) {
                r = attributes_add_app(arguments, options, &message);
        }
        ChangeCall call = tells_environment(ctl, arguments) ? call_restart_with_environment : call_restart;
        int status = r < 0 ? change_refuse(r, message)
                           : change_targets(ctl, arguments, 0, call, options, arg_done);
        (void) pm2_options_free(options);
        return status;
}

int verb_restart(Ctl *ctl, const Arguments *arguments) {
        arg_call = pm2_restart;
        arg_done = N_("restarted");
        return relaunch(ctl, arguments);
}

int verb_reload(Ctl *ctl, const Arguments *arguments) {
        arg_call = pm2_reload;
        arg_done = N_("reloaded");
        return relaunch(ctl, arguments);
}
