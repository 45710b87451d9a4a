/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "attributes.h"
#include "change.h"
#include "i18n.h"

static int call_freeze(Ctl *ctl, const char *target, const pm2_options *options, pm2_value **ret_processes) {
        return pm2_freeze(ctl->client, target, options, ret_processes);
}

int verb_freeze(Ctl *ctl, const Arguments *arguments) {
        pm2_options *options = NULL;
        char *message = NULL;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = attributes_add_call(arguments, options, &message);
        }
        int status = r < 0 ? change_refuse(r, message)
                           : change_targets(ctl, arguments, 0, call_freeze, options, N_("frozen"));
        (void) pm2_options_free(options);
        return status;
}
