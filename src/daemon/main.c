/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* pm2d: options, settings, and the lock of the instance; service.c does the rest. */

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/instance-paths.h"
#include "basic/log.h"
#include "basic/parse-util.h"
#include "basic/time-util.h"
#include "config/settings.h"
#include "daemon/compat-face.h"
#include "daemon/print-attributes.h"
#include "daemon/service.h"
#include "manager/manager-state.h"
#include "platform/instance-lock.h"
#include "platform/lifeline.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        STATUS_USAGE = 2,
        STATUS_ALREADY_RUNNING = 78,
};

#define LOCK_TIMEOUT_USEC (5 * USEC_PER_SEC)

static int arg_ready_fd = -EBADF;
static bool arg_system;
static bool arg_private;
static const char *arg_compat;   /* NULL: no; "": the usual home */
static int arg_lock_fd = -EBADF; /* of our predecessor in this process */
static int arg_lifeline_fd = -EBADF;
static const char *arg_check_state;

/* Tell who started us, on --ready-fd and in the log. */
static void report_failure(const char *text) {
        log_error("%s", text);
        if (arg_ready_fd >= 0) {
                /* no fault point: we end, and who waits sees that as well */
                (void) dprintf(arg_ready_fd, "ERROR %s\n", text);
        }
}

/* open(2) must not give 0-2 to something else. */
static void open_standard_streams(void) {
        int fd;

        do {
                fd = open("/dev/null", O_RDWR);
        } while (fd >= 0 && fd <= STDERR_FILENO);
        (void) close_fd(fd);
}

static int block_signals(void) {
        sigset_t set;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGCHLD);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGUSR2);
        (void) signal(SIGPIPE, SIG_IGN);
        (void) signal(SIGHUP, SIG_IGN);
        return RET_NERRNO(sigprocmask(SIG_BLOCK, &set, NULL));
}

/* A folder of ours that others cannot write; 0755 is accepted. */
static int own_folder(const char *path, mode_t mode) {
        struct stat status;

        int r = CHANGE("own-folder-mkdir", make_directories(path, mode));
        if (r < 0) {
                return r;
        }
        if (lstat(path, &status) < 0) {
                return -errno;
        }
        if (!S_ISDIR(status.st_mode)) {
                return -ENOTDIR;
        }
        return status.st_uid != geteuid() || status.st_mode & (S_IWGRP | S_IWOTH) ? -EPERM : 0;
}

static int check_folders(const InstancePaths *paths) {
        const char *folders[] = { paths->state_dir, paths->runtime_dir };
        /* Users reach the socket of the system instance. */
        const mode_t modes[] = { 0700, arg_system ? 0755 : 0700 };

        for (size_t i = 0; i < ELEMENTS(folders); i++) {
                int r = own_folder(folders[i], modes[i]);
                if (r < 0) {
                        g_autofree char *text = g_strdup_printf(
                                        "%s: %s",
                                        folders[i],
                                        r == -EPERM ? "must be ours and writable by nobody else"
                                                    : g_strerror(-r));
                        report_failure(text);
                        return r;
                }
        }
        return 0;
}

static int take_lock(const InstancePaths *paths) {
        int fd = instance_lock_take(paths->lock_path, LOCK_TIMEOUT_USEC);
        g_autofree char *text = NULL;

        if (fd == -EWOULDBLOCK) {
                text = g_strdup_printf(
                                "AlreadyRunning: process %d is the supervisor of %s; its socket is %s",
                                instance_lock_read_pid(paths->lock_path),
                                paths->state_dir,
                                paths->socket_path);
        } else if (fd < 0) {
                text = g_strdup_printf("%s: %s", paths->lock_path, g_strerror(-fd));
        }
        if (text) {
                report_failure(text);
        }
        return fd;
}

static int init_paths(InstancePaths *paths) {
        int r = arg_system ? instance_paths_init_system(paths) : instance_paths_init(paths);

        if (r < 0) {
                g_autofree char *text =
                                g_strdup_printf("no place for the files of an instance: %s", g_strerror(-r));
                report_failure(text);
        }
        return r;
}

static int read_settings(Settings *settings, const InstancePaths *paths) {
        g_auto(Error) error = { 0 };

        settings_init(settings);
        int r = settings_read_folder(settings, PM2D_SYSCONF_DIR, &error);
        if (r >= 0 && strcmp(paths->config_dir, PM2D_SYSCONF_DIR) != 0) {
                r = settings_read_folder(settings, paths->config_dir, &error);
        }
        if (r < 0) {
                report_failure(error.message);
                return r;
        }
        log_set_max_level(log_level_from_string(settings->log_level));
        return 0;
}

/* The new program in our place; on failure the service manager starts us again, with the state that it
 * keeps. */
static int renew(char *const *command, Handover *handover, int lock_fd) {
        int r = reexec(command, handover, lock_fd, steal_fd(&arg_lifeline_fd));

        (void) log_error_errno(r, "%s cannot be executed: %m", command[0]);
        handover_free(handover);
        return EXIT_FAILURE;
}

/* For a predecessor that thinks of us as its successor: can we read what it has, and the settings? */
static int check_state(void) {
        InstancePaths paths;
        g_auto(Settings) settings = { 0 };
        uint32_t slots_fd, blobs_fd;
        g_auto(GStrv) words = g_strsplit(arg_check_state, ",", 2);

        if (g_strv_length(words) != 2 || parse_uint32(words[0], &slots_fd) < 0 ||
            parse_uint32(words[1], &blobs_fd) < 0) {
                (void) fputs("pm2d: --check-state: expected two descriptors\n", stderr);
                return STATUS_USAGE;
        }
        int r = init_paths(&paths);
        if (r < 0) {
                return EXIT_FAILURE;
        }
        r = read_settings(&settings, &paths);
        instance_paths_done(&paths);
        if (r < 0) {
                return EXIT_FAILURE;
        }
        r = manager_state_check((int) slots_fd, (int) blobs_fd);
        if (r < 0) {
                (void) log_error_errno(r, "the state cannot be read: %m");
                return EXIT_FAILURE;
        }
        return puts("OK") < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(void) {
        InstancePaths paths;
        g_auto(Settings) settings = { 0 };
        _cleanup_close_ int lock_fd = -EBADF;
        g_autofree char *program = NULL;
        int status = EXIT_FAILURE;

        int r = reexec_own_path(&program);
        if (r >= 0) {
                r = init_paths(&paths);
        }
        if (r < 0) {
                return EXIT_FAILURE;
        }
        r = read_settings(&settings, &paths);
        if (r >= 0) {
                r = check_folders(&paths);
        }
        if (r >= 0) {
                lock_fd = arg_lock_fd >= 0 ? arg_lock_fd : take_lock(&paths);
                r = lock_fd;
        }
        if (arg_lock_fd >= 0) {
                CHANGED("reexec");
        }
        if (r >= 0) {
                r = block_signals();
        }
        if (r >= 0) {
                char *mode = arg_system ? (char *) "--system" : arg_private ? (char *) "--private" : NULL;
                g_autofree char *compat = arg_compat ? g_strconcat("--compat=", arg_compat, NULL) : NULL;
                char *command[] = { program, mode, compat, NULL };
                ServiceOptions options = {
                        .settings = &settings,
                        .paths = &paths,
                        .system = arg_system,
                        .private = arg_private,
                        .command = command,
                        .compat_home = arg_compat,
                        .ready_fd = arg_ready_fd,
                        .lifeline_fd = arg_lifeline_fd,
                };
                ServiceResult result = service_run(&options);
                arg_ready_fd = -EBADF;
                status = result.status;
                if (result.handover) {
                        status = renew(command, result.handover, steal_fd(&lock_fd));
                }
        } else if (r == -EWOULDBLOCK) {
                status = STATUS_ALREADY_RUNNING;
        }
        instance_paths_done(&paths);
        return status;
}

static int print_settings(void) {
        g_auto(Settings) settings = { 0 };

        settings_init(&settings);
        g_autofree char *text = settings_to_text(&settings);
        (void) fputs(text, stdout);
        return EXIT_SUCCESS;
}

/* What holds the scope of the isolation "group": it waits for its end. */
static _Noreturn void keep(void) {
        for (;;) {
                (void) pause(); /* may block: the keeper has nothing else to do */
        }
}

static int print_help(void) {
        (void) puts("pm2d [OPTIONS]\n\n"
                    "The supervisor of pm2d(8), in the foreground.\n\n"
                    "  --private           serve the private socket alone, without a message bus or "
                    "systemd\n"
                    "  --compat[=HOME]     --private, and stand in for PM2's daemon of this home "
                    "($PM2_HOME,\n"
                    "                      ~/.pm2) until a client ends it\n"
                    "  --check-compat-home[=HOME]\n"
                    "                      fail if a daemon is at work in this home of PM2\n"
                    "  --system            the system instance: root, for all users, on the system bus\n"
                    "  --check-state=A,B   say OK if the state in these two descriptors can be taken over\n"
                    "  --lock-fd=FD        the lock of the instance, from a predecessor in this process\n"
                    "  --keeper            hold the scope of the isolation backend \"group\"\n"
                    "  --lifeline=FD       with --private: stop everything at the end of file on this pipe\n"
                    "  --ready-fd=FD       write READY, or ERROR and a text, to this descriptor\n"
                    "  --print-settings    print the table of settings with their defaults and end\n"
                    "  --print-attributes[=table]\n"
                    "                      print the table of app attributes and end; table: for programs\n"
                    "  --version           print the version and end\n"
                    "  --help              print this and end\n\n"
                    "Exit status: 0 ended by a signal, 1 failure, 2 usage, 78 another one runs, 79 ended by "
                    "Kill.");
        return EXIT_SUCCESS;
}

/* A descriptor that somebody before us opened. */
static int open_fd_argument(const char *option, const char *text) {
        uint32_t number;

        if (parse_uint32(text, &number) < 0 || fcntl((int) number, F_SETFD, FD_CLOEXEC) < 0) {
                (void) fprintf(stderr, "pm2d: --%s: '%s' is no open descriptor\n", option, text);
                return -EBADF;
        }
        return (int) number;
}

static int open_lifeline_argument(const char *text) {
        int fd = open_fd_argument("lifeline", text);

        if (fd >= 0 && lifeline_check(fd) < 0) {
                (void) fprintf(stderr,
                               "pm2d: --lifeline: '%s' is neither the reading end of a pipe nor a connected "
                               "stream socket\n",
                               text);
                return -EBADF;
        }
        return fd;
}

/* What options mean together; extra is what stands behind them, or NULL. */
static int check_options(const char *extra) {
        const char *problem = NULL;

        if (arg_system && (arg_private || geteuid() != 0)) {
                problem = "--system is for root, and not with --private";
        } else if (arg_lifeline_fd >= 0 && !arg_private) {
                problem = "--lifeline is for --private";
        } else if (arg_lifeline_fd >= 0 &&
                   (arg_lifeline_fd == arg_ready_fd || arg_lifeline_fd == arg_lock_fd)) {
                problem = "--lifeline needs a descriptor of its own";
        }
        if (problem) {
                (void) fprintf(stderr, "pm2d: %s\n", problem);
        } else if (extra) {
                (void) fprintf(stderr, "pm2d: unexpected argument '%s'\n", extra);
        }
        return problem || extra ? -EINVAL : 0;
}

enum {
        OPTION_PRIVATE = 256,
        OPTION_SYSTEM,
        OPTION_COMPAT,
        OPTION_CHECK_COMPAT_HOME,
        OPTION_KEEPER,
        OPTION_LOCK_FD,
        OPTION_LIFELINE,
        OPTION_CHECK_STATE,
        OPTION_READY_FD,
        OPTION_PRINT_SETTINGS,
        OPTION_PRINT_ATTRIBUTES,
        OPTION_VERSION,
        OPTION_HELP,
};
static const struct option options[] = {
        { "private", no_argument, NULL, OPTION_PRIVATE },
        { "system", no_argument, NULL, OPTION_SYSTEM },
        { "compat", optional_argument, NULL, OPTION_COMPAT },
        { "check-compat-home", optional_argument, NULL, OPTION_CHECK_COMPAT_HOME },
        { "keeper", no_argument, NULL, OPTION_KEEPER },
        { "lock-fd", required_argument, NULL, OPTION_LOCK_FD },
        { "lifeline", required_argument, NULL, OPTION_LIFELINE },
        { "check-state", required_argument, NULL, OPTION_CHECK_STATE },
        { "ready-fd", required_argument, NULL, OPTION_READY_FD },
        { "print-settings", no_argument, NULL, OPTION_PRINT_SETTINGS },
        { "print-attributes", optional_argument, NULL, OPTION_PRINT_ATTRIBUTES },
        { "version", no_argument, NULL, OPTION_VERSION },
        { "help", no_argument, NULL, OPTION_HELP },
        { NULL, 0, NULL, 0 },
};

int main(int argc, char **argv) {
        int option;

        open_standard_streams();
        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                switch (option) {
                case OPTION_PRIVATE:
                        arg_private = true;
                        break;
                case OPTION_COMPAT:
                        arg_private = true;
                        arg_compat = optarg ? optarg : "";
                        break;
                case OPTION_CHECK_COMPAT_HOME:
                        return compat_check_home(optarg) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                case OPTION_SYSTEM:
                        arg_system = true;
                        break;
                case OPTION_KEEPER:
                        keep();
                case OPTION_CHECK_STATE:
                        arg_check_state = optarg;
                        break;
                case OPTION_LOCK_FD:
                        arg_lock_fd = open_fd_argument("lock-fd", optarg);
                        if (arg_lock_fd < 0) {
                                return STATUS_USAGE;
                        }
                        break;
                case OPTION_LIFELINE:
                        arg_lifeline_fd = open_lifeline_argument(optarg);
                        if (arg_lifeline_fd < 0) {
                                return STATUS_USAGE;
                        }
                        break;
                case OPTION_READY_FD:
                        arg_ready_fd = open_fd_argument("ready-fd", optarg);
                        if (arg_ready_fd < 0) {
                                return STATUS_USAGE;
                        }
                        break;
                case OPTION_PRINT_SETTINGS:
                        return print_settings();
                case OPTION_PRINT_ATTRIBUTES:
                        return print_attributes(optarg) < 0 ? STATUS_USAGE : EXIT_SUCCESS;
                case OPTION_VERSION:
                        (void) puts("pm2d " PM2D_VERSION);
                        return EXIT_SUCCESS;
                case OPTION_HELP:
                        return print_help();
                default:
                        return STATUS_USAGE;
                }
        }
        if (check_options(argv[optind]) < 0) {
                return STATUS_USAGE;
        }
        return arg_check_state ? check_state() : run();
}
