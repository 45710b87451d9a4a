/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* status: whether a supervisor runs, never starting one. */

#include "change.h"
#include "i18n.h"
#include "output.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* What is told of a supervisor; what an older one does not say is left empty. */
typedef struct Status {
        const char *version, *isolation, *address;
        uint64_t api_version, processes;
        bool complete, ending;
} Status;

static int add_status(const Status *status, pm2_value *object) {
        int r = pm2_value_add_bool(object, "running", status != NULL);
        if (r < 0 || !status) {
                return r;
        }
        r = pm2_value_add_string(object, "version", status->version);
        if (r >= 0) {
                r = pm2_value_add_uint64(object, "api_version", status->api_version);
        }
        if (r >= 0) {
                r = pm2_value_add_string(object, "isolation", status->isolation);
        }
        if (r >= 0) {
                r = pm2_value_add_bool(object, "isolation_complete", status->complete);
        }
        if (r >= 0) {
                r = pm2_value_add_uint64(object, "processes", status->processes);
        }
        if (r >= 0) {
                r = pm2_value_add_bool(object, "shutting_down", status->ending);
        }
        return r < 0 ? r : pm2_value_add_string(object, "address", status->address);
}

/* status NULL: none runs. */
static int print_status_json(const Ctl *ctl, const Status *status) {
        pm2_value *object = NULL;

        int r = pm2_value_new_object(&object);
        if (r >= 0) {
                r = add_status(status, object);
        }
        int exit_status = r < 0 ? change_refuse(r, NULL) : print_json(ctl, object);
        (void) pm2_value_free(object);
        return exit_status;
}

static void print_line(const Ctl *ctl, const char *label, const char *text) {
        g_autofree char *clean = text_clean(text, ctl->utf8);
        size_t width = text_width(label, ctl->utf8);
        (void) printf("  %s%*s %s\n", label, width < 12 ? (int) (12 - width) : 0, "", clean);
}

static void print_status_text(const Ctl *ctl, const Status *status) {
        g_autofree char *isolation = g_strdup_printf(
                        "%s (%s)",
                        status->isolation,
                        status->complete ? _("holds every descendant") : _("descendants may escape"));
        g_autofree char *processes = g_strdup_printf("%" PRIu64, status->processes);

        (void) puts(status->ending ? _("pm2d is shutting down") : _("pm2d is running"));
        print_line(ctl, _("version"), status->version);
        print_line(ctl, _("isolation"), status->isolation[0] ? isolation : _("unknown"));
        print_line(ctl, _("processes"), processes);
        print_line(ctl, _("socket"), status->address);
}

static int print_status(const Ctl *ctl, const pm2_value *properties) {
        Status status = { .version = "", .isolation = "", .address = pm2_get_address(ctl->client) };

        (void) pm2_value_get_string(properties, "Version", &status.version);
        (void) pm2_value_get_uint64(properties, "ApiVersion", &status.api_version);
        (void) pm2_value_get_uint64(properties, "ProcessCount", &status.processes);
        (void) pm2_value_get_bool(properties, "ShuttingDown", &status.ending);
        (void) pm2_value_get_string(properties, "Capabilities.isolation", &status.isolation);
        (void) pm2_value_get_bool(properties, "Capabilities.isolation_complete", &status.complete);
        if (ctl->json != JSON_OFF) {
                return print_status_json(ctl, &status);
        }
        print_status_text(ctl, &status);
        return EXIT_OK;
}

int verb_status(Ctl *ctl, const Arguments *arguments) {
        pm2_value *properties = NULL;

        (void) arguments;
        int r = pm2_connect(ctl->client, ctl->instance_flags | PM2_CONNECT_NO_SPAWN);
        if (r == -ENOTCONN) {
                if (ctl->json != JSON_OFF) {
                        (void) print_status_json(ctl, NULL);
                } else {
                        (void) puts(_("pm2d is not running"));
                }
                return EXIT_NO_DAEMON;
        }
        if (r >= 0) {
                r = pm2_get_manager_properties(ctl->client, &properties);
        }
        if (r < 0) {
                (void) print_failure(ctl, r);
                return EXIT_NO_DAEMON;
        }
        int status = print_status(ctl, properties);
        (void) pm2_value_free(properties);
        return status;
}
