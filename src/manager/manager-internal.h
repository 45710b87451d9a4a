/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of the manager. */

#include "core/watchdog.h"
#include "manager/manager.h"
#include "platform/channel.h"
#include "platform/child-watch.h"
#include "platform/fd-store.h"
#include "platform/isolation.h"
#include "platform/notify-socket.h"
#include "platform/reexec.h"
#include "platform/spawn.h"
#include "platform/state-store.h"
#include "platform/user-info.h"

/* Tells a successor in our place what limit of open files apps get. */
#define SOFT_LIMIT_VARIABLE "PM2D_SOFT_NOFILE"

typedef struct PendingAction PendingAction;
typedef struct Rollback Rollback;

typedef enum CommandVerb {
        COMMAND_START,
        COMMAND_RESTART,
        COMMAND_RELOAD,
        COMMAND_STOP,
        COMMAND_DELETE,
} CommandVerb;

/* Who or what wants it. */
typedef enum CommandCause {
        CAUSE_CALLER,
        CAUSE_CRON,
        CAUSE_MEMORY,
        CAUSE_WATCH,     /* its history says so already, and which file it was */
        CAUSE_DEPENDENT, /* an app that is being started depends on it */
        _COMMAND_CAUSE_MAX,
} CommandCause;

/* One verb for one process. They wait in a queue of the process: one at a time. */
typedef struct Command {
        CommandVerb verb;
        CommandCause cause;
        Operation *operation; /* weak: answered by command_finish(); NULL: nobody waits */
        char *why;            /* of a cause with figures of its own; NULL: the cause tells all */
        bool begun;
        bool launching; /* what is being launched is its doing */
        bool asked;     /* the next one says by whom */
        uid_t uid;
        bool fresh; /* made the process: if it cannot be launched there is none */
        bool had_effect;
        bool drain;        /* what is stopped may first do what it has begun */
        bool soft;         /* as ManagerCall has it */
        bool let_go;       /* it need not wait for what the app depends on */
        bool ordered;      /* a stop that comes after those that depend on it */
        bool waits;        /* it has begun, and does so */
        GPtrArray *joined; /* further operations that a reload answers, weak as the first; NULL: none */
        struct Rolling *rolling; /* the reload of the whole app that this is a part of; NULL: none */

        /* A new configuration to be taken at the launch; NULL: none. */
        AppConfig *config;
        Environment *caller_env;
        ProcessPlan plan;
} Command;

/* A start that waits: see awaiting.h. */
typedef struct Await {
        bool waits;
        bool counted;     /* for others */
        bool due;         /* something has changed that it may wait for */
        bool asked;       /* what rests has been started for it */
        bool wants_place; /* there is nothing more that it waits for */
        bool has_place;   /* of start_parallel */
        char *failure;    /* of what it waits for; NULL: none */
} Await;

/* What a launch is of. */
typedef enum LaunchPhase {
        PHASE_MAIN,
        PHASE_PRE_START,
        PHASE_POST_STOP,
        _LAUNCH_PHASE_MAX,
} LaunchPhase;

/* What a handle is to the process that everybody sees. */
typedef enum HandleRole {
        ROLE_VISIBLE,
        ROLE_CANDIDATE, /* it takes the place of that one when it is ready */
        ROLE_RETIRED,   /* its place has been taken: it drains */
} HandleRole;

/* Blobs that change by themselves. */
typedef enum VaryingBlob {
        VARYING_HISTORY,
        VARYING_REPORT,
        VARYING_ROLLBACK,
        VARYING_WORKER,
        VARYING_CRASH,
        _VARYING_MAX,
} VaryingBlob;

typedef struct SavedBlob {
        StateBlob blob;   /* of length 0: none yet */
        uint64_t version; /* of what it was made of */
} SavedBlob;

/* The blobs of a process in the state store. */
typedef struct SavedBlobs {
        const AppConfig *of; /* the config that they were made of; NULL: none yet */
        struct SharedEnvironment *environment;
        StateBlob config, plan;
        SavedBlob varying[_VARYING_MAX];
} SavedBlobs;

/* The manager's side of a process: its commands, and the current start with its child and timers. */
typedef struct ProcessHandle {
        Manager *manager; /* weak */
        Process *process; /* weak; another one after a reload */
        HandleRole role;
        Process *twin;  /* of a reload: the hidden one, owned; of the hidden one the visible; NULL: none */
        bool cut_short; /* a candidate whose launch ended with an earlier supervisor: not its fault */
        Rollback *rollback; /* NULL: nothing comes back */
        uint64_t rollback_version;
        uint64_t reloads; /* that led to it: of two of one id the one with more is visible */
        GQueue commands;  /* of Command; the head is the active one */
        sd_event_source *timer;

        IsolationGroup *group;
        GatedChild child;
        ChildWatch *watch;
        sd_event_source *result_source;
        bool main_alive;            /* the child is not reaped */
        bool main_reaped;           /* its end is being handled: see main_process_follow() */
        uint64_t main_changes_usec; /* since when they are counted */
        unsigned main_changes;      /* by MAINPID= */
        bool executing;             /* it said so, right before execve() */
        bool launched;              /* execve() of the main program succeeded */
        bool said_ready;            /* of this launch */
        bool got_ready;             /* it was online in this launch */
        bool presumed;              /* so it seems: it was adopted on its way there */
        Error launch_error;
        uint64_t exited_boottime_usec; /* when the main program ended */

        LaunchPhase phase;    /* of what is launched */
        Channel *channel;     /* NULL: none */
        bool channel_kept;    /* by the service manager */
        NotifySocket *notify; /* NULL: none */
        bool notify_kept;
        uint64_t notify_generation; /* of its path, 0: none */
        Watchdog watchdog;
        sd_event_source *watchdog_timer;
        struct HealthChecks *health;              /* NULL: nobody asks */
        bool was_healthy;                         /* in this launch */
        bool ended_unhealthy;                     /* it is being ended for that */
        bool given_up;                            /* it will be errored, and that is to be told */
        bool hung;                                /* it is being ended for giving no sign of life */
        bool soft;                                /* a reload asks it by message in any case */
        bool asked_by_message;                    /* to end */
        uint64_t bad_messages;                    /* of this launch */
        uint64_t bad_lines[_CHANNEL_TROUBLE_MAX]; /* those of them that the channel itself has counted */
        GQueue actions;                           /* of PendingAction */
        uint64_t oom_kills;                       /* of its group, told */
        uint64_t oom_boottime_usec;               /* when the last one was told, 0: none of this launch */
        bool ran;               /* something of this start was executed: post_stop is due */
        bool hook_executed;     /* this and the next are of the current hook */
        ExitStatus hook_status; /* EXIT_STATUS_NONE: not told */
        bool main_launched;     /* this and the next are kept while post_stop runs */
        Error main_error;       /* why the launch failed */

        struct LogPumpEntry *pump;            /* what writes its logs; NULL: it does so itself */
        ExecLog logs[EXEC_LOGS];              /* that the launched program was given */
        struct LogFile *log_files[EXEC_LOGS]; /* those of them that are bounded; see log-files.h */
        uint64_t deadline_boottime_usec;      /* of the timer, 0: not armed */
        bool placed;                          /* in its group */
        bool stored;                          /* what must survive us is in safe hands */
        FdBarrier *barrier;
        bool pidfd_kept; /* by the service manager */
        bool has_slot;
        uint32_t slot;
        SavedBlobs saved;

        Await await;
        struct ClusterWorker *worker; /* NULL: none */
        uint64_t worker_version;      /* of what is written down of it; 0: nothing */

        uint64_t cpu_sample_boottime_usec;
        uint64_t cpu_sample_usec;
        double cpu_percent;
        uint64_t figures_boottime_usec; /* when they were read, 0: never */
        ProcessFigures figures;
} ProcessHandle;

struct Manager {
        sd_event *event;
        const Settings *settings;
        const InstancePaths *paths;
        char *const *command; /* how we are executed */
        bool system;
        FdStore *fds;
        GArray *face_fds;                    /* of FaceFd */
        GPtrArray *listeners;                /* of Listener */
        GPtrArray *cluster_workers;          /* of ClusterWorker, weak */
        GPtrArray *observers;                /* of const ManagerObserver, borrowed */
        const CompatControl *compat_control; /* borrowed; NULL: there is none */
        Registry *registry;
        Isolation *isolation;
        Environment *own_env; /* ours, cleaned: for callers that send none */
        GHashTable *users;    /* uid -> UserInfo */
        struct rlimit nofile; /* what processes get */
        uint64_t generation;  /* of the last start of any process */
        struct ManagerState *state;
        struct SavedLists *lists;
        struct LogFiles *logs;
        struct LogFlushes *flushes;
        struct LogFollows *follows;
        struct LogPumps *pumps;
        struct Reexec *reexec; /* being tried; NULL: no */
        Handover *handover;    /* for the new program; NULL: none */
        bool leaving;          /* the loop is about to end, and the processes stay */
        bool detached;         /* it has ended: nothing that outlives us is changed any more */
        bool shutting_down;
        int exit_code;
        const char *exit_reason;
        sd_event_source *exit_source;
        sd_event_source *trim_source;         /* NULL: not needed yet */
        sd_event_source *instances_source;    /* likewise */
        bool instances_due;                   /* it will look at how many processes each app has */
        struct SystemSamples *system_samples; /* figures of the machine, NULL: nobody has asked */
        GPtrArray *former_mains;              /* see main-process.c; NULL: none yet */
        GPtrArray *kill_operations;           /* of Operation, answered at the end */
        struct CronRestarts *cron_restarts;   /* NULL: no app has declared one yet */
        GHashTable *memory_restarts;          /* likewise; see memory-restart.c */
        GPtrArray *core_lookups;              /* NULL: none yet; see crash-core.c */
        struct WatchRestarts *watch_restarts; /* likewise */
        struct Awaiting *awaiting;            /* NULL: nothing was started yet */
        sd_event_source *stop_order_source;   /* NULL: no stop has waited yet */
        bool stops_wait;                      /* for others, while the supervisor ends */
};

/* manager.c */
const UserInfo *manager_user(Manager *manager, uid_t uid);
/* Before and after looking at files that a user names. */
void manager_become_user(const Manager *manager, const UserInfo *user);
void manager_become_self(const Manager *manager);
void manager_notify_changes(Manager *manager, Process *process);
void manager_emit(Manager *manager, Process *process, ProcessEventKind kind, bool manually);
/* A new id of 32 hexadecimal digits. Negative errno: no random numbers are to be had. */
int manager_make_id(char ret_id[static 33]);
/* Whether it holds for the handle of any process, those that are not seen included. */
typedef bool (*HandlePredicate)(const ProcessHandle *handle, const void *what);
bool manager_any_handle(const Manager *manager, HandlePredicate predicate, const void *what);
/* Register a process for an app that was checked; its observers have heard of it. */
int manager_add_process(
                Manager *manager,
                uid_t owner,
                AppConfig *config,
                Environment *caller_env,
                ProcessPlan *plan,
                Process **ret,
                Error *error);
void manager_remove_process_and_invalidate(Manager *manager, Process *process);
/* It may have another name than before: those of both are as many as they are now. */
void manager_tell_new_name(Manager *manager, const Process *process, const char *before);
/* As process_configure(), for one that may get another name by it. */
void manager_configure(
                Manager *manager,
                Process *process,
                AppConfig *config,
                Environment *caller_env,
                ProcessPlan *plan);

/* manager-instances.c: an app has got or lost a process. Told at once, or, where there are many of it, soon;
 * the second: all of it now. */
void instances_touch(Manager *manager, uid_t owner, const char *name);
void instances_settle(Manager *manager);

/* manager-system.c */
void manager_system_free(Manager *manager);

/* manager-limits.c: a person did this to the process. It is saved, and told. */
void manager_remember_verb(Process *process, const ManagerCall *call, const char *verb);

/* saved-lists.c */
void saved_lists_init(Manager *manager);
void saved_lists_free(Manager *manager);

/* manager-shutdown.c */
void shutdown_check(Manager *manager);
int shutdown_refuse(const Manager *manager, Error *error);

/* face-fds.c */
int face_fds_open(Manager *manager);
void face_fds_free(Manager *manager);
void face_fds_hand_over(const Manager *manager, Handover *handover);

/* oom.c: tell of what the kernel has ended since this was last asked; a new launch has lost nothing yet;
 * whether it was the main process, which ended thus just now. */
void oom_tell(ProcessHandle *handle);
void oom_forget(ProcessHandle *handle);
bool oom_has_ended(const ProcessHandle *handle, ExitStatus status);

/* manager-commands.c: one command for each process, changed as the request says (starts and restarts). */
int manager_submit(
                Manager *manager,
                const ManagerCall *call,
                const GPtrArray *processes,
                CommandVerb verb,
                const Request *request,
                Operation **ret,
                Error *error);

/* The same for one process that nobody has asked for. What a restart needs is looked at first: without it
 * the process goes on as it is, and its history says why. */
void manager_restart_by_itself_and_invalidate(Process *process, CommandCause cause);
/* Start one that rests; what it needs is looked at first, and is the error. */
int manager_start_by_itself_and_invalidate(Process *process, CommandCause cause, Error *error);

/* each.c */
/* What a call says: its options, those of any call and these keys, and then the processes of its target. */
int manager_take_target(
                const Manager *manager,
                const ManagerCall *call,
                unsigned keys,
                const char *target,
                Request *request,
                GPtrArray **ret_processes,
                Error *error);
/* "process 3 'api' is stopped: why": what it is in is the reason. Returns -ECANCELED. */
int manager_refuse_state(const Process *process, ErrorCode code, const char *why, Error *error);
/* An operation that waits for all of them; to be sealed. */
Operation *manager_expect_all(Manager *manager, const ManagerCall *call, const GPtrArray *processes);
/* Do one thing, at once, to each process of a target. The options of the call are those of any call alone.
 */
typedef void (*EachProcess)(Process *process, const ManagerCall *call, const void *what, Error *error);
int manager_each(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                EachProcess each,
                const void *what,
                Operation **ret,
                Error *error);

/* manager-reexec.c */
typedef struct Reexec Reexec;
void manager_reexec_free(Manager *manager);
/* Tell who asked for it that it comes. */
void manager_reexec_answer(Manager *manager);
/* We end before the new program has shown anything: whoever waits is told so. */
void manager_reexec_give_up(Manager *manager);
/* All that the new program needs; the manager is good for manager_free() alone then. */
Handover *manager_reexec_hand_over(Manager *manager);

/* app-plan.c: look at what an app names before anything is touched. Messages name the attribute. The names
 * of files have no id yet. */
int app_plan_make(
                Manager *manager,
                uid_t owner,
                const AppConfig *config,
                const Environment *caller_env,
                ProcessPlan *ret,
                Error *error);
/* Whether what runs it knows Node's cluster. */
bool app_plan_has_cluster(const ProcessPlan *plan);
/* Put the id where PM2 has it in the names of files. */
void app_plan_set_id(ProcessPlan *plan, const AppConfig *config, uint32_t id);

/* manager-limits.c */
IsolationLimits limits_of(const AppConfig *config);
/* NotSupported where a limit of the config cannot be had here. */
int limits_check(const Manager *manager, const AppConfig *config, Error *error);

/* app-environment.c */
/* Without what must not reach an app: the service manager's variables and those of an enclosing PM2. */
Environment *app_environment_clean(const Environment *environment);
/* What a process starts from: what its caller sent (NULL: nothing), else what we have for its owner. */
Environment *app_environment_base(Manager *manager, uid_t owner, const Environment *caller_env);
/* What the app's own attributes set: it stands over all else, the files of env_file too. */
Environment *app_environment_declared(const AppConfig *config);
/* The whole but for the variables of these files, which the child alone reads. */
Environment *app_environment_make(Manager *manager, const Process *process);
/* The arguments of execve(2), for g_strfreev(). preloads: what Node loads before the script; NULL among
 * them: nothing. */
char **app_argv_make(const Process *process, char *const *preloads, size_t n_preloads);

/* credentials.c */
/* The folder that the credentials of a process are copied to. */
char *credentials_folder(const Manager *manager, const Process *process);
void credentials_remove(const Manager *manager, const Process *process);
/* Those of processes that nobody knows. */
void credentials_remove_leftovers(const Manager *manager);

/* command.c */
Command *command_new(CommandVerb verb, Operation *operation);
void command_set_config(Command *command, AppConfig *config, Environment *caller_env, ProcessPlan *plan);
/* A command that an earlier supervisor was at: nobody waits for its answer. */
void command_resume(ProcessHandle *handle, CommandVerb verb);
/* The same of a reload whose candidate is there. */
void command_resume_reload(ProcessHandle *handle);
/* Begin the resumed command of a process at rest. */
void command_restart_resumed_and_invalidate(ProcessHandle *handle);
/* Queue a command; Stop and Delete pre-empt starts that are not done. The process may be gone after it. */
void command_submit_and_invalidate(ProcessHandle *handle, Command *command);
Command *command_active(const ProcessHandle *handle);
/* It ends with a process that rests or is gone. */
bool command_is_stop(const Command *command);
/* One of those that wait is. */
bool command_has_stop(const ProcessHandle *handle);
/* Whether something is under way that a restart would meet. */
bool command_is_under_way(const ProcessHandle *handle);
/* The same, unless it leaves the process to the restart policy: a reload does. */
Command *command_deciding(const ProcessHandle *handle);
/* The reload that is active, if any, is done, or has failed (the error is taken over). */
void command_end_reload_and_invalidate(ProcessHandle *handle, Error *error);
/* One more operation that a reload which waits or is under way answers; false: there is none. */
bool command_join_reload(ProcessHandle *handle, Operation *operation);
/* Fail a reload that has not begun. */
void command_fail_waiting_reload(ProcessHandle *handle, const char *why);
/* A stop or delete that waited does so no more. */
void command_go_on_and_invalidate(ProcessHandle *handle);
/* Look whether the next command can begin now. */
void command_begin_next_and_invalidate(ProcessHandle *handle);
/* "restarted by command": why the process is launched. */
const char *command_reason(const Command *command);
/* The command that launched it, if one did, has failed; the process goes its own way. */
void command_fail_launching(ProcessHandle *handle, Error *error);
void command_fail_gone(ProcessHandle *handle, Command *command);
void command_cancel_starts(ProcessHandle *handle, ErrorCode code, const char *message);
/* Look whether the active command is done in the state that was reached; begin the next. */
void command_settle_and_invalidate(ProcessHandle *handle);
/* Its configuration becomes that of the process, and what is launched from now on is its doing. */
void command_take_over(ProcessHandle *handle, Command *command);

/* gone.c */
/* One more event in the history of a process, as of now. */
void manager_remember(Process *process, HistoryEntry entry);
/* The input that starts it: with pre_start if it has one. */
ProcessInput gone_start_input(const Process *process);
/* Nothing of the launch is left: what follows. */
ProcessInput gone_choose_input(ProcessHandle *handle);

/* hooks.c */
typedef enum HookResult {
        HOOK_DONE,
        HOOK_FAILED,  /* launch_error says why */
        HOOK_UNKNOWN, /* an earlier supervisor began it */
} HookResult;
const char *hook_name(LaunchPhase phase);
uint64_t hook_timeout_usec(const ProcessHandle *handle);
char **hook_argv_make(const ProcessHandle *handle);
/* What the hook of the phase finds beside the environment of the app. */
Environment *hook_environment_make(const ProcessHandle *handle, Environment *environment);
HookResult hook_take_result(ProcessHandle *handle);

/* reload.c */
/* Whether it can be replaced by one of this config while it serves: what it listens on is ours. */
bool reload_is_possible(const Process *process, const AppConfig *config);
/* Whether as many of its app as may be are being replaced already, or it is itself. */
bool reload_must_wait(const ProcessHandle *handle);
/* Launch the one that takes its place. */
void reload_begin_and_invalidate(ProcessHandle *handle, Command *command);
/* A step of a hidden one is done: see whether the places change, or it has ended. */
void reload_settle_hidden_and_invalidate(ProcessHandle *hidden);
/* The hidden one of a process that is stopped: it ends too. */
void reload_stop_twin(ProcessHandle *handle);
/* Whether what takes its place is on its way: so it is not restarted. */
bool reload_has_candidate(const ProcessHandle *handle);
/* Whether the reload that a candidate is of goes on: a stop ends it. */
bool reload_is_wanted(const ProcessHandle *hidden);
/* Whether its pid file is that of the one that is seen, and tells of that one. */
bool reload_shares_pid_file(const ProcessHandle *handle);
/* The process that everybody sees. */
Process *reload_visible(const ProcessHandle *handle);
/* The hidden one of a record, beside the one that is seen; and what was cut short with both adopted. */
Process *reload_make_hidden(Process *visible, HandleRole role);
void reload_resume_and_invalidate(Process *visible);
void reload_free_twin(ProcessHandle *handle);

/* lifecycle.c */
ProcessHandle *process_handle_new(Manager *manager, Process *process);
void process_handle_free(ProcessHandle *handle);
/* Feed the state machine and do what it says; ends with command_settle_and_invalidate(). */
void lifecycle_input_and_invalidate(ProcessHandle *handle, ProcessInput input);

/* Go on with what an earlier supervisor did. pidfd: of the main process, negative: there is none. */
struct ProcessRecord;
void lifecycle_adopt(ProcessHandle *handle, const struct ProcessRecord *record, int pidfd);

/* launch.c */
/* The group and main process of the record, as if launched here. */
void launch_adopt(ProcessHandle *handle, const struct ProcessRecord *record, int pidfd);
/* Make the group and the gated child. 1: it is in its place; 0: launch_placed() will be called for. On
 * failure launch_error is set. */
int launch_spawn(ProcessHandle *handle);
/* The outcome of placing it: 1, or negative with launch_error set. */
int launch_placed(ProcessHandle *handle, int result);
/* Read what the child reported. 1: executed; 0: not yet; negative: failed, launch_error is set. */
int launch_read_report(ProcessHandle *handle);
/* Of the report of a child. */
const char *exec_error_to_text(int error);
/* Forget the child that has been reaped, or never came to be. */
void launch_end_child(ProcessHandle *handle);

/* lifecycle.c, called by launch.c's sources */
void lifecycle_on_stored(ProcessHandle *handle);
void lifecycle_on_placed(ProcessHandle *handle, int result);
void lifecycle_on_report(ProcessHandle *handle);
/* A restart that is waited with comes now. */
void lifecycle_restart_waiting(ProcessHandle *handle);
/* It asks for more time, from now on, for what it is at. */
void lifecycle_extend_timeout(ProcessHandle *handle, uint64_t usec);
void lifecycle_on_main_exit(ProcessHandle *handle, int code, int status);
/* Its channel has ended. */
void lifecycle_on_channel_closed(ProcessHandle *handle);
void lifecycle_on_group_empty(ProcessHandle *handle);
