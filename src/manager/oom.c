/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Memory ran out in the group of a process, and the kernel ended something there. */

#include "basic/time-util.h"
#include "manager/manager-internal.h"
#include "manager/manager-state.h"

#include <inttypes.h>
#include <signal.h>

/* What the kernel chose may take so long to go: its memory is given back first. */
#define OOM_END_USEC (5 * USEC_PER_SEC)

static char *describe(const AppConfig *config, uint64_t kills) {
        g_autofree char *limit = g_format_size_full(config->memory_max_bytes, G_FORMAT_SIZE_IEC_UNITS);

        return g_strdup_printf(
                        "out of memory: the kernel ended %" PRIu64 " of its processes%s%s",
                        kills,
                        config->memory_max_bytes > 0 ? ", memory_max is " : "",
                        config->memory_max_bytes > 0 ? limit : "");
}

void oom_tell(ProcessHandle *handle) {
        Process *process = handle->process;
        uint64_t kills = handle->group ? isolation_group_take_oom_kills(handle->group) : 0;

        if (kills == 0) {
                return;
        }
        g_autofree char *text = describe(process->config, kills);
        handle->oom_kills += kills;
        handle->oom_boottime_usec = now_boottime_usec();
        manager_remember(process, (HistoryEntry){ .kind = HISTORY_OOM, .text = text });
        manager_state_save(handle);
        manager_emit(handle->manager, process, EVENT_OOM, false);
}

void oom_forget(ProcessHandle *handle) {
        handle->oom_kills = handle->oom_boottime_usec = 0;
}

bool oom_has_ended(const ProcessHandle *handle, ExitStatus status) {
        return status.signal == SIGKILL && process_state_is_running(handle->process->state) &&
               handle->oom_boottime_usec > 0 &&
               now_boottime_usec() - handle->oom_boottime_usec < OOM_END_USEC;
}
