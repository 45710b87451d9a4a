/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/unit-job.h"

#include "basic/sd-cleanup.h"
#include "basic/time-util.h"

#include <stdlib.h>
#include <systemd/sd-bus.h>

#define MANAGER_NAME     "org.freedesktop.systemd1"
#define ASK_TIMEOUT_USEC (2 * USEC_PER_SEC)

struct UnitJob {
        sd_bus *bus;
        sd_bus_slot *slot;
        UnitJobHandler handler;
        void *userdata;
};

void unit_job_free(UnitJob *job) {
        if (job) {
                (void) sd_bus_slot_unref(job->slot);
                if (job->bus) {
                        (void) sd_bus_detach_event(job->bus);
                        (void) sd_bus_close_unref(job->bus);
                }
                free(job);
        }
}

static void answer(UnitJob *job, const char *type) {
        UnitJobHandler handler = job->handler;

        job->slot = sd_bus_slot_unref(job->slot);
        job->handler = NULL;
        if (handler) {
                handler(job->userdata, type);
        }
}

static int get_property(
                UnitJob *job,
                const char *path,
                const char *interface,
                const char *name,
                sd_bus_message_handler_t handler) {
        _cleanup_bus_message_ sd_bus_message *message = NULL;

        job->slot = sd_bus_slot_unref(job->slot);
        int r = sd_bus_message_new_method_call(
                        job->bus, &message, MANAGER_NAME, path, "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0) {
                r = sd_bus_message_append(message, "ss", interface, name);
        }
        if (r >= 0) {
                /* no fault point: a question */
                r = sd_bus_call_async(job->bus, &job->slot, message, handler, job, ASK_TIMEOUT_USEC);
        }
        return r;
}

static int on_type(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const char *type;

        answer(userdata, sd_bus_message_read(reply, "v", "s", &type) < 0 ? "" : type);
        return 0;
}

static int on_job(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        UnitJob *job = userdata;
        const char *path;
        uint32_t id = 0;

        if (sd_bus_message_read(reply, "v", "(uo)", &id, &path) < 0 || id == 0 ||
            get_property(job, path, "org.freedesktop.systemd1.Job", "JobType", on_type) < 0) {
                answer(job, "");
        }
        return 0;
}

int unit_job_ask(
                sd_event *event,
                bool system,
                const char *unit,
                UnitJobHandler handler,
                void *userdata,
                UnitJob **ret) {
        _cleanup_free_ char *path = NULL;
        UnitJob *job = calloc(1, sizeof(*job));

        if (!job) {
                return -ENOMEM;
        }
        job->handler = handler;
        job->userdata = userdata;
        int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path);
        if (r >= 0) {
                r = system ? sd_bus_open_system(&job->bus) : sd_bus_open_user(&job->bus);
        }
        if (r >= 0) {
                r = sd_bus_attach_event(job->bus, event, SD_EVENT_PRIORITY_NORMAL);
        }
        if (r >= 0) {
                r = get_property(job, path, "org.freedesktop.systemd1.Unit", "Job", on_job);
        }
        if (r < 0) {
                unit_job_free(job);
                return r;
        }
        *ret = job;
        return 0;
}
