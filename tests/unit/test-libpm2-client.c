/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The client against a supervisor of a few lines, which runs in a child process on a private socket, and
 * against programs that only pretend to be one. */

#include "libpm2/client.h"

#include "basic/sd-cleanup.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder, *socket_path;
static unsigned n_connections; /* of the server */

/* Ends the connection before the answer, the first time. */
static int server_list(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;

        if (n_connections == 1) {
                sd_bus_close(sd_bus_message_get_bus(message));
                return 1;
        }
        g_assert_cmpint(sd_bus_message_new_method_return(message, &reply), >=, 0);
        g_assert_cmpint(sd_bus_message_append(
                                        reply,
                                        "aa{sv}",
                                        2,
                                        2,
                                        "name",
                                        "s",
                                        "one",
                                        "pm_id",
                                        "u",
                                        1U,
                                        2,
                                        "name",
                                        "s",
                                        "five",
                                        "pm_id",
                                        "u",
                                        5U),
                        >=,
                        0);
        return sd_bus_send(NULL, reply, NULL);
}

static int server_change(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *target = NULL;

        g_assert_cmpint(sd_bus_message_read(message, "s", &target), >, 0);
        if (strcmp(target, "gone") == 0) {
                sd_bus_close(sd_bus_message_get_bus(message));
                return 1;
        }
        if (g_str_has_prefix(target, "org.")) {
                return sd_bus_error_set(error, target, "as you wish");
        }
        return sd_bus_reply_method_return(
                        message,
                        "ao",
                        4,
                        "/org/pm2/Process/5",
                        "/org/pm2/Process/1",
                        "/org/pm2/Process/9",
                        "/not/a/process");
}

static int server_by_pid(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        uint32_t pid = 0;
        g_assert_cmpint(sd_bus_message_read(message, "u", &pid), >, 0);
        return sd_bus_reply_method_return(message, "o", pid == 7 ? "/org/pm2/Process/5" : "/elsewhere");
}

static int server_kill(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        g_assert_cmpint(sd_bus_reply_method_return(message, ""), >=, 0);
        (void) sd_bus_flush(sd_bus_message_get_bus(message));
        _exit(79);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("List", "", "aa{sv}", server_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Stop", "sa{sv}", "ao", server_change, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Delete", "sa{sv}", "ao", server_change, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetProcessByPid", "u", "o", server_by_pid, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Kill", "a{sv}", "", server_kill, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void serve_one(int listener) {
        _cleanup_bus_ sd_bus *peer = NULL;
        sd_id128_t id = { .bytes = { 1 } };

        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        g_assert_cmpint(fd, >=, 0);
        n_connections++;
        g_assert_cmpint(sd_bus_new(&peer), ==, 0);
        g_assert_cmpint(sd_bus_set_fd(peer, fd, fd), >=, 0);
        g_assert_cmpint(sd_bus_set_server(peer, true, id), >=, 0);
        g_assert_cmpint(sd_bus_start(peer), >=, 0);
        g_assert_cmpint(sd_bus_add_object_vtable(peer, NULL, MANAGER_PATH, MANAGER_INTERFACE, vtable, NULL),
                        >=,
                        0);
        while (sd_bus_is_open(peer) > 0) {
                int r = sd_bus_process(peer, NULL);
                if (r < 0 || (r == 0 && sd_bus_wait(peer, UINT64_MAX) < 0)) {
                        break;
                }
        }
}

static int listen_socket(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) unlink(socket_path);
        (void) g_strlcpy(address.sun_path, socket_path, sizeof(address.sun_path));
        g_assert_cmpint(bind(listener, (struct sockaddr *) &address, sizeof(address)), ==, 0);
        g_assert_cmpint(listen(listener, 8), ==, 0);
        return listener;
}

static pid_t start_server(void) {
        int listener = listen_socket();
        pid_t pid = fork();

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                for (;;) {
                        serve_one(listener);
                }
        }
        (void) close(listener);
        return pid;
}

static void end_server(pid_t pid) {
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        (void) unlink(socket_path);
}

static pm2_client *new_client(void) {
        pm2_client *client = NULL;
        g_assert_cmpint(pm2_client_new(&client), ==, 0);
        return client;
}

static void test_no_daemon(void) {
        pm2_client *client = new_client();
        pm2_value *list = NULL;

        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_NO_SPAWN), ==, -ENOTCONN);
        g_assert_cmpstr(pm2_last_error_message(client), ==, "no pm2d is running");
        g_assert_cmpstr(pm2_last_error_name(client), ==, "");
        g_assert_null(pm2_get_address(client));
        g_assert_cmpint(pm2_list(client, &list), ==, -ENOTCONN);
        g_assert_cmpint(pm2_kill_daemon(client, NULL), ==, -ENOTCONN);
        g_assert_cmpint(pm2_connect(client, 1U << 31), ==, -EINVAL);
        /* A socket that nobody serves any more is as good as none. */
        (void) close(listen_socket());
        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_NO_SPAWN), ==, -ENOTCONN);
        (void) unlink(socket_path);
        (void) pm2_client_free(client);
}

/* A read is tried again on a new connection, a change is not. */
static void test_lost_connection(void) {
        pid_t server = start_server();
        pm2_client *client = new_client();
        pm2_value *list = NULL;

        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_NO_SPAWN), ==, 0);
        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_NO_SPAWN), ==, 0);
        g_assert_true(g_str_has_suffix(pm2_get_address(client), socket_path));
        g_assert_cmpint(pm2_list(client, &list), ==, 0);
        g_assert_cmpuint(pm2_value_get_length(list), ==, 2);
        g_assert_cmpint(pm2_stop(client, "gone", NULL, NULL), ==, -ECONNRESET);
        g_assert_cmpstr(pm2_last_error_name(client), ==, SD_BUS_ERROR_DISCONNECTED);
        g_assert_cmpint(pm2_stop(client, "api", NULL, NULL), ==, 0);
        g_assert_cmpstr(pm2_last_error_message(client), ==, "");
        (void) pm2_value_free(list);
        end_server(server);
        g_assert_cmpint(pm2_stop(client, "api", NULL, NULL), ==, -ENOTCONN);
        (void) pm2_client_free(client);
}

static void test_processes(void) {
        pid_t server = start_server();
        pm2_client *client = new_client();
        pm2_value *processes = NULL;
        uint32_t id = 0;

        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_NO_SPAWN), ==, 0);
        pm2_disconnect(client);
        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_NO_SPAWN), ==, 0);
        g_assert_cmpint(pm2_delete(client, "all", NULL, &processes), ==, 0);
        g_assert_cmpuint(pm2_value_get_length(processes), ==, 3);
        g_assert_cmpstr(pm2_process_get_name(pm2_value_get_item(processes, 0)), ==, "five");
        g_assert_cmpstr(pm2_process_get_name(pm2_value_get_item(processes, 1)), ==, "one");
        g_assert_cmpuint(pm2_process_get_id(pm2_value_get_item(processes, 2)), ==, 9);
        (void) pm2_value_free(processes);
        g_assert_cmpint(pm2_get_process_by_pid(client, 7, &id), ==, 0);
        g_assert_cmpuint(id, ==, 5);
        g_assert_cmpint(pm2_get_process_by_pid(client, 8, &id), ==, -EBADMSG);
        g_assert_cmpint(pm2_stop(client, "\xff", NULL, NULL), ==, -EINVAL);
        g_assert_cmpint(pm2_start(client, "x", NULL, NULL), ==, -EOPNOTSUPP);
        g_assert_cmpint(pm2_kill_daemon(client, NULL), ==, 0);
        g_assert_null(pm2_get_address(client));
        int status = 0;
        g_assert_cmpint(waitpid(server, &status, 0), ==, server);
        g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 79);
        (void) unlink(socket_path);
        (void) pm2_client_free(client);
}

/* The system's is another instance, which is root's and which we never start ourselves. */
static void test_system(void) {
        g_autofree char *program = g_build_filename(folder, "pm2d", NULL);
        g_autofree char *marker = g_build_filename(folder, "started", NULL);
        g_autofree char *script = g_strdup_printf("#!/bin/sh\ntouch '%s'\n", marker);
        pid_t server = start_server();
        pm2_client *client = new_client();

        (void) g_setenv("PM2D_PATH", program, true);
        (void) g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", true);
        g_assert_true(g_file_set_contents(program, script, -1, NULL));
        g_assert_cmpint(g_chmod(program, 0700), ==, 0);
        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_NO_SPAWN), ==, 0);
        g_assert_true(client_trusts(client, 0) && client_trusts(client, geteuid()));
        g_assert_false(client_trusts(client, geteuid() + 1));
        /* the machine that runs this may have a pm2d of its own */
        if (pm2_connect(client, PM2_CONNECT_SYSTEM) < 0) {
                g_assert_null(pm2_get_address(client));
                g_assert_nonnull(strstr(pm2_last_error_message(client), "for the system"));
        } else {
                g_assert_cmpstr(pm2_get_address(client), ==, "unix:path=/run/pm2/bus");
        }
        g_assert_false(g_file_test(marker, G_FILE_TEST_EXISTS));
        g_assert_true(client_trusts(client, 0));
        g_assert_true(geteuid() == 0 || !client_trusts(client, geteuid()));
        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_NO_SPAWN), ==, 0);
        g_assert_nonnull(strstr(pm2_get_address(client), socket_path));
        g_assert_cmpint(pm2_connect(client, 1 << 3), ==, -EINVAL);
        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_SYSTEM | PM2_CONNECT_NO_DAEMON), ==, -EINVAL);
        g_assert_nonnull(strstr(pm2_get_address(client), socket_path)); /* as it was */
        (void) g_unlink(program);
        (void) pm2_client_free(client);
        end_server(server);
}

static void test_errors(void) {
        static const struct {
                const char *name;
                int error;
        } errors[] = {
                { "org.pm2.Error.NoSuchProcess", -ESRCH },
                { "org.pm2.Error.Timeout", -ETIMEDOUT },
                { "org.pm2.Error.PartialFailure", -EREMOTEIO },
                { "org.pm2.Error.ShuttingDown", -ESHUTDOWN },
                { "org.freedesktop.DBus.Error.AccessDenied", -EACCES },
                { "org.example.Unheard.Of", -EREMOTEIO },
        };
        pid_t server = start_server();
        pm2_client *client = new_client();

        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_NO_SPAWN), ==, 0);
        for (size_t i = 0; i < ELEMENTS(errors); i++) {
                g_assert_cmpint(pm2_stop(client, errors[i].name, NULL, NULL), ==, errors[i].error);
                g_assert_cmpstr(pm2_last_error_name(client), ==, errors[i].name);
                g_assert_cmpstr(pm2_last_error_message(client), ==, "as you wish");
        }
        (void) pm2_client_free(client);
        end_server(server);
}

/* Programs in place of pm2d: what they do on fd 3, and what the client says. */
static void test_spawn(void) {
        static const struct {
                const char *script;
                const char *message; /* a part of it */
        } programs[] = {
                { "echo ERROR out of luck >&3", "out of luck" },
                { "exit 1", "ended before it was ready" },
                { "echo nonsense >&3", "ended before it was ready" },
                { "head -c 5000 /dev/zero | tr '\\0' x >&3", "ended before it was ready" },
                { "echo READY >&3", "nobody serves" },
        };
        g_autofree char *program = g_build_filename(folder, "pm2d", NULL);
        pm2_client *client = new_client();

        (void) g_setenv("PM2D_PATH", program, true);
        g_assert_cmpint(pm2_connect(client, 0), ==, -ECONNREFUSED);
        g_assert_nonnull(strstr(pm2_last_error_message(client), "No such file"));
        for (size_t i = 0; i < ELEMENTS(programs); i++) {
                g_autofree char *script = g_strdup_printf("#!/bin/sh\n%s\n", programs[i].script);
                g_assert_true(g_file_set_contents(program, script, -1, NULL));
                g_assert_cmpint(g_chmod(program, 0700), ==, 0);
                g_assert_cmpint(pm2_connect(client, 0), ==, -ECONNREFUSED);
                g_assert_nonnull(strstr(pm2_last_error_message(client), programs[i].message));
        }
        (void) pm2_client_free(client);
}

/* What a started program finds: one session of its own, no descriptors but the four, no signals blocked,
 * nothing that a service manager said to us. */
static void test_spawn_context(void) {
        static const char script[] =
                        "#!/bin/sh\n"
                        "{ echo \"cwd=$PWD\"; echo \"args=$*\"; echo \"notify=$NOTIFY_SOCKET\";\n"
                        "ls /proc/$$/fd | tr '\\n' ' ' | sed 's/^/fds=/'; echo\n"
                        "grep SigBlk /proc/self/status; readlink /proc/$$/fd/0; } "
                        ">\"$XDG_STATE_HOME/seen\"\n"
                        "echo ERROR seen >&3\n";
        g_autofree char *program = g_build_filename(folder, "pm2d", NULL);
        g_autofree char *seen_path = g_build_filename(folder, "seen", NULL);
        g_autofree char *log_path = g_build_filename(folder, "pm2", "pm2d.log", NULL);
        g_autofree char *seen = NULL;
        pm2_client *client = new_client();
        sigset_t set;
        struct stat status;

        (void) g_setenv("PM2D_PATH", program, true);
        (void) g_setenv("NOTIFY_SOCKET", "/nowhere", true);
        g_assert_true(g_file_set_contents(program, script, -1, NULL));
        g_assert_cmpint(g_chmod(program, 0700), ==, 0);
        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        g_assert_cmpint(dup2(STDERR_FILENO, 77), ==, 77);
        g_assert_cmpint(pm2_connect(client, 0), ==, -ECONNREFUSED);
        (void) close(77);
        (void) sigprocmask(SIG_UNBLOCK, &set, NULL);
        (void) g_unsetenv("NOTIFY_SOCKET");
        g_assert_true(g_file_get_contents(seen_path, &seen, NULL, NULL));
        g_assert_nonnull(strstr(seen, "cwd=/\n"));
        g_assert_nonnull(strstr(seen, "args=--private --ready-fd=3\n"));
        g_assert_nonnull(strstr(seen, "notify=\n"));
        g_assert_nonnull(strstr(seen, "SigBlk:\t0000000000000000\n"));
        g_assert_nonnull(strstr(seen, "/dev/null\n"));
        g_assert_null(strstr(seen, " 77 "));
        g_assert_cmpint(stat(log_path, &status), ==, 0);
        g_assert_cmpint(status.st_mode & 0777, ==, 0600);
        (void) pm2_client_free(client);
}

/* A supervisor of the client's own has one descriptor more, the only trace of which is its end of file. Here
 * the connection fails, so that it must not stay. */
static void test_spawn_lifeline(void) {
        static const char script[] = "#!/bin/sh\n"
                                     "for fd in 0 1 2 3 4 5 6 7 8 9; do\n"
                                     "[ -e /proc/$$/fd/$fd ] && fds=$fds$fd; done\n"
                                     "echo READY >&3\n"
                                     "cat <&4\n"
                                     "echo \"args=$* fds=$fds\" >\"$XDG_STATE_HOME/ended\"\n";
        g_autofree char *program = g_build_filename(folder, "pm2d", NULL);
        g_autofree char *ended_path = g_build_filename(folder, "ended", NULL);
        pm2_client *client = new_client();
        char text[256] = "";

        (void) g_setenv("PM2D_PATH", program, true);
        g_assert_true(g_file_set_contents(program, script, -1, NULL));
        g_assert_cmpint(g_chmod(program, 0700), ==, 0);
        g_assert_cmpint(mkfifo(ended_path, 0600), ==, 0);
        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_NO_DAEMON | PM2_CONNECT_NO_SPAWN), ==, -ENOTCONN);
        g_assert_cmpint(pm2_connect(client, PM2_CONNECT_NO_DAEMON), ==, -ECONNREFUSED);
        g_assert_nonnull(strstr(pm2_last_error_message(client), "nobody serves"));
        g_assert_cmpint(client->lifeline_fd, <, 0);
        int ended = open(ended_path, O_RDONLY | O_CLOEXEC); /* waits for it */
        g_assert_cmpint(read(ended, text, sizeof(text) - 1), >, 0);
        g_assert_cmpstr(text, ==, "args=--private --ready-fd=3 --lifeline=4 fds=01234\n");
        (void) close(ended);
        (void) g_unlink(ended_path);
        (void) pm2_client_free(client);
}

static void test_error_table(void) {
        g_assert_true(error_is_disconnect(-ECONNRESET, NULL));
        g_assert_true(error_is_disconnect(-EIO, SD_BUS_ERROR_NO_REPLY));
        g_assert_false(error_is_disconnect(-ESRCH, "org.pm2.Error.NoSuchProcess"));
        g_assert_cmpint(error_name_to_errno("org.pm2.Error.Busy"), ==, -EBUSY);
        g_assert_nonnull(pm2_library_version());
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        folder = g_dir_make_tmp("test-libpm2-XXXXXX", NULL);
        g_assert_nonnull(folder);
        g_autofree char *runtime = g_build_filename(folder, "pm2", NULL);
        g_assert_cmpint(g_mkdir(runtime, 0700), ==, 0);
        socket_path = g_build_filename(runtime, "bus", NULL);
        (void) g_setenv("XDG_RUNTIME_DIR", folder, true);
        (void) g_setenv("XDG_STATE_HOME", folder, true);
        (void) g_unsetenv("DBUS_SESSION_BUS_ADDRESS");
        g_test_add_func("/libpm2/client/error-table", test_error_table);
        g_test_add_func("/libpm2/client/no-daemon", test_no_daemon);
        g_test_add_func("/libpm2/client/lost-connection", test_lost_connection);
        g_test_add_func("/libpm2/client/processes", test_processes);
        g_test_add_func("/libpm2/client/system", test_system);
        g_test_add_func("/libpm2/client/errors", test_errors);
        g_test_add_func("/libpm2/client/spawn", test_spawn);
        g_test_add_func("/libpm2/client/spawn-context", test_spawn_context);
        g_test_add_func("/libpm2/client/spawn-lifeline", test_spawn_lifeline);
        int status = g_test_run();
        g_autofree char *command = g_strdup_printf("rm -rf '%s'", folder);
        (void) !system(command);
        g_free(socket_path);
        g_free(folder);
        return status;
}
