/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "basic/instance-paths.h"
#include "config/settings.h"
#include "core/caller.h"
#include "core/process.h"
#include "core/registry.h"
#include "manager/operation.h"
#include "platform/reexec.h"

#include <systemd/sd-event.h>

/* The supervisor without its faces: D-Bus and PM2's sockets both call this and nothing else. No call blocks.
 * Calls that return an Operation answer through its handler, which may be called before they return; on a
 * negative return the error is set and the handler is never called. */
typedef struct Manager Manager;

typedef enum ProcessEventKind {
        EVENT_START,
        EVENT_ONLINE,
        EVENT_EXIT,
        EVENT_STOP,
        EVENT_RESTART,
        EVENT_DELETE,
        EVENT_OOM, /* the kernel ended something of it for want of memory */
        EVENT_READY_TIMEOUT,
        EVENT_WATCHDOG,  /* no sign of life in time */
        EVENT_OVERLIMIT, /* given up after max_restarts unstable exits in a row: it is errored */
        EVENT_RELOAD,    /* another has taken its place, and the one before is gone */
        EVENT_ROLLBACK,  /* that one has ended too soon: the configuration before it is back */
        EVENT_MEMORY,    /* it has more than max_memory_restart, and will be restarted */
        EVENT_CRASH,     /* what is known of the exit before it, which nobody wanted: Process.crash */
        EVENT_CORE,      /* its core has been stored */
        EVENT_HEALTHY,   /* its probes succeed: at first, or again */
        EVENT_UNHEALTHY, /* so many of them in a row failed */
        _PROCESS_EVENT_MAX,
} ProcessEventKind;

const char *process_event_to_name(ProcessEventKind kind);

/* A stream of a process, and lines of a log file that it writes to; see log-follow.h. */
typedef struct LogSource {
        Process *process;
        bool error; /* its standard error */
} LogSource;

typedef struct LogLines {
        const LogSource *sources; /* by increasing id: several may write to one file */
        size_t n_sources;
        uint64_t at_realtime_usec; /* when it was read; 0: it was there before */
        const char *bytes;         /* whole lines, with their ends; without one: see log-follow.h */
        size_t length;
        uint64_t lost_bytes; /* not 0: instead: so many were taken off the file unread; UINT64_MAX: unknown
                              */
} LogLines;

/* Who wants to hear of what happens. Calls come when it has happened, in order, before the reply of the
 * command that caused it. changed: bits of ProcessChange, before any event that follows from them. */
typedef struct ManagerObserver {
        void (*added)(void *userdata, Process *process);
        void (*changed)(void *userdata, Process *process, unsigned changes);
        void (*event)(void *userdata, Process *process, ProcessEventKind kind, bool manually);
        /* A child of the process said something, see publish.h. raw: it gave it no name, and data is the
         * whole of it. */
        void (*message)(void *userdata,
                        Process *process,
                        const char *type,
                        const char *data,
                        size_t data_length,
                        bool raw);
        /* Whether what is logged is wanted: a log is read only then. Who answers otherwise than before says
         * so to manager_logs_are_wanted() or manager_logs_are_less_wanted(). */
        bool (*wants_log)(void *userdata, const Process *process, bool error);
        void (*log)(void *userdata, const LogLines *lines);
        void (*removed)(void *userdata, Process *process); /* still in the registry */
        void (*shutting_down)(void *userdata);
        void (*killed)(void *userdata, const char *reason);
        void (*leaving)(void *userdata);        /* whoever comes from now on is for our successor */
        void (*restarting)(void *userdata);     /* whoever waits is told so: nothing is answered any more */
        void (*compat_changed)(void *userdata); /* where PM2's clients are served */
        void *userdata;
} ManagerObserver;

typedef struct ManagerOptions {
        const Settings *settings; /* borrowed, as the next two: they must outlive the manager */
        const InstancePaths *paths;
        const char *unit;     /* our own systemd unit, NULL: none */
        bool system;          /* root, each process as its owner's uid */
        bool use_systemd;     /* "auto" isolation tries scopes first */
        char *const *command; /* how we are executed, absolute: for Reexecute */
} ManagerOptions;

/* May turn the loop while it looks for the service manager. */
int manager_new(sd_event *event, const ManagerOptions *options, Manager **ret);
void manager_free(Manager *manager);

/* The supervisor serves. alone: it is the only one of its kind, and ends or adopts what is left of others
 * where it works (setting adopt). */
void manager_end_leftovers(Manager *manager, bool alone);

/* It has got to the end of its start: the next one need not wait. */
void manager_started(Manager *manager);

/* Borrowed until it is removed. Each observer is told in the order in which they were added. */
void manager_add_observer(Manager *manager, const ManagerObserver *observer);
void manager_remove_observer(Manager *manager, const ManagerObserver *observer);

/* Listening sockets of a face, which outlive us as the state does. Take: the next one of those that the
 * service manager (socket unit "pm2-compat") or an earlier supervisor (kept) has left; -ENOENT: there is
 * none left. Keep: the fd is borrowed until it is dropped with the others; store: by the service manager
 * too. */
int manager_take_face_fd(Manager *manager, bool *ret_kept);
int manager_keep_face_fd(Manager *manager, int fd, bool store);
void manager_drop_face_fds(Manager *manager);
/* The service manager keeps none of them any more: for those that were taken and are of no use. */
void manager_forget_face_fds(Manager *manager);

/* The switch of PM2's face, for the other faces: the daemon installs it. */
typedef struct CompatControl {
        /* Serve PM2's clients in a home ("": the usual one), and have its sockets kept for our successors.
         * Where that is so already it is no error. */
        int (*enable)(void *userdata, const char *home, Error *error);
        /* Serve them no longer; no error where nobody is served. */
        int (*disable)(void *userdata, Error *error);
        /* The request socket that is served; NULL: none. */
        const char *(*path)(const void *userdata);
        void *userdata;
} CompatControl;

/* Borrowed until it is replaced; NULL: there is none. */
void manager_set_compat_control(Manager *manager, const CompatControl *control);
/* For the owner of the supervisor alone. AlreadyRunning: PM2's own daemon is at work there; nothing was
 * touched. */
int manager_enable_compat(
                Manager *manager,
                const Caller *caller,
                const char *home,
                const Value *options,
                Error *error);
int manager_disable_compat(Manager *manager, const Caller *caller, const Value *options, Error *error);
/* "": PM2's clients are not served. */
const char *manager_compat_path(const Manager *manager);

const Registry *manager_registry(const Manager *manager);
const Settings *manager_settings(const Manager *manager);
/* Its watch is paused, or goes on with the paths that it had; a start by a person does that too. Where there
 * is none its working directory is watched. Returns whether anything has changed. */
bool manager_set_watch(Process *process, bool on);
/* Whether this is the system instance. */
bool manager_is_system(const Manager *manager);
bool manager_is_shutting_down(const Manager *manager);
const char *manager_isolation_name(const Manager *manager);
bool manager_isolation_is_complete(const Manager *manager);
/* The controllers that limits and figures can rest on; for g_strfreev(). */
char **manager_list_controllers(void);

/* The user name of a process's owner. */
const char *manager_user_name(Manager *manager, uid_t uid);

/* What the caller and the app have set of its environment. */
Environment *manager_environment_sent(const Process *process);

/* The environment that the next start gives the process. */
Environment *manager_environment_of(Manager *manager, const Process *process);

typedef struct ProcessFigures {
        uint64_t memory_bytes;
        double cpu_percent;
        uint64_t cpu_nsec;
        uint32_t tasks;
} ProcessFigures;

/* What the app of a process listens on, as an array of texts ("tcp:[::]:8080"): of a process that runs or is
 * restarted. Freed by the caller. */
Value *manager_listen_sockets(const Manager *manager, const Process *process);

/* How many connections the process has accepted since its launch; false: nobody knows. */
bool manager_read_accepted(const Process *process, uint64_t *ret);

/* At most a quarter of a second old; zeros where nothing runs. */
void manager_read_figures(Manager *manager, Process *process, ProcessFigures *ret);

/* NoSuchProcess where the caller may not see it. */
int manager_find_id(Manager *manager, const Caller *caller, uint32_t id, Process **ret, Error *error);
int manager_find_pid(Manager *manager, const Caller *caller, pid_t pid, Process **ret, Error *error);

/* The commands; options is a map, see request.h and introspection/org.pm2.Manager.xml. */
typedef struct ManagerCall {
        Caller caller;
        const Value *options;
        OperationHandler handler;
        void *userdata;
        bool soft; /* of a reload: what is replaced hears "shutdown", whatever shutdown_with_message says */
} ManagerCall;

int manager_start(
                Manager *manager,
                const ManagerCall *call,
                const char *script,
                Operation **ret,
                Error *error);
int manager_start_json(
                Manager *manager, const ManagerCall *call, const char *text, Operation **ret, Error *error);
/* What manager_start_json() would do, and nothing of it: a map as Validate of org.pm2.Manager replies it.
 * With the option "saved" the text is a saved list, and it is what manager_resurrect() would do. */
int manager_validate(
                Manager *manager,
                const Caller *caller,
                const char *text,
                const Value *options,
                Value **ret,
                Error *error);
int manager_start_target(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error);
int manager_stop(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error);
int manager_restart(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error);
int manager_delete(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error);
/* Replace each process by a new one; one that runs in fork mode is restarted. Options as of a restart. */
int manager_reload(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error);
/* Count restarts from 0 again, of what was created now. */
int manager_reset(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error);

/* Change how many processes the app of the target has: count is "4", "+2" or "-1". New ones are as the first
 * of it is, and are started; those with the highest instance numbers are deleted. The answer has the ids of
 * all that the app has then. InvalidArgs: a bad count, or a target that means several apps. */
int manager_scale(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                const char *count,
                Operation **ret,
                Error *error);
/* Start one more process of the app that a process is of: as that one is. The answer has its id alone. */
int manager_duplicate(Manager *manager, const ManagerCall *call, uint32_t id, Operation **ret, Error *error);

/* Figures of the machine as PM2's getSystemData has them: a map of names ("CPU Usage") to maps {value, type,
 * unit, historic}. Rates are since an earlier call, at least half a second ago; of the first, since the
 * boot. */
int manager_read_system(Manager *manager, Value **ret, Error *error);

/* What each process of a Trigger answered, in the order of their answers. */
typedef struct ActionAnswer {
        uint32_t id;
        ErrorCode error;
        char *text; /* of ERROR_NONE the JSON text of what the action returned ("": it was not waited for),
                     * else what is wrong */
} ActionAnswer;

typedef struct ActionAnswers {
        unsigned n_ref;
        GArray *items; /* of ActionAnswer */
} ActionAnswers;

ActionAnswers *action_answers_new(void);
ActionAnswers *action_answers_ref(ActionAnswers *answers);
void action_answers_unref(ActionAnswers *answers);

/* Have each process perform an action; params "": none. The answers are filled until the handler is called.
 * Option timeout: of each answer. */
int manager_trigger(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                const char *action,
                const char *params,
                ActionAnswers *answers,
                Operation **ret,
                Error *error);

/* Send one JSON value to each process over its channel: InvalidData for what is no JSON or is of Node's own
 * (NODE_*). */
int manager_send_message(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                const char *json,
                Operation **ret,
                Error *error);

/* {"id","type","topic":true,"data"} to one process; data is JSON text. */
int manager_send_data(
                Manager *manager,
                const Caller *caller,
                uint32_t id,
                const char *type,
                const char *data,
                Error *error);

/* One line to the standard input of a process. */
int manager_send_line(Manager *manager, const Caller *caller, uint32_t id, const char *line, Error *error);

int manager_send_signal(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                const char *signal_name,
                Operation **ret,
                Error *error);

/* Change attributes of what may run, without a restart; what takes one is refused. */
int manager_set_properties(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error);
/* Let every process of an app stand still, and go on. */
int manager_freeze(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error);
int manager_thaw(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error);

/* Empty the log files of each process, whether it runs or not; what is written from then on is kept. */
int manager_flush(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                Operation **ret,
                Error *error);
/* Look anew at which files the caller's processes write to: one may have opened its log anew. */
void manager_reload_logs(Manager *manager, const Caller *caller);

/* Save the caller's processes, and load what was saved; path "": the default place of the caller. Names that
 * are in the list are skipped. */
int manager_save(Manager *manager, const ManagerCall *call, const char *path, Operation **ret, Error *error);
int manager_resurrect(
                Manager *manager, const ManagerCall *call, const char *path, Operation **ret, Error *error);
/* The place that "" stands for, else the path itself. Freed by the caller. */
char *manager_saved_list_path(const Manager *manager, uid_t owner, const char *path);

/* Load the saved lists of all, unless an earlier supervisor has. on_loaded is called once, when each of
 * their processes was started or has failed; it may be called before this returns. */
void manager_load_saved(Manager *manager, void (*on_loaded)(void *userdata), void *userdata);

/* Stop everything; the operation is answered when nothing is left, and then the loop ends with exit_code. */
int manager_kill(Manager *manager, const ManagerCall *call, int exit_code, Operation **ret, Error *error);

/* End the loop and leave every process as it is: the next supervisor takes them over. Only where the service
 * manager keeps our state, see manager_can_detach(). */
void manager_detach(Manager *manager);
bool manager_can_detach(const Manager *manager);
bool manager_is_leaving(const Manager *manager);

/* What a new program in our place needs, after the loop has ended for that; NULL: it ended for something
 * else. */
Handover *manager_take_handover(Manager *manager);

/* Try our program file on the state; if it can take that over, answer and end the loop with a handover. */
int manager_reexecute(Manager *manager, const ManagerCall *call, Operation **ret, Error *error);

/* The same as Kill, without a caller. */
void manager_shut_down(Manager *manager, const char *reason, int exit_code);
