/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/log-job.h"

#include "basic/time-util.h"
#include "platform/log-split.h"
#include "platform/program-lookup.h"

/* Of the system: no folder of a user. */
#define SEARCH_PATH "/usr/local/bin:/usr/bin:/bin"
/* What a slow disk and a slow program make in a second. */
#define SPLIT_RATE  (UINT64_C(2) * 1024 * 1024)

static const struct {
        const char *program, *suffix;
} compressors[] = {
        [LOG_COMPRESSION_NONE] = { NULL, "" },
        [LOG_COMPRESSION_GZIP] = { "gzip", ".gz" },
        [LOG_COMPRESSION_ZSTD] = { "zstd", ".zst" },
};

int log_job_find_compressor(LogCompression compression, char **ret) {
        const char *program = compressors[compression].program;

        *ret = NULL;
        return program ? program_find(program, SEARCH_PATH, ret) : 0;
}

static void cut(const void *what, void *ret_report) {
        *(LogCutReport *) ret_report = log_cut(CHILD_JOB_FD, what);
}

static void split(const void *what, void *ret_report) {
        *(LogCutReport *) ret_report = log_split(CHILD_JOB_FD, what);
}

int log_job_start(
                Manager *manager,
                int file_fd,
                const char *path,
                uint64_t seen_bytes,
                const LogLimits *limits,
                uid_t owner,
                ChildJobHandler handler,
                void *userdata,
                ChildJob **ret) {
        g_autofree char *folder = g_path_get_dirname(path), *name = g_path_get_basename(path);
        g_autofree char *compressor = NULL;
        const UserInfo *info = manager_user(manager, owner);
        const ExecUser user = user_info_exec_user(info);

        int r = limits->separate ? log_job_find_compressor(limits->compression, &compressor) : 0;
        if (r < 0) {
                return r;
        }
        const LogCutPlan cut_plan = {
                .bound_bytes = limits->bound_bytes,
                .seen_bytes = seen_bytes,
                .part_bytes = limits->part_bytes,
        };
        const LogSplitPlan split_plan = {
                .folder = folder,
                .name = name,
                .size_bytes = limits->part_bytes,
                .seen_bytes = seen_bytes,
                .retain = limits->retain,
                .compressor = compressor,
                .suffix = compressors[limits->compression].suffix,
        };
        const ChildJobPlan plan = {
                .work = limits->separate ? split : cut,
                .what = limits->separate ? (const void *) &split_plan : &cut_plan,
                .report_bytes = sizeof(LogCutReport),
                .fd = file_fd,
                .user = manager->system ? &user : NULL,
                .timeout_usec = (60 + limits->part_bytes / SPLIT_RATE) * USEC_PER_SEC,
        };
        return child_job_start(manager->event, &plan, handler, userdata, ret);
}
