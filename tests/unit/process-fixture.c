/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process-fixture.h"

#include <inttypes.h>

const char *test_unique_id(uint32_t number) {
        static char text[33];

        (void) g_snprintf(text, sizeof(text), "%032" PRIx32, number);
        return text;
}

static void set_text(AppConfig *config, const char *attribute, const char *text) {
        g_autoptr(Value) value = value_new_string(text);
        g_auto(Error) error = { 0 };

        if (app_config_set_by_name(config, attribute, value, &error) < 0) {
                g_error("%s", error.message);
        }
}

Process *test_process_add(Registry *registry, const char *name, const char *namespace, uid_t owner) {
        g_autoptr(AppConfig) config = app_config_new();
        g_auto(ProcessPlan) plan = { .exec_path = g_strdup("/srv/app"), .version = g_strdup("N/A") };
        const char *unique_id = test_unique_id(registry_next_id(registry));
        g_auto(Error) error = { 0 };
        Process *process = NULL;

        set_text(config, "script", "/srv/app");
        set_text(config, "name", name);
        set_text(config, "namespace", namespace);
        if (registry_add(registry, name, unique_id, owner, 1000, &process, &error) < 0) {
                g_error("%s", error.message);
        }
        process_configure(process, config, NULL, &plan);
        return process;
}
