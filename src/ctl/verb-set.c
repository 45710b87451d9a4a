/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "attributes.h"
#include "change.h"
#include "i18n.h"

static int add_assignments(const Arguments *arguments, pm2_options *options, char **ret_message) {
        int r = attributes_add_call(arguments, options, ret_message);

        for (guint i = 1; r >= 0 && i < arguments->positional->len; i++) {
                const char *assignment = g_ptr_array_index(arguments->positional, i);
                r = attributes_add_assignment(assignment, options, ret_message);
        }
        return r;
}

int verb_set(Ctl *ctl, const Arguments *arguments) {
        pm2_options *options = NULL;
        pm2_value *processes = NULL;
        char *message = NULL;
        Change change;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = add_assignments(arguments, options, &message);
        }
        if (r >= 0) {
                r = change_begin(&change, ctl, N_("changed"));
        }
        if (r < 0) {
                (void) pm2_options_free(options);
                return change_refuse(r, message);
        }
        r = pm2_set_properties(
                        ctl->client, g_ptr_array_index(arguments->positional, 0), options, &processes);
        (void) change_add(&change, r, processes);
        (void) pm2_options_free(options);
        return change_end(&change);
}
