/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Gated children: what they become, and what they report if they cannot. */

#include "platform/spawn.h"

#include "basic/cleanup.h"
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

int main(int argc, char **argv) {
        if (test_skip_without_pidfds()) {
                return 0;
        }
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/spawn/true", test_true);
        g_test_add_func("/platform/spawn/gate-closed", test_gate_closed);
        g_test_add_func("/platform/spawn/gate-of-the-dead", test_gate_of_the_dead);
        g_test_add_func("/platform/spawn/streams", test_streams);
        g_test_add_func("/platform/spawn/pid-file", test_pid_file);
        g_test_add_func("/platform/spawn/surroundings", test_surroundings);
        g_test_add_func("/platform/spawn/failures", test_failures);
        g_test_add_func("/platform/spawn/devices", test_devices);
        g_test_add_func("/platform/spawn/user", test_user);
        return g_test_run();
}
