/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Gated children: what they become, and what they report if they cannot. */

#include "platform/spawn.h"

#include "basic/cleanup.h"
#include "basic/environment-file.h"
#include "fixture.h"
#include "platform/proc-stat.h"
#include "spawn-fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_executed(const SpawnOutcome *outcome, int status) {
        g_assert_true(outcome->executing);
        g_assert_cmpuint(outcome->n_reports, ==, 1);
        g_assert_cmpint(outcome->code, ==, CLD_EXITED);
        g_assert_cmpint(outcome->status, ==, status);
}

/* The standard output of a shell command, which ends well. */
static char *output_of(const char *folder, const char *command) {
        g_autofree char *out = test_path(folder, "output");
        ShellPlan shell;

        (void) unlink(out);
        test_shell_plan_init(&shell, command, folder);
        shell.plan.out_path = out;
        SpawnOutcome outcome = test_spawn_run(&shell.plan);
        assert_executed(&outcome, 0);
        return test_file_read(out);
}

static void test_true(void) {
        char *argv[] = { (char *) "true", NULL }, *envp[] = { NULL };
        ExecPlan plan = {
                .path = "/bin/true",
                .argv = argv,
                .envp = envp,
                .cwd = "/",
                .nofile = { 1024, 1024 },
        };
        SpawnOutcome outcome = test_spawn_run(&plan);

        assert_executed(&outcome, 0);
        g_assert_cmpint(outcome.last.stage, ==, EXEC_STAGE_EXECUTE);
        plan.path = "/bin/false";
        outcome = test_spawn_run(&plan);
        assert_executed(&outcome, 1);
}

/* At the gate nothing has been touched, and when it closes nothing is. */
static void test_gate_closed(void) {
        char *folder = test_folder_new();
        g_autofree char *out = test_path(folder, "out.log");
        g_autofree char *pid_path = test_path(folder, "app.pid");
        g_autofree char *mark = test_path(folder, "mark");
        GatedChild child = GATED_CHILD_NONE;
        ShellPlan shell;
        ProcStat stat;

        test_shell_plan_init(&shell, "touch mark", folder);
        shell.plan.out_path = out;
        shell.plan.pid_path = pid_path;
        g_assert_cmpint(spawn_gated(&shell.plan, -EBADF, &child), ==, 0);
        g_assert_cmpint(proc_stat_read(child.pid, &stat), ==, 0);
        g_assert_cmpint(stat.parent, ==, getpid());
        g_assert_cmpint(fcntl(child.gate_fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
        g_assert_cmpint(fcntl(child.result_fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
        g_assert_cmpint(fcntl(child.pidfd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
        child.gate_fd = close_fd(child.gate_fd);
        SpawnOutcome outcome = test_spawn_finish(&child);
        g_assert_cmpuint(outcome.n_reports, ==, 0);
        g_assert_cmpint(outcome.code, ==, CLD_EXITED);
        g_assert_cmpint(outcome.status, ==, EXEC_GATE_CLOSED_STATUS);
        g_assert_false(g_file_test(out, G_FILE_TEST_EXISTS));
        g_assert_false(g_file_test(pid_path, G_FILE_TEST_EXISTS));
        g_assert_false(g_file_test(mark, G_FILE_TEST_EXISTS));
        test_folder_remove(folder);
}

/* A gate whose child is dead cannot be opened. */
static void test_gate_of_the_dead(void) {
        GatedChild child = GATED_CHILD_NONE;
        ShellPlan shell;
        siginfo_t info;

        (void) signal(SIGPIPE, SIG_IGN);
        test_shell_plan_init(&shell, "true", "/");
        g_assert_cmpint(spawn_gated(&shell.plan, -EBADF, &child), ==, 0);
        g_assert_cmpint(kill(child.pid, SIGKILL), ==, 0);
        g_assert_cmpint(waitid(P_PIDFD, (id_t) child.pidfd, &info, WEXITED | WNOWAIT), ==, 0);
        g_assert_cmpint(spawn_open_gate(&child), ==, -EPIPE);
        SpawnOutcome outcome = test_spawn_finish(&child);
        g_assert_cmpuint(outcome.n_reports, ==, 0);
        g_assert_cmpint(outcome.code, ==, CLD_KILLED);
}

/* Sockets and a channel that lie where others are to come. The shell says what it has from 3 on. */
static void check_sockets(size_t n_sockets, bool channel) {
        char *folder = test_folder_new();
        g_autofree char *out = test_path(folder, "out.log");
        g_autoptr(GString) expected = g_string_new(NULL);
        char listen_pid[sizeof("LISTEN_PID=") + EXEC_PID_DIGITS] = "LISTEN_PID=";
        int fds[EXEC_SOCKETS_MAX + 1];
        ShellPlan shell;

        test_shell_plan_init(
                        &shell,
                        "for i in 3 4 5 6 7 8 9 10 11 12; do [ -e /proc/$$/fd/$i ] && "
                        "basename $(readlink /proc/$$/fd/$i); done; [ \"$LISTEN_PID\" = $$ ] && echo mine",
                        folder);
        for (size_t i = 0; i <= n_sockets; i++) {
                g_autofree char *name = g_strdup_printf("file%zu", i);
                g_autofree char *path = test_file_write(folder, name, "");
                fds[n_sockets - i] = open(path, O_RDONLY | O_CLOEXEC);
                g_assert_cmpint(fds[n_sockets - i], >=, 0);
        }
        for (size_t i = 0; i < n_sockets + channel; i++) {
                g_string_append_printf(expected, "file%zu\n", n_sockets - i);
        }
        g_string_append(expected, "mine\n");
        shell.envp[2] = shell.plan.listen_pid = listen_pid;
        shell.plan.out_path = out;
        shell.plan.sockets = fds;
        shell.plan.n_sockets = n_sockets;
        shell.plan.channel_fd = channel ? fds[n_sockets] : -EBADF;
        SpawnOutcome outcome = test_spawn_run(&shell.plan);
        assert_executed(&outcome, 0);
        g_autofree char *text = test_file_read(out);
        g_assert_cmpstr(text, ==, expected->str);
        g_assert_cmpstr(listen_pid, ==, "LISTEN_PID="); /* ours is as it was */
        for (size_t i = 0; i <= n_sockets; i++) {
                g_assert_cmpint(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
                (void) close(fds[i]);
        }
        test_folder_remove(folder);
}

static void test_sockets(void) {
        for (size_t n_sockets = 0; n_sockets <= EXEC_SOCKETS_MAX; n_sockets++) {
                check_sockets(n_sockets, false);
                check_sockets(n_sockets, true);
        }
}

/* A socket that is none: not executed without it. */
static void test_missing_socket(void) {
        const int fds[] = { -EBADF };
        ShellPlan shell;

        test_shell_plan_init(&shell, "true", "/");
        shell.plan.sockets = fds;
        shell.plan.n_sockets = 1;
        SpawnOutcome outcome = test_spawn_run(&shell.plan);
        g_assert_cmpint(outcome.last.stage, ==, EXEC_STAGE_LISTEN);
        g_assert_cmpint(outcome.last.error, ==, EBADF);
        g_assert_false(outcome.executing);
}

static void test_streams(void) {
        char *folder = test_folder_new();
        g_autofree char *out = test_file_write(folder, "out.log", "before\n");
        g_autofree char *error_path = test_path(folder, "deep/er/error.log");
        ShellPlan shell;

        test_shell_plan_init(&shell, "cat; echo out; echo error >&2; exit 7", folder);
        shell.plan.out_path = out;
        shell.plan.error_path = error_path;
        for (int i = 0; i < 2; i++) {
                SpawnOutcome outcome = test_spawn_run(&shell.plan);
                assert_executed(&outcome, 7);
        }
        g_autofree char *out_text = test_file_read(out);
        g_autofree char *error_text = test_file_read(error_path);
        g_assert_cmpstr(out_text, ==, "before\nout\nout\n"); /* appended; standard input is empty */
        g_assert_cmpstr(error_text, ==, "error\nerror\n");
        /* both into one */
        g_autofree char *both = test_path(folder, "both.log");
        shell.plan.out_path = both;
        shell.plan.error_path = both;
        SpawnOutcome outcome = test_spawn_run(&shell.plan);
        assert_executed(&outcome, 7);
        g_autofree char *both_text = test_file_read(both);
        g_assert_cmpstr(both_text, ==, "out\nerror\n");
        test_folder_remove(folder);
}

static void test_pid_file(void) {
        char *folder = test_folder_new();
        g_autofree char *path = test_file_write(folder, "app.pid", "a longer text that was there before\n");
        g_autofree char *new_path = test_path(folder, "pids/app.pid");
        const char *const paths[] = { path, new_path };

        for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
                GatedChild child = GATED_CHILD_NONE;
                ShellPlan shell;
                test_shell_plan_init(&shell, "true", folder);
                shell.plan.pid_path = paths[i];
                g_assert_cmpint(spawn_gated(&shell.plan, -EBADF, &child), ==, 0);
                g_autofree char *expected = g_strdup_printf("%d", child.pid);
                g_assert_cmpint(spawn_open_gate(&child), ==, 0);
                SpawnOutcome outcome = test_spawn_finish(&child);
                assert_executed(&outcome, 0);
                g_autofree char *text = test_file_read(paths[i]);
                g_assert_cmpstr(text, ==, expected); /* no newline, as PM2 writes it */
        }
        test_folder_remove(folder);
}

/* What the program finds: its environment alone, its folder, a session of its own, clean signals, no fds. */
static void test_surroundings(void) {
        char *folder = test_folder_new();
        g_autofree char *real_folder = g_canonicalize_filename(folder, "/");
        g_autofree char *expected_cwd = g_strconcat(real_folder, "\n", NULL);
        int stray_fd = open("/dev/null", O_RDONLY); /* not close-on-exec */
        sigset_t set, before;

        (void) signal(SIGPIPE, SIG_IGN);
        (void) signal(SIGUSR1, SIG_IGN);
        (void) sigfillset(&set);
        (void) sigprocmask(SIG_BLOCK, &set, &before);
        g_autofree char *environment = output_of(folder, "exec env");
        g_autofree char *cwd = output_of(folder, "pwd");
        g_autofree char *ids = output_of(folder, "echo $$; cut -d' ' -f6 /proc/$$/stat");
        g_autofree char *masks = output_of(folder, "exec grep -E '^Sig(Blk|Ign)' /proc/self/status");
        g_autofree char *fds = output_of(folder, "cd /proc/$$/fd && echo *");
        g_autofree char *limits = output_of(folder, "ulimit -Sn; ulimit -Hn");
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        (void) close(stray_fd);

        g_auto(GStrv) variables = g_strsplit(g_strstrip(environment), "\n", -1);
        g_assert_true(g_strv_contains((const char *const *) variables, "GREETING=hello"));
        g_assert_cmpuint(g_strv_length(variables), <=, 5); /* dash adds PWD, others SHLVL and _ */
        g_assert_cmpstr(cwd, ==, expected_cwd);
        g_auto(GStrv) pid_and_session = g_strsplit(ids, "\n", -1);
        g_assert_cmpstr(pid_and_session[0], ==, pid_and_session[1]);
        g_assert_cmpstr(masks, ==, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
        test_assert_contains(fds, "0 1 2");
        g_assert_cmpuint(strlen(fds), <=, strlen("0 1 10 2\n")); /* dash holds one at 10 */
        g_assert_cmpstr(limits, ==, "512\n1024\n");
        test_folder_remove(folder);
}

typedef struct FailureCase {
        const char *what;
        const char *program, *cwd, *out, *error_file, *pid; /* names in the folder */
        ExecStage stage;
        int error;
} FailureCase;

static const FailureCase failures[] = {
        { .what = "no cwd", .cwd = "missing", .stage = EXEC_STAGE_CWD, .error = ENOENT },
        { .what = "cwd is a file", .cwd = "file", .stage = EXEC_STAGE_CWD, .error = ENOTDIR },
        { .what = "out is a FIFO", .out = "fifo", .stage = EXEC_STAGE_OUT_FILE, .error = EXEC_NOT_REGULAR },
        { .what = "out is a directory", .out = "dir", .stage = EXEC_STAGE_OUT_FILE, .error = EISDIR },
        { .what = "out is a link", .out = "link", .stage = EXEC_STAGE_OUT_FILE, .error = ELOOP },
        { .what = "out is below a file", .out = "file/x", .stage = EXEC_STAGE_OUT_FILE, .error = ENOTDIR },
        { .what = "error is a FIFO",
          .error_file = "fifo",
          .stage = EXEC_STAGE_ERROR_FILE,
          .error = EXEC_NOT_REGULAR },
        { .what = "error is a directory",
          .error_file = "dir",
          .stage = EXEC_STAGE_ERROR_FILE,
          .error = EISDIR },
        { .what = "error is a link", .error_file = "link", .stage = EXEC_STAGE_ERROR_FILE, .error = ELOOP },
        { .what = "pid is a FIFO", .pid = "fifo", .stage = EXEC_STAGE_PID_FILE, .error = EXEC_NOT_REGULAR },
        { .what = "pid is a directory", .pid = "dir", .stage = EXEC_STAGE_PID_FILE, .error = EISDIR },
        { .what = "pid is a link", .pid = "link", .stage = EXEC_STAGE_PID_FILE, .error = ELOOP },
        { .what = "no program", .program = "missing", .stage = EXEC_STAGE_EXECUTE, .error = ENOENT },
        { .what = "program is text", .program = "file", .stage = EXEC_STAGE_EXECUTE, .error = EACCES },
        { .what = "program is a directory", .program = "dir", .stage = EXEC_STAGE_EXECUTE, .error = EACCES },
        { .what = "program has no format", .program = "odd", .stage = EXEC_STAGE_EXECUTE, .error = ENOEXEC },
        { .what = "no such interpreter", .program = "lost", .stage = EXEC_STAGE_EXECUTE, .error = ENOENT },
};

static void make_obstacles(const char *folder) {
        g_autofree char *file = test_file_write(folder, "file", "text");
        g_autofree char *odd = test_file_write(folder, "odd", "neither ELF nor script");
        g_autofree char *lost = test_file_write(folder, "lost", "#!/no/such/interpreter\n");
        g_autofree char *fifo = test_path(folder, "fifo");
        g_autofree char *dir = test_path(folder, "dir");
        g_autofree char *link = test_path(folder, "link");

        g_assert_cmpint(chmod(odd, 0755), ==, 0);
        g_assert_cmpint(chmod(lost, 0755), ==, 0);
        g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
        g_assert_cmpint(mkdir(dir, 0700), ==, 0);
        g_assert_cmpint(symlink(file, link), ==, 0);
}

static char *in_folder(const char *folder, const char *name) {
        return name ? test_path(folder, name) : NULL;
}

static void check_failure(const char *folder, const FailureCase *failure) {
        g_autofree char *program = in_folder(folder, failure->program);
        g_autofree char *cwd = in_folder(folder, failure->cwd);
        g_autofree char *out = in_folder(folder, failure->out);
        g_autofree char *error_path = in_folder(folder, failure->error_file);
        g_autofree char *pid = in_folder(folder, failure->pid);
        g_autofree char *mark = test_path(folder, "mark");
        ShellPlan shell;

        g_test_message("%s", failure->what);
        test_shell_plan_init(&shell, "touch mark", folder);
        shell.plan.path = program ? program : shell.plan.path;
        shell.plan.cwd = cwd ? cwd : shell.plan.cwd;
        shell.plan.out_path = out;
        shell.plan.error_path = error_path;
        shell.plan.pid_path = pid;
        SpawnOutcome outcome = test_spawn_run(&shell.plan);
        g_assert_cmpint(outcome.last.stage, ==, (int) failure->stage);
        g_assert_cmpint(outcome.last.error, ==, failure->error);
        g_assert_true(outcome.executing == (failure->stage == EXEC_STAGE_EXECUTE));
        g_assert_cmpint(outcome.code, ==, CLD_EXITED);
        g_assert_cmpint(outcome.status, ==, 127);
        g_assert_false(g_file_test(mark, G_FILE_TEST_EXISTS));
}

static void test_failures(void) {
        char *folder = test_folder_new();

        make_obstacles(folder);
        for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
                check_failure(folder, &failures[i]);
        }
        /* A FIFO that somebody reads is none the more a log. */
        g_autofree char *fifo = test_path(folder, "fifo");
        int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        check_failure(folder,
                      &(FailureCase){ .what = "out is a FIFO with a reader",
                                      .out = "fifo",
                                      .stage = EXEC_STAGE_OUT_FILE,
                                      .error = EXEC_NOT_REGULAR });
        (void) close_fd(reader);
        g_autofree char *file = test_path(folder, "file");
        g_autofree char *text = test_file_read(file);
        g_assert_cmpstr(text, ==, "text"); /* nothing went through the link */
        test_folder_remove(folder);
}

static void test_devices(void) {
        static const char *const devices[] = { "/dev/full", "/dev/zero", "/dev/tty" };

        for (size_t i = 0; i < G_N_ELEMENTS(devices); i++) {
                ShellPlan shell;
                if (!g_file_test(devices[i], G_FILE_TEST_EXISTS)) {
                        continue;
                }
                test_shell_plan_init(&shell, "true", "/");
                shell.plan.out_path = devices[i];
                SpawnOutcome outcome = test_spawn_run(&shell.plan);
                g_assert_cmpint(outcome.last.stage, ==, EXEC_STAGE_OUT_FILE);
                g_assert_cmpint(outcome.last.error, ==, EXEC_NOT_REGULAR);
        }
}

static void test_user(void) {
        static const gid_t groups[] = { 4242, 65534 };
        static const ExecUser user = { .uid = 65534, .gid = 65533, .groups = groups, .n_groups = 2 };
        g_autofree char *out = NULL;
        ShellPlan shell;

        if (geteuid() != 0) {
                g_test_skip("becoming another user needs root");
                return;
        }
        char *folder = test_folder_new();
        g_assert_cmpint(chmod(folder, 0777), ==, 0);
        out = test_path(folder, "out.log");
        test_shell_plan_init(&shell, "id -u; id -g; id -G; stat -c %u out.log", folder);
        shell.plan.out_path = out;
        shell.plan.user = &user;
        SpawnOutcome outcome = test_spawn_run(&shell.plan);
        assert_executed(&outcome, 0);
        g_autofree char *text = test_file_read(out);
        g_assert_cmpstr(text, ==, "65534\n65533\n65533 4242 65534\n65534\n"); /* the log is the user's too */
        /* and it is refused what the user may not have */
        g_assert_cmpint(chmod(folder, 0700), ==, 0);
        outcome = test_spawn_run(&shell.plan);
        g_assert_cmpint(outcome.last.stage, ==, EXEC_STAGE_CWD);
        g_assert_cmpint(outcome.last.error, ==, EACCES);
        test_folder_remove(folder);
}

/* A command that prints variables, with these files of the folder. */
static char *with_files(const char *folder, const char *names, const char *command) {
        static char greeting[] = "GREETING=over", own[] = "OWN=app", *env_over[] = { own, greeting, NULL };
        g_autofree char *out = test_path(folder, "output");
        g_auto(GStrv) words = g_strsplit(names, " ", -1);
        ExecEnvironmentFile files[4];
        ShellPlan shell;

        (void) unlink(out);
        test_shell_plan_init(&shell, command, folder);
        shell.plan.out_path = out;
        shell.plan.env_files = files;
        for (; words[shell.plan.n_env_files]; shell.plan.n_env_files++) {
                char *word = words[shell.plan.n_env_files];
                files[shell.plan.n_env_files] = (ExecEnvironmentFile){
                        .path = word[0] == '-' ? word + 1 : word,
                        .optional = word[0] == '-',
                };
        }
        shell.plan.env_over = env_over;
        SpawnOutcome outcome = test_spawn_run(&shell.plan);
        if (!outcome.executing) {
                g_assert_cmpint(outcome.last.stage, ==, EXEC_STAGE_ENV_FILE);
                g_assert_cmpint(outcome.status, ==, 127);
                return g_strdup_printf("%d %u %d", outcome.last.item, outcome.last.line, outcome.last.error);
        }
        assert_executed(&outcome, 0);
        return test_file_read(out);
}

static void test_env_files(void) {
        char *folder = test_folder_new();
        g_free(test_file_write(folder, "one", "A=1\nB=1\nGREETING=file\nOWN=file\nPATH=/bin\n"));
        g_autofree char *two = test_file_write(folder, "two", "B=2\nC=\nA_B='x y'\nB=3");
        g_autofree char *link = test_path(folder, "link");
        static const char print[] = "echo $A,$B,${C-unset},$A_B,$GREETING,$OWN,$PATH";

        g_assert_cmpint(symlink(two, link), ==, 0);
        g_autofree char *both = with_files(folder, "one link", print);
        g_assert_cmpstr(both, ==, "1,3,,x y,over,app,/bin\n");
        g_autofree char *reverse = with_files(folder, "two -missing one", print);
        g_assert_cmpstr(reverse, ==, "1,1,,x y,over,app,/bin\n");
        g_autofree char *none = with_files(folder, "-missing", print);
        g_assert_cmpstr(none, ==, ",,unset,,over,app,/usr/bin:/bin\n");
        g_autofree char *names = with_files(folder, "one two", "env | cut -d= -f1 | sort | uniq -d");
        g_assert_cmpstr(names, ==, ""); /* each once */
        test_folder_remove(folder);
}

static void write_many(const char *folder, const char *name, unsigned count) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < count; i++) {
                g_string_append_printf(text, "V%u=%u\n", i, i);
        }
        test_file_put(folder, name, text->str);
}

static void test_env_file_failures(void) {
        char *folder = test_folder_new();
        g_autofree char *large = g_strnfill(ENVIRONMENT_FILE_BYTES_MAX - 1, '#');
        g_autofree char *too_large = g_strconcat(large, "\n\n", NULL);
        static const struct {
                const char *files;
                unsigned line;
                int item, error;
        } refused[] = {
                { "missing", 0, 0, ENOENT },
                { "good missing", 0, 1, ENOENT },
                { "-file/x", 0, 0, ENOTDIR },
                { "-fifo", 0, 0, EXEC_NOT_REGULAR },
                { "dir", 0, 0, EISDIR },
                { "/dev/null", 0, 0, EXEC_NOT_REGULAR },
                { "too-large", 0, 0, EFBIG },
                { "good file", 1, 1, ENVIRONMENT_FILE_NO_ASSIGNMENT },
                { "-bad", 3, 0, ENVIRONMENT_FILE_OPEN_QUOTE },
                { "good many", 8192, 1, ENVIRONMENT_FILE_TOO_MANY },
        };

        make_obstacles(folder);
        test_file_put(folder, "good", "A=1\n");
        test_file_put(folder, "bad", "A=1\n\nB='2\n");
        test_file_put(folder, "large", large);
        test_file_put(folder, "too-large", too_large);
        write_many(folder, "many", 8192);
        for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
                g_autofree char *expected = g_strdup_printf(
                                "%d %u %d", refused[i].item, refused[i].line, refused[i].error);
                g_autofree char *told = with_files(folder, refused[i].files, "echo $A");
                g_test_message("%s", refused[i].files);
                g_assert_cmpstr(told, ==, expected);
        }
        g_autofree char *just = with_files(folder, "large", "echo $GREETING");
        g_assert_cmpstr(just, ==, "over\n");
        g_autofree char *all = with_files(folder, "many", "env | grep -c ^V; echo $V0 $V8191");
        g_assert_cmpstr(all, ==, "8192\n0 8191\n");
        test_folder_remove(folder);
}

static void write_sources(const char *folder) {
        g_autofree char *most = g_strnfill(EXEC_CREDENTIAL_BYTES_MAX, 'x');
        g_autofree char *more = g_strnfill(EXEC_CREDENTIAL_BYTES_MAX + 1, 'x');

        make_obstacles(folder);
        test_file_put(folder, "one", "first\n");
        test_file_put(folder, "most", most);
        test_file_put(folder, "more", more);
}

static SpawnOutcome with_credentials(ShellPlan *shell, const char *folder, const char *names) {
        g_auto(GStrv) words = g_strsplit(names, " ", -1);
        g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *store = test_path(folder, "run/credentials/id");
        ExecCredential credentials[4];

        for (shell->plan.n_credentials = 0; words[shell->plan.n_credentials]; shell->plan.n_credentials++) {
                size_t i = shell->plan.n_credentials;
                g_ptr_array_add(texts, test_path(folder, words[i]));
                credentials[i].source = texts->pdata[texts->len - 1];
                g_ptr_array_add(texts, g_strdup_printf("%s/c%zu", store, i));
                credentials[i].target = texts->pdata[texts->len - 1];
        }
        shell->plan.credentials = credentials;
        shell->plan.credentials_folder = store;
        SpawnOutcome outcome = test_spawn_run(&shell->plan);
        shell->plan.credentials = NULL;
        shell->plan.credentials_folder = NULL;
        return outcome;
}

static void test_credentials(void) {
        static const char show[] =
                        "cd run/credentials/id && stat -c '%a %n' .. . * && cat c0 && cmp c1 ../../../most";
        char *folder = test_folder_new();
        g_autofree char *out = test_path(folder, "output");
        mode_t mask = umask(077);
        ShellPlan shell;

        write_sources(folder);
        test_shell_plan_init(&shell, show, folder);
        shell.plan.out_path = out;
        SpawnOutcome outcome = with_credentials(&shell, folder, "one most");
        assert_executed(&outcome, 0);
        g_autofree char *text = test_file_read(out);
        g_assert_cmpstr(text, ==, "711 ..\n700 .\n400 c0\n400 c1\nfirst\n");
        /* what is there still is replaced */
        test_file_put(folder, "one", "second\n");
        test_shell_plan_init(&shell, "cat run/credentials/id/c0; umask", folder);
        (void) unlink(out);
        shell.plan.out_path = out;
        outcome = with_credentials(&shell, folder, "one");
        assert_executed(&outcome, 0);
        g_autofree char *again = test_file_read(out);
        g_assert_cmpstr(again, ==, "second\n0077\n");
        (void) umask(mask);
        test_folder_remove(folder);
}

static void test_credentials_of_a_user(void) {
        static const ExecUser user = { .uid = 65534, .gid = 65533 };
        char *folder = test_folder_new();
        g_autofree char *out = test_path(folder, "out.log"), *one = test_path(folder, "one");
        ShellPlan shell;

        if (geteuid() != 0) {
                test_folder_remove(folder);
                g_test_skip("becoming another user needs root");
                return;
        }
        g_assert_cmpint(chmod(folder, 0777), ==, 0);
        write_sources(folder);
        test_shell_plan_init(
                        &shell,
                        "stat -c '%u %g' run/credentials run/credentials/id run/credentials/id/*",
                        folder);
        shell.plan.out_path = out;
        shell.plan.user = &user;
        SpawnOutcome outcome = with_credentials(&shell, folder, "one");
        assert_executed(&outcome, 0);
        g_autofree char *text = test_file_read(out);
        g_assert_cmpstr(text, ==, "0 0\n65534 65533\n65534 65533\n");
        /* what the user may not read it does not get */
        g_assert_cmpint(chmod(one, 0600), ==, 0);
        outcome = with_credentials(&shell, folder, "one");
        g_assert_cmpint(outcome.last.stage, ==, EXEC_STAGE_CREDENTIALS);
        g_assert_cmpint(outcome.last.error, ==, EACCES);
        test_folder_remove(folder);
}

static void test_credential_failures(void) {
        static const struct {
                const char *names;
                ExecStage stage;
                int item, error;
        } refused[] = {
                { "one missing", EXEC_STAGE_CREDENTIALS, 1, ENOENT },
                { "one most more", EXEC_STAGE_CREDENTIALS, 2, EFBIG },
                { "fifo", EXEC_STAGE_CREDENTIALS, 0, EXEC_NOT_REGULAR },
                { "dir", EXEC_STAGE_CREDENTIALS, 0, EISDIR },
        };
        char *folder = test_folder_new();
        ShellPlan shell;

        write_sources(folder);
        test_shell_plan_init(&shell, "true", folder);
        for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
                SpawnOutcome outcome = with_credentials(&shell, folder, refused[i].names);
                g_assert_false(outcome.executing);
                g_assert_cmpint(outcome.last.stage, ==, (int) refused[i].stage);
                g_assert_cmpint(outcome.last.item, ==, refused[i].item);
                g_assert_cmpint(outcome.last.error, ==, refused[i].error);
        }
        g_autofree char *below_file = test_path(folder, "file/id"), *blocked = test_path(folder, "dir/none");
        shell.plan.n_credentials = 0;
        shell.plan.credentials_folder = below_file;
        SpawnOutcome outcome = test_spawn_run(&shell.plan);
        g_assert_cmpint(outcome.last.stage, ==, EXEC_STAGE_CREDENTIALS_FOLDER);
        g_assert_cmpint(outcome.last.error, ==, ENOTDIR);
        /* a file that cannot be made there */
        g_autofree char *source = test_path(folder, "one"), *target = test_path(folder, "file/c0");
        ExecCredential credential = { source, target };
        shell.plan.credentials_folder = blocked;
        shell.plan.credentials = &credential;
        shell.plan.n_credentials = 1;
        outcome = test_spawn_run(&shell.plan);
        g_assert_cmpint(outcome.last.stage, ==, EXEC_STAGE_CREDENTIALS_FOLDER);
        g_assert_cmpint(outcome.last.error, ==, ENOTDIR);
        test_folder_remove(folder);
}

int main(int argc, char **argv) {
        if (test_skip_without_calls()) {
                return 0;
        }
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/spawn/true", test_true);
        g_test_add_func("/platform/spawn/gate-closed", test_gate_closed);
        g_test_add_func("/platform/spawn/gate-of-the-dead", test_gate_of_the_dead);
        g_test_add_func("/platform/spawn/sockets", test_sockets);
        g_test_add_func("/platform/spawn/missing-socket", test_missing_socket);
        g_test_add_func("/platform/spawn/streams", test_streams);
        g_test_add_func("/platform/spawn/pid-file", test_pid_file);
        g_test_add_func("/platform/spawn/surroundings", test_surroundings);
        g_test_add_func("/platform/spawn/failures", test_failures);
        g_test_add_func("/platform/spawn/credentials", test_credentials);
        g_test_add_func("/platform/spawn/credentials-of-a-user", test_credentials_of_a_user);
        g_test_add_func("/platform/spawn/credential-failures", test_credential_failures);
        g_test_add_func("/platform/spawn/devices", test_devices);
        g_test_add_func("/platform/spawn/env-files", test_env_files);
        g_test_add_func("/platform/spawn/env-file-failures", test_env_file_failures);
        g_test_add_func("/platform/spawn/user", test_user);
        return g_test_run();
}
