/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* start: a script, the name of what is stopped, or an ecosystem file. */

#include "attributes.h"
#include "document.h"
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

static int run(Start *start, Ctl *ctl) {
        bool go_on = true;

        int r = change_begin(&start->change, ctl, N_("started"));
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        for (guint i = 0; go_on && i < start->arguments->positional->len; i++) {
                const char *script = g_ptr_array_index(start->arguments->positional, i);
                go_on = document_is_meant(script) ? document_start(&start->change,
                                                                   start->arguments,
                                                                   script,
                                                                   start->document_options)
                                                  : start_script(start, script);
        }
        return change_end(&start->change);
}

int verb_start(Ctl *ctl, const Arguments *arguments) {
        Start start = { .arguments = arguments };
        char *message = NULL;

        int r = prepare(&start, &message);
        int status = r < 0 ? change_refuse(r, message) : run(&start, ctl);
        (void) pm2_options_free(start.script_options);
        (void) pm2_options_free(start.document_options);
        return status;
}
