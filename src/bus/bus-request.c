/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A call that is answered when its work is done: it holds the caller's message until then. */

#include "basic/log.h"
#include "basic/sd-cleanup.h"
#include "bus/bus-error.h"
#include "bus/bus-internal.h"
#include "bus/bus-value.h"

#include <assert.h>

typedef struct BusRequest {
        BusConnection *connection; /* weak */
        sd_bus_message *call;
        Operation *operation; /* weak */
        bool in_call;         /* run() is still at it and frees it */
        bool answered;
        bool lists_paths;
        char *text;             /* the reply, NULL: none */
        ActionAnswers *answers; /* of Trigger, NULL: another call */
} BusRequest;

static void request_free(BusRequest *request) {
        (void) g_queue_remove(&request->connection->requests, request);
        (void) sd_bus_message_unref(request->call);
        g_free(request->text);
        action_answers_unref(request->answers);
        g_free(request);
}

int bus_request_append_paths(sd_bus_message *reply, const GArray *ids) {
        int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "o");

        for (guint i = 0; r >= 0 && i < ids->len; i++) {
                g_autofree char *path = bus_process_path(g_array_index(ids, uint32_t, i));
                r = sd_bus_message_append_basic(reply, SD_BUS_TYPE_OBJECT_PATH, path);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_answers(sd_bus_message *reply, const ActionAnswers *answers) {
        int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "(uss)");

        for (guint i = 0; r >= 0 && i < answers->items->len; i++) {
                const ActionAnswer *answer = &g_array_index(answers->items, ActionAnswer, i);
                r = sd_bus_message_append(
                                reply,
                                "(uss)",
                                answer->id,
                                answer->error == ERROR_NONE ? "" : error_code_to_name(answer->error),
                                answer->text);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int make_reply(
                const BusRequest *request, const Error *error, const GArray *ids, sd_bus_message **ret) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        int r;

        if (error->code != ERROR_NONE) {
                _cleanup_bus_error_ sd_bus_error bus_error = SD_BUS_ERROR_NULL;
                (void) bus_error_from(error, &bus_error);
                r = sd_bus_message_new_method_error(request->call, &reply, &bus_error);
        } else {
                r = sd_bus_message_new_method_return(request->call, &reply);
                if (r >= 0 && request->lists_paths) {
                        r = bus_request_append_paths(reply, ids);
                }
                if (r >= 0 && request->answers) {
                        r = append_answers(reply, request->answers);
                }
                if (r >= 0 && request->text) {
                        r = sd_bus_message_append_basic(reply, SD_BUS_TYPE_STRING, request->text);
                }
        }
        if (r >= 0) {
                *ret = g_steal_pointer(&reply);
        }
        return r;
}

static void on_operation_done(void *userdata, const Error *error, const GArray *ids) {
        BusRequest *request = userdata;
        BusSignals *signals = request->connection->server->signals;
        sd_bus_message *reply = NULL;

        int r = make_reply(request, error, ids, &reply);
        if (r < 0) {
                (void) log_error_errno(r, "cannot answer a call: %m");
        } else {
                bus_signals_queue_reply(signals, request->connection, reply);
        }
        request->answered = true;
        if (!request->in_call) {
                request_free(request);
        }
}

/* Of one client: on a message bus all share the connection. */
static unsigned pending_calls_of(const BusConnection *connection, const char *sender) {
        unsigned count = 0;

        for (const GList *item = connection->requests.head; item; item = item->next) {
                const BusRequest *request = item->data;
                count += g_strcmp0(sd_bus_message_get_sender(request->call), sender) == 0;
        }
        return count;
}

static int request_new(
                BusConnection *connection,
                sd_bus_message *message,
                bool lists_paths,
                BusRequest **ret,
                Error *error) {
        uint64_t limit = manager_settings(connection->server->manager)->pending_calls_max;

        unsigned pending = pending_calls_of(connection, sd_bus_message_get_sender(message));
        if (pending >= limit) {
                return error_set(
                                error,
                                ERROR_BUSY,
                                "%u calls of this client wait already (setting pending_calls_max)",
                                pending);
        }
        BusRequest *request = g_new0(BusRequest, 1);
        request->connection = connection;
        request->call = sd_bus_message_ref(message);
        request->lists_paths = lists_paths;
        g_queue_push_tail(&connection->requests, request);
        *ret = request;
        return 0;
}

/* What all calls do around the call itself. */
typedef struct Call {
        BusTargetCall function; /* NULL: see below */
        const char *text;
        BusTextsCall texts_function; /* with one more text, NULL: not such a call */
        const char *more;
        const char *action; /* of Trigger */
        const char *params;
        bool kill;
        bool save; /* the reply is the path */
        bool reexecute;
} Call;

enum {
        KILL_EXIT_STATUS = 79, /* the units do not restart us after it */
};

static int dispatch(
                Manager *manager,
                const Call *call,
                const ManagerCall *manager_call,
                ActionAnswers *answers,
                Operation **ret,
                Error *error) {
        if (answers) {
                return manager_trigger(
                                manager,
                                manager_call,
                                call->text,
                                call->action,
                                call->params,
                                answers,
                                ret,
                                error);
        }
        if (call->reexecute) {
                return manager_reexecute(manager, manager_call, ret, error);
        }
        if (call->kill) {
                return manager_kill(manager, manager_call, KILL_EXIT_STATUS, ret, error);
        }
        if (call->texts_function) {
                return call->texts_function(manager, manager_call, call->text, call->more, ret, error);
        }
        assert(call->function);
        return call->function(manager, manager_call, call->text, ret, error);
}

static int run(BusConnection *connection,
               sd_bus_message *message,
               const Call *call,
               sd_bus_error *ret_error) {
        g_auto(Error) error = { 0 };
        g_autoptr(Value) options = NULL;
        BusRequest *request = NULL;
        Operation *operation = NULL;

        int r = call->reexecute ? 0 : bus_value_read_map(message, &options, &error);
        if (r >= 0) {
                bool lists_paths = !call->kill && !call->save && !call->reexecute && !call->action;
                r = request_new(connection, message, lists_paths, &request, &error);
        }
        if (r >= 0 && call->action) {
                request->answers = action_answers_new();
        }
        if (r >= 0 && call->save) {
                request->text = manager_saved_list_path(
                                connection->server->manager, bus_caller(connection)->uid, call->text);
        }
        if (r >= 0) {
                ManagerCall manager_call = {
                        .caller = *bus_caller(connection),
                        .options = options,
                        .handler = on_operation_done,
                        .userdata = request,
                };
                request->in_call = true;
                r = dispatch(connection->server->manager,
                             call,
                             &manager_call,
                             request->answers,
                             &operation,
                             &error);
                if (r >= 0 && !request->answered) {
                        request->operation = operation;
                        request->in_call = false;
                        return 1; /* on_operation_done() answers and frees */
                }
        }
        if (request) {
                request_free(request);
        }
        return r < 0 ? bus_error_from(&error, ret_error) : 1;
}

int bus_request_call(
                BusConnection *connection,
                sd_bus_message *message,
                const char *text,
                BusTargetCall function,
                sd_bus_error *error) {
        Call call = { .function = function, .text = text };

        return run(connection, message, &call, error);
}

int bus_request_call_texts(
                BusConnection *connection,
                sd_bus_message *message,
                const char *target,
                const char *text,
                BusTextsCall function,
                sd_bus_error *error) {
        Call call = { .texts_function = function, .text = target, .more = text };

        return run(connection, message, &call, error);
}

int bus_request_trigger(
                BusConnection *connection,
                sd_bus_message *message,
                const char *target,
                const char *action,
                const char *params,
                sd_bus_error *error) {
        Call call = { .text = target, .action = action, .params = params };

        return run(connection, message, &call, error);
}

int bus_request_save(
                BusConnection *connection, sd_bus_message *message, const char *path, sd_bus_error *error) {
        Call call = { .function = manager_save, .text = path, .save = true };

        return run(connection, message, &call, error);
}

int bus_request_kill(BusConnection *connection, sd_bus_message *message, sd_bus_error *error) {
        Call call = { .kill = true };

        return run(connection, message, &call, error);
}

int bus_request_reexecute(BusConnection *connection, sd_bus_message *message, sd_bus_error *error) {
        Call call = { .reexecute = true };

        return run(connection, message, &call, error);
}

void bus_requests_refuse(BusConnection *connection) {
        g_auto(Error) error = { 0 };
        g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        BusRequest *request;

        (void) error_set(&error, ERROR_RESTARTING, "the supervisor is being renewed; the work goes on");
        while ((request = g_queue_peek_head(&connection->requests))) {
                if (request->operation) {
                        operation_forget(request->operation);
                }
                on_operation_done(request, &error, none);
        }
}

void bus_requests_forget(BusConnection *connection) {
        BusRequest *request;

        while ((request = g_queue_peek_head(&connection->requests))) {
                if (request->operation) {
                        operation_forget(request->operation);
                }
                request_free(request);
        }
}
