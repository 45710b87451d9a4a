/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The sockets that clients of npm's pm2 look for. */

#include "api.h"

#include "basic/sd-cleanup.h"

static int switch_compat(
                pm2_client *client, const char *member, const char *home, const pm2_options *options) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const Call call = {
                .member = member,
                .strings = { home },
                .options = options,
                .takes_options = true,
                .timeout_usec = READ_TIMEOUT_USEC,
        };

        client_clear_error(client);
        int r = home ? api_check_text(client, "home", home) : 0;
        return r < 0 ? r : client_call(client, &call, &reply);
}

PM2_EXPORT int pm2_enable_compat(pm2_client *client, const char *home, const pm2_options *options) {
        return switch_compat(client, "EnableCompat", home ? home : "", options);
}

PM2_EXPORT int pm2_disable_compat(pm2_client *client, const pm2_options *options) {
        return switch_compat(client, "DisableCompat", NULL, options);
}
