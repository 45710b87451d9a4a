/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A new program in the place of this one: it must first show that it can read the state; then the loop ends,
 * with everything that the successor needs in a handover. */

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "manager/cluster-worker.h"
#include "manager/listeners.h"
#include "manager/log-pumps.h"
#include "manager/main-process.h"
#include "manager/manager-internal.h"
#include "manager/manager-state.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define CHECK_TIMEOUT_USEC (10 * USEC_PER_SEC)

struct Reexec {
        Manager *manager;
        Operation *operation;
        int pidfd;
        int out_fd;
        ChildWatch *watch;
        bool accepted;               /* it said OK; its exit status may be another's, who reaps strangers */
        sd_event_source *out_source; /* NULL: what it says counts no more */
        sd_event_source *timer;
};

static void reexec_free(Reexec *reexec) {
        if (reexec) {
                child_watch_free(reexec->watch);
                (void) sd_event_source_disable_unref(reexec->out_source);
                (void) sd_event_source_disable_unref(reexec->timer);
                (void) close_fd(reexec->pidfd);
                (void) close_fd(reexec->out_fd);
                g_free(reexec);
        }
}

void manager_reexec_free(Manager *manager) {
        reexec_free(g_steal_pointer(&manager->reexec));
}

Handover *manager_reexec_hand_over(Manager *manager) {
        Handover *handover = handover_new();

        manager_state_add_fds(manager->state, handover);
        face_fds_hand_over(manager, handover);
        listeners_hand_over(manager, handover);
        cluster_hand_over(manager, handover);
        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                ProcessHandle *handle = registry_at(manager->registry, i)->handle;
                manager_state_add_fds_of(handle, handover);
                if (handle->twin) {
                        manager_state_add_fds_of(handle->twin->handle, handover);
                }
        }
        main_process_leave_former(manager, handover);
        log_pumps_hand_over(manager, handover);
        return handover;
}

void manager_reexec_answer(Manager *manager) {
        operation_finish(manager->reexec->operation, 0, NULL);
}

/* The end may have been ordered while it was tried: a successor would not know of it. */
static int judge(const Manager *manager, bool accepted, Error *error) {
        int r = shutdown_refuse(manager, error);

        return r < 0 || accepted ? r
                                 : error_set(error,
                                             ERROR_SPAWN_FAILED,
                                             "%s cannot take the state over: nothing was changed",
                                             manager->command[0]);
}

static void finish(Reexec *reexec, bool accepted) {
        Manager *manager = reexec->manager;
        Operation *operation = reexec->operation;
        g_auto(Error) error = { 0 };

        reexec->out_source = sd_event_source_disable_unref(reexec->out_source);
        reexec->timer = sd_event_source_disable_unref(reexec->timer);
        if (judge(manager, accepted, &error) < 0) {
                log_error("%s", error.message);
                manager_reexec_free(manager);
                operation_finish(operation, 0, &error);
                return;
        }
        manager_detach(manager);
}

void manager_reexec_give_up(Manager *manager) {
        if (manager->reexec) {
                finish(manager->reexec, false);
        }
}

static int on_check_output(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Reexec *reexec = userdata;
        char text[8] = "";
        ssize_t n = read(fd, text, sizeof(text) - 1);

        if (n < 0 && errno == EAGAIN) {
                return 0;
        }
        reexec->accepted = n >= 3 && memcmp(text, "OK\n", 3) == 0;
        reexec->out_source = sd_event_source_disable_unref(reexec->out_source);
        return 0;
}

/* What it wrote lies in the pipe, if it was not read before. */
static void on_check_exit(void *userdata, int code, int status) {
        Reexec *reexec = userdata;

        if (reexec->out_source) {
                (void) on_check_output(reexec->out_source, reexec->out_fd, EPOLLIN, reexec);
        }
        finish(reexec, reexec->accepted);
}

/* Its exit is what ends the attempt, so that it is reaped. */
static int on_check_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Reexec *reexec = userdata;

        reexec->out_source = sd_event_source_disable_unref(reexec->out_source);
        reexec->accepted = false;
        (void) CHANGE("check-kill", pidfd_send_signal(reexec->pidfd, SIGKILL, NULL, 0));
        return 0;
}

static int begin_check(Reexec *reexec) {
        Manager *manager = reexec->manager;

        int r = manager_state_check_program(
                        manager->state, manager->command, &reexec->pidfd, &reexec->out_fd);
        if (r >= 0) {
                r = child_watch_new(manager->event, reexec->pidfd, on_check_exit, reexec, &reexec->watch);
        }
        if (r >= 0) {
                r =
                                sd_event_add_io(manager->event,
                                                &reexec->out_source,
                                                reexec->out_fd,
                                                EPOLLIN,
                                                on_check_output,
                                                reexec);
        }
        if (r >= 0) {
                r = sd_event_add_time_relative(
                                manager->event,
                                &reexec->timer,
                                CLOCK_BOOTTIME,
                                CHECK_TIMEOUT_USEC,
                                USEC_PER_MSEC,
                                on_check_timeout,
                                reexec);
        }
        return r;
}

int manager_reexecute(Manager *manager, const ManagerCall *call, Operation **ret, Error *error) {
        g_auto(Request) request = { .wait = true };

        int r = shutdown_refuse(manager, error);
        if (r < 0) {
                return r;
        }
        if (!caller_may_control(&call->caller, geteuid())) {
                return error_set(
                                error,
                                ERROR_ACCESS_DENIED,
                                "only root may renew the supervisor of the system");
        }
        if (manager->reexec) {
                return error_set(error, ERROR_RESTARTING, "it is being renewed already");
        }
        manager->reexec = g_new0(Reexec, 1);
        manager->reexec->manager = manager;
        manager->reexec->pidfd = manager->reexec->out_fd = -EBADF;
        r = begin_check(manager->reexec);
        if (r < 0) {
                (void) error_set(
                                error,
                                ERROR_SPAWN_FAILED,
                                "the new program cannot be tried: %s",
                                g_strerror(-r));
                manager_reexec_free(manager);
                return -ECANCELED;
        }
        Operation *operation = operation_new(manager->event, call->handler, call->userdata);
        operation_expect(operation, 0);
        manager->reexec->operation = operation;
        if (ret) {
                *ret = operation;
        }
        operation_seal_and_invalidate(operation, &request);
        return 0;
}
