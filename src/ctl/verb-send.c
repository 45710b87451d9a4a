/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* send: a line to the standard input of processes. */

#include "change.h"
#include "i18n.h"
#include "process-find.h"

/* A process that is shown if it got the line, without what is private of it. */
static int copy_listed(const pm2_value *list, uint32_t id, pm2_value **ret) {
        const pm2_value *process = process_find(list, id);
        pm2_value *array = NULL, *copy = NULL;

        int r = pm2_value_new_array(&array);
        if (r >= 0 && process) {
                r = pm2_value_copy(process, &copy);
        }
        if (r >= 0 && copy) {
                r = pm2_value_add_value(array, NULL, copy);
        }
        if (r < 0) {
                (void) pm2_value_free(copy);
                (void) pm2_value_free(array);
                return r;
        }
        *ret = array;
        return 0;
}

static void send_to_all(Change *change, const pm2_value *targets, const pm2_value *list, const char *line) {
        bool go_on = true;

        for (size_t i = 0; go_on && i < pm2_value_get_length(targets); i++) {
                uint32_t id = pm2_process_get_id(pm2_value_get_item(targets, i));
                pm2_value *sent = NULL;
                int r = pm2_send_line(change->ctl->client, id, line);
                if (r >= 0) {
                        r = copy_listed(list, id, &sent);
                }
                go_on = change_add(change, r, sent);
        }
}

int verb_send(Ctl *ctl, const Arguments *arguments) {
        pm2_value *targets = NULL, *list = NULL;
        Change change;

        int r = change_begin(&change, ctl, N_("got the line"));
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        r = pm2_describe(ctl->client, g_ptr_array_index(arguments->positional, 0), &targets);
        if (r >= 0) {
                r = pm2_list(ctl->client, &list);
        }
        if (r < 0) {
                (void) change_add(&change, r, NULL);
        } else {
                send_to_all(&change, targets, list, g_ptr_array_index(arguments->positional, 1));
        }
        (void) pm2_value_free(targets);
        (void) pm2_value_free(list);
        return change_end(&change);
}
