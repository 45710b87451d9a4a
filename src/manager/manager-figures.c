/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a process uses, read when somebody asks. */

#include "basic/time-util.h"
#include "manager/manager-internal.h"

#define SAMPLE_USEC_MIN  (USEC_PER_SEC / 2)
#define FIGURES_USEC_MAX (USEC_PER_SEC / 4)

/* Percent of one core since the last sample; the first is taken from the start. A sample younger than half a
 * second is used again, and a younger process counted as that old, or the figures would be noise. */
static double sample_cpu(ProcessHandle *handle, uint64_t cpu_usec) {
        uint64_t now_usec = now_boottime_usec();
        bool first = handle->cpu_sample_boottime_usec == 0;
        uint64_t since_usec =
                        first ? handle->process->start_boottime_usec : handle->cpu_sample_boottime_usec;
        uint64_t before_usec = first ? 0 : handle->cpu_sample_usec;

        if (!first && now_usec - since_usec < SAMPLE_USEC_MIN) {
                return handle->cpu_percent;
        }
        uint64_t elapsed_usec = MAX(now_usec - since_usec, SAMPLE_USEC_MIN);
        uint64_t used_usec = cpu_usec > before_usec ? cpu_usec - before_usec : 0;
        handle->cpu_sample_boottime_usec = now_usec;
        handle->cpu_sample_usec = cpu_usec;
        handle->cpu_percent = 100.0 * (double) used_usec / (double) elapsed_usec;
        return handle->cpu_percent;
}

/* Whoever asks again at once gets what the one before got; not of another launch. */
static bool is_fresh(const ProcessHandle *handle, uint64_t now_usec) {
        return handle->figures_boottime_usec > handle->process->start_boottime_usec &&
               now_usec - handle->figures_boottime_usec < FIGURES_USEC_MAX;
}

void manager_read_figures(Manager *manager, Process *process, ProcessFigures *ret) {
        ProcessHandle *handle = process->handle;
        uint64_t now_usec = now_boottime_usec();
        IsolationStat stat = { 0 };

        *ret = (ProcessFigures){ 0 };
        if (!handle->group || !handle->launched) {
                return;
        }
        if (is_fresh(handle, now_usec)) {
                *ret = handle->figures;
                return;
        }
        if (isolation_group_read_stat(handle->group, &stat) < 0) {
                return;
        }
        /* While it is being executed it has no memory. */
        handle->figures_boottime_usec = stat.memory_bytes > 0 ? now_usec : 0;
        handle->figures = *ret = (ProcessFigures){
                .memory_bytes = stat.memory_bytes,
                .cpu_percent = sample_cpu(handle, stat.cpu_usec),
                .cpu_nsec = stat.cpu_usec * NSEC_PER_USEC,
                .tasks = stat.tasks,
        };
}
