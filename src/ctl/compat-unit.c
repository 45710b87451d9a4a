/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat-unit.h"

#include "i18n.h"
#include "output.h"

#include <string.h>

#define UNIT "pm2-compat.socket"

/* Run systemctl with these words, ended by NULL, for the instance that is meant. */
static int run(const Ctl *ctl, const char *const *words, char **ret_output, char **ret_errors) {
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        g_autoptr(GError) error = NULL;
        int status = 0;

        g_ptr_array_add(argv, (gpointer) "systemctl");
        g_ptr_array_add(argv, (gpointer) (ctl->instance_flags & PM2_CONNECT_SYSTEM ? "--system" : "--user"));
        for (; *words; words++) {
                g_ptr_array_add(argv, (gpointer) *words);
        }
        g_ptr_array_add(argv, NULL);
        if (!g_spawn_sync(NULL,
                          (char **) argv->pdata,
                          NULL,
                          G_SPAWN_SEARCH_PATH,
                          NULL,
                          NULL,
                          ret_output,
                          ret_errors,
                          &status,
                          &error)) {
                *ret_errors = g_strdup(error->message);
                return EXIT_FAILED;
        }
        return g_spawn_check_wait_status(status, NULL) ? EXIT_OK : EXIT_FAILED;
}

/* "Listen=/home/u/.pm2/rpc.sock (Stream)" */
static void take_listen(CompatUnit *unit, const char *text) {
        const char *end = strstr(text, " (Stream)");
        const char *base = strrchr(text, '/');

        if (text[0] != '/' || !base || !end) {
                return;
        }
        char **place = strstr(base, "pub") ? &unit->pub_path : &unit->rpc_path;
        g_free(*place);
        *place = g_strndup(text, (gsize) (end - text));
}

static void take_line(CompatUnit *unit, const char *line) {
        if (g_str_has_prefix(line, "LoadState=")) {
                unit->managed = true;
                unit->there = strcmp(line, "LoadState=loaded") == 0;
        } else if (g_str_has_prefix(line, "UnitFileState=")) {
                g_free(unit->enabled);
                unit->enabled = g_strdup(strchr(line, '=') + 1);
        } else if (g_str_has_prefix(line, "ActiveState=")) {
                g_free(unit->active);
                unit->active = g_strdup(strchr(line, '=') + 1);
        } else if (g_str_has_prefix(line, "Listen=")) {
                take_listen(unit, strchr(line, '=') + 1);
        }
}

void compat_unit_read(const Ctl *ctl, CompatUnit *unit) {
        const char *const words[] = {
                "show", "--property=LoadState,UnitFileState,ActiveState,Listen", UNIT, NULL
        };
        g_autofree char *output = NULL, *errors = NULL;

        *unit = (CompatUnit){ 0 };
        if (run(ctl, words, &output, &errors) == EXIT_OK) {
                g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
                for (char **line = lines; *line; line++) {
                        take_line(unit, *line);
                }
        }
        unit->enabled = unit->enabled ? unit->enabled : g_strdup("");
        unit->active = unit->active ? unit->active : g_strdup("");
}

void compat_unit_done(CompatUnit *unit) {
        g_free(unit->enabled);
        g_free(unit->active);
        g_free(unit->rpc_path);
        g_free(unit->pub_path);
}

bool compat_unit_is_active(const CompatUnit *unit) {
        return unit->there && strcmp(unit->active, "active") == 0;
}

int compat_unit_do(const Ctl *ctl, const char *verb, const char *option) {
        const char *const words[] = { verb, option ? option : UNIT, option ? UNIT : NULL, NULL };
        g_autofree char *output = NULL, *errors = NULL;

        int status = run(ctl, words, &output, &errors);
        if (status != EXIT_OK) {
                print_error("systemctl %s " UNIT ": %s",
                            verb,
                            errors && errors[0] ? errors : _("it failed"));
        }
        return status;
}
