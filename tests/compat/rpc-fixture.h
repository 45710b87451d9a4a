/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "compat-fixture.h"
#include "compat/rpc-internal.h"

/* A request socket with methods of its own:
 *   ping   {"msg":"pong"}            hold   kept in held until the test answers
 *   fail   an error                  drop   no answer
 *   large  what large says           echo   its argument and 2
 *   who    uid, gid and via          quit   SIGQUIT to the client with this pid
 *   end    frees the server, and then answers */
typedef struct TestService {
        sd_event *event;
        TestSocket *socket;
        RpcServer *server;
        GPtrArray *held;
        unsigned pings;
        GString *large; /* JSON text */
} TestService;

extern const char TEST_PING[], TEST_PONG[], TEST_HOLD[];

TestService *test_service_new(void);
/* For clients of this user, or any. */
TestService *test_service_new_for(uid_t own_uid, bool any_user);
/* Calls that are held still are dropped. */
void test_service_free(TestService *service);

/* The first call that is held, for which the loop is turned. */
RpcCall *test_service_take_held(TestService *service);
/* Somebody else is served as ever. */
void test_service_assert_alive(TestService *service);
/* The reply to s:1 is an error that has these words in it. */
void test_peer_assert_error(TestPeer *peer, const char *words);
