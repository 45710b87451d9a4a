/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "basic/amp.h"

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

/* A socket that listens in a folder of its own. */
typedef struct TestSocket {
        sd_event *event; /* borrowed */
        char *folder, *path;
        int fd;
} TestSocket;

TestSocket *test_socket_new(sd_event *event);
void test_socket_free(TestSocket *socket);

/* The other side of it, which turns the loop while it waits. */
typedef struct TestPeer {
        sd_event *event; /* borrowed */
        int fd;
        AmpReader reader;
        bool ended; /* the server has closed the connection */
} TestPeer;

/* Connects; the server need not have accepted it yet. */
TestPeer *test_peer_new(const TestSocket *socket);
int test_connect(const TestSocket *socket);
void test_peer_free(TestPeer *peer);

/* All of it, as long as the server reads. */
void test_peer_send(TestPeer *peer, const void *bytes, size_t length);
/* What the socket takes at once; returns how much that was, 0 where nobody reads any more. */
size_t test_peer_try_send(TestPeer *peer, const void *bytes, size_t length);
/* A frame of so many arguments, each with its mark. */
void test_peer_send_frame(TestPeer *peer, size_t count, const char *const *arguments);
/* A request as PM2's clients write it: JSON text, and an id with its mark. */
void test_peer_request(TestPeer *peer, const char *json, const char *id);

/* The next frame; false: the connection is closed. */
bool test_peer_next(TestPeer *peer, AmpFrame *ret);
/* A frame of two arguments is next, each with its mark. */
void test_peer_assert_next(TestPeer *peer, const char *first, const char *second);
/* A request and its reply, without marks. */
void test_peer_assert_reply(TestPeer *peer, const char *request, const char *reply);
/* It comes to its end without another frame. */
void test_peer_assert_closed(TestPeer *peer);
/* Nothing has come, and the connection is there. */
void test_peer_assert_quiet(TestPeer *peer);

/* How many descriptors this process has. */
unsigned test_count_fds(void);
/* No pidfds, or valgrind, which counts descriptors itself and looks for leaks in children: true, and the
 * test is skipped. */
bool test_skip_in_valgrind(void);
/* Make room for so many descriptors; false, and the test is skipped: there is none. */
bool test_need_fds(unsigned count);
