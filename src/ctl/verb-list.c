/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "output.h"

int verb_list(Ctl *ctl, const Arguments *arguments) {
        pm2_value *processes = NULL;
        int status = EXIT_OK;

        (void) arguments;
        int r = pm2_list(ctl->client, &processes);
        if (r < 0) {
                return print_failure(ctl, r);
        }
        if (ctl->json != JSON_OFF) {
                status = print_json(ctl, processes);
        } else {
                print_processes(ctl, processes);
        }
        (void) pm2_value_free(processes);
        return status;
}
