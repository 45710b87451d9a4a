/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* compat: whether the clients of npm's pm2 find us. Two things are switched: the socket unit, which is for
 * the time when no pm2d runs, and the pm2d that runs, for a socket unit cannot be started beside its
 * service. */

#include "amp-client.h"
#include "change.h"
#include "compat-unit.h"
#include "i18n.h"
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
        ASK_TIMEOUT_MSEC = 5000,
};

/* What there is. */
typedef struct Compat {
        Ctl *ctl;
        CompatUnit unit;
        bool running;  /* pm2d, and the client is connected */
        char *served;  /* at which request socket it serves PM2's clients; "": at none */
        char *wanted;  /* the request socket that is meant */
        char *version; /* of whoever else serves it, NULL: nobody does; "": it is not told */
} Compat;

static void compat_done(Compat *compat) {
        compat_unit_done(&compat->unit);
        g_free(compat->served);
        g_free(compat->wanted);
        g_free(compat->version);
}

static int read_daemon(Compat *compat) {
        const Ctl *ctl = compat->ctl;
        pm2_value *properties = NULL;
        const char *served = "";

        int r = pm2_connect(ctl->client, ctl->instance_flags | PM2_CONNECT_NO_SPAWN);
        if (r == -ENOTCONN) {
                return EXIT_OK;
        }
        if (r >= 0) {
                r = pm2_get_manager_properties(ctl->client, &properties);
        }
        if (r < 0) {
                return print_failure(ctl, r);
        }
        (void) pm2_value_get_string(properties, "CompatSocket", &served);
        g_free(compat->served);
        compat->served = g_strdup(served);
        compat->running = true;
        (void) pm2_value_free(properties);
        return EXIT_OK;
}

/* Whoever accepts connections there and is not us. The socket of an active unit is not touched: that would
 * start the service. */
static void probe(Compat *compat) {
        g_autoptr(AmpClient) client = NULL;
        g_autofree char *message = NULL;
        pm2_value *version = NULL;
        const char *text = "";

        if (compat_unit_is_active(&compat->unit) || strcmp(compat->served, compat->wanted) == 0) {
                return;
        }
        int r = amp_client_open(compat->wanted, &client, &message);
        if (r == -ENOTCONN || r == -ENAMETOOLONG) {
                return;
        }
        if (r >= 0) {
                g_clear_pointer(&message, g_free);
                (void) amp_client_call(client, "getVersion", NULL, ASK_TIMEOUT_MSEC, &version, &message);
                (void) pm2_value_get_string(version, "", &text);
        }
        compat->version = g_strdup(text);
        (void) pm2_value_free(version);
}

static int compat_read(Ctl *ctl, Compat *compat) {
        *compat = (Compat){ .ctl = ctl, .served = g_strdup("") };
        compat_unit_read(ctl, &compat->unit);
        int status = read_daemon(compat);
        if (status != EXIT_OK) {
                return status;
        }
        compat->wanted = compat->served[0]       ? g_strdup(compat->served)
                         : compat->unit.rpc_path ? g_strdup(compat->unit.rpc_path)
                                                 : amp_home_socket(NULL);
        probe(compat);
        return EXIT_OK;
}

/* A unit that listens where the caller's clients do not look would be of no use. */
static int check_home(const Compat *compat) {
        const char *variable = g_getenv("PM2_HOME");
        g_autofree char *folder = amp_home_folder(NULL);
        g_autofree char *unit_folder =
                        compat->unit.rpc_path ? g_path_get_dirname(compat->unit.rpc_path) : NULL;

        if (!variable || !variable[0] || !unit_folder || strcmp(folder, unit_folder) == 0) {
                return EXIT_OK;
        }
        print_error(_("PM2_HOME is %s, but pm2-compat.socket listens in %s: change that first (systemctl "
                      "edit), "
                      "or unset PM2_HOME"),
                    folder,
                    unit_folder);
        return EXIT_FAILED;
}

static int refuse_alive(const Compat *compat) {
        print_error(_("%s: PM2's own daemon is at work there; \"pm2ctl import\" takes its apps over, \"pm2 "
                      "kill\" "
                      "ends it"),
                    compat->wanted);
        return EXIT_FAILED;
}

static int enable_running(Compat *compat) {
        const Ctl *ctl = compat->ctl;
        const char *unit_path = compat->unit.rpc_path;
        g_autofree char *home = unit_path              ? g_path_get_dirname(unit_path)
                                : g_getenv("PM2_HOME") ? amp_home_folder(NULL)
                                                       : NULL;

        if (compat->served[0]) {
                return EXIT_OK;
        }
        int r = pm2_enable_compat(ctl->client, home, NULL);
        return r < 0 ? print_failure(ctl, r) : read_daemon(compat);
}

/* The unit, and where no pm2d runs its start. */
static int enable_unit(const Compat *compat) {
        int status = compat_unit_do(compat->ctl, "enable", NULL);

        if (status == EXIT_OK && !compat->running && !compat_unit_is_active(&compat->unit)) {
                status = compat_unit_do(compat->ctl, "start", NULL);
        }
        return status;
}

static bool is_talkative(const Compat *compat) {
        return !compat->ctl->silent && compat->ctl->json == JSON_OFF;
}

static void print_enabled(const Compat *compat) {
        const char *path = compat->served[0] ? compat->served : compat->wanted;

        if (is_talkative(compat)) {
                (void) printf(_("PM2's clients are served at %s\n"), path);
                if (!compat->unit.there) {
                        (void) puts(_("only until pm2d ends: there is no socket unit"));
                }
        }
}

static int enable(Compat *compat) {
        if (!compat->unit.there && !compat->running) {
                print_error("%s",
                            compat->unit.managed
                                            ? _("pm2-compat.socket is not installed, and no pm2d runs")
                                            : _("there is no systemd, and no pm2d runs that could serve "
                                                "PM2's clients"));
                return EXIT_NO_DAEMON;
        }
        int status = check_home(compat);
        if (status == EXIT_OK && compat->version) {
                status = refuse_alive(compat);
        }
        if (status == EXIT_OK && compat->running) {
                status = enable_running(compat);
        }
        if (status == EXIT_OK && compat->unit.there) {
                status = enable_unit(compat);
        }
        if (status != EXIT_OK) {
                return status;
        }
        print_enabled(compat);
        return EXIT_OK;
}

static int disable(const Compat *compat) {
        const Ctl *ctl = compat->ctl;
        int status = EXIT_OK;

        if (compat->unit.there &&
            (compat_unit_is_active(&compat->unit) || g_str_has_prefix(compat->unit.enabled, "enabled"))) {
                status = compat_unit_do(ctl, "disable", "--now");
        }
        if (compat->served[0]) {
                int r = pm2_disable_compat(ctl->client, NULL);
                status = r < 0 ? print_failure(ctl, r) : status;
        }
        if (status == EXIT_OK && is_talkative(compat)) {
                (void) puts(_("PM2's clients are not served"));
        }
        return status;
}

/* "pm2d", "systemd" (which starts pm2d then), "pm2", "nobody" */
static const char *server_of(const Compat *compat) {
        return compat->served[0]                      ? "pm2d"
               : compat_unit_is_active(&compat->unit) ? "systemd"
               : compat->version                      ? "pm2"
                                                      : "nobody";
}

static char *pub_path_of(const Compat *compat) {
        g_autofree char *folder = g_path_get_dirname(compat->wanted);

        return g_strcmp0(compat->unit.rpc_path, compat->wanted) == 0 && compat->unit.pub_path
                               ? g_strdup(compat->unit.pub_path)
                               : g_build_filename(folder, "pub.sock", NULL);
}

static int print_status_json(const Compat *compat) {
        g_autofree char *pub_path = pub_path_of(compat);
        const struct {
                const char *key, *text;
        } texts[] = {
                { "served_by", server_of(compat) },
                { "rpc_socket", compat->wanted },
                { "pub_socket", pub_path },
                { "version", compat->version ? compat->version : "" },
                { "unit_file_state", compat->unit.enabled },
                { "unit_active_state", compat->unit.there ? compat->unit.active : "" },
        };
        pm2_value *object = NULL;

        int r = pm2_value_new_object(&object);
        for (size_t i = 0; r >= 0 && i < G_N_ELEMENTS(texts); i++) {
                r = pm2_value_add_string(object, texts[i].key, texts[i].text);
        }
        int status = r < 0 ? change_refuse(r, NULL) : print_json(compat->ctl, object);
        (void) pm2_value_free(object);
        return status;
}

static void print_status_text(const Compat *compat) {
        g_autofree char *pub_path = pub_path_of(compat);
        const char *server = server_of(compat);

        (void) printf("  %s\n  %s\n", compat->wanted, pub_path);
        if (strcmp(server, "pm2d") == 0) {
                (void) puts(_("pm2d serves PM2's clients there"));
        } else if (strcmp(server, "systemd") == 0) {
                (void) puts(_("systemd listens there, and starts pm2d when somebody connects"));
        } else if (strcmp(server, "pm2") == 0) {
                (void) printf(_("PM2's own daemon is at work there (version %s)\n"),
                              compat->version[0] ? compat->version : _("unknown"));
        } else {
                (void) puts(_("nobody serves PM2's clients there"));
        }
        if (compat->unit.there) {
                (void) printf("pm2-compat.socket: %s, %s\n", compat->unit.enabled, compat->unit.active);
        } else {
                (void) puts(compat->unit.managed ? _("pm2-compat.socket is not installed")
                                                 : _("there is no systemd"));
        }
}

static int show(const Compat *compat) {
        const char *server = server_of(compat);
        int status = EXIT_OK;

        if (compat->ctl->json != JSON_OFF) {
                status = print_status_json(compat);
        } else {
                print_status_text(compat);
        }
        bool ours = strcmp(server, "pm2d") == 0 || strcmp(server, "systemd") == 0;
        return status != EXIT_OK || ours ? status : EXIT_NO_DAEMON;
}

int verb_compat(Ctl *ctl, const Arguments *arguments) {
        const char *word = g_ptr_array_index(arguments->positional, 0);
        Compat compat;

        if (strcmp(word, "enable") != 0 && strcmp(word, "disable") != 0 && strcmp(word, "status") != 0) {
                print_error(_("compat: enable, disable or status, not \"%s\""), word);
                return EXIT_USAGE;
        }
        int status = compat_read(ctl, &compat);
        if (status == EXIT_OK) {
                status = word[0] == 'e'   ? enable(&compat)
                         : word[0] == 'd' ? disable(&compat)
                                          : show(&compat);
        }
        compat_done(&compat);
        return status;
}
