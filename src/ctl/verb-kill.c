/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "attributes.h"
#include "change.h"
#include "i18n.h"
#include "output.h"

#include <errno.h>
#include <stdio.h>

static int report(const Ctl *ctl, bool was_running) {
        if (ctl->json != JSON_OFF) {
                pm2_value *answer = NULL;
                int r = pm2_value_new_object(&answer);
                if (r >= 0) {
                        r = pm2_value_add_bool(answer, "killed", was_running);
                }
                int status = r < 0 ? change_refuse(r, NULL) : print_json(ctl, answer);
                (void) pm2_value_free(answer);
                return status;
        }
        if (!ctl->silent) {
                (void) puts(was_running ? _("pm2d has ended") : _("pm2d is not running"));
        }
        return EXIT_OK;
}

static int kill_daemon(Ctl *ctl, const Arguments *arguments) {
        pm2_options *options = NULL;
        char *message = NULL;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = attributes_add_call(arguments, options, &message);
        }
        if (r < 0) {
                (void) pm2_options_free(options);
                return change_refuse(r, message);
        }
        r = pm2_kill_daemon(ctl->client, options);
        (void) pm2_options_free(options);
        return r < 0 ? print_failure(ctl, r) : report(ctl, true);
}

int verb_kill(Ctl *ctl, const Arguments *arguments) {
        int r = pm2_connect(ctl->client, ctl->instance_flags | PM2_CONNECT_NO_SPAWN);
        if (r == -ENOTCONN) {
                return report(ctl, false);
        }
        if (r < 0) {
                (void) print_failure(ctl, r);
                return EXIT_NO_DAEMON;
        }
        return kill_daemon(ctl, arguments);
}
