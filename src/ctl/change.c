/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What start, stop, restart, delete and signal have in common. */

#include "change.h"

#include "attributes.h"

#include "document.h"
#include "i18n.h"
#include "output.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>

int change_begin(Change *change, Ctl *ctl, const char *done) {
        *change = (Change){ .ctl = ctl, .done = done };
        return pm2_value_new_array(&change->processes);
}

int change_collect(pm2_value *array, const pm2_value *processes) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < pm2_value_get_length(processes); i++) {
                pm2_value *copy = NULL;
                r = pm2_value_copy(pm2_value_get_item(processes, i), &copy);
                if (r >= 0) {
                        r = pm2_value_add_value(array, NULL, copy);
                }
                if (r < 0) {
                        (void) pm2_value_free(copy);
                }
        }
        return r;
}

bool change_add(Change *change, int r, pm2_value *processes) {
        change->tried++;
        if (r >= 0) {
                r = change_collect(change->processes, processes);
                (void) pm2_value_free(processes);
        }
        if (r >= 0) {
                return true;
        }
        change->failed++;
        change->partial = change->partial || r == -EREMOTEIO;
        change->status = print_failure(change->ctl, r);
        return change->status != EXIT_NO_DAEMON;
}

bool change_note_failure(Change *change, int status) {
        change->tried++;
        change->failed++;
        change->status = status;
        return status != EXIT_NO_DAEMON;
}

static void print_done(const Change *change) {
        for (size_t i = 0; i < pm2_value_get_length(change->processes); i++) {
                const pm2_value *process = pm2_value_get_item(change->processes, i);
                g_autofree char *name = text_clean(pm2_process_get_name(process), change->ctl->utf8);
                (void) printf("%s%s (%u) %s\n",
                              change->ctl->terminal && change->ctl->utf8 ? "✓ " : "",
                              name,
                              pm2_process_get_id(process),
                              _(change->done));
        }
}

int change_end(Change *change) {
        Ctl *ctl = change->ctl;
        int status = EXIT_OK;

        if (change->failed > 0) {
                status = change->tried == 1 || change->status == EXIT_NO_DAEMON ? change->status
                                                                                : EXIT_FAILED;
        }
        if (ctl->json != JSON_OFF) {
                int printed = print_json(ctl, change->processes);
                status = status == EXIT_OK ? printed : status;
        } else if (!ctl->silent) {
                print_done(change);
        }
        if (!change->no_list && status != EXIT_NO_DAEMON &&
            (change->failed < change->tried || change->partial)) {
                int printed = print_list(ctl);
                status = status == EXIT_OK ? printed : status;
        }
        (void) pm2_value_free(change->processes);
        return status;
}

/* All that a file declares. */
static bool change_file(
                Change *change,
                const Arguments *arguments,
                const char *path,
                ChangeCall call,
                const pm2_options *options) {
        g_auto(GStrv) targets = NULL;
        bool go_on = true;

        int status = document_list_targets(change->ctl, arguments, path, &targets);
        if (status != EXIT_OK) {
                return change_note_failure(change, status);
        }
        for (char **target = targets; go_on && *target; target++) {
                pm2_value *processes = NULL;
                int r = call(change->ctl, *target, options, &processes);
                go_on = change_add(change, r, processes);
        }
        return go_on;
}

int change_targets(
                Ctl *ctl,
                const Arguments *arguments,
                unsigned first,
                ChangeCall call,
                const pm2_options *options,
                const char *done) {
        Change change;
        bool go_on = true;

        int r = change_begin(&change, ctl, done);
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        for (guint i = first; go_on && i < arguments->positional->len; i++) {
                const char *target = g_ptr_array_index(arguments->positional, i);
                pm2_value *processes = NULL;
                if (document_is_file(target)) {
                        go_on = change_file(&change, arguments, target, call, options);
                        continue;
                }
                r = call(ctl, target, options, &processes);
                go_on = change_add(&change, r, processes);
        }
        return change_end(&change);
}

int change_refuse(int error, char *message) {
        print_error("%s", message ? message : g_strerror(-error));
        g_free(message);
        return error == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}

int change_plain(Ctl *ctl, const Arguments *arguments, ChangeCall call, const char *done) {
        pm2_options *options = NULL;
        char *message = NULL;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = attributes_add_call(arguments, options, &message);
        }
        int status = r < 0 ? change_refuse(r, message)
                           : change_targets(ctl, arguments, 0, call, options, done);
        (void) pm2_options_free(options);
        return status;
}
