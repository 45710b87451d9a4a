/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The reload of an app, which goes from process to process: calls that come meanwhile and bring no change of
 * their own are answered by it, and where one process cannot be replaced the rest is left as it is. */

#include "manager/rolling.h"

#include "manager/start-internal.h"

struct Rolling {
        unsigned references;
        GArray *done; /* ids of processes */
};

Rolling *rolling_new(void) {
        Rolling *rolling = g_new0(Rolling, 1);

        rolling->references = 1;
        rolling->done = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        return rolling;
}

Rolling *rolling_ref(Rolling *rolling) {
        rolling->references++;
        return rolling;
}

void rolling_unref(Rolling *rolling) {
        if (rolling && --rolling->references == 0) {
                g_array_unref(rolling->done);
                g_free(rolling);
        }
}

void rolling_add_done(Rolling *rolling, uint32_t id) {
        if (rolling) {
                g_array_append_val(rolling->done, id);
        }
}

static bool is_done(const Rolling *rolling, uint32_t id) {
        for (guint i = 0; i < rolling->done->len; i++) {
                if (g_array_index(rolling->done, uint32_t, i) == id) {
                        return true;
                }
        }
        return false;
}

/* Whether a reload that goes on with others of its app has had its turn with this one. */
static bool had_its_turn(const Manager *manager, const Process *process, const Rolling *own) {
        g_autoptr(GPtrArray) processes = processes_of_app(manager, process->owner, process->config->name);

        for (guint i = 0; i < processes->len; i++) {
                const ProcessHandle *handle = ((const Process *) processes->pdata[i])->handle;
                for (const GList *item = handle->commands.head; item; item = item->next) {
                        const Command *command = item->data;
                        if (command->rolling && command->rolling != own &&
                            is_done(command->rolling, process->id)) {
                                return true;
                        }
                }
        }
        return false;
}

bool rolling_join(const Manager *manager, Process *process, const Rolling *own, Operation *operation) {
        if (command_join_reload(process->handle, operation)) {
                return true;
        }
        bool done = had_its_turn(manager, process, own);
        if (done) {
                operation_finish(operation, process->id, NULL);
        }
        return done;
}

void rolling_fail(Manager *manager, const Process *culprit) {
        g_autoptr(GPtrArray) processes = processes_of_app(manager, culprit->owner, culprit->config->name);
        g_autofree char *why =
                        g_strdup_printf("process %" PRIu32 " of its app could not be replaced", culprit->id);

        for (guint i = 0; i < processes->len; i++) {
                command_fail_waiting_reload(((Process *) processes->pdata[i])->handle, why);
        }
}
