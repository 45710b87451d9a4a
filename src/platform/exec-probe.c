/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/exec-probe.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"
#include "platform/cgroup.h"
#include "platform/child-watch.h"
#include "platform/spawn.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Linux 6.9 linux/pidfd.h, which older headers lack. */
#define SIGNAL_PROCESS_GROUP (1U << 2)

static const char folder_name[] = "pm2d-health";

enum {
        FOLDERS_MAX = 8,
        FOLDER_NAME_BYTES = sizeof(folder_name) + 2,
};

struct ExecProbe {
        sd_event *event; /* weak */
        ProbeHandler handler;
        void *userdata;
        GatedChild child;
        ChildWatch *watch;
        int folder_fd; /* negative: it has no cgroup of its own */
        char *path;
};

static void kill_all(const ExecProbe *probe) {
        if (probe->folder_fd >= 0) {
                cgroup_kill(probe->folder_fd, probe->path);
                return;
        }
        (void) CHANGE("probe-group-kill",
                      pidfd_send_signal(probe->child.pidfd, SIGKILL, NULL, SIGNAL_PROCESS_GROUP));
        (void) CHANGE("probe-kill",
                      pidfd_send_signal(probe->child.pidfd, SIGKILL, NULL, 0)); /* older Linux */
}

static void probe_free(ExecProbe *probe) {
        child_watch_free(probe->watch);
        gated_child_done(&probe->child);
        (void) close_fd(probe->folder_fd);
        g_free(probe->path);
        g_free(probe);
}

void exec_probe_cancel(ExecProbe *probe) {
        if (!probe) {
                return;
        }
        /* It ends at its gate, or by this. */
        probe->child.gate_fd = close_fd(probe->child.gate_fd);
        kill_all(probe);
        child_watch_reap_later(probe->event, steal_fd(&probe->child.pidfd));
        probe_free(probe);
}

pid_t exec_probe_pid(const ExecProbe *probe) {
        return probe->child.pid;
}

/* What the child reported: {EXECUTE, 0}, and what failed if something did. */
static bool read_failure(const ExecProbe *probe, ExecReport *ret) {
        ExecReport report;

        while (read(probe->child.result_fd, &report, sizeof(report)) == (ssize_t) sizeof(report)) {
                if (report.error != 0) {
                        *ret = report;
                        return true;
                }
        }
        return false;
}

static char *describe(const ExecProbe *probe, int code, int status) {
        ExecReport failure;

        if (read_failure(probe, &failure)) {
                return g_strdup_printf(
                                "the command cannot be run: %s",
                                failure.stage == EXEC_STAGE_EXECUTE || failure.stage == EXEC_STAGE_CWD
                                                ? g_strerror(failure.error)
                                                : "what it is to have is not there");
        }
        if (code == CLD_EXITED) {
                return status == 0 ? NULL : g_strdup_printf("exited with code %d", status);
        }
        return code == 0 ? g_strdup("nobody knows how it ended")
                         : g_strdup_printf("was ended by signal %d", status);
}

static void on_command_exit(void *userdata, int code, int status) {
        ExecProbe *probe = userdata;
        ProbeHandler handler = probe->handler;
        void *handler_userdata = probe->userdata;
        g_autofree char *why = describe(probe, code, status);

        if (probe->folder_fd >= 0 && cgroup_is_populated(probe->folder_fd)) {
                kill_all(probe); /* what it has left behind */
        }
        probe_free(probe);
        handler(handler_userdata, why == NULL, why);
}

static void name_folder(unsigned i, char name[static FOLDER_NAME_BYTES]) {
        (void) snprintf(name, FOLDER_NAME_BYTES, i == 0 ? "%s" : "%s-%u", folder_name, i);
}

/* Make one, or in place of an old one that is empty by now. */
static int make_folder(int group_fd, const char *name) {
        int r = RET_NERRNO(CHANGE("probe-folder-mkdir", mkdirat(group_fd, name, 0755)));

        if (r == -EEXIST) {
                r = RET_NERRNO(CHANGE("probe-folder-clear", unlinkat(group_fd, name, AT_REMOVEDIR)));
                if (r >= 0) {
                        r = RET_NERRNO(CHANGE("probe-folder-again", mkdirat(group_fd, name, 0755)));
                }
        }
        return r;
}

/* A folder that has never been killed: in one that has, Linux (tried: 6.18) kills whatever is cloned
 * into it. What was killed may need a moment to be gone. */
static int open_folder(ExecProbe *probe, const ExecProbeGroup *group) {
        char name[FOLDER_NAME_BYTES];
        int r = -EBUSY;

        for (unsigned i = 0; r == -EBUSY && i < FOLDERS_MAX; i++) {
                name_folder(i, name);
                r = make_folder(group->folder_fd, name);
        }
        if (r < 0) {
                return r;
        }
        probe->path = g_strconcat(group->path, "/", name, NULL);
        probe->folder_fd = openat(group->folder_fd, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        return probe->folder_fd < 0 ? -errno : 0;
}

void exec_probe_end_leftovers(const ExecProbeGroup *group) {
        for (unsigned i = 0; group->folder_fd >= 0 && i < FOLDERS_MAX; i++) {
                char name[FOLDER_NAME_BYTES];
                name_folder(i, name);
                _cleanup_close_ int fd = openat(group->folder_fd, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
                g_autofree char *path = g_strconcat(group->path, "/", name, NULL);
                if (fd >= 0) {
                        cgroup_kill(fd, path);
                }
        }
}

void exec_probe_remove_folders(int group_fd) {
        for (unsigned i = 0; i < FOLDERS_MAX; i++) {
                char name[FOLDER_NAME_BYTES];
                name_folder(i, name);
                if (CHANGE("probe-folder-rmdir", unlinkat(group_fd, name, AT_REMOVEDIR)) < 0 &&
                    errno == ENOENT) {
                        return;
                }
        }
}

int exec_probe_start(
                sd_event *event,
                const ExecPlan *plan,
                const ExecProbeGroup *group,
                ProbeHandler handler,
                void *userdata,
                ExecProbe **ret) {
        ExecProbe *probe = g_new0(ExecProbe, 1);

        *probe = (ExecProbe){
                .event = event,
                .handler = handler,
                .userdata = userdata,
                .child = GATED_CHILD_NONE,
                .folder_fd = -EBADF,
        };
        int r = group->folder_fd >= 0 ? open_folder(probe, group) : 0;
        if (r >= 0) {
                r = spawn_gated(plan, probe->folder_fd, &probe->child);
        }
        if (r < 0) {
                probe_free(probe);
                return r;
        }
        r = child_watch_new(event, probe->child.pidfd, on_command_exit, probe, &probe->watch);
        if (r >= 0) {
                r = spawn_open_gate(&probe->child);
        }
        if (r < 0) {
                exec_probe_cancel(probe);
                return r;
        }
        *ret = probe;
        return 0;
}
