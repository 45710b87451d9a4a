/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rpc-fixture.h"

#include "event-fixture.h"
#include "fixture.h"

#include <string.h>
#include <unistd.h>

const char TEST_PING[] = "{\"type\":\"call\",\"method\":\"ping\",\"args\":[{}]}";
const char TEST_PONG[] = "{\"args\":[{\"msg\":\"pong\"}]}";
const char TEST_HOLD[] = "{\"type\":\"call\",\"method\":\"hold\",\"args\":[]}";

static void on_ping(void *userdata, RpcCall *call) {
        TestService *service = userdata;
        static const char values[] = "{\"msg\":\"pong\"}";

        service->pings++;
        rpc_call_reply(call, values, strlen(values));
}

static void on_hold(void *userdata, RpcCall *call) {
        TestService *service = userdata;

        g_ptr_array_add(service->held, call);
}

static void on_fail(void *userdata, RpcCall *call) {
        rpc_call_fail(call, "no \"luck\"\n\xff today");
}

static void on_drop(void *userdata, RpcCall *call) {
        rpc_call_drop(call);
}

static void on_large(void *userdata, RpcCall *call) {
        const TestService *service = userdata;

        rpc_call_reply(call, service->large->str, service->large->len);
}

/* The first argument as it is, if it is a string. */
static void on_echo(void *userdata, RpcCall *call) {
        const Value *args = rpc_call_args(call);
        const Value *first = value_count(args) > 0 ? args->items->pdata[0] : NULL;

        if (!first || first->kind != VALUE_STRING) {
                rpc_call_fail(call, "echo needs a string");
                return;
        }
        g_autofree char *text = g_strdup_printf("\"%s\",2", first->string);
        rpc_call_reply(call, text, strlen(text));
}

static void on_who(void *userdata, RpcCall *call) {
        const Caller *caller = rpc_call_caller(call);
        g_autofree char *text = g_strdup_printf("%u,%u,\"%s\"", caller->uid, caller->gid, caller->via);

        rpc_call_reply(call, text, strlen(text));
}

static void on_quit(void *userdata, RpcCall *call) {
        const Value *pid = rpc_call_args(call)->items->pdata[0];

        rpc_call_signal_client(call, (pid_t) pid->integer, SIGQUIT);
        rpc_call_reply(call, "", 0);
}

static void on_end(void *userdata, RpcCall *call) {
        TestService *service = userdata;

        g_clear_pointer(&service->server, rpc_server_free);
        rpc_call_reply(call, "1", 1);
}

static const RpcMethod methods[] = {
        { "ping", "env cb", on_ping }, { "hold", "cb", on_hold },     { "fail", "opts cb", on_fail },
        { "drop", "", on_drop },       { "large", "cb", on_large },   { "echo", "text cb", on_echo },
        { "who", "cb", on_who },       { "quit", "pid cb", on_quit }, { "end", "cb", on_end },
};

TestService *test_service_new_for(uid_t own_uid, bool any_user) {
        TestService *service = g_new0(TestService, 1);
        const RpcServerOptions options = {
                .methods = methods,
                .n_methods = G_N_ELEMENTS(methods),
                .userdata = service,
                .own_uid = own_uid,
                .any_user = any_user,
        };

        service->event = test_event_new();
        service->socket = test_socket_new(service->event);
        service->held = g_ptr_array_new();
        service->large = g_string_new("0");
        g_assert_cmpint(rpc_server_new(service->event, &options, &service->server), ==, 0);
        g_assert_cmpint(rpc_server_listen(service->server, service->socket->fd), ==, 0);
        return service;
}

TestService *test_service_new(void) {
        return test_service_new_for(geteuid(), false);
}

void test_service_free(TestService *service) {
        rpc_server_free(service->server);
        for (guint i = 0; i < service->held->len; i++) {
                rpc_call_drop(service->held->pdata[i]);
        }
        g_ptr_array_unref(service->held);
        (void) g_string_free(service->large, TRUE);
        test_socket_free(service->socket);
        (void) sd_event_unref(service->event);
        g_free(service);
}

static bool has_held(void *userdata) {
        TestService *service = userdata;

        return service->held->len > 0;
}

RpcCall *test_service_take_held(TestService *service) {
        test_event_wait(service->event, has_held, service, "a call to be held");
        return g_ptr_array_remove_index(service->held, 0);
}

void test_service_assert_alive(TestService *service) {
        TestPeer *peer = test_peer_new(service->socket);

        test_peer_assert_reply(peer, TEST_PING, TEST_PONG);
        test_peer_free(peer);
}

void test_peer_assert_error(TestPeer *peer, const char *words) {
        AmpFrame frame;

        g_assert_true(test_peer_next(peer, &frame));
        g_assert_cmpuint(frame.count, ==, 2);
        g_autofree char *text = g_strndup(frame.arguments[0].bytes, frame.arguments[0].length);
        g_assert_true(g_str_has_prefix(text, "j:{\"error\":\""));
        g_assert_true(g_utf8_validate(text, -1, NULL));
        g_assert_null(strstr(text, "\"stack\""));
        g_test_message("%s", text);
        g_assert_nonnull(strstr(text, words));
        g_assert_cmpmem(frame.arguments[1].bytes, frame.arguments[1].length, "s:1", 3);
}
