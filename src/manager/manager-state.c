/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/cleanup.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "manager/manager-state-internal.h"
#include "manager/messages.h"
#include "manager/notify.h"
#include "platform/channel.h"
#include "platform/state-file.h"

#include <inttypes.h>
#include <string.h>

#define SLOTS_NAME    "state-slots"
#define BLOBS_NAME    "state-blobs"
#define CHANNELS_NAME "channels"

void manager_state_free(ManagerState *state, bool handed_over) {
        if (state) {
                if (state->folder && !handed_over) {
                        state_files_remove(state->folder);
                }
                state_store_free(state->store);
                channel_store_free(state->channels);
                state_blobs_close(state);
                g_free(state);
        }
}

bool manager_state_is_kept(const ManagerState *state) {
        return fd_store_is_there(state->fds);
}

/* What was kept, from the service manager or our predecessor in this process, else from files. */
static bool open_kept(ManagerState *state) {
        int slots_fd = fd_store_take(state->fds, SLOTS_NAME);
        int blobs_fd = fd_store_take(state->fds, BLOBS_NAME);

        if (slots_fd < 0 && blobs_fd < 0 && state->folder) {
                int r = state_files_open(state->folder, &slots_fd, &blobs_fd);
                if (r < 0 && r != -ENOENT) {
                        (void) log_warning_errno(r, "%s: the state there is not used: %m", state->folder);
                }
        }
        if (slots_fd >= 0 && blobs_fd >= 0) {
                int r = state_store_open(slots_fd, blobs_fd, &state->store);
                if (r >= 0) {
                        return true;
                }
                if (r != -ESTALE) { /* of an earlier boot: nothing of it runs */
                        (void) log_error_errno(
                                        r, "the state that was kept cannot be read, starting anew: %m");
                }
        }
        (void) close_fd(slots_fd);
        (void) close_fd(blobs_fd);
        return false;
}

static int make_store(ManagerState *state) {
        int slots_fd, blobs_fd;
        uint32_t slot;

        int r = state->folder ? state_files_create(state->folder, &slots_fd, &blobs_fd) : -ENOENT;
        if (r >= 0) {
                r = state_store_new_in(slots_fd, blobs_fd, &state->store);
                if (r < 0) {
                        (void) close_fd(slots_fd);
                        (void) close_fd(blobs_fd);
                }
        }
        if (r < 0) {
                if (state->folder) {
                        (void) log_warning_errno(
                                        r,
                                        "%s: no state can be kept there, processes are lost with us: %m",
                                        state->folder);
                }
                r = state_store_new(&state->store);
        }
        return r < 0 ? r : state_store_take_slot(state->store, &slot);
}

static int open_store(ManagerState *state) {
        state->restored = open_kept(state);
        if (state->restored) {
                uint32_t slot;
                /* Its maker may have died before it wrote anything: the first slot is not a process's. */
                return state_store_read(state->store, MANAGER_SLOT, &state->own, sizeof(state->own))
                                       ? 0
                                       : state_store_take_slot(state->store, &slot);
        }
        fd_store_remove(state->fds, SLOTS_NAME);
        fd_store_remove(state->fds, BLOBS_NAME);
        int r = make_store(state);
        if (r < 0) {
                return r;
        }
        if (fd_store_add(state->fds, SLOTS_NAME, state_store_slots_fd(state->store)) < 0 ||
            fd_store_add(state->fds, BLOBS_NAME, state_store_blobs_fd(state->store)) < 0) {
                log_warning("nobody keeps our state: processes are lost with us");
        }
        return 0;
}

/* Without the state that they belong to they are nobody's. */
static int open_channels(ManagerState *state) {
        int fd = fd_store_take(state->fds, CHANNELS_NAME);

        if (fd >= 0 && state->restored) {
                int r = channel_store_new(fd, &state->channels);
                if (r >= 0) {
                        return 0;
                }
                (void) log_error_errno(r, "the channels that were kept cannot be gone on with: %m");
        }
        (void) close_fd(fd);
        fd_store_remove(state->fds, CHANNELS_NAME);
        int r = channel_store_new(-EBADF, &state->channels);
        if (r >= 0) {
                (void) fd_store_add(state->fds, CHANNELS_NAME, channel_store_get_fd(state->channels));
        }
        return r;
}

int manager_state_open(Manager *manager) {
        ManagerState *state = g_new0(ManagerState, 1);

        manager->state = state;
        state_blobs_open(state);
        state->fds = manager->fds;
        state->folder = fd_store_is_there(state->fds) ? NULL : manager->paths->runtime_dir;
        int r = open_store(state);
        return r < 0 ? r : open_channels(state);
}

static RecordGoal goal_of(const ProcessHandle *handle) {
        const Command *command = command_deciding(handle);

        if (!command) { /* what the end of the supervisor ends is not restarted, should that be cut short */
                bool ending = handle->manager->shutting_down &&
                              process_state_is_alive(handle->process->state);
                return ending ? RECORD_GOAL_STOP : RECORD_GOAL_NONE;
        }
        if (command_is_stop(command)) {
                return command->verb == COMMAND_STOP ? RECORD_GOAL_STOP : RECORD_GOAL_DELETE;
        }
        /* Not counted yet: else it is a start like any other. */
        return command->verb == COMMAND_RESTART && !command->launching ? RECORD_GOAL_RESTART
                                                                       : RECORD_GOAL_START;
}

/* As much as fits, and no part of a character. */
static void copy_text(char *buffer, const char *text, size_t size) {
        const char *end;

        (void) g_strlcpy(buffer, text, size);
        (void) g_utf8_validate(buffer, -1, &end);
        buffer[end - buffer] = '\0';
}

static void fill_record(const ProcessHandle *handle, ProcessRecord *ret) {
        const Process *process = handle->process;

        *ret = (ProcessRecord){
                .id = process->id,
                .owner = process->owner,
                .instance = process->instance,
                .state = process->state,
                .pid = handle->main_alive ? handle->child.pid : 0, /* of a hook, too */
                .launched = handle->launched,
                .goal = goal_of(handle),
                .restart_count = process->restart_count,
                .unstable_restarts = process->unstable_restarts,
                .exit_code = process->exit_status.code,
                .exit_signal = process->exit_status.signal,
                .exit_oom = process->exit_status.oom,
                .oom_kills = handle->oom_kills,
                .held = process->held,
                .cause = command_active(handle) ? command_active(handle)->cause : CAUSE_CALLER,
                .got_ready = handle->got_ready,
                .said_ready = handle->said_ready,
                .soft = handle->soft,
                .health = process->health,
                .was_healthy = handle->was_healthy,
                .is_node = process->is_node,
                .notify_generation = handle->notify_generation,
                .watchdog_usec = handle->watchdog.timeout_usec,
                .created_realtime_usec = process->created_realtime_usec,
                .start_realtime_usec = process->start_realtime_usec,
                .start_boottime_usec = process->start_boottime_usec,
                .next_restart_realtime_usec = process->next_restart_realtime_usec,
                .deadline_boottime_usec = handle->deadline_boottime_usec,
                .phase = handle->phase,
                .ran = handle->ran,
                .role = handle->role,
                .reloads = handle->reloads,
                .hook_executed = handle->hook_executed,
                .presumed = handle->presumed,
                .main_launched = handle->main_launched,
                .launching = command_active(handle) && command_active(handle)->launching,
                .exited_boottime_usec = handle->exited_boottime_usec,
                .backoff_usec = process->backoff_usec,
        };
        state_blobs_fill(handle, ret);
        (void) g_strlcpy(ret->unique_id, process->unique_id, sizeof(ret->unique_id));
        (void) sd_id128_from_string(process->launch_id, &ret->launch_id);
        (void) g_strlcpy(ret->unit, process->unit, sizeof(ret->unit));
        (void) g_strlcpy(ret->control_group, process->control_group, sizeof(ret->control_group));
        copy_text(ret->reason, process->reason, sizeof(ret->reason));
}

void manager_state_save_own(Manager *manager) {
        ManagerState *state = manager->state;

        state->own.generation = manager->generation;
        state->own.next_id = registry_next_id(manager->registry);
        state_store_write(state->store, MANAGER_SLOT, &state->own, sizeof(state->own));
}

uint32_t manager_state_count_start(Manager *manager) {
        ManagerState *state = manager->state;
        uint32_t unfinished = state->own.unfinished_starts++;

        state_store_write(state->store, MANAGER_SLOT, &state->own, sizeof(state->own));
        return unfinished;
}

void manager_state_started(Manager *manager) {
        manager->state->own.unfinished_starts = 0;
        manager_state_save_own(manager);
}

void manager_state_hand_over(Manager *manager) {
        manager->state->own.handed_over = true;
        manager_state_save_own(manager);
}

/* Names of what is kept of a process, which its slot tells: p its main process, c its channel, n its notify
 * socket. */
static char *kept_name(const ProcessHandle *handle, char kind) {
        return g_strdup_printf("%c%" PRIu32, kind, handle->slot);
}

void manager_state_drop_kept(ProcessHandle *handle, char kind, bool *kept) {
        if (*kept) {
                g_autofree char *name = kept_name(handle, kind);
                fd_store_remove(handle->manager->state->fds, name);
                *kept = false;
        }
}

int manager_state_take_kept(ProcessHandle *handle, char kind, bool *kept) {
        g_autofree char *name = kept_name(handle, kind);
        int fd = fd_store_take(handle->manager->state->fds, name);

        *kept = fd >= 0;
        return fd;
}

static void drop_ended(ProcessHandle *handle) {
        if (!handle->main_alive) {
                manager_state_drop_kept(handle, 'p', &handle->pidfd_kept);
        }
        if (!handle->channel) {
                manager_state_drop_kept(handle, 'c', &handle->channel_kept);
        }
        if (!handle->notify) {
                manager_state_drop_kept(handle, 'n', &handle->notify_kept);
        }
}

ChannelStore *manager_state_channels(const ManagerState *state) {
        return state->channels;
}

static void keep(ProcessHandle *handle, char kind, int fd, bool *kept) {
        g_autofree char *name = kept_name(handle, kind);

        if (!handle->has_slot) {
                return; /* nobody would know whose it is */
        }
        *kept = true;
        (void) fd_store_add(handle->manager->state->fds, name, fd);
}

void manager_state_keep_channel(ProcessHandle *handle) {
        keep(handle, 'c', channel_get_fd(handle->channel), &handle->channel_kept);
}

void manager_state_keep_notify(ProcessHandle *handle) {
        keep(handle, 'n', notify_socket_get_fd(handle->notify), &handle->notify_kept);
}

void manager_state_save(ProcessHandle *handle) {
        ManagerState *state = handle->manager->state;
        ProcessRecord record;
        SavedBlobs old;

        if (handle->manager->detached) {
                return;
        }
        if (!handle->has_slot) {
                int r = state_store_take_slot(state->store, &handle->slot);
                if (r < 0) {
                        (void) log_error_errno(
                                        r, "no slot for process %" PRIu32 ": %m", handle->process->id);
                        return;
                }
                handle->has_slot = true;
        }
        if (!state_blobs_renew(state, handle, &old)) {
                return;
        }
        fill_record(handle, &record);
        state_store_write(state->store, handle->slot, &record, sizeof(record));
        state_blobs_drop(state, &old);
        manager_state_save_own(handle->manager);
        drop_ended(handle);
}

void manager_state_forget(ProcessHandle *handle) {
        ManagerState *state = handle->manager->state;

        if (handle->has_slot && !handle->manager->detached) {
                state_store_clear(state->store, handle->slot);
                handle->has_slot = false;
                state_blobs_drop(state, &handle->saved);
                manager_state_drop_kept(handle, 'p', &handle->pidfd_kept);
                manager_state_drop_kept(handle, 'c', &handle->channel_kept);
                manager_state_drop_kept(handle, 'n', &handle->notify_kept);
        }
}

int manager_state_take(const ManagerState *state, const char *name) {
        return fd_store_take(state->fds, name);
}

void manager_state_keep_pidfd(ProcessHandle *handle) {
        manager_state_drop_kept(handle, 'p', &handle->pidfd_kept); /* removing goes by the name */
        keep(handle, 'p', handle->child.pidfd, &handle->pidfd_kept);
}

int manager_state_barrier(ProcessHandle *handle, void (*on_passed)(void *userdata)) {
        return fd_store_barrier(handle->manager->state->fds, on_passed, handle, &handle->barrier);
}

typedef struct LoadedRecord {
        uint32_t slot;
        ProcessRecord record;
} LoadedRecord;

bool manager_state_needs_list(const Manager *manager, bool *ret_resumed) {
        const ManagerState *state = manager->state;

        *ret_resumed = state->own.list == LISTS_LOADING;
        return state->own.list != LISTS_LOADED;
}

void manager_state_set_loading(Manager *manager, bool loading) {
        manager->state->own.list = loading ? LISTS_LOADING : LISTS_LOADED;
        if (!manager->detached) {
                manager_state_save_own(manager);
        }
}

int manager_state_check_program(
                const ManagerState *state, char *const *command, int *ret_pidfd, int *ret_fd) {
        return reexec_check(
                        command,
                        state_store_slots_fd(state->store),
                        state_store_blobs_fd(state->store),
                        ret_pidfd,
                        ret_fd);
}

void manager_state_add_fds(const ManagerState *state, Handover *handover) {
        handover_take(handover, SLOTS_NAME, state_store_take_slots_fd(state->store));
        handover_take(handover, BLOBS_NAME, state_store_take_blobs_fd(state->store));
        handover_take(handover, CHANNELS_NAME, channel_store_take_fd(state->channels));
}

static void hand_over(const ProcessHandle *handle, char kind, int fd, Handover *handover) {
        g_autofree char *name = kept_name(handle, kind);

        if (fd >= 0 && handle->has_slot) {
                handover_take(handover, name, fd);
        }
}

void manager_state_add_fds_of(ProcessHandle *handle, Handover *handover) {
        hand_over(handle, 'c', messages_leave(handle), handover);
        hand_over(handle, 'n', notify_leave(handle), handover);
        if (handle->main_alive) {
                hand_over(handle, 'p', steal_fd(&handle->child.pidfd), handover);
        }
}
