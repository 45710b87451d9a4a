/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "attributes.h"
#include "change.h"
#include "i18n.h"
#include "output.h"

#include "basic/signal-util.h"

/* The signal of this command. */
static const char *arg_signal;

static int call_signal(Ctl *ctl, const char *target, const pm2_options *options, pm2_value **ret_processes) {
        return pm2_send_signal(ctl->client, arg_signal, target, options, ret_processes);
}

int verb_signal(Ctl *ctl, const Arguments *arguments) {
        pm2_options *options = NULL;
        char *message = NULL;

        arg_signal = g_ptr_array_index(arguments->positional, 0);
        if (signal_from_text(arg_signal) < 0) {
                print_error(_("\"%s\" is not a signal"), arg_signal);
                return EXIT_USAGE;
        }
        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = attributes_add_call(arguments, options, &message);
        }
        int status = r < 0 ? change_refuse(r, message)
                           : change_targets(ctl, arguments, 1, call_signal, options, N_("got the signal"));
        (void) pm2_options_free(options);
        return status;
}
