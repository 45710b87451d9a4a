/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "attributes.h"
#include "change.h"
#include "i18n.h"
#include "output.h"

#include "basic/cleanup.h"

#include <stdio.h>

static int report(const Ctl *ctl, const char *path) {
        if (ctl->json != JSON_OFF) {
                pm2_value *answer = NULL;
                int r = pm2_value_new_object(&answer);
                if (r >= 0) {
                        r = pm2_value_add_string(answer, "saved", path);
                }
                int status = r < 0 ? change_refuse(r, NULL) : print_json(ctl, answer);
                (void) pm2_value_free(answer);
                return status;
        }
        if (!ctl->silent) {
                (void) printf(_("saved in %s\n"), path);
        }
        return EXIT_OK;
}

static int save(Ctl *ctl, const char *given, const pm2_options *options) {
        g_autofree char *path = given ? g_canonicalize_filename(given, NULL) : NULL;
        _cleanup_free_ char *saved = NULL;
        int r = pm2_dump(ctl->client, path, options, &saved);

        return r < 0 ? print_failure(ctl, r) : report(ctl, saved);
}

int verb_save(Ctl *ctl, const Arguments *arguments) {
        const GPtrArray *words = arguments->positional;
        pm2_options *options = NULL;
        char *message = NULL;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = attributes_add_call(arguments, options, &message);
        }
        if (r >= 0 && arguments_has(arguments, "force")) {
                r = pm2_options_set_bool(options, "force", true);
        }
        int status = r < 0 ? change_refuse(r, message)
                           : save(ctl, words->len > 0 ? g_ptr_array_index(words, 0) : NULL, options);
        (void) pm2_options_free(options);
        return status;
}
