/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "attributes.h"
#include "change.h"
#include "i18n.h"

int verb_scale(Ctl *ctl, const Arguments *arguments) {
        const char *target = g_ptr_array_index(arguments->positional, 0);
        const char *count = g_ptr_array_index(arguments->positional, 1);
        pm2_options *options = NULL;
        pm2_value *processes = NULL;
        char *message = NULL;
        Change change;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = attributes_add_call(arguments, options, &message);
        }
        if (r >= 0) {
                r = change_begin(&change, ctl, N_("is there"));
        }
        if (r < 0) {
                (void) pm2_options_free(options);
                return change_refuse(r, message);
        }
        r = pm2_scale(ctl->client, target, count, options, &processes);
        (void) change_add(&change, r, processes);
        (void) pm2_options_free(options);
        return change_end(&change);
}
