/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The documented process structure by name: what users of the library read most. */

#include "value.h"

static const char *get_text(const pm2_value *process, const char *path) {
        const char *text = "";
        (void) pm2_value_get_string(process, path, &text);
        return text;
}

static uint64_t get_number(const pm2_value *process, const char *path) {
        uint64_t number = 0;
        (void) pm2_value_get_uint64(process, path, &number);
        return number;
}

static uint32_t get_number32(const pm2_value *process, const char *path) {
        uint64_t number = get_number(process, path);
        return number <= UINT32_MAX ? (uint32_t) number : 0;
}

PM2_EXPORT const char *pm2_process_get_name(const pm2_value *process) {
        return get_text(process, "name");
}

PM2_EXPORT uint32_t pm2_process_get_pid(const pm2_value *process) {
        return get_number32(process, "pid");
}

PM2_EXPORT uint32_t pm2_process_get_id(const pm2_value *process) {
        return get_number32(process, "pm_id");
}

PM2_EXPORT uint64_t pm2_process_get_memory(const pm2_value *process) {
        return get_number(process, "monit.memory");
}

PM2_EXPORT double pm2_process_get_cpu(const pm2_value *process) {
        double cpu = 0;
        (void) pm2_value_get_double(process, "monit.cpu", &cpu);
        return cpu;
}

PM2_EXPORT const char *pm2_process_get_cwd(const pm2_value *process) {
        return get_text(process, "pm2_env.pm_cwd");
}

PM2_EXPORT const char *pm2_process_get_out_log_path(const pm2_value *process) {
        return get_text(process, "pm2_env.pm_out_log_path");
}

PM2_EXPORT const char *pm2_process_get_err_log_path(const pm2_value *process) {
        return get_text(process, "pm2_env.pm_err_log_path");
}

PM2_EXPORT const char *pm2_process_get_interpreter(const pm2_value *process) {
        return get_text(process, "pm2_env.exec_interpreter");
}

PM2_EXPORT uint64_t pm2_process_get_uptime(const pm2_value *process) {
        return get_number(process, "pm2_env.pm_uptime");
}

PM2_EXPORT uint32_t pm2_process_get_unstable_restarts(const pm2_value *process) {
        return get_number32(process, "pm2_env.unstable_restarts");
}

PM2_EXPORT uint32_t pm2_process_get_restart_time(const pm2_value *process) {
        return get_number32(process, "pm2_env.restart_time");
}

PM2_EXPORT const char *pm2_process_get_status(const pm2_value *process) {
        return get_text(process, "pm2_env.status");
}

PM2_EXPORT uint32_t pm2_process_get_instances(const pm2_value *process) {
        return get_number32(process, "pm2_env.instances");
}

PM2_EXPORT const char *pm2_process_get_exec_path(const pm2_value *process) {
        return get_text(process, "pm2_env.pm_exec_path");
}

PM2_EXPORT const char *pm2_process_get_namespace(const pm2_value *process) {
        return get_text(process, "pm2_env.namespace");
}

PM2_EXPORT const char *pm2_process_get_exec_mode(const pm2_value *process) {
        return get_text(process, "pm2_env.exec_mode");
}

PM2_EXPORT const char *pm2_process_get_version(const pm2_value *process) {
        return get_text(process, "pm2_env.version");
}

PM2_EXPORT const char *pm2_process_get_username(const pm2_value *process) {
        return get_text(process, "pm2_env.username");
}

PM2_EXPORT uint64_t pm2_process_get_created_at(const pm2_value *process) {
        return get_number(process, "pm2_env.created_at");
}
