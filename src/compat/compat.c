/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat/compat-events.h"

#include "basic/time-util.h"

#include <unistd.h>

int compat_new(sd_event *event, Manager *manager, Compat **ret) {
        const Settings *settings = manager_settings(manager);
        Compat *compat = g_new0(Compat, 1);

        *compat = (Compat){
                .event = sd_event_ref(event),
                .manager = manager,
                .observer = { .userdata = compat },
                .reloading = g_hash_table_new(NULL, NULL),
                .started_realtime_usec = now_realtime_usec(),
        };
        const RpcServerOptions rpc_options = {
                .methods = compat_methods,
                .n_methods = n_compat_methods,
                .userdata = compat,
                .own_uid = geteuid(),
        };
        const PubServerOptions pub_options = {
                .backlog_bytes_max = settings->stream_backlog_max,
                .subscribers_max = settings->streams_max,
                .own_uid = geteuid(),
                .on_audience = compat_events_on_audience,
                .userdata = compat,
        };
        int r = rpc_server_new(event, &rpc_options, &compat->rpc);
        if (r >= 0) {
                r = pub_server_new(event, &pub_options, &compat->pub);
        }
        if (r >= 0) {
                r = pm2_texts_new(event, manager, &compat->texts);
        }
        if (r < 0) {
                compat_free(compat);
                return r;
        }
        compat_events_init(&compat->observer);
        manager_add_observer(manager, &compat->observer);
        *ret = compat;
        return 0;
}

void compat_free(Compat *compat) {
        if (!compat) {
                return;
        }
        manager_remove_observer(compat->manager, &compat->observer);
        compat_lifecycle_forget(compat);
        rpc_server_free(compat->rpc);
        pub_server_free(compat->pub);
        pm2_texts_free(compat->texts);
        g_hash_table_unref(compat->reloading);
        (void) sd_event_unref(compat->event);
        g_free(compat);
}

int compat_listen(Compat *compat, int rpc_fd, int pub_fd) {
        int r = pub_server_listen(compat->pub, pub_fd);
        return r < 0 ? r : rpc_server_listen(compat->rpc, rpc_fd);
}

void compat_on_kill(Compat *compat, void (*on_kill)(void *userdata), void *userdata) {
        compat->on_kill = on_kill;
        compat->userdata = userdata;
}
