/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat/pub-server.h"

#include "basic/amp.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "compat/crowd.h"
#include "compat/listener.h"
#include "platform/feed.h"

#include <inttypes.h>
#include <string.h>

typedef struct Subscriber {
        Feed *feed;
        uid_t uid;
        pid_t pid;
        uint64_t since_usec; /* of the loop's clock */
} Subscriber;

struct PubServer {
        sd_event *event;
        PubServerOptions options;
        Listener *listener;
        GPtrArray *subscribers; /* of Subscriber, in the order in which they came */
        sd_event_source *flush_source;
        bool pending; /* something is appended and not flushed */
};

static void free_subscriber(void *userdata) {
        Subscriber *subscriber = userdata;

        feed_free(subscriber->feed);
        g_free(subscriber);
}

static void tell_audience(const PubServer *server) {
        if (server->options.on_audience) {
                server->options.on_audience(server->options.userdata);
        }
}

static void remove_subscriber(PubServer *server, guint i) {
        (void) g_ptr_array_remove_index(server->subscribers, i);
        tell_audience(server);
}

static FeedItem *render(const char *event, const char *payload, size_t length) {
        size_t event_length = strlen(event);
        FeedItem *frame =
                        feed_item_new(AMP_HEAD_BYTES + amp_argument_bytes(AMP_STRING, event_length) +
                                      amp_argument_bytes(AMP_JSON, length));

        char *out = amp_write_head(frame->bytes, 2);
        out = amp_write_argument(out, AMP_STRING, event, event_length);
        (void) amp_write_argument(out, AMP_JSON, payload, length);
        return frame;
}

static FeedItem *render_lost(uint64_t count) {
        g_autofree char *payload = g_strdup_printf("{\"count\":%" PRIu64 "}", count);

        return render("lost", payload, strlen(payload));
}

void pub_server_flush(PubServer *server) {
        server->pending = false;
        for (guint i = server->subscribers->len; i > 0; i--) {
                const Subscriber *subscriber = server->subscribers->pdata[i - 1];
                feed_flush(subscriber->feed);
                if (feed_is_gone(subscriber->feed)) {
                        remove_subscriber(server, i - 1);
                }
        }
}

static int on_flush(sd_event_source *source, void *userdata) {
        pub_server_flush(userdata);
        return 0;
}

static void on_gone(void *userdata, Feed *feed) {
        PubServer *server = userdata;

        for (guint i = 0; i < server->subscribers->len; i++) {
                const Subscriber *subscriber = server->subscribers->pdata[i];
                if (subscriber->feed == feed) {
                        remove_subscriber(server, i);
                        return;
                }
        }
}

static uint64_t now_usec_of(const PubServer *server) {
        uint64_t now_usec = 0;

        (void) sd_event_now(server->event, CLOCK_MONOTONIC, &now_usec);
        return now_usec;
}

/* One that came before then. Whoever waits for events is not busy: nobody is answered. */
static bool close_one(PubServer *server, uint64_t since_usec) {
        guint count = server->subscribers->len;
        g_autofree CrowdMember *members = g_new(CrowdMember, count);

        for (guint i = 0; i < count; i++) {
                const Subscriber *subscriber = server->subscribers->pdata[i];
                members[i] = (CrowdMember){
                        .uid = subscriber->uid,
                        .pid = subscriber->pid,
                        .last_used_usec = subscriber->since_usec,
                };
        }
        size_t chosen = crowd_choose(members, count);
        if (chosen == count || members[chosen].last_used_usec > since_usec) {
                return false;
        }
        remove_subscriber(server, (guint) chosen);
        return true;
}

static bool on_full(void *userdata) {
        PubServer *server = userdata;
        uint64_t now_usec = now_usec_of(server);

        return now_usec > CROWD_REST_USEC && close_one(server, now_usec - CROWD_REST_USEC);
}

static void on_client(void *userdata, int fd, const struct ucred *peer) {
        PubServer *server = userdata;
        const FeedOptions options = {
                .backlog_bytes_max = server->options.backlog_bytes_max,
                .discard_input = true,
                .render_lost = render_lost,
                .on_gone = on_gone,
                .userdata = server,
        };
        Feed *feed;

        if (server->subscribers->len >= server->options.subscribers_max && !close_one(server, UINT64_MAX)) {
                (void) close_fd(fd);
                return;
        }
        int r = feed_new(server->event, fd, &options, &feed);
        if (r < 0) {
                (void) log_warning_errno(r, "pub.sock: a client cannot be served: %m");
                return;
        }
        Subscriber *subscriber = g_new(Subscriber, 1);
        *subscriber = (Subscriber){ feed, peer->uid, peer->pid, now_usec_of(server) };
        g_ptr_array_add(server->subscribers, subscriber);
        tell_audience(server);
}

int pub_server_new(sd_event *event, const PubServerOptions *options, PubServer **ret) {
        PubServer *server = g_new0(PubServer, 1);
        const ListenerOptions listener_options = {
                .name = "pub.sock",
                .own_uid = options->own_uid,
                .on_client = on_client,
                .on_full = on_full,
                .userdata = server,
        };

        server->event = sd_event_ref(event);
        server->options = *options;
        server->subscribers = g_ptr_array_new_with_free_func(free_subscriber);
        int r = listener_new(event, &listener_options, &server->listener);
        if (r >= 0) {
                r = sd_event_add_defer(event, &server->flush_source, on_flush, server);
        }
        if (r >= 0) {
                r = sd_event_source_set_enabled(server->flush_source, SD_EVENT_OFF);
        }
        if (r < 0) {
                pub_server_free(server);
                return r;
        }
        *ret = server;
        return 0;
}

void pub_server_free(PubServer *server) {
        if (server) {
                pub_server_flush(server);
                listener_free(server->listener);
                (void) sd_event_source_disable_unref(server->flush_source);
                g_ptr_array_unref(server->subscribers);
                (void) sd_event_unref(server->event);
                g_free(server);
        }
}

int pub_server_listen(PubServer *server, int listen_fd) {
        return listener_set_fd(server->listener, listen_fd);
}

bool pub_server_is_idle(const PubServer *server) {
        return server->subscribers->len == 0;
}

void pub_server_send(PubServer *server, const char *event, const char *payload, size_t length) {
        if (pub_server_is_idle(server)) {
                return;
        }
        FeedItem *frame = render(event, payload, length);
        for (guint i = 0; i < server->subscribers->len; i++) {
                const Subscriber *subscriber = server->subscribers->pdata[i];
                feed_append(subscriber->feed, frame);
        }
        feed_item_unref(frame);
        if (!server->pending) {
                server->pending = true;
                (void) sd_event_source_set_enabled(server->flush_source, SD_EVENT_ONESHOT);
        }
}
