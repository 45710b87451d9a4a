/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* bus: what happens to processes and what their children say, as it comes. */

#include "i18n.h"
#include "output.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *get_text(const pm2_value *packet, const char *path) {
        const char *text = "";

        (void) pm2_value_get_string(packet, path, &text);
        return text;
}

/* "exit (SIGKILL)", "exit (1)", "restart: why": what one wants to know of it. */
static char *process_event_text(const pm2_value *packet) {
        const char *event = get_text(packet, "data.event"), *signal = get_text(packet, "data.signal");
        const char *reason = get_text(packet, "data.reason");
        int64_t exit_code;

        if (signal[0]) {
                return g_strdup_printf("%s (%s)", event, signal);
        }
        if (pm2_value_get_int64(packet, "data.exit_code", &exit_code) >= 0 && exit_code >= 0) {
                return g_strdup_printf("%s (%" PRId64 ")", event, exit_code);
        }
        return g_strconcat(event, reason[0] ? ": " : "", reason, NULL);
}

/* The event, and what there is to say of it. */
static char *packet_text(const char *event, const pm2_value *packet) {
        bool of_process = pm2_value_get(packet, "process");
        uint64_t count = 0;
        char *json = NULL;

        if (of_process && strcmp(event, "process:event") == 0) {
                return process_event_text(packet);
        }
        if (!of_process && strcmp(event, "lost") == 0) {
                (void) pm2_value_get_uint64(packet, "data.count", &count);
                return g_strdup_printf(_("%lu events were left out: too slow"), (unsigned long) count);
        }
        if (pm2_value_to_json(pm2_value_get(packet, "data"), PM2_JSON_SHORT, &json) < 0) {
                return g_strdup(event);
        }
        char *text = g_strconcat(event, "  ", json, NULL);
        free(json);
        return text;
}

static void print_packet(const char *event, const pm2_value *packet, void *userdata) {
        const Ctl *ctl = userdata;
        const pm2_value *process = pm2_value_get(packet, "process");
        uint64_t at = 0, id = 0;

        if (ctl->json != JSON_OFF) {
                (void) print_json(ctl, packet);
                return;
        }
        (void) pm2_value_get_uint64(packet, "at", &at);
        (void) pm2_value_get_uint64(process, "pm_id", &id);
        g_autofree char *when = format_time(at);
        g_autofree char *who = process ? g_strdup_printf("%" PRIu64 "|%s", id, get_text(process, "name"))
                                       : g_strdup("-");
        g_autofree char *clean_who = text_clean(who, ctl->utf8);
        g_autofree char *what = packet_text(event, packet);
        g_autofree char *clean_what = text_clean(what, ctl->utf8);
        (void) printf("%s  %s  %s\n", when, clean_who, clean_what);
}

static int make_filter(const Arguments *arguments, pm2_options **ret) {
        g_autoptr(GPtrArray) events = g_ptr_array_new();
        pm2_options *filter = NULL;

        for (guint i = 0; i < arguments->options->len; i++) {
                const OptionValue *option = &g_array_index(arguments->options, OptionValue, i);
                if (strcmp(option->spec->name, "event") == 0) {
                        g_ptr_array_add(events, (gpointer) option->value);
                }
        }
        int r = pm2_options_new(&filter);
        if (r >= 0 && events->len > 0) {
                g_ptr_array_add(events, NULL);
                r = pm2_options_set_strv(filter, "events", (const char *const *) events->pdata);
        }
        if (r >= 0 && arguments->positional->len > 0) {
                r = pm2_options_set_string(filter, "target", g_ptr_array_index(arguments->positional, 0));
        }
        if (r < 0) {
                (void) pm2_options_free(filter);
                return r;
        }
        *ret = filter;
        return 0;
}

static int follow(pm2_bus *bus) {
        for (;;) {
                struct pollfd fds[] = {
                        { .fd = pm2_bus_get_fd(bus), .events = POLLIN },
                        { .fd = STDOUT_FILENO, .events = 0 },
                };
                if (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno != EINTR) {
                        print_error("%s", g_strerror(errno));
                        return EXIT_FAILED;
                }
                if (fds[1].revents & (POLLERR | POLLNVAL)) {
                        return EXIT_OK; /* nobody reads what we print */
                }
                int r = fds[0].revents ? pm2_bus_process(bus) : 0;
                if (fflush(stdout) != 0) {
                        return EXIT_OK;
                }
                if (r == -ECONNRESET) {
                        print_error("%s", _("pm2d has ended, or was replaced by another one"));
                        return EXIT_FAILED;
                }
                if (r < 0 && r != -EBADMSG) {
                        print_error("%s", g_strerror(-r));
                        return EXIT_FAILED;
                }
        }
}

int verb_bus(Ctl *ctl, const Arguments *arguments) {
        pm2_options *filter = NULL;
        pm2_bus *bus = NULL;

        int r = make_filter(arguments, &filter);
        if (r < 0) {
                print_error("%s", g_strerror(-r));
                return EXIT_FAILED;
        }
        r = pm2_launch_bus(ctl->client, filter, &bus);
        (void) pm2_options_free(filter);
        if (r < 0) {
                return print_failure(ctl, r);
        }
        pm2_disconnect(ctl->client);
        r = pm2_bus_on(bus, "*", print_packet, ctl);
        int status = r < 0 ? EXIT_FAILED : follow(bus);
        (void) pm2_bus_close(bus);
        return status;
}
