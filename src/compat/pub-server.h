/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* PM2's bus socket (pub.sock): everybody who is connected gets every event, from then on; what they write is
 * ignored. One that does not read gets a backlog of its own, bounded; beyond it whole events are left out,
 * and an event "lost" with {"count":N} tells of them when there is room again. */
typedef struct PubServer PubServer;

typedef struct PubServerOptions {
        size_t backlog_bytes_max; /* of one subscriber */
        uint64_t subscribers_max;
        uid_t own_uid; /* who may connect, beside root */
        /* Somebody has connected, or has left. NULL is fine. */
        void (*on_audience)(void *userdata);
        void *userdata;
} PubServerOptions;

/* Options are copied. */
int pub_server_new(sd_event *event, const PubServerOptions *options, PubServer **ret);
/* What subscribers have room for is written first. */
void pub_server_free(PubServer *server);

/* The fd is made non-blocking and is borrowed until pub_server_free() or another one is set; negative: none.
 */
int pub_server_listen(PubServer *server, int listen_fd);

/* Nobody listens: an event need not be made. */
bool pub_server_is_idle(const PubServer *server);

/* An event for all; payload is JSON text. Written at the end of the loop's turn, or by a flush. */
void pub_server_send(PubServer *server, const char *event, const char *payload, size_t length);
void pub_server_flush(PubServer *server);
