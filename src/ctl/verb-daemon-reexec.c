/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change.h"
#include "i18n.h"
#include "output.h"

#include <errno.h>
#include <stdio.h>

int verb_daemon_reexec(Ctl *ctl, const Arguments *arguments) {
        int r = pm2_reexecute(ctl->client);

        (void) arguments;
        if (r < 0) {
                return print_failure(ctl, r);
        }
        if (!ctl->silent) {
                (void) puts(_("pm2d is renewed, every process has stayed"));
        }
        return EXIT_OK;
}
