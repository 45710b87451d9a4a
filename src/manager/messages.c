/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a process says over its channel, and what becomes of it: it is ready, it answers an action, or it has
 * something to tell to whoever listens. */

#include "manager/messages.h"

#include "basic/cleanup.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "config/ipc-message.h"
#include "config/json-text.h"
#include "manager/actions.h"
#include "manager/cluster-worker.h"
#include "manager/manager-state.h"
#include "manager/publish.h"
#include "manager/readiness.h"
#include "platform/channel.h"

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH_USEC       500
#define SHUTDOWN_MESSAGE "\"shutdown\""
#define HANDLE_ACK       "{\"cmd\":\"NODE_HANDLE_ACK\"}"
#define BUN_PREFIX       "\x02" /* of an internal message of Bun (1.4.5) */

bool messages_are_spoken(const Process *process) {
        const AppConfig *config = process->config;

        if (config->exec_mode == EXEC_MODE_CLUSTER) {
                return true;
        }
        switch ((NotifyKind) config->notify) {
        case NOTIFY_AUTO:
                return process->is_node || config->wait_ready || config->shutdown_with_message;
        case NOTIFY_NODE:
                return true;
        case NOTIFY_NONE:
                return false;
        case NOTIFY_SYSTEMD:
        default:
                return process->is_node;
        }
}

/* Counted and told; what is wrong with one message is nothing to those behind it. */
static void tell_trouble(ProcessHandle *handle, uint64_t count, const char *what) {
        Process *process = handle->process;

        if (handle->bad_messages == 0) { /* a child can do it a thousand times a second */
                log_warning("process %" PRIu32 " '%s': a message was dropped: %s",
                            process->id,
                            process->config->name,
                            what);
        }
        handle->bad_messages += count;
        process_take_trouble(
                        process,
                        g_strdup_printf("%" PRIu64 " messages dropped, the last: %s",
                                        handle->bad_messages,
                                        what));
        manager_notify_changes(handle->manager, process);
}

static void on_trouble(void *userdata, ChannelTrouble trouble, uint64_t count) {
        static const char *const texts[] = {
                [CHANNEL_TROUBLE_TOO_LONG] = "too long",
                [CHANNEL_TROUBLE_EMPTY] = "an empty line",
                [CHANNEL_TROUBLE_GARBAGE] = "not text",
        };
        _Static_assert(ELEMENTS(texts) == _CHANNEL_TROUBLE_MAX, "a text for every trouble");

        ProcessHandle *handle = userdata;
        uint64_t before = handle->bad_lines[trouble];

        handle->bad_lines[trouble] = count;
        tell_trouble(handle, count - before, texts[trouble]);
}

/* Node waits for this answer before it sends anything more, and ends itself at one that it does not wait
 * for. The handle itself is closed already. */
static void on_internal_and_invalidate(
                ProcessHandle *handle,
                const IpcMessage *message,
                const char *line,
                size_t length,
                bool prefixed) {
        if (strcmp(message->cmd, "NODE_HANDLE") == 0) {
                const char *answer = prefixed ? BUN_PREFIX HANDLE_ACK : HANDLE_ACK;
                (void) channel_answer(handle->channel, answer, strlen(answer));
        } else {
                cluster_worker_take_line_and_invalidate(handle, line, length, prefixed);
        }
}

/* PM2's rule (7.0.4): what has a type and data is an event of that name, all else a process:msg. */
static void publish(ProcessHandle *handle, const char *line, size_t length, const IpcMessage *message) {
        Manager *manager = handle->manager;
        Process *process = reload_visible(handle);
        const JsonSpan *data = &message->data.json;
        bool typed = message->type_text[0] && message->data.truthy;
        int r;

        if (!typed) {
                r = manager_publish(manager, process, NULL, line, length);
        } else if (actions_take_message(handle, message->type_text, data->start, data->length)) {
                return;
        } else {
                r = manager_publish(manager, process, message->type_text, data->start, data->length);
        }
        if (r < 0) {
                tell_trouble(handle, 1, r == -EMSGSIZE ? "too long" : "not text");
        }
}

static void take_node_version(ProcessHandle *handle, const JsonSpan *json) {
        g_autoptr(Value) version = NULL;

        if (json_text_decode(json->start, json->length, &version, NULL) >= 0 &&
            version->kind == VALUE_STRING) {
                (void) self_report_set_node_version(&handle->process->report, version->string);
        }
}

static void on_line(void *userdata, const char *line, size_t length) {
        ProcessHandle *handle = userdata;
        g_auto(Error) error = { 0 };
        IpcMessage message;
        bool prefixed = line[0] == BUN_PREFIX[0];

        line += prefixed;
        length -= prefixed;
        if (ipc_message_scan(line, length, &message, &error) < 0) {
                tell_trouble(handle, 1, error.message);
                return;
        }
        if (message.internal) {
                on_internal_and_invalidate(handle, &message, line, length, prefixed);
                return;
        }
        if (message.node_version.json.start) {
                take_node_version(handle, &message.node_version.json);
                return;
        }
        publish(handle, line, length, &message);
        if (message.ready) {
                readiness_on_ready_and_invalidate(handle);
        }
}

/* It may go on without: who wants to send something is told. */
static void on_closed(void *userdata) {
        ProcessHandle *handle = userdata;

        g_clear_pointer(&handle->channel, channel_free);
        actions_fail_pending(handle);
        cluster_worker_end(handle);
        lifecycle_on_channel_closed(handle);
        manager_state_save(handle); /* nobody need keep our end */
}

static void on_room(void *userdata) {
        cluster_worker_on_room(userdata);
}

static ChannelOptions options_of(ProcessHandle *handle) {
        return (ChannelOptions){
                .line_bytes_max = handle->manager->settings->message_bytes_max,
                .batch_usec = BATCH_USEC,
                .userdata = handle,
                .on_line = on_line,
                .on_closed = on_closed,
                .on_room = on_room,
                .on_trouble = on_trouble,
        };
}

int messages_open(ProcessHandle *handle, int *ret_child_fd) {
        const ChannelOptions options = options_of(handle);
        int ends[2];

        handle->bad_messages = 0;
        memset(handle->bad_lines, 0, sizeof(handle->bad_lines));
        handle->asked_by_message = false;
        process_forget_report(handle->process);
        cluster_worker_free(handle); /* of the launch before */
        if (!messages_are_spoken(handle->process)) {
                *ret_child_fd = -EBADF;
                return 0;
        }
        if (!handle->has_slot) {
                return -ENOSPC;
        }
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
                return -errno;
        }
        _cleanup_close_ int our_fd = ends[0], child_fd = ends[1];
        int r =
                        channel_new(handle->manager->event,
                                    manager_state_channels(handle->manager->state),
                                    handle->slot,
                                    our_fd,
                                    &options,
                                    &handle->channel);
        if (r < 0) {
                return r;
        }
        (void) steal_fd(&our_fd);
        cluster_worker_begin(handle);
        manager_state_keep_channel(handle);
        *ret_child_fd = steal_fd(&child_fd);
        return 0;
}

void messages_adopt(ProcessHandle *handle, int fd) {
        const ChannelOptions options = options_of(handle);

        if (fd < 0) {
                cluster_worker_end(handle);
                return;
        }
        int r =
                        channel_adopt(handle->manager->event,
                                      manager_state_channels(handle->manager->state),
                                      handle->slot,
                                      fd,
                                      &options,
                                      &handle->channel);
        if (r < 0) {
                (void) log_error_errno(
                                r,
                                "process %" PRIu32 ": its channel cannot be gone on with: %m",
                                handle->process->id);
                (void) close_fd(fd);
                cluster_worker_end(handle);
                return;
        }
        cluster_worker_adopt(handle);
}

void messages_hear_out(ProcessHandle *handle) {
        if (handle->channel) {
                channel_drain(handle->channel);
        }
}

void messages_close(ProcessHandle *handle) {
        g_clear_pointer(&handle->channel, channel_free);
        cluster_worker_end(handle);
        actions_fail_pending(handle);
}

int messages_leave(ProcessHandle *handle) {
        return handle->channel ? channel_leave(g_steal_pointer(&handle->channel)) : -EBADF;
}

int messages_check(const ProcessHandle *handle, Error *error) {
        const Process *process = handle->process;

        if (!handle->main_alive || !handle->launched) {
                return manager_refuse_state(process, ERROR_NOT_ONLINE, "it can be told nothing", error);
        }
        if (!handle->channel) {
                return error_set(
                                error,
                                ERROR_NO_CHANNEL,
                                "process %" PRIu32 " '%s' has %s",
                                process->id,
                                process->config->name,
                                messages_are_spoken(process) ? "closed its channel"
                                                             : "no channel (attribute notify)");
        }
        return 0;
}

int messages_send(ProcessHandle *handle, const char *text, size_t length, Error *error) {
        const Process *process = handle->process;

        int r = messages_check(handle, error);
        if (r < 0) {
                return r;
        }
        r = channel_send(handle->channel, text, length);
        if (r < 0) {
                return error_set(
                                error,
                                r == -ENOBUFS  ? ERROR_LIMIT_EXCEEDED
                                : r == -EINVAL ? ERROR_INVALID_DATA
                                               : ERROR_NO_CHANNEL,
                                "process %" PRIu32 " '%s': %s",
                                process->id,
                                process->config->name,
                                r == -ENOBUFS ? "it does not read its messages, and no more can wait"
                                              : g_strerror(-r));
        }
        return 0;
}

bool messages_ask_to_end(ProcessHandle *handle) {
        if (!handle->channel ||
            channel_send(handle->channel, SHUTDOWN_MESSAGE, strlen(SHUTDOWN_MESSAGE)) < 0) {
                return false;
        }
        handle->asked_by_message = true;
        return true;
}
