/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* message: a value to the channel of processes. */

#include "change.h"
#include "i18n.h"

int verb_message(Ctl *ctl, const Arguments *arguments) {
        pm2_value *processes = NULL;
        Change change;

        int r = change_begin(&change, ctl, N_("got the message"));
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        r = pm2_send_message_json(
                        ctl->client,
                        g_ptr_array_index(arguments->positional, 0),
                        g_ptr_array_index(arguments->positional, 1),
                        &processes);
        (void) change_add(&change, r, processes);
        return change_end(&change);
}
