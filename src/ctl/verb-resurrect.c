/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "attributes.h"
#include "change.h"
#include "i18n.h"

static int resurrect(Ctl *ctl, const char *given, const pm2_options *options) {
        g_autofree char *path = given ? g_canonicalize_filename(given, NULL) : NULL;
        pm2_value *processes = NULL;
        Change change;

        int r = change_begin(&change, ctl, N_("is in the list"));
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        r = pm2_resurrect(ctl->client, path, options, &processes);
        (void) change_add(&change, r, processes);
        return change_end(&change);
}

int verb_resurrect(Ctl *ctl, const Arguments *arguments) {
        const GPtrArray *words = arguments->positional;
        pm2_options *options = NULL;
        char *message = NULL;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = attributes_add_call(arguments, options, &message);
        }
        int status = r < 0 ? change_refuse(r, message)
                           : resurrect(ctl, words->len > 0 ? g_ptr_array_index(words, 0) : NULL, options);
        (void) pm2_options_free(options);
        return status;
}
