/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which process is the main one. It is the one that was started, until it names another (MAINPID= of
 * sd_notify(3)), as programs do that put themselves into the background or renew themselves. That one is
 * somebody else's child, and may become ours later; the one before it is ours as a rule, and has to be
 * reaped.
 *
 * A crash of ours while we follow: the message leaves its queue afterwards, so it is handled again, as long
 * as the record speaks of the one before. Where the service manager keeps no queue the record is all there
 * is. */

#include "manager/main-process.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "basic/time-util.h"
#include "manager/manager-state.h"
#include "manager/process-record.h"
#include "platform/cgroup.h"
#include "platform/proc-stat.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Linux 6.9; older headers lack it. */
#ifndef PID_FS_MAGIC
#        define PID_FS_MAGIC 0x50494446
#endif

/* Each change makes the service manager work. */
#define CHANGES_INTERVAL_USEC (10 * USEC_PER_SEC)
enum {
        CHANGES_MAX = 10, /* in that interval */
};

/* A child of ours that was a main process. */
typedef struct FormerMain {
        Manager *manager; /* weak */
        int pidfd;
        ChildWatch *watch;
} FormerMain;

static void on_child_exit(void *userdata, int code, int status) {
        lifecycle_on_main_exit(userdata, code, status);
}

static bool is_own_child(pid_t pid) {
        ProcStat stat;

        return proc_stat_read(pid, &stat) >= 0 && stat.parent == getpid();
}

int main_process_watch(ProcessHandle *handle, pid_t pid, int pidfd) {
        sd_event *event = handle->manager->event;

        return is_own_child(pid) ? child_watch_new(event, pidfd, on_child_exit, handle, &handle->watch)
                                 : child_watch_new_adopted(
                                                   event, pidfd, on_child_exit, handle, &handle->watch);
}

int main_process_watch_gone(ProcessHandle *handle) {
        return child_watch_new_gone(handle->manager->event, on_child_exit, handle, &handle->watch);
}

typedef bool (*PidCheck)(pid_t pid, const void *whose);

/* A pid is looked at while a pidfd holds it: if that is alive afterwards, it is of what was seen. Returns
 * the pidfd; -EPERM: it is not the one that is looked for; else negative: there is none, or no more than a
 * zombie.
 */
static int hold(pid_t pid, PidCheck check, const void *whose) {
        _cleanup_close_ int pidfd = pidfd_open(pid, 0);
        ProcStat stat;

        if (pidfd < 0 || proc_stat_read(pid, &stat) < 0 || stat.zombie) {
                return -ESRCH;
        }
        if (!check(pid, whose)) {
                return -EPERM;
        }
        /* no fault point: signal 0 is a question */
        int r = RET_NERRNO(pidfd_send_signal(pidfd, 0, NULL, 0));
        return r < 0 ? r : steal_fd(&pidfd);
}

/* Its cgroup tells or, where there are none, its environment. */
static bool is_of_record(pid_t pid, const void *whose) {
        const ProcessRecord *record = whose;
        g_autofree char *path = NULL;
        char launch_id[SD_ID128_STRING_MAX];
        g_autofree char *marker =
                        g_strdup_printf(ISOLATION_MARKER "=%s",
                                        sd_id128_is_null(record->launch_id)
                                                        ? record->unique_id
                                                        : sd_id128_to_string(record->launch_id, launch_id));

        if (!record->control_group[0]) {
                return proc_has_variable(pid, marker);
        }
        return proc_cgroup_path(pid, &path) >= 0 && cgroup_path_is_within(path, record->control_group);
}

int main_process_find(const ProcessRecord *record) {
        return record->pid > 0 ? hold(record->pid, is_of_record, record) : -ESRCH;
}

static void former_free(gpointer data) {
        FormerMain *former = data;

        child_watch_free(former->watch);
        (void) close_fd(former->pidfd);
        g_free(former);
}

static void on_former_exit(void *userdata, int code, int status) {
        FormerMain *former = userdata;

        (void) g_ptr_array_remove_fast(former->manager->former_mains, former);
}

/* Takes the pidfd, which nobody watches. */
static void watch_former(Manager *manager, int pidfd) {
        FormerMain *former = g_new0(FormerMain, 1);

        former->manager = manager;
        former->pidfd = pidfd;
        int r = child_watch_new(manager->event, pidfd, on_former_exit, former, &former->watch);
        if (r < 0) {
                (void) log_warning_errno(r, "a former main process cannot be watched: %m");
                former_free(former);
                return;
        }
        if (!manager->former_mains) {
                manager->former_mains = g_ptr_array_new_with_free_func(former_free);
        }
        g_ptr_array_add(manager->former_mains, former);
}

/* One that is the main process again. */
static void forget_former(Manager *manager, pid_t pid) {
        for (guint i = 0; manager->former_mains && i < manager->former_mains->len; i++) {
                const FormerMain *former = manager->former_mains->pdata[i];
                if (proc_pid_of_pidfd(former->pidfd) == pid) {
                        (void) g_ptr_array_remove_index_fast(manager->former_mains, i);
                        return;
                }
        }
}

static char *former_name(guint number) {
        return g_strdup_printf("former%u", number);
}

void main_process_take_former_over(Manager *manager) {
        for (guint i = 0;; i++) {
                g_autofree char *name = former_name(i);
                int pidfd = manager_state_take(manager->state, name);
                if (pidfd < 0) {
                        return;
                }
                watch_former(manager, pidfd);
        }
}

void main_process_leave_former(Manager *manager, Handover *handover) {
        for (guint i = 0; manager->former_mains && i < manager->former_mains->len; i++) {
                FormerMain *former = manager->former_mains->pdata[i];
                g_autofree char *name = former_name(i);
                child_watch_free(g_steal_pointer(&former->watch));
                handover_take(handover, name, steal_fd(&former->pidfd));
        }
}

void main_process_free_former(Manager *manager) {
        if (manager->former_mains) {
                g_ptr_array_unref(manager->former_mains);
        }
}

/* As the gated child wrote it; what was removed or replaced by something else stays so. */
void main_process_renew_pid_file(const ProcessHandle *handle) {
        Manager *manager = handle->manager;
        const Process *process = handle->process;
        g_autofree char *digits = g_strdup_printf("%d", handle->child.pid);
        struct stat status;

        if (!process->pid_path) {
                return;
        }
        manager_become_user(manager, manager_user(manager, process->owner));
        _cleanup_close_ int fd =
                        open(process->pid_path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &status) >= 0 && S_ISREG(status.st_mode) &&
            CHANGE("pid-file-empty", ftruncate(fd, 0)) >= 0) {
                ssize_t n = CHANGE("pid-file-renew", write(fd, digits, strlen(digits)));
                (void) n;
        }
        manager_become_self(manager);
}

static bool is_in_group(pid_t pid, const void *whose) {
        const ProcessHandle *handle = whose;

        return handle->group && isolation_group_has_pid(handle->group, pid);
}

/* The number of a pidfd means something where they have a file system of their own. */
static bool is_of_inode(int pidfd, uint64_t pidfd_id) {
        struct statfs system;
        struct stat status;

        if (pidfd_id == 0 || fstatfs(pidfd, &system) < 0 || (uint64_t) system.f_type != PID_FS_MAGIC) {
                return true;
        }
        return fstat(pidfd, &status) >= 0 && status.st_ino == pidfd_id;
}

static bool comes_too_often(ProcessHandle *handle) {
        uint64_t now_usec = now_monotonic_usec();

        if (now_usec - handle->main_changes_usec >= CHANGES_INTERVAL_USEC) {
                handle->main_changes_usec = now_usec;
                handle->main_changes = 0;
        }
        return handle->main_changes++ >= CHANGES_MAX;
}

static int hold_new_main(const ProcessHandle *handle, pid_t pid, uint64_t pidfd_id) {
        _cleanup_close_ int pidfd = hold(pid, is_in_group, handle);

        if (pidfd < 0) {
                return pidfd == -EPERM ? -EPERM : -ESRCH;
        }
        return is_of_inode(pidfd, pidfd_id) ? steal_fd(&pidfd) : -ESRCH;
}

/* Let go of the main process that was. While its end is handled it has been reaped already. */
static void let_go(ProcessHandle *handle, ChildWatch *watch) {
        bool own = !handle->main_reaped && is_own_child(handle->child.pid);
        int pidfd = steal_fd(&handle->child.pidfd);

        child_watch_free(watch);
        if (own) {
                watch_former(handle->manager, pidfd);
        } else {
                (void) close_fd(pidfd);
        }
}

static const char *replace(ProcessHandle *handle, pid_t pid, int pidfd) {
        Process *process = handle->process;
        ChildWatch *old = g_steal_pointer(&handle->watch);

        int r = main_process_watch(handle, pid, pidfd);
        if (r < 0) {
                handle->watch = old;
                (void) close_fd(pidfd);
                return "it cannot be watched";
        }
        let_go(handle, old);
        forget_former(handle->manager, pid);
        handle->child.pid = pid;
        handle->child.pidfd = pidfd;
        handle->main_reaped = handle->presumed = false;
        isolation_group_set_main(handle->group, pid, pidfd);
        process_set_pid(process, pid);
        manager_state_keep_pidfd(handle); /* before the record: see above */
        manager_state_save(handle);
        main_process_renew_pid_file(handle);
        manager_notify_changes(handle->manager, process);
        log_info("process %" PRIu32 " '%s': its main process is %d now",
                 process->id,
                 process->config->name,
                 pid);
        return NULL;
}

const char *main_process_follow(ProcessHandle *handle, pid_t pid, uint64_t pidfd_id) {
        if (!handle->main_alive || handle->phase != PHASE_MAIN) {
                return "no main process is left";
        }
        if (pid == handle->child.pid && !handle->main_reaped) {
                return NULL;
        }
        if (comes_too_often(handle)) {
                return "it changes too often";
        }
        int pidfd = hold_new_main(handle, pid, pidfd_id);
        if (pidfd < 0) {
                return pidfd == -EPERM ? "it is not one of this app" : "there is no such process";
        }
        return replace(handle, pid, pidfd);
}
