/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/log-pumps.h"

#include "basic/cleanup.h"
#include "basic/log.h"
#include "core/file-names.h"
#include "manager/log-files.h"
#include "manager/log-pumps-internal.h"
#include "manager/manager-state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STORE_NAME     "pumps"
#define TROUBLE_PREFIX "log: "

static const char stream_kinds[PUMP_STREAMS] = { 'o', 'e' };

/* Names of what is kept: the pipes, and the socket with the files, which may be another one later. */
static char *pipe_name(const LogPumpEntry *entry, int stream) {
        return g_strdup_printf("w%c%" PRIu32, stream_kinds[stream], entry->slot);
}

static char *files_name(const LogPumpEntry *entry, uint32_t number) {
        return g_strdup_printf("wf%" PRIu32 ".%" PRIu32, entry->slot, number);
}

static uint32_t files_number(const LogPumpEntry *entry) {
        return log_pump_window(entry->pump)->head->files;
}

static void keep(Manager *manager, char *name, int fd) {
        if (fd >= 0) {
                (void) fd_store_add(manager->fds, name, fd);
        }
        g_free(name);
}

static void drop(Manager *manager, char *name) {
        fd_store_remove(manager->fds, name);
        g_free(name);
}

void log_pump_ends_close(LogPumpEnds *ends) {
        for (size_t i = 0; i < EXEC_STREAMS + 1; i++) {
                ends->fds[i] = close_fd(ends->fds[i]);
        }
}

void log_pumps_tell(LogPumpEntry *entry, const char *what) {
        ProcessHandle *handle = entry->handle;
        Process *process = handle ? handle->process : NULL;

        if (!process) {
                return;
        }
        if (what) {
                process_take_trouble(process, g_strdup_printf(TROUBLE_PREFIX "%s", what));
                log_warning("process %" PRIu32 " '%s': " TROUBLE_PREFIX "%s",
                            process->id,
                            process->config->name,
                            what);
        } else if (process->trouble && g_str_has_prefix(process->trouble, TROUBLE_PREFIX)) {
                process_take_trouble(process, NULL);
        }
        manager_notify_changes(entry->manager, process);
}

static PumpLines on_format(
                void *userdata, int stream, const PumpSource *source, char *out, size_t out_size) {
        const LogPumpEntry *entry = userdata;
        return log_style_format(entry->recipe, stream, source, out, out_size);
}

static void on_journal_room(void *userdata) {
        Manager *manager = userdata;

        for (guint i = 0; i < manager->pumps->entries->len; i++) {
                const LogPumpEntry *entry = manager->pumps->entries->pdata[i];
                if (entry->recipe->journal) {
                        log_pump_go_on(entry->pump);
                }
        }
}

static int on_send(void *userdata, int stream, const char *line, size_t length) {
        const LogPumpEntry *entry = userdata;
        LogPumps *pumps = entry->manager->pumps;

        if (!pumps->sender) {
                pumps->sender = journal_sender_new(
                                entry->manager->event, JOURNAL_SOCKET, on_journal_room, entry->manager);
        }
        return log_style_send(entry->recipe, pumps->sender, stream, line, length);
}

static void on_enter(void *userdata) {
        const LogPumpEntry *entry = userdata;
        if (entry->manager->system) {
                user_info_step_down(manager_user(entry->manager, entry->recipe->owner));
        }
}

static void on_leave(void *userdata) {
        const LogPumpEntry *entry = userdata;
        if (entry->manager->system) {
                user_info_step_up();
        }
}

static void on_trouble(void *userdata, PumpSink sink, int error) {
        LogPumpEntry *entry = userdata;
        g_autofree char *what = NULL;

        if (error != 0) {
                what =
                                g_strdup_printf("%s: %s; what it writes waits a while, and is lost then",
                                                sink == PUMP_SINK_JOURNAL ? "the journal takes nothing"
                                                                          : "nothing can be written",
                                                g_strerror(error));
        }
        log_pumps_tell(entry, what);
}

static void on_lost(void *userdata, int stream, uint64_t bytes) {
        const LogPumpEntry *entry = userdata;
        const Process *process = entry->handle ? entry->handle->process : NULL;

        if (process) {
                log_warning("process %" PRIu32 " '%s': " TROUBLE_PREFIX "%" PRIu64
                            " bytes of its standard %s are lost",
                            process->id,
                            process->config->name,
                            bytes,
                            stream == 0 ? "output" : "error");
        }
}

static void on_files(void *userdata) {
        const LogPumpEntry *entry = userdata;

        if (entry->handle && entry->handle->ran) {
                log_files_detach(entry->handle);
                log_files_attach(entry->handle);
        }
}

static void unlink_handle(LogPumpEntry *entry) {
        if (entry->handle) {
                entry->handle->pump = NULL;
                entry->handle = NULL;
        }
}

/* Its names are given back after its window: what a successor finds without one it forgets. */
static void end_entry(LogPumpEntry *entry) {
        Manager *manager = entry->manager;
        uint32_t number = files_number(entry);

        log_pump_files_forget(entry);
        unlink_handle(entry);
        log_pump_free(g_steal_pointer(&entry->pump));
        for (int i = 0; i < PUMP_STREAMS; i++) {
                drop(manager, pipe_name(entry, i));
        }
        drop(manager, files_name(entry, number));
}

static void on_end(void *userdata) {
        LogPumpEntry *entry = userdata;

        end_entry(entry);
        (void) g_ptr_array_remove_fast(entry->manager->pumps->entries, entry);
}

static int make_pump(LogPumpEntry *entry, PumpWindow *window, const int fds[PUMP_STREAMS], int files_fd) {
        const LogPumpOptions options = {
                .userdata = entry,
                .journal = entry->recipe->journal,
                .format = on_format,
                .send = on_send,
                .enter = on_enter,
                .leave = on_leave,
                .on_trouble = on_trouble,
                .on_lost = on_lost,
                .on_files = on_files,
                .on_end = on_end,
        };
        return log_pump_new(entry->manager->event, window, fds, files_fd, &options, &entry->pump);
}

static int open_store(Manager *manager) {
        LogPumps *pumps = manager->pumps;

        if (pumps->store) {
                return 0;
        }
        int r = pump_store_new(-EBADF, &pumps->store);
        if (r >= 0) {
                (void) fd_store_add(manager->fds, STORE_NAME, pump_store_get_fd(pumps->store));
        }
        return r;
}

int log_pumps_make_socket(int *ret_ours, int *ret_theirs) {
        int ends[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
                return -errno;
        }
        *ret_ours = ends[0];
        *ret_theirs = ends[1];
        return 0;
}

/* Only our end does not wait. */
static int make_pipe(int *ret_ours, int *ret_theirs) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0) {
                return -errno;
        }
        *ret_ours = ends[0];
        *ret_theirs = ends[1];
        return 0;
}

static const char *path_or_null(const char *path) {
        return path[0] && !file_name_is_null(path) ? path : NULL;
}

/* A stream whose output goes nowhere needs no pipe. */
static bool needs_pipe(const ExecPlan *plan, const PumpRecipe *recipe, int stream) {
        const char *own = stream == 0 ? plan->out_path : plan->error_path;
        return own || plan->log_path || recipe->journal;
}

static void fill_recipe(const ProcessHandle *handle, PumpRecipe *recipe) {
        *recipe = (PumpRecipe){
                .process_slot = handle->slot + 1,
                .id = handle->process->id,
                .owner = handle->process->owner,
        };
        log_style_fill(handle->process->config, recipe);
}

static int make_ends(
                const ExecPlan *plan,
                const PumpRecipe *recipe,
                int fds[PUMP_STREAMS + 1],
                LogPumpEnds *ends) {
        int r = log_pumps_make_socket(&fds[PUMP_STREAMS], &ends->fds[PUMP_STREAMS]);

        for (int i = 0; r >= 0 && i < PUMP_STREAMS; i++) {
                r = needs_pipe(plan, recipe, i) ? make_pipe(&fds[i], &ends->fds[i]) : 0;
        }
        return r;
}

static int make_entry(ProcessHandle *handle, ExecPlan *plan, LogPumpEnds *ends) {
        Manager *manager = handle->manager;
        int fds[PUMP_STREAMS + 1] = { -EBADF, -EBADF, -EBADF };
        PumpWindow window = { 0 };
        LogPumpEntry *entry = g_new0(LogPumpEntry, 1);

        *entry = (LogPumpEntry){ .manager = manager, .moved = -1 };
        int r = pump_store_take_slot(manager->pumps->store, &entry->slot, &window);
        if (r < 0) {
                g_free(entry);
                return r;
        }
        entry->recipe = (PumpRecipe *) (void *) window.head->recipe;
        fill_recipe(handle, entry->recipe);
        r = make_ends(plan, entry->recipe, fds, ends);
        if (r < 0) {
                for (int i = 0; i <= PUMP_STREAMS; i++) {
                        (void) close_fd(fds[i]);
                }
                pump_window_release(&window);
        } else {
                pump_window_use(&window);
                r = make_pump(entry, &window, fds, fds[PUMP_STREAMS]);
        }
        if (r < 0) {
                g_free(entry);
                return r;
        }
        for (int i = 0; i < PUMP_STREAMS; i++) {
                keep(manager, pipe_name(entry, i), fds[i]);
        }
        keep(manager, files_name(entry, 0), fds[PUMP_STREAMS]);
        entry->handle = handle;
        handle->pump = entry;
        g_ptr_array_add(manager->pumps->entries, entry);
        return 0;
}

int log_pumps_open(ProcessHandle *handle, ExecPlan *plan, LogPumpEnds *ret_ends) {
        const Process *process = handle->process;
        const AppConfig *config = process->config;

        *ret_ends = LOG_PUMP_ENDS_NONE;
        log_pumps_detach(handle);
        if (!log_style_needs_pump(config)) {
                return 0;
        }
        if (config->log_target == LOG_TARGET_JOURNAL) {
                plan->out_path = plan->error_path = NULL;
        }
        plan->log_path = path_or_null(process->log_path);
        int r = open_store(handle->manager);
        if (r >= 0) {
                r = make_entry(handle, plan, ret_ends);
        }
        if (r < 0) {
                return r;
        }
        plan->logs_fd = ret_ends->fds[PUMP_STREAMS];
        memcpy(plan->stream_fds, ret_ends->fds, sizeof(plan->stream_fds));
        return 0;
}

void log_pumps_launched(ProcessHandle *handle) {
        if (handle->pump) {
                handle->pump->recipe->pid = handle->child.pid;
        }
}

static int take(Manager *manager, char *name) {
        int fd = fd_store_take(manager->fds, name);

        g_free(name);
        return fd;
}

static void restore_slot(Manager *manager, uint32_t slot) {
        LogPumps *pumps = manager->pumps;
        PumpWindow window;

        int r = pump_store_open_slot(pumps->store, slot, &window);
        if (r <= 0) {
                if (r < 0) {
                        (void) log_error_errno(r, "a pump that was kept cannot be gone on with: %m");
                }
                return;
        }
        LogPumpEntry *entry = g_new0(LogPumpEntry, 1);
        *entry = (LogPumpEntry){ .manager = manager, .slot = slot, .moved = -1 };
        entry->recipe = (PumpRecipe *) (void *) window.head->recipe;
        log_style_end_texts(entry->recipe);
        int fds[PUMP_STREAMS], files_fd = take(manager, files_name(entry, window.head->files));
        for (int i = 0; i < PUMP_STREAMS; i++) {
                fds[i] = take(manager, pipe_name(entry, i));
        }
        if (make_pump(entry, &window, fds, files_fd) < 0) {
                g_free(entry);
                return;
        }
        g_ptr_array_add(pumps->entries, entry);
        log_pump_recover(entry->pump);
}

void log_pumps_restore(Manager *manager) {
        LogPumps *pumps = manager->pumps;
        int fd = fd_store_take(manager->fds, STORE_NAME);

        if (fd < 0) {
                return;
        }
        int r = pump_store_new(fd, &pumps->store);
        if (r < 0) {
                (void) log_error_errno(r, "the pumps that were kept cannot be gone on with: %m");
                (void) close_fd(fd);
                return;
        }
        for (uint32_t slot = 0; slot < pump_store_count(pumps->store); slot++) {
                restore_slot(manager, slot);
        }
}

void log_pumps_adopt(ProcessHandle *handle) {
        GPtrArray *entries = handle->manager->pumps->entries;

        for (guint i = 0; i < entries->len; i++) {
                LogPumpEntry *entry = entries->pdata[i];
                if (!entry->handle && entry->recipe->process_slot == handle->slot + 1) {
                        entry->handle = handle;
                        handle->pump = entry;
                        return;
                }
        }
}

void log_pumps_hand_over(Manager *manager, Handover *handover) {
        LogPumps *pumps = manager->pumps;

        for (guint i = 0; i < pumps->entries->len; i++) {
                LogPumpEntry *entry = pumps->entries->pdata[i];
                g_autofree char *name = files_name(entry, files_number(entry));
                int fds[PUMP_STREAMS], files_fd;
                log_pump_files_forget(entry);
                unlink_handle(entry);
                log_pump_leave(g_steal_pointer(&entry->pump), fds, &files_fd);
                for (int j = 0; j < PUMP_STREAMS; j++) {
                        g_autofree char *of_pipe = pipe_name(entry, j);
                        if (fds[j] >= 0) {
                                handover_take(handover, of_pipe, fds[j]);
                        }
                }
                if (files_fd >= 0) {
                        handover_take(handover, name, files_fd);
                }
        }
        g_ptr_array_set_size(pumps->entries, 0);
        if (pumps->store) {
                handover_take(handover, STORE_NAME, pump_store_take_fd(pumps->store));
        }
}

void log_pumps_hear_out(ProcessHandle *handle) {
        if (handle->pump) {
                log_pump_drain(handle->pump->pump);
        }
}

void log_pumps_detach(ProcessHandle *handle) {
        LogPumpEntry *entry = handle->pump;

        if (entry) {
                if (!handle->manager->detached) {
                        entry->recipe->process_slot = 0;
                }
                unlink_handle(entry);
        }
}

int log_pumps_file(const ProcessHandle *handle, int index) {
        log_pump_take_files(handle->pump->pump);
        return log_pump_file(handle->pump->pump, index);
}

void log_pumps_exchange(LogPumpEntry *entry, int files_fd) {
        Manager *manager = entry->manager;
        uint32_t before = files_number(entry);

        keep(manager, files_name(entry, before + 1), files_fd);
        log_pump_window(entry->pump)->head->files = before + 1;
        (void) close_fd(log_pump_exchange_files(entry->pump, files_fd));
        drop(manager, files_name(entry, before));
}

void log_pumps_init(Manager *manager) {
        manager->pumps = g_new0(LogPumps, 1);
        manager->pumps->entries = g_ptr_array_new_with_free_func(g_free);
        g_queue_init(&manager->pumps->reopening);
}

/* What was written last is not lost by our end. */
static void end_all(LogPumps *pumps, bool stay) {
        for (guint i = 0; i < pumps->entries->len; i++) {
                LogPumpEntry *entry = pumps->entries->pdata[i];
                int fds[PUMP_STREAMS], files_fd;
                if (!stay) {
                        log_pump_drain(entry->pump);
                        end_entry(entry);
                        continue;
                }
                log_pump_files_forget(entry);
                unlink_handle(entry);
                log_pump_leave(g_steal_pointer(&entry->pump), fds, &files_fd);
                (void) close_fd(fds[0]);
                (void) close_fd(fds[1]);
                (void) close_fd(files_fd);
        }
}

void log_pumps_free(Manager *manager) {
        LogPumps *pumps = g_steal_pointer(&manager->pumps);
        bool stay = manager->detached || !manager->shutting_down;

        manager->pumps = pumps; /* its entries ask for it */
        end_all(pumps, stay);
        manager->pumps = NULL;
        child_job_cancel(pumps->job);
        journal_sender_free(pumps->sender);
        (void) g_ptr_array_unref(pumps->entries);
        g_queue_clear(&pumps->reopening);
        pump_store_free(pumps->store);
        g_free(pumps);
}
