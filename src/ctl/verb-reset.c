/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change.h"
#include "i18n.h"

static int call_reset(Ctl *ctl, const char *target, const pm2_options *options, pm2_value **ret_processes) {
        return pm2_reset(ctl->client, target, options, ret_processes);
}

int verb_reset(Ctl *ctl, const Arguments *arguments) {
        return change_plain(ctl, arguments, call_reset, N_("counts from 0"));
}
