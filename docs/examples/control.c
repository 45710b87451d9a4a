/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The quick start of PM2's API in C: connect, start api.js as "api", list, restart, disconnect.
 *
 *   cc control.c -o control $(pkg-config --cflags --libs libpm2)
 *   ./control [--system] [SCRIPT] */

#include <pm2/pm2.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_processes(const pm2_value *processes) {
        for (size_t i = 0; i < pm2_value_get_length(processes); i++) {
                const pm2_value *process = pm2_value_get_item(processes, i);
                printf("%" PRIu32 "  %s  %s  pid %" PRIu32 ", %" PRIu32 " restarts\n",
                       pm2_process_get_id(process),
                       pm2_process_get_name(process),
                       pm2_process_get_status(process),
                       pm2_process_get_pid(process),
                       pm2_process_get_restart_time(process));
        }
}

static int start(pm2_client *client, const char *script) {
        pm2_options *options = NULL;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = pm2_options_set_string(options, "name", "api");
        }
        if (r >= 0) {
                r = pm2_start(client, script, options, NULL);
        }
        pm2_options_free(options);
        return r;
}

static int control(pm2_client *client, const char *script) {
        pm2_value *listed = NULL, *restarted = NULL;

        int r = start(client, script);
        if (r >= 0) {
                r = pm2_list(client, &listed);
        }
        if (r >= 0) {
                print_processes(listed);
                r = pm2_restart(client, "api", NULL, &restarted);
        }
        if (r >= 0) {
                print_processes(restarted);
        }
        pm2_value_free(listed);
        pm2_value_free(restarted);
        return r;
}

int main(int argc, char **argv) {
        bool system = argc > 1 && strcmp(argv[1], "--system") == 0;
        const char *script = argc > 1 + system ? argv[1 + system] : "api.js";
        pm2_client *client = NULL;

        int r = pm2_client_new(&client);
        if (r < 0) {
                fprintf(stderr, "%s\n", strerror(-r));
                return 1;
        }
        r = pm2_connect(client, system ? PM2_CONNECT_SYSTEM : 0);
        if (r >= 0) {
                r = control(client, script);
        }
        if (r < 0) {
                fprintf(stderr, "%s %s\n", pm2_last_error_name(client), pm2_last_error_message(client));
        }
        pm2_client_free(client); /* disconnects; the app goes on */
        return r < 0 ? 1 : 0;
}
