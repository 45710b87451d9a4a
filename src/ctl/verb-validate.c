/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* validate: what "start FILE" would do. */

#include "attributes.h"
#include "document.h"
#include "i18n.h"
#include "output.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A value as JSON, so that a text and a number are told apart. */
static char *value_text(const Ctl *ctl, const pm2_value *value) {
        char *json = NULL;

        if (!value || pm2_value_to_json(value, PM2_JSON_SHORT, &json) < 0) {
                return g_strdup(_("(not set)"));
        }
        char *clean = text_clean(json, ctl->utf8);
        free(json);
        return clean;
}

static const char *text_of(const pm2_value *value, const char *path) {
        const char *text = "";
        (void) pm2_value_get_string(value, path, &text);
        return text;
}

/* Of processes, where that changes; of a new app, where there is more than one. */
static void print_number(const Ctl *ctl, const pm2_value *app) {
        size_t before = pm2_value_get_length(pm2_value_get(app, "ids")) +
                        pm2_value_get_length(pm2_value_get(app, "removed"));
        uint64_t after = before;

        (void) pm2_value_get_uint64(app, "instances", &after);
        if (after != before && (before > 0 || after > 1)) {
                (void) printf("    %s: %zu %s %" PRIu64 "\n",
                              _("processes"),
                              before,
                              ctl->utf8 ? "→" : "->",
                              after);
        }
}

static void print_app(const Ctl *ctl, const pm2_value *app) {
        const pm2_value *changes = pm2_value_get(app, "changes");
        g_autofree char *name = text_clean(text_of(app, "name"), ctl->utf8);

        (void) printf("%s: %s\n", name[0] ? name : "?", text_of(app, "action"));
        print_number(ctl, app);
        for (size_t i = 0; i < pm2_value_get_length(changes); i++) {
                const pm2_value *change = pm2_value_get_item(changes, i);
                g_autofree char *attribute = text_clean(text_of(change, "attribute"), ctl->utf8);
                g_autofree char *before = value_text(ctl, pm2_value_get(change, "old"));
                g_autofree char *after = value_text(ctl, pm2_value_get(change, "new"));
                (void) printf("    %s: %s %s %s\n", attribute, before, ctl->utf8 ? "→" : "->", after);
        }
}

static int validate(Ctl *ctl, const Arguments *arguments, const char *path, const pm2_options *options) {
        pm2_value *result = NULL;
        char *text = NULL;

        int status = document_read(ctl, arguments, path, &text);
        if (status == EXIT_OK) {
                status = document_validate(ctl, path, text, options, &result);
        }
        free(text);
        if (status != EXIT_OK) {
                return status;
        }
        if (ctl->json != JSON_OFF) {
                status = print_json(ctl, result);
        } else {
                const pm2_value *apps = pm2_value_get(result, "apps");
                for (size_t i = 0; !ctl->silent && i < pm2_value_get_length(apps); i++) {
                        print_app(ctl, pm2_value_get_item(apps, i));
                }
        }
        document_print_notices(ctl, path, result);
        if (document_print_errors(path, result)) {
                status = EXIT_FAILED;
        }
        (void) pm2_value_free(result);
        return status;
}

int verb_validate(Ctl *ctl, const Arguments *arguments) {
        pm2_options *options = NULL;
        int status = EXIT_OK;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = document_add_options(arguments, options);
        }
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        for (guint i = 0; i < arguments->positional->len; i++) {
                int one = validate(ctl, arguments, g_ptr_array_index(arguments->positional, i), options);
                status = one == EXIT_OK ? status : one;
        }
        (void) pm2_options_free(options);
        return status;
}
