/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change.h"
#include "i18n.h"

static int call_flush(Ctl *ctl, const char *target, const pm2_options *options, pm2_value **ret_processes) {
        return pm2_flush(ctl->client, target, options, ret_processes);
}

int verb_flush(Ctl *ctl, const Arguments *arguments) {
        if (arguments->positional->len == 0) {
                g_ptr_array_add(arguments->positional, (char *) "all");
        }
        return change_plain(ctl, arguments, call_flush, N_("has empty logs"));
}
