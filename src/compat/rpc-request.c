/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a frame asks for. The texts for a method that is missing or unknown, and for arguments that are
 * missing, are those of PM2; whatever else is wrong would end its daemon, so nobody knows texts for that. */

#include "compat/rpc-internal.h"
#include "config/json-text.h"

#include <string.h>

static void refuse(RpcConnection *connection, const AmpArgument *id, const char *text) {
        g_autofree char *valid = g_utf8_make_valid(text, -1);
        g_autoptr(GString) json = g_string_new(NULL);

        json_text_append_string(json, valid);
        rpc_connection_write(connection, id, "{\"error\":", json->str, json->len, "}");
}

/* JavaScript's idea of something that is not there. */
static bool is_missing(const Value *value) {
        return !value || value->kind == VALUE_NULL ||
               (value->kind == VALUE_STRING && *value->string == '\0');
}

static const RpcMethod *find_method(const RpcServer *server, const char *name) {
        for (size_t i = 0; i < server->options.n_methods; i++) {
                if (strcmp(server->options.methods[i].name, name) == 0) {
                        return &server->options.methods[i];
                }
        }
        return NULL;
}

/* NULL: it was refused. */
static const RpcMethod *method_of(RpcConnection *connection, const Value *request, const AmpArgument *id) {
        const Value *name = value_get(request, "method");
        g_autofree char *text = NULL;

        if (is_missing(name)) {
                refuse(connection, id, ".method required");
                return NULL;
        }
        if (name->kind != VALUE_STRING) {
                text = g_strdup_printf(".method must be a string, not %s", value_kind_to_text(name->kind));
                refuse(connection, id, text);
                return NULL;
        }
        const RpcMethod *method = find_method(connection->server, name->string);
        if (!method) {
                text = g_strdup_printf("method \"%.*s\" does not exist", RPC_NAME_BYTES_MAX, name->string);
                refuse(connection, id, text);
        }
        return method;
}

/* NULL: they were refused. */
static const Value *args_of(RpcConnection *connection, const Value *request, const AmpArgument *id) {
        const Value *args = value_get(request, "args");

        if (is_missing(args)) {
                refuse(connection, id, ".args required");
                return NULL;
        }
        if (args->kind != VALUE_ARRAY) {
                g_autofree char *text = g_strdup_printf(
                                ".args must be an array, not %s", value_kind_to_text(args->kind));
                refuse(connection, id, text);
                return NULL;
        }
        return args;
}

static void call(RpcConnection *connection, Value *request, const AmpArgument *id) {
        RpcServer *server = connection->server;
        g_autoptr(Value) owned = request;
        const RpcMethod *method = method_of(connection, request, id);
        const Value *args = method ? args_of(connection, request, id) : NULL;

        if (!args) {
                return;
        }
        size_t bytes = value_bytes(request) + id->length;
        if (connection->user->calls >= RPC_USER_CALLS_MAX ||
            bytes > RPC_USER_CALLS_BYTES_MAX - MIN(connection->user->bytes, RPC_USER_CALLS_BYTES_MAX)) {
                refuse(connection, id, "too many requests of this user are not answered yet");
                return;
        }
        RpcCall *created = rpc_call_new(connection, g_steal_pointer(&owned), args, id, bytes);
        method->handle(server->options.userdata, created);
}

static bool asks_for_methods(const Value *request) {
        const Value *type = value_get(request, "type");

        return type && type->kind == VALUE_STRING && strcmp(type->string, "methods") == 0;
}

static void take(RpcConnection *connection, const AmpArgument *argument, const AmpArgument *id) {
        g_autoptr(Value) request = NULL;
        g_auto(Error) error = { 0 };
        AmpArgument text;

        if (amp_argument_type(argument, &text) != AMP_JSON) {
                refuse(connection, id, "the first argument must be JSON: j: and an object");
                return;
        }
        if (json_text_decode(text.bytes, text.length, &request, &error) < 0) {
                refuse(connection, id, error.message);
                return;
        }
        if (request->kind != VALUE_MAP) {
                g_autofree char *what =
                                g_strdup_printf("the first argument must be an object, not %s",
                                                value_kind_to_text(request->kind));
                refuse(connection, id, what);
                return;
        }
        if (asks_for_methods(request)) {
                const char *reply = connection->server->introspection;
                rpc_connection_write(connection, id, "", reply, strlen(reply), "");
                return;
        }
        call(connection, g_steal_pointer(&request), id);
}

int rpc_request_take(RpcConnection *connection, const AmpFrame *frame) {
        switch (frame->count) {
        case 0:
                return -EBADMSG;
        case 1:
                return 0; /* without an id there is no answer: PM2 drops it */
        case 2:
                take(connection, &frame->arguments[0], &frame->arguments[1]);
                return 0;
        default:
                refuse(connection, &frame->arguments[1], "a request has two arguments: a call and its id");
                return 0;
        }
}
