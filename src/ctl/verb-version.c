/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change.h"
#include "i18n.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>

static int print_version_json(const Ctl *ctl, const char *daemon) {
        pm2_value *object = NULL;

        int r = pm2_value_new_object(&object);
        if (r >= 0) {
                r = pm2_value_add_string(object, "pm2ctl", PM2D_VERSION);
        }
        if (r >= 0) {
                r = daemon ? pm2_value_add_string(object, "pm2d", daemon)
                           : pm2_value_add_null(object, "pm2d");
        }
        int status = r < 0 ? change_refuse(r, NULL) : print_json(ctl, object);
        (void) pm2_value_free(object);
        return status;
}

int verb_version(Ctl *ctl, const Arguments *arguments) {
        char *daemon = NULL;
        int status = EXIT_OK;

        (void) arguments;
        if (pm2_connect(ctl->client, ctl->instance_flags | PM2_CONNECT_NO_SPAWN) >= 0) {
                (void) pm2_get_version(ctl->client, &daemon);
        }
        if (ctl->json != JSON_OFF) {
                status = print_version_json(ctl, daemon);
        } else {
                (void) printf("pm2ctl %s\n", PM2D_VERSION);
                if (daemon) {
                        (void) printf("pm2d %s\n", daemon);
                } else {
                        (void) puts(_("pm2d is not running"));
                }
        }
        free(daemon);
        return status;
}
