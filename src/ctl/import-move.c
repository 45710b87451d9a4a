/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One app from PM2 to here. It is stopped there, which keeps all that PM2 knows of it; started here, from a
 * dump of its own; and deleted there last. So whatever fails on the way, and wherever we are killed, one of
 * both has it, and where it cannot be started here PM2 only has to start it again. */

#include "import.h"

#include "i18n.h"

#include "basic/time-util.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
        CALL_TIMEOUT_MSEC = 30000,
        KILL_TIMEOUT_MAX_MSEC = 3600 * 1000,
        STOP_TRIES = 3,
};

#define START_TIMEOUT_USEC (300 * USEC_PER_SEC)

static int call_id(
                const Import *import, const char *method, uint32_t id, uint64_t timeout_msec, char **why) {
        pm2_value *list = NULL, *reply = NULL;

        int r = pm2_value_new_array(&list); /* that a number can be in */
        if (r >= 0) {
                r = pm2_value_add_uint64(list, NULL, id);
        }
        if (r >= 0) {
                r =
                                amp_client_call(import->daemon,
                                                method,
                                                pm2_value_get_item(list, 0),
                                                timeout_msec,
                                                &reply,
                                                why);
        }
        (void) pm2_value_free(reply);
        (void) pm2_value_free(list);
        return r;
}

/* The status that PM2 has for an id, copied: its list is asked, for what a stop answers is true only most of
 * the time. "": it has no such process. */
static int ask_status(const Import *import, uint32_t id, char **ret, char **why) {
        pm2_value *list = NULL;

        int r = amp_client_call(import->daemon, "getMonitorData", NULL, CALL_TIMEOUT_MSEC, &list, why);
        if (r < 0) {
                return r;
        }
        *ret = NULL;
        for (size_t i = 0; !*ret && i < pm2_value_get_length(list); i++) {
                const pm2_value *item = pm2_value_get_item(list, i);
                const char *status = "";
                uint64_t other;
                if (pm2_value_get_uint64(item, "pm2_env.pm_id", &other) >= 0 && other == id) {
                        (void) pm2_value_get_string(item, "pm2_env.status", &status);
                        *ret = g_strdup(status);
                }
        }
        if (!*ret) {
                *ret = g_strdup("");
        }
        (void) pm2_value_free(list);
        return 0;
}

static bool is_at_rest(const char *status) {
        return strcmp(status, "stopped") == 0 || strcmp(status, "errored") == 0 || !status[0];
}

static uint64_t stop_timeout_msec(const ImportProcess *process) {
        uint64_t msec = 0;

        (void) pm2_value_get_uint64(process->facts, "kill_timeout", &msec);
        return (msec > KILL_TIMEOUT_MAX_MSEC ? KILL_TIMEOUT_MAX_MSEC : msec) * 2 + CALL_TIMEOUT_MSEC;
}

/* A process that PM2 has only just launched may survive a stop, so it is looked at afterwards. */
static int stop_there(const Import *import, const ImportProcess *process, char **why) {
        g_autofree char *status = NULL;
        int r = 0;

        for (unsigned i = 0; i < STOP_TRIES; i++) {
                g_autofree char *refusal = NULL;
                r = call_id(import, "stopProcessId", process->id, stop_timeout_msec(process), &refusal);
                if (r < 0 && r != -EREMOTEIO) {
                        *why = g_steal_pointer(&refusal);
                        return r;
                }
                g_clear_pointer(&status, g_free);
                r = ask_status(import, process->id, &status, why);
                if (r < 0) {
                        return r;
                }
                if (is_at_rest(status)) {
                        return 0;
                }
        }
        *why = g_strdup_printf(_("PM2 cannot stop it: it is %s"), status);
        return -EBUSY;
}

static int stop_all_there(const Import *import, const ImportApp *app, char **why) {
        for (guint i = 0; i < app->processes->len; i++) {
                const ImportProcess *process = &g_array_index(app->processes, ImportProcess, i);
                int r = process->runs ? stop_there(import, process, why) : 0;
                if (r < 0) {
                        return r;
                }
        }
        return 0;
}

/* Start again in PM2 what ran there; what could not be is said in the message. */
static void restore_there(const Import *import, ImportApp *app) {
        GString *message = g_string_new(app->message);
        bool complete = true, any = false;

        g_free(app->message);
        for (guint i = 0; i < app->processes->len; i++) {
                const ImportProcess *process = &g_array_index(app->processes, ImportProcess, i);
                g_autofree char *status = NULL, *why = NULL, *ignored = NULL;
                if (!process->runs) {
                        continue;
                }
                any = true;
                if (ask_status(import, process->id, &status, &ignored) >= 0 && !is_at_rest(status)) {
                        continue; /* it was not stopped yet */
                }
                if (call_id(import, "startProcessId", process->id, CALL_TIMEOUT_MSEC, &why) < 0) {
                        complete = false;
                        g_string_append_printf(
                                        message, _("; PM2 could not start %u again: %s"), process->id, why);
                }
        }
        if (any && complete) {
                g_string_append(message, _("; it runs in PM2 again"));
        }
        app->message = g_string_free(message, FALSE);
}

static int make_dump(const ImportApp *app, char **ret) {
        pm2_value *list = NULL;

        int r = pm2_value_new_array(&list);
        for (guint i = 0; r >= 0 && i < app->processes->len; i++) {
                pm2_value *copy = NULL;
                r = pm2_value_copy(g_array_index(app->processes, ImportProcess, i).facts, &copy);
                if (r >= 0) {
                        r = pm2_value_add_value(list, NULL, copy);
                }
                if (r < 0) {
                        (void) pm2_value_free(copy);
                }
        }
        if (r >= 0) {
                r = pm2_value_to_json(list, PM2_JSON_SHORT, ret);
        }
        (void) pm2_value_free(list);
        return r;
}

/* There are secrets in it: a folder of our own, in the memory of the session where there is one. */
static char *make_folder(void) {
        g_autofree char *folder = g_build_filename(g_get_user_runtime_dir(), "pm2ctl-import-XXXXXX", NULL);

        (void) g_mkdir_with_parents(g_get_user_runtime_dir(), 0700);
        return g_mkdtemp_full(folder, 0700) ? g_steal_pointer(&folder) : NULL;
}

static bool write_all(int fd, const char *text, size_t length) {
        while (length > 0) {
                ssize_t n = write(fd, text, length);
                if (n < 0 && errno != EINTR) {
                        return false;
                }
                text += n > 0 ? n : 0;
                length -= n > 0 ? (size_t) n : 0;
        }
        return true;
}

static int write_dump(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        if (fd < 0) {
                return -errno;
        }
        int r = write_all(fd, text, strlen(text)) ? 0 : -errno;
        (void) close(fd);
        return r;
}

/* How many of the name there are, which are ours alone to be told of. */
static int count_here(const Import *import, const char *name, pm2_value **ret) {
        return pm2_get_processes_by_name(import->ctl->client, name, ret);
}

static bool has_id(const pm2_value *processes, uint32_t id) {
        for (size_t i = 0; i < pm2_value_get_length(processes); i++) {
                if (pm2_process_get_id(pm2_value_get_item(processes, i)) == id) {
                        return true;
                }
        }
        return false;
}

/* Delete what has come of it here. */
static void undo_here(const Import *import, const ImportApp *app, const pm2_value *before) {
        pm2_value *after = NULL;

        if (count_here(import, app->name, &after) < 0) {
                return;
        }
        for (size_t i = 0; i < pm2_value_get_length(after); i++) {
                uint32_t id = pm2_process_get_id(pm2_value_get_item(after, i));
                if (!has_id(before, id)) {
                        g_autofree char *target = g_strdup_printf("id:%" PRIu32, id);
                        (void) pm2_delete(import->ctl->client, target, NULL, NULL);
                }
        }
        (void) pm2_value_free(after);
}

/* Whether as many are new as there were in PM2: names that came meanwhile are skipped, without an error. */
static bool is_complete(const ImportApp *app, const pm2_value *before, const pm2_value *taken) {
        guint count = 0;

        for (size_t i = 0; i < pm2_value_get_length(taken); i++) {
                count += !has_id(before, pm2_process_get_id(pm2_value_get_item(taken, i)));
        }
        return count == app->processes->len;
}

/* Nobody can interrupt it, so it has an end. */
static int resurrect(const Import *import, const char *path, pm2_value **ret) {
        pm2_options *options = NULL;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = pm2_options_set_uint(options, "timeout", START_TIMEOUT_USEC);
        }
        if (r >= 0) {
                r = pm2_resurrect(import->ctl->client, path, options, ret);
        }
        (void) pm2_options_free(options);
        return r;
}

/* The message of the app is set on failure. */
static int start_here(const Import *import, ImportApp *app, const char *path) {
        pm2_value *before = NULL, *taken = NULL;

        int r = count_here(import, app->name, &before);
        if (r >= 0) {
                r = resurrect(import, path, &taken);
                if (r >= 0 && !is_complete(app, before, taken)) {
                        app->message = g_strdup(_("pm2d has got an app of this name meanwhile"));
                        r = -EEXIST;
                } else if (r < 0) {
                        app->message = g_strdup(pm2_last_error_message(import->ctl->client));
                }
                if (r < 0) {
                        undo_here(import, app, before);
                }
        } else {
                app->message = g_strdup(pm2_last_error_message(import->ctl->client));
        }
        if (r >= 0) {
                app->taken = taken;
                taken = NULL;
        }
        (void) pm2_value_free(taken);
        (void) pm2_value_free(before);
        return r;
}

static int hand_over(const Import *import, ImportApp *app) {
        g_autofree char *folder = make_folder();
        char *text = NULL;

        if (!folder) {
                int error = errno;
                app->message = g_strdup_printf("%s: %s", g_get_user_runtime_dir(), g_strerror(error));
                return -error;
        }
        g_autofree char *path = g_build_filename(folder, "dump.pm2", NULL);
        int r = make_dump(app, &text);
        if (r >= 0) {
                r = write_dump(path, text);
        }
        if (r < 0) {
                app->message = g_strdup_printf("%s: %s", path, g_strerror(-r));
        } else {
                r = start_here(import, app, path);
        }
        free(text);
        (void) g_unlink(path);
        (void) g_rmdir(folder);
        return r;
}

static int delete_there(const Import *import, ImportApp *app) {
        int result = 0;

        for (guint i = 0; i < app->processes->len; i++) {
                const ImportProcess *process = &g_array_index(app->processes, ImportProcess, i);
                g_autofree char *why = NULL;
                int r = call_id(import, "deleteProcessId", process->id, CALL_TIMEOUT_MSEC, &why);
                if (r < 0 && !app->message) {
                        app->message = g_strdup_printf(
                                        _("it runs here, but PM2 has it in its list, stopped: %s"), why);
                        result = r;
                }
        }
        return result;
}

/* PM2's daemon is no longer one to talk to; or, of our own side, pm2d has gone. */
static bool is_lost_there(int error) {
        return error < 0 && error != -EREMOTEIO && error != -EBUSY && error != -ENOMEM;
}

static bool is_lost_here(int error) {
        return error == -ECONNRESET || error == -ENOTCONN;
}

static bool move(const Import *import, ImportApp *app) {
        int r = stop_all_there(import, app, &app->message);
        bool lost = is_lost_there(r);

        if (r >= 0) {
                r = hand_over(import, app);
                lost = is_lost_here(r);
        }
        if (r < 0) {
                app->result = IMPORT_FAILED;
                restore_there(import, app);
                return !lost;
        }
        app->result = IMPORT_TAKEN;
        return !is_lost_there(delete_there(import, app));
}

bool import_move(Import *import, ImportApp *app) {
        sigset_t ends, before;

        /* Whoever interrupts us does so between two apps. */
        (void) sigemptyset(&ends);
        (void) sigaddset(&ends, SIGINT);
        (void) sigaddset(&ends, SIGTERM);
        (void) sigaddset(&ends, SIGHUP);
        (void) sigprocmask(SIG_BLOCK, &ends, &before);
        bool go_on = move(import, app);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        return go_on;
}
