/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* start: a script, the name of what is stopped, or an ecosystem file. */

#include "attributes.h"
#include "document.h"
#include "foreground.h"
#include "i18n.h"
#include "output.h"

#include <errno.h>
#include <string.h>

/* What the whole command needs. */
typedef struct Start {
        const Arguments *arguments;
        pm2_options *script_options, *document_options;
        Change change;
} Start;

static bool start_script(Start *start, const char *script) {
        pm2_value *processes = NULL;
        int r = pm2_start(start->change.ctl->client, script, start->script_options, &processes);
        return change_add(&start->change, r, processes);
}

static int prepare_documents(Start *start, char **ret_message) {
        int r = document_check_options(start->arguments, ret_message);
        if (r >= 0) {
                r = pm2_options_new(&start->document_options);
        }
        if (r >= 0) {
                r = attributes_add_call(start->arguments, start->document_options, ret_message);
        }
        return r < 0 ? r : document_add_options(start->arguments, start->document_options);
}

static int prepare_scripts(Start *start, char **ret_message) {
        if (arguments_has(start->arguments, "only")) {
                *ret_message = g_strdup(_("--only needs an ecosystem file"));
                return -EINVAL;
        }
        int r = pm2_options_new(&start->script_options);
        if (r >= 0) {
                r = attributes_add_call(start->arguments, start->script_options, ret_message);
        }
        return r < 0 ? r : attributes_add_app(start->arguments, start->script_options, ret_message);
}

static int prepare(Start *start, char **ret_message) {
        const GPtrArray *words = start->arguments->positional;
        bool documents = document_is_among(start->arguments, 0), scripts = false;
        int r = 0;

        for (guint i = 0; i < words->len; i++) {
                scripts = scripts || !document_is_meant(words->pdata[i]);
        }
        if (documents) {
                r = prepare_documents(start, ret_message);
        }
        return r < 0 || !scripts ? r : prepare_scripts(start, ret_message);
}

static void start_all(Start *start) {
        bool go_on = true;

        for (guint i = 0; go_on && i < start->arguments->positional->len; i++) {
                const char *script = g_ptr_array_index(start->arguments->positional, i);
                go_on = document_is_meant(script) ? document_start(&start->change,
                                                                   start->arguments,
                                                                   script,
                                                                   start->document_options)
                                                  : start_script(start, script);
        }
}

static int run(Start *start, Ctl *ctl) {
        int r = change_begin(&start->change, ctl, N_("started"));
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        start_all(start);
        return change_end(&start->change);
}

/* --no-daemon: stay, and end what was started with us, all of it if one could not be. */
static int run_in_foreground(Start *start, Ctl *ctl) {
        Foreground foreground;

        int r = change_begin(&start->change, ctl, N_("started"));
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        start->change.no_list = true;
        foreground_init(&foreground, ctl, start->arguments);
        start_all(start);
        foreground_add(&foreground, start->change.processes);
        int status = change_end(&start->change);
        if (status == EXIT_OK) {
                status = foreground_follow(&foreground);
        }
        return foreground_end(&foreground, status);
}

int verb_start(Ctl *ctl, const Arguments *arguments) {
        Start start = { .arguments = arguments };
        char *message = NULL;

        int r = prepare(&start, &message);
        bool foreground = arguments_has(arguments, "no-daemon");
        int status = r < 0        ? change_refuse(r, message)
                     : foreground ? run_in_foreground(&start, ctl)
                                  : run(&start, ctl);
        (void) pm2_options_free(start.script_options);
        (void) pm2_options_free(start.document_options);
        return status;
}
