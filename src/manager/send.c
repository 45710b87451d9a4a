/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What callers send to processes that run: signals, messages over the channel, lines to standard input. */

#include "basic/fault-point.h"
#include "basic/macro.h"
#include "basic/signal-util.h"
#include "config/ipc-message.h"
#include "config/json-text.h"
#include "manager/manager-state.h"
#include "manager/messages.h"
#include "platform/stdin-line.h"

#include <inttypes.h>
#include <string.h>
#include <sys/pidfd.h>

static void remember_signal(Process *process, const ManagerCall *call, const char *name) {
        manager_remember(
                        process,
                        (HistoryEntry){
                                        .kind = HISTORY_SIGNAL,
                                        .asked = true,
                                        .uid = call->caller.uid,
                                        .verb = (char *) "signal",
                                        .text = (char *) name,
                        });
        manager_state_save(process->handle);
}

static void send_signal(Process *process, const ManagerCall *call, const void *what, Error *error) {
        const ProcessHandle *handle = process->handle;
        int number = *(const int *) what;
        int r = handle->launched && handle->main_alive
                                ? RET_NERRNO(CHANGE(
                                                  "user-signal",
                                                  pidfd_send_signal(handle->child.pidfd, number, NULL, 0)))
                                : -ESRCH;

        if (r >= 0) {
                remember_signal(process, call, signal_to_name(number));
                return;
        }
        (void) manager_refuse_state(
                        process,
                        r == -ESRCH ? ERROR_NOT_ONLINE : ERROR_ACCESS_DENIED,
                        r == -ESRCH ? "there is nothing to send a signal to" : g_strerror(-r),
                        error);
}

int manager_send_signal(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                const char *signal_name,
                Operation **ret,
                Error *error) {
        int number = signal_from_text(signal_name);

        if (number < 0) {
                g_autofree char *quoted = error_quote(signal_name);
                return error_set(error, ERROR_INVALID_DATA, "signal: %s is none", quoted);
        }
        return manager_each(manager, call, target, send_signal, &number, ret, error);
}

static void send_message(Process *process, const ManagerCall *call, const void *what, Error *error) {
        const char *line = what;

        (void) messages_send(process->handle, line, strlen(line), error);
}

/* Nothing goes out that could not be looked at: a stray message of Node's own kills its receiver. */
static int check_message(const char *key, const char *json, Error *error) {
        g_auto(Error) cause = { 0 };
        IpcMessage message;

        if (ipc_message_scan(json, strlen(json), &message, &cause) < 0) {
                return error_set(error, ERROR_INVALID_DATA, "%s: %s", key, cause.message);
        }
        return message.internal ? error_set(error,
                                            ERROR_INVALID_DATA,
                                            "%s: its cmd begins with NODE_, which is Node's own",
                                            key)
                                : 0;
}

/* Newlines stand between the parts of what was checked, never in a string. */
static char *one_line(const char *json) {
        return g_strdelimit(g_strdup(json), "\n\r", ' ');
}

int manager_send_message(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                const char *json,
                Operation **ret,
                Error *error) {
        int r = check_message("message", json, error);
        if (r < 0) {
                return r;
        }
        g_autofree char *line = one_line(json);
        return manager_each(manager, call, target, send_message, line, ret, error);
}

int manager_send_data(
                Manager *manager,
                const Caller *caller,
                uint32_t id,
                const char *type,
                const char *data,
                Error *error) {
        g_autoptr(GString) text = g_string_new(NULL);
        Process *process = NULL;

        int r = check_message("data", data, error);
        if (r >= 0) {
                r = manager_find_id(manager, caller, id, &process, error);
        }
        if (r < 0) {
                return r;
        }
        g_string_append_printf(text, "{\"id\":%" PRIu32 ",\"type\":", id);
        json_text_append_string(text, type);
        g_string_append(text, ",\"topic\":true,\"data\":");
        g_autofree char *line = one_line(data);
        g_string_append(text, line);
        g_string_append_c(text, '}');
        return messages_send(process->handle, text->str, text->len, error);
}

static ErrorCode line_error(int r) {
        switch (r) {
        case -EMSGSIZE:
                return ERROR_INVALID_DATA;
        case -EAGAIN:
                return ERROR_LIMIT_EXCEEDED;
        case -ESRCH:
                return ERROR_NOT_ONLINE;
        case -ENXIO:
                return ERROR_NO_CHANNEL;
        default:
                return ERROR_ACCESS_DENIED;
        }
}

static const char *line_error_text(int r) {
        switch (r) {
        case -EMSGSIZE:
                return "a line may have 4095 bytes";
        case -EAGAIN:
                return "it does not read its standard input, and no more can wait";
        case -ESRCH:
                return "it has no standard input";
        case -ENXIO:
                return "its standard input is something else by now";
        default:
                return g_strerror(-r);
        }
}

int manager_send_line(Manager *manager, const Caller *caller, uint32_t id, const char *line, Error *error) {
        Process *process = NULL;

        if (strchr(line, '\n')) {
                return error_set(error, ERROR_INVALID_DATA, "line: has a newline in it");
        }
        int r = manager_find_id(manager, caller, id, &process, error);
        if (r < 0) {
                return r;
        }
        const ProcessHandle *handle = process->handle;
        r = handle->launched && handle->main_alive
                            ? stdin_line_write(handle->child.pid, handle->child.pidfd, line, strlen(line))
                            : -ESRCH;
        return r < 0 ? manager_refuse_state(process, line_error(r), line_error_text(r), error) : 0;
}
