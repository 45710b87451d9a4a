/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* "Send message to process" of PM2's API in C: listen to what apps say, send data to one by its id and print
 * what it says, then an action and what it returns.
 *
 *   cc send.c -o send $(pkg-config --cflags --libs libpm2)
 *   pm2ctl start pm2-app.js && ./send [--system] [ID] */

#include <pm2/pm2.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* pm2.sendDataToProcessId({id, type: 'process:msg', data: {some: 'data'}, topic: true}) */
static int send_data(pm2_client *client, uint32_t id) {
        pm2_value *data = NULL;

        int r = pm2_value_new_object(&data);
        if (r >= 0) {
                r = pm2_value_add_string(data, "some", "data");
        }
        if (r >= 0) {
                r = pm2_send_data_to_process_id(client, id, "process:msg", data);
        }
        pm2_value_free(data);
        return r;
}

/* pm2_bus.on('process:msg', function (packet) { console.log(packet) }) */
static void on_message(const char *event, const pm2_value *packet, void *userdata) {
        bool *heard = userdata;
        char *text = NULL;

        if (pm2_value_to_json(packet, PM2_JSON_SHORT, &text) >= 0) {
                printf("%s %s\n", event, text);
        }
        free(text);
        *heard = true;
}

/* pm2.launchBus(), before anything is sent: so no answer is missed. */
static int send_and_listen(pm2_client *client, uint32_t id) {
        pm2_bus *bus = NULL;
        bool heard = false;

        int r = pm2_launch_bus(client, NULL, &bus);
        if (r >= 0) {
                r = pm2_bus_on(bus, "process:msg", on_message, &heard);
        }
        if (r >= 0) {
                r = send_data(client, id);
        }
        while (r >= 0 && !heard) {
                r = pm2_bus_wait(bus, UINT64_MAX);
                if (r >= 0) {
                        r = pm2_bus_process(bus);
                }
        }
        pm2_bus_close(bus);
        return r;
}

static int ping(pm2_client *client, uint32_t id) {
        char target[sizeof("id:4294967295")];
        pm2_value *answers = NULL;
        char *text = NULL;

        snprintf(target, sizeof(target), "id:%" PRIu32, id);
        int r = pm2_trigger(client, target, "ping", NULL, NULL, &answers);
        if (r >= 0) {
                r = pm2_value_to_json(answers, PM2_JSON_SHORT, &text);
        }
        if (r >= 0) {
                printf("%s\n", text);
        }
        free(text);
        pm2_value_free(answers);
        return r;
}

int main(int argc, char **argv) {
        bool system = argc > 1 && strcmp(argv[1], "--system") == 0;
        uint32_t id = argc > 1 + system ? (uint32_t) strtoul(argv[1 + system], NULL, 10) : 0;
        pm2_client *client = NULL;

        int r = pm2_client_new(&client);
        if (r < 0) {
                fprintf(stderr, "%s\n", strerror(-r));
                return 1;
        }
        r = pm2_connect(client, system ? PM2_CONNECT_SYSTEM : 0);
        if (r >= 0) {
                r = send_and_listen(client, id);
        }
        if (r >= 0) {
                r = ping(client, id);
        }
        if (r < 0) {
                fprintf(stderr, "%s %s\n", pm2_last_error_name(client), pm2_last_error_message(client));
        }
        pm2_client_free(client);
        return r < 0 ? 1 : 0;
}
