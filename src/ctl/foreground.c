/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A supervisor of our own ends with us whatever becomes of us (PM2_CONNECT_NO_DAEMON); one that ran already
 * does not, so what was started is taken back there. Both are done in the same way: it cannot be told which
 * of the two it is without a race, and this waits for the end of the apps. */

#include "foreground.h"

#include "i18n.h"
#include "log-watch.h"
#include "output.h"

#include "basic/fd-util.h"
#include "basic/instance-paths.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* Between the states that are told as events. */
#define LOOK_INTERVAL_MSEC 500
/* Files are dated by the last tick of the kernel. */
#define CLOCK_TICK_USEC    10000

enum {
        FD_BUS,
        FD_SIGNAL,
        _FD_MAX,
};

static void note_size(Foreground *foreground, const char *path) {
        struct stat status;

        if (stat(path, &status) >= 0) {
                uint64_t size = (uint64_t) status.st_size;
                (void) g_hash_table_insert(
                                foreground->sizes, g_strdup(path), g_memdup2(&size, sizeof(size)));
        }
}

static void note_folder(Foreground *foreground, const char *path) {
        g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);

        for (const char *name; folder && (name = g_dir_read_name(folder));) {
                g_autofree char *file = g_build_filename(path, name, NULL);
                note_size(foreground, file);
        }
}

/* Of an option: the file may get the id of the process into its name. */
static void note_folder_of(Foreground *foreground, const Arguments *arguments, const char *option) {
        const char *file = arguments_get(arguments, option), *cwd = arguments_get(arguments, "cwd");

        if (file) {
                g_autofree char *base = g_canonicalize_filename(cwd ? cwd : ".", NULL);
                g_autofree char *path = g_canonicalize_filename(file, base);
                g_autofree char *folder = g_path_get_dirname(path);
                note_folder(foreground, folder);
        }
}

static void note_sizes(Foreground *foreground, const Arguments *arguments) {
        InstancePaths paths;

        if (instance_paths_init(&paths) >= 0) {
                note_folder(foreground, paths.log_dir);
                instance_paths_done(&paths);
        }
        note_folder_of(foreground, arguments, "output");
        note_folder_of(foreground, arguments, "error");
}

static void note_processes(Foreground *foreground) {
        pm2_value *processes = NULL;

        if (pm2_list(foreground->ctl->client, &processes) < 0) {
                return;
        }
        for (size_t i = 0; i < pm2_value_get_length(processes); i++) {
                const pm2_value *process = pm2_value_get_item(processes, i);
                uint32_t id = pm2_process_get_id(process);
                (void) g_hash_table_add(foreground->there, GUINT_TO_POINTER(id));
                note_size(foreground, pm2_process_get_out_log_path(process));
                note_size(foreground, pm2_process_get_err_log_path(process));
        }
        (void) pm2_value_free(processes);
}

void foreground_init(Foreground *foreground, Ctl *ctl, const Arguments *arguments) {
        *foreground = (Foreground){
                .ctl = ctl,
                .there = g_hash_table_new(NULL, NULL),
                .sizes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                .errors = g_hash_table_new(NULL, NULL),
                .ids = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
                .signal_fd = -EBADF,
                .begun_usec = (uint64_t) g_get_real_time(),
        };
        log_sources_init(&foreground->logs, ctl);
        foreground->logs.out = foreground->logs.err = !ctl->silent;
        note_processes(foreground);
        note_sizes(foreground, arguments);
}

void foreground_add(Foreground *foreground, const pm2_value *processes) {
        for (size_t i = 0; i < pm2_value_get_length(processes); i++) {
                uint32_t id = pm2_process_get_id(pm2_value_get_item(processes, i));
                (void) g_array_append_val(foreground->ids, id);
        }
        log_sources_add(&foreground->logs, processes);
        log_sources_set_prefixes(&foreground->logs);
}

/* Whether a file was made after our beginning; not where the file system does not tell. */
static bool is_new(const Foreground *foreground, const char *path) {
        struct statx status;

        if (statx(AT_FDCWD, path, 0, STATX_BTIME, &status) < 0 || !(status.stx_mask & STATX_BTIME)) {
                return false;
        }
        uint64_t born_usec = (uint64_t) status.stx_btime.tv_sec * G_USEC_PER_SEC +
                             status.stx_btime.tv_nsec / 1000;
        return born_usec + CLOCK_TICK_USEC >= foreground->begun_usec;
}

/* What the app has logged so far is shown too: from where its file ended before, or all of one that is new.
 * What was there and is not known from before is shown from now on. */
static int begin_log(const Foreground *foreground, LogTail *tail) {
        const char *path = log_tail_get_path(tail);
        const uint64_t *size = g_hash_table_lookup(foreground->sizes, path);

        if (size || is_new(foreground, path)) {
                return log_tail_start_at(tail, size ? *size : 0);
        }
        return log_tail_start(tail, 0);
}

static void begin_logs(Foreground *foreground) {
        for (guint i = 0; i < foreground->logs.tails->len; i++) {
                LogTail *tail = foreground->logs.tails->pdata[i];
                int r = begin_log(foreground, tail);
                if (r < 0) {
                        print_error("%s: %s", log_tail_get_path(tail), g_strerror(-r));
                }
        }
}

static void on_process_event(const char *event, const pm2_value *packet, void *userdata) {
        ((Foreground *) userdata)->changed = true;
}

static int open_bus(Foreground *foreground) {
        static const char *const events[] = { "process:event", NULL };
        pm2_options *filter = NULL;

        int r = pm2_options_new(&filter);
        if (r >= 0) {
                r = pm2_options_set_strv(filter, "events", events);
        }
        if (r >= 0) {
                r = pm2_launch_bus(foreground->ctl->client, filter, &foreground->bus);
        }
        (void) pm2_options_free(filter);
        return r < 0 ? r : pm2_bus_on(foreground->bus, "*", on_process_event, foreground);
}

static sigset_t ending_signals(void) {
        sigset_t signals;

        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGINT);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigaddset(&signals, SIGHUP);
        return signals;
}

static int open_signals(Foreground *foreground) {
        sigset_t signals = ending_signals();

        if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0) {
                return -errno;
        }
        foreground->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        return foreground->signal_fd < 0 ? -errno : 0;
}

static const pm2_value *find_process(const pm2_value *processes, uint32_t id) {
        for (size_t i = 0; i < pm2_value_get_length(processes); i++) {
                const pm2_value *process = pm2_value_get_item(processes, i);
                if (pm2_process_get_id(process) == id) {
                        return process;
                }
        }
        return NULL;
}

/* All processes. What was told on this connection meanwhile is thrown away; one that was closed for that, as
 * of a client that does not read, is made anew. */
static int list_all(const Foreground *foreground, pm2_value **ret_processes) {
        int r = pm2_connect(foreground->ctl->client, PM2_CONNECT_NO_DAEMON | PM2_CONNECT_NO_SPAWN);

        return r < 0 ? r : pm2_list(foreground->ctl->client, ret_processes);
}

/* Whether any of them runs, or will; ret_settled: none is on its way to another state. */
static bool any_runs(Foreground *foreground, bool *ret_settled) {
        pm2_value *processes = NULL;
        bool any = false;

        *ret_settled = true;
        if (list_all(foreground, &processes) < 0) {
                foreground->lost = true;
                return false;
        }
        for (guint i = 0; i < foreground->ids->len; i++) {
                uint32_t id = g_array_index(foreground->ids, uint32_t, i);
                const pm2_value *process = find_process(processes, id);
                const char *status = process ? pm2_process_get_status(process) : "stopped";
                bool errored = strcmp(status, "errored") == 0;
                bool ended = errored || strcmp(status, "stopped") == 0;
                any = any || !ended;
                *ret_settled = *ret_settled && (ended || strcmp(status, "online") == 0);
                if (errored) {
                        (void) g_hash_table_add(foreground->errors, GUINT_TO_POINTER(id));
                } else {
                        (void) g_hash_table_remove(foreground->errors, GUINT_TO_POINTER(id));
                }
        }
        (void) pm2_value_free(processes);
        return any;
}

static bool on_turn(void *userdata, unsigned readable, int *ret_timeout_msec) {
        Foreground *foreground = userdata;
        bool settled;

        if (readable & (1U << FD_SIGNAL)) {
                foreground->quit = true;
                return false;
        }
        if (readable & (1U << FD_BUS)) {
                int r = pm2_bus_process(foreground->bus);
                if (r < 0 && r != -EBADMSG) {
                        foreground->lost = true;
                        return false;
                }
        }
        *ret_timeout_msec = -1;
        if (!foreground->changed) {
                return true;
        }
        bool go_on = any_runs(foreground, &settled);
        foreground->changed = !settled;
        *ret_timeout_msec = settled ? -1 : LOOK_INTERVAL_MSEC;
        return go_on;
}

int foreground_follow(Foreground *foreground) {
        begin_logs(foreground);
        int r = open_signals(foreground);
        if (r >= 0) {
                r = open_bus(foreground);
        }
        if (r >= 0) {
                const int fds[_FD_MAX] = {
                        [FD_BUS] = pm2_bus_get_fd(foreground->bus),
                        [FD_SIGNAL] = foreground->signal_fd,
                };
                const LogWatchMore more = {
                        .fds = fds,
                        .n_fds = _FD_MAX,
                        .on_turn = on_turn,
                        .userdata = foreground,
                };
                foreground->changed = true; /* before the bus was there */
                r = log_watch(foreground->logs.tails, &more);
        }
        if (r < 0) {
                print_error(_("cannot follow the logs: %s"), g_strerror(-r));
                return EXIT_FAILED;
        }
        if (foreground->lost) {
                print_error("%s", _("pm2d has ended, or was replaced by another one"));
                return EXIT_FAILED;
        }
        return !foreground->quit && g_hash_table_size(foreground->errors) > 0 ? EXIT_FAILED : EXIT_OK;
}

static int take_back(Foreground *foreground, uint32_t id) {
        bool was_there = g_hash_table_contains(foreground->there, GUINT_TO_POINTER(id));
        g_autofree char *target = g_strdup_printf("%" PRIu32, id);
        pm2_value *processes = NULL;

        int r = was_there ? pm2_stop(foreground->ctl->client, target, NULL, &processes)
                          : pm2_delete(foreground->ctl->client, target, NULL, &processes);
        (void) pm2_value_free(processes);
        return r;
}

static bool is_there(Foreground *foreground, uint32_t id) {
        pm2_value *processes = NULL;

        int r = list_all(foreground, &processes);
        bool there = r >= 0 && find_process(processes, id);
        (void) pm2_value_free(processes);
        return there;
}

static int take_all_back(Foreground *foreground, int status) {
        for (guint i = foreground->ids->len; i > 0; i--) {
                uint32_t id = g_array_index(foreground->ids, uint32_t, i - 1);
                if (!is_there(foreground, id)) {
                        continue; /* somebody else deleted it */
                }
                int r = take_back(foreground, id);
                if (r < 0) {
                        int failed = print_failure(foreground->ctl, r);
                        status = status == EXIT_OK ? failed : status;
                }
        }
        return status;
}

int foreground_end(Foreground *foreground, int status) {
        sigset_t signals = ending_signals();

        /* From now on a signal ends us at once, and a supervisor of our own with us. */
        foreground->signal_fd = close_fd(foreground->signal_fd);
        (void) pm2_bus_close(foreground->bus);
        if (foreground->quit) {
                siginfo_t taken;
                const struct timespec now = { 0 };
                while (sigtimedwait(&signals, &taken, &now) > 0) { /* that it was */
                }
        }
        (void) sigprocmask(SIG_UNBLOCK, &signals, NULL);
        if (!foreground->lost) {
                status = take_all_back(foreground, status);
        }
        for (guint i = 0; i < foreground->logs.tails->len; i++) {
                (void) log_tail_update(foreground->logs.tails->pdata[i]);
                log_tail_finish(foreground->logs.tails->pdata[i]);
        }
        log_sources_done(&foreground->logs);
        g_hash_table_unref(foreground->there);
        g_hash_table_unref(foreground->sizes);
        g_hash_table_unref(foreground->errors);
        (void) g_array_unref(foreground->ids);
        return status;
}
