/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/rollback.h"

#include "basic/log.h"
#include "basic/time-util.h"
#include "manager/process-record.h"

#include <inttypes.h>
#include <string.h>

struct Rollback {
        AppConfig *config;
        Environment *caller_env;
        uint64_t until_boottime_usec;
};

/* Before the two texts. */
typedef struct Head {
        uint64_t until_boottime_usec;
        uint64_t config_bytes;
} Head;

void rollback_forget(ProcessHandle *handle) {
        Rollback *rollback = g_steal_pointer(&handle->rollback);

        if (rollback) {
                app_config_unref(rollback->config);
                environment_unref(rollback->caller_env);
                g_free(rollback);
                handle->rollback_version++;
        }
}

static void keep(ProcessHandle *handle, AppConfig *config, Environment *caller_env, uint64_t until_usec) {
        rollback_forget(handle);
        handle->rollback = g_new(Rollback, 1);
        *handle->rollback = (Rollback){ config, caller_env, until_usec };
        handle->rollback_version++;
}

static bool is_same(const Process *process, const Process *before) {
        g_autoptr(GBytes) ours = record_encode_config(process->config);
        g_autoptr(GBytes) theirs = record_encode_config(before->config);

        return g_bytes_equal(ours, theirs) && environment_equal(process->caller_env, before->caller_env);
}

void rollback_prepare(ProcessHandle *handle, const Process *before) {
        const Process *process = handle->process;
        uint64_t usec = process->config->reload_watch_usec;

        rollback_forget(handle);
        if (usec > 0 && !is_same(process, before)) {
                keep(handle,
                     app_config_ref(before->config),
                     environment_ref(before->caller_env),
                     now_boottime_usec() + usec);
        }
}

bool rollback_is_due(const ProcessHandle *handle) {
        return handle->rollback && now_boottime_usec() < handle->rollback->until_boottime_usec;
}

bool rollback_take(ProcessHandle *handle) {
        Process *process = handle->process;
        const Rollback *rollback = handle->rollback;
        g_auto(ProcessPlan) plan = { 0 };
        g_auto(Error) error = { 0 };

        if (!rollback_is_due(handle)) {
                rollback_forget(handle);
                return false;
        }
        int r =
                        app_plan_make(handle->manager,
                                      process->owner,
                                      rollback->config,
                                      rollback->caller_env,
                                      &plan,
                                      &error);
        if (r < 0) {
                log_warning("process %" PRIu32 " '%s': its configuration before the reload does not do any "
                            "more: %s",
                            process->id,
                            process->config->name,
                            error.message);
                rollback_forget(handle);
                return false;
        }
        app_plan_set_id(&plan, rollback->config, process->id);
        manager_configure(handle->manager, process, rollback->config, rollback->caller_env, &plan);
        rollback_forget(handle);
        return true;
}

GBytes *rollback_encode(const ProcessHandle *handle) {
        const Rollback *rollback = handle->rollback;
        GByteArray *bytes = g_byte_array_new();

        if (rollback) {
                g_autoptr(GBytes) config = record_encode_config(rollback->config);
                g_autoptr(GBytes) environment = record_encode_environment(rollback->caller_env);
                Head head = { rollback->until_boottime_usec, g_bytes_get_size(config) };
                g_byte_array_append(bytes, (const guint8 *) &head, sizeof(head));
                g_byte_array_append(bytes, g_bytes_get_data(config, NULL), (guint) g_bytes_get_size(config));
                g_byte_array_append(
                                bytes,
                                g_bytes_get_data(environment, NULL),
                                (guint) g_bytes_get_size(environment));
        }
        return g_byte_array_free_to_bytes(bytes);
}

bool rollback_decode(ProcessHandle *handle, const void *bytes, size_t size) {
        const unsigned char *at = bytes;
        Head head;

        if (size < sizeof(head)) {
                return size == 0;
        }
        memcpy(&head, at, sizeof(head));
        size -= sizeof(head);
        if (head.config_bytes > size) {
                return false;
        }
        at += sizeof(head);
        g_autoptr(AppConfig) config = record_decode_config(at, head.config_bytes);
        g_autoptr(Environment) environment =
                        record_decode_environment(at + head.config_bytes, size - head.config_bytes);
        if (!config || !environment) {
                return false;
        }
        keep(handle, g_steal_pointer(&config), g_steal_pointer(&environment), head.until_boottime_usec);
        return true;
}
