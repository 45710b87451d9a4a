/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* start: a script, the name of what is stopped, or JSON from a file or standard input. JSON is read here,
 * with the caller's rights, and sent as text. */

#include "attributes.h"
#include "change.h"
#include "i18n.h"
#include "output.h"

#include "basic/fd-util.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DOCUMENT_MAX (16U << 20)

static bool is_document(const char *script) {
        return strcmp(script, "-") == 0 || g_str_has_suffix(script, ".json");
}

/* Read all of standard input. -EFBIG: it is too much. */
static int read_input(char **ret) {
        g_autoptr(GString) text = g_string_new(NULL);
        char buffer[65536];

        for (;;) {
                ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));
                if (n < 0 && errno == EINTR) {
                        continue;
                }
                if (n < 0) {
                        return -errno;
                }
                if (n == 0) {
                        *ret = strdup(text->str);
                        return *ret ? 0 : -ENOMEM;
                }
                if (text->len + (gsize) n > DOCUMENT_MAX) {
                        return -EFBIG;
                }
                (void) g_string_append_len(text, buffer, n);
        }
}

static int set_only(const Arguments *arguments, pm2_options *options) {
        const char *only = arguments_get(arguments, "only");

        if (!only) {
                return 0;
        }
        g_auto(GStrv) names = g_strsplit_set(only, ", ", -1);
        g_autoptr(GPtrArray) used = g_ptr_array_new();
        for (char **name = names; *name; name++) {
                if (**name) {
                        g_ptr_array_add(used, *name);
                }
        }
        g_ptr_array_add(used, NULL);
        return pm2_options_set_strv(options, "only", (const char *const *) used->pdata);
}

/* What the whole command needs. */
typedef struct Start {
        const Arguments *arguments;
        pm2_options *script_options, *document_options;
        Change change;
} Start;

static bool start_document(Start *start, const char *path) {
        pm2_client *client = start->change.ctl->client;
        pm2_value *processes = NULL;
        char *document = NULL;

        int r = strcmp(path, "-") == 0 ? read_input(&document)
                                       : read_file(AT_FDCWD, path, DOCUMENT_MAX, &document, NULL);
        if (r < 0) {
                print_error(_("cannot read %s: %s"), path, g_strerror(-r));
                start->change.tried++;
                start->change.failed++;
                start->change.status = EXIT_FAILED;
                return true;
        }
        r = pm2_start_json(client, document, start->document_options, &processes);
        free(document);
        return change_add(&start->change, r, processes);
}

static bool start_script(Start *start, const char *script) {
        pm2_value *processes = NULL;
        int r = pm2_start(start->change.ctl->client, script, start->script_options, &processes);
        return change_add(&start->change, r, processes);
}

static int prepare(Start *start, char **ret_message) {
        bool documents = false, scripts = false;

        for (guint i = 0; i < start->arguments->positional->len; i++) {
                bool document = is_document(g_ptr_array_index(start->arguments->positional, i));
                documents = documents || document;
                scripts = scripts || !document;
        }
        const OptionSpec *spec = attributes_find_app(start->arguments);
        if (documents && (spec || start->arguments->behind)) {
                *ret_message =
                                g_strdup_printf(_("%s%s cannot be given with JSON, which has it in itself"),
                                                spec ? "--" : "",
                                                spec ? spec->name : "ARGS");
                return -EINVAL;
        }
        if (scripts && arguments_has(start->arguments, "only")) {
                *ret_message = g_strdup(_("--only needs a JSON file"));
                return -EINVAL;
        }
        int r = pm2_options_new(&start->script_options);
        if (r >= 0) {
                r = pm2_options_new(&start->document_options);
        }
        if (r >= 0) {
                r = attributes_add_call(start->arguments, start->script_options, ret_message);
        }
        if (r >= 0) {
                r = attributes_add_call(start->arguments, start->document_options, ret_message);
        }
        if (r >= 0) {
                r = attributes_add_app(start->arguments, start->script_options, ret_message);
        }
        return r < 0 ? r : set_only(start->arguments, start->document_options);
}

static int run(Start *start, Ctl *ctl) {
        bool go_on = true;

        int r = change_begin(&start->change, ctl, N_("started"));
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        for (guint i = 0; go_on && i < start->arguments->positional->len; i++) {
                const char *script = g_ptr_array_index(start->arguments->positional, i);
                go_on = is_document(script) ? start_document(start, script) : start_script(start, script);
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
