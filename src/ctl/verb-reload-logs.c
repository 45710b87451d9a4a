/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "i18n.h"
#include "output.h"

#include <stdio.h>

int verb_reload_logs(Ctl *ctl, const Arguments *arguments) {
        int r = pm2_reload_logs(ctl->client);

        (void) arguments;
        if (r < 0) {
                return print_failure(ctl, r);
        }
        if (!ctl->silent) {
                (void) puts(_("pm2d has looked at all log files"));
        }
        return EXIT_OK;
}
