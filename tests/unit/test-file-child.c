/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Replacing a file: whatever fails and whenever the writer is killed, the old or the new content is there.
 * The child is traced, and ends or gets an error at each of its system calls in turn. */

#include "platform/file-child.h"

#include "basic/cleanup.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "list"

enum {
        NEW_BYTES = 200000, /* more than one page, and more than a small file system has */
        STOP_OF_SYSCALL = SIGTRAP | 0x80,
        STATUS_SKIPPED = 77,
};

static const char old_text[] = "old\n";

static char *new_text(void) {
        char *text = g_malloc(NEW_BYTES + 1);

        memset(text, 'n', NEW_BYTES);
        text[NEW_BYTES] = '\0';
        return text;
}

static FileReplacement replacement_in(const char *folder, const char *text) {
        return (FileReplacement){
                .folder = folder,
                .name = NAME,
                .previous = NAME ".bak",
                .temporary = "." NAME ".new",
                .bytes = text,
                .size = strlen(text),
        };
}

static bool content_is(const char *folder, const char *name, const char *wanted) {
        g_autofree char *path = test_path(folder, name);
        g_autofree char *content = NULL;

        return g_file_get_contents(path, &content, NULL, NULL) && strcmp(content, wanted) == 0;
}

static void assert_old_or_new(const char *folder, const char *text, unsigned when) {
        if (!content_is(folder, NAME, old_text) && !content_is(folder, NAME, text)) {
                g_error("system call %u: neither the old nor the new content is there", when);
        }
}

/* A new folder with an old file, and a still older one. */
static char *folder_with_old(void) {
        char *folder = test_folder_new();

        test_file_put(folder, NAME, old_text);
        test_file_put(folder, NAME ".bak", "oldest\n");
        return folder;
}

/* A child that replaces the file and tells its success by its status; it stops before it begins. */
static pid_t start_traced(const FileReplacement *replacement) {
        pid_t pid = fork();

        if (pid == 0) {
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
                        _exit(STATUS_SKIPPED);
                }
                (void) raise(SIGSTOP);
                FileReport report = file_replace(replacement);
                _exit(report.error != 0);
        }
        g_assert_cmpint(pid, >, 0);
        return pid;
}

/* 0: it stands at a system call; 1: it has ended, *ret_status is its status; -1: there is no tracing here.
 */
static int next_stop(pid_t pid, bool first, int *ret_status) {
        int status;

        if (!first) {
                g_assert_cmpint(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), ==, 0);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        if (WIFSTOPPED(status)) {
                return 0;
        }
        *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        return *ret_status == STATUS_SKIPPED ? -1 : 1;
}

static bool begin_tracing(pid_t pid) {
        int status = 0;

        if (next_stop(pid, true, &status) < 0) {
                g_test_skip("this sandbox has no ptrace()");
                return false;
        }
        g_assert_cmpint(ptrace(PTRACE_SETOPTIONS,
                               pid,
                               NULL,
                               (void *) (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)),
                        ==,
                        0);
        return true;
}

/* Kill it at the n-th stop: before or behind a system call. True: it had ended by itself. */
static bool kill_at(const char *folder, const char *text, unsigned n, bool *ret_possible) {
        FileReplacement replacement = replacement_in(folder, text);
        pid_t pid = start_traced(&replacement);
        int status = 0;

        *ret_possible = begin_tracing(pid);
        for (unsigned i = 0; *ret_possible && i < n; i++) {
                if (next_stop(pid, false, &status) > 0) {
                        g_assert_cmpint(status, ==, 0);
                        return true;
                }
        }
        if (*ret_possible) {
                g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
                g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        }
        return false;
}

static void test_killed_at_each_system_call(void) {
        g_autofree char *text = new_text();
        bool ended = false, possible = true;
        unsigned kept = 0, replaced = 0;

        for (unsigned n = 1; !ended; n++) {
                char *folder = folder_with_old();
                ended = kill_at(folder, text, n, &possible);
                if (!possible) {
                        test_folder_remove(folder);
                        return;
                }
                assert_old_or_new(folder, text, n);
                kept += content_is(folder, NAME, old_text);
                replaced += content_is(folder, NAME, text);
                /* What it left is in nobody's way. */
                FileReplacement again = replacement_in(folder, text);
                g_assert_cmpint(file_replace(&again).error, ==, 0);
                g_assert_true(content_is(folder, NAME, text));
                g_autofree char *temporary = test_path(folder, again.temporary);
                g_assert_cmpint(access(temporary, F_OK), <, 0);
                test_folder_remove(folder);
        }
        g_test_message("%u times old, %u times new", kept, replaced);
        g_assert_cmpuint(kept, >, 10);
        g_assert_cmpuint(replaced, >, 2);
}

#if defined(__x86_64__)
/* At the entry of a system call: it is not made. Behind it: what it has returned. false: this one is left
 * alone. */
static bool skip_call(pid_t pid) {
        struct user_regs_struct registers;

        g_assert_cmpint(ptrace(PTRACE_GETREGS, pid, NULL, &registers), ==, 0);
        if (registers.orig_rax == SYS_exit_group) {
                return false;
        }
        registers.orig_rax = (unsigned long long) -1;
        g_assert_cmpint(ptrace(PTRACE_SETREGS, pid, NULL, &registers), ==, 0);
        return true;
}

static void set_result(pid_t pid, int error) {
        struct user_regs_struct registers;

        g_assert_cmpint(ptrace(PTRACE_GETREGS, pid, NULL, &registers), ==, 0);
        registers.rax = (unsigned long long) -(long long) error;
        g_assert_cmpint(ptrace(PTRACE_SETREGS, pid, NULL, &registers), ==, 0);
}

/* The n-th system call fails. True: it ended before that. */
static bool fail_at(const char *folder, const char *text, unsigned n, int error, int *ret_status) {
        FileReplacement replacement = replacement_in(folder, text);
        pid_t pid = start_traced(&replacement);

        if (!begin_tracing(pid)) {
                *ret_status = STATUS_SKIPPED;
                return true;
        }
        for (unsigned i = 1;; i++) {
                if (next_stop(pid, false, ret_status) > 0) {
                        return true;
                }
                bool skipped = i == n && skip_call(pid);
                if (next_stop(pid, false, ret_status) > 0) {
                        return true;
                }
                if (skipped) {
                        set_result(pid, error);
                        while (next_stop(pid, false, ret_status) == 0) {
                        }
                        return false;
                }
        }
}

/* Success is told only with the new content there. */
static void check_outcome(const char *folder, const char *text, unsigned n, int status) {
        assert_old_or_new(folder, text, n);
        g_assert_cmpint(status, >=, 0);
        g_assert_true(status != 0 || content_is(folder, NAME, text));
}

static void test_error_at_each_system_call(gconstpointer data) {
        int error = GPOINTER_TO_INT(data), status = 0;
        g_autofree char *text = new_text();
        bool ended = false;
        unsigned failed = 0;

        if (getenv("PM2D_TEST_SANITIZED")) { /* it makes system calls of its own, some again and again */
                g_test_skip("a sanitizer does not take errors of its own system calls");
                return;
        }
        for (unsigned n = 1; !ended; n++) {
                char *folder = folder_with_old();
                ended = fail_at(folder, text, n, error, &status);
                if (status != STATUS_SKIPPED) {
                        check_outcome(folder, text, n, status);
                }
                failed += status != 0;
                test_folder_remove(folder);
        }
        g_assert_true(status == STATUS_SKIPPED || failed > 5);
}
#endif

/* In a process of its own: it mounts. */
static int fill_small_file_system(const char *folder, const char *text) {
        FileReplacement replacement = replacement_in(folder, text);

        if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
                return STATUS_SKIPPED;
        }
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", folder, "tmpfs", 0, "size=64k") < 0) {
                return STATUS_SKIPPED;
        }
        test_file_put(folder, NAME, old_text);
        FileReport report = file_replace(&replacement);
        if (report.error != ENOSPC || report.stage != FILE_STAGE_WRITE ||
            !content_is(folder, NAME, old_text)) {
                return 1;
        }
        g_autofree char *temporary = test_path(folder, replacement.temporary);
        return access(temporary, F_OK) == 0 ? 2 : 0;
}

static void test_no_space_left(void) {
        g_autofree char *text = new_text();
        char *folder = test_folder_new();
        int status;

        pid_t pid = fork();
        if (pid == 0) {
                _exit(fill_small_file_system(folder, text));
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIPPED) {
                g_test_skip("no file system may be mounted here");
        } else {
                g_assert_cmpint(status, ==, 0);
        }
        test_folder_remove(folder);
}

static void test_replaced(void) {
        char *folder = test_folder_new();
        FileReplacement first = replacement_in(folder, "first"), second = replacement_in(folder, "second");
        struct stat status;
        g_autofree char *path = test_path(folder, NAME);

        (void) umask(0);
        g_assert_cmpint(file_replace(&first).error, ==, 0);
        g_assert_true(content_is(folder, NAME, "first"));
        g_assert_false(content_is(folder, NAME ".bak", ""));
        g_assert_cmpint(file_replace(&second).error, ==, 0);
        g_assert_true(content_is(folder, NAME, "second"));
        g_assert_true(content_is(folder, NAME ".bak", "first"));
        g_assert_cmpint(stat(path, &status), ==, 0);
        g_assert_cmpuint(status.st_mode & 07777, ==, 0600);
        test_folder_remove(folder);
}

static void test_folders_are_made(void) {
        char *folder = test_folder_new();
        g_autofree char *inner = test_path(folder, "a/b/c");
        FileReplacement replacement = replacement_in(inner, "text");
        struct stat status;

        g_assert_cmpint(file_replace(&replacement).error, ==, ENOENT);
        replacement.make_folder = true;
        g_assert_cmpint(file_replace(&replacement).error, ==, 0);
        g_assert_true(content_is(inner, NAME, "text"));
        g_assert_cmpint(stat(inner, &status), ==, 0);
        g_assert_cmpuint(status.st_mode & 0077, ==, 0);
        test_folder_remove(folder);
}

/* Many at once: one of them wins, and its text is whole. */
static void test_writers_side_by_side(void) {
        enum {
                WRITERS = 8,
                ROUNDS = 20,
        };
        char *folder = test_folder_new();
        pid_t pids[WRITERS];

        for (size_t i = 0; i < WRITERS; i++) {
                pids[i] = fork();
                if (pids[i] == 0) {
                        char text[50001];
                        memset(text, 'a' + (int) i, sizeof(text) - 1);
                        text[sizeof(text) - 1] = '\0';
                        FileReplacement replacement = replacement_in(folder, text);
                        int failed = 0;
                        for (size_t round = 0; round < ROUNDS; round++) {
                                failed += file_replace(&replacement).error != 0;
                        }
                        _exit(failed != 0);
                }
        }
        for (size_t i = 0; i < WRITERS; i++) {
                int status;
                g_assert_cmpint(waitpid(pids[i], &status, 0), ==, pids[i]);
                g_assert_cmpint(status, ==, 0);
        }
        g_autofree char *path = test_path(folder, NAME);
        g_autofree char *content = test_file_read(path);
        g_assert_cmpuint(strlen(content), ==, 50000);
        g_assert_cmpuint(strspn(content, (const char[]){ content[0], '\0' }), ==, 50000);
        test_folder_remove(folder);
}

static void test_copied_out(void) {
        char *folder = test_folder_new();
        g_autofree char *path = test_file_write(folder, "file", "0123456789");
        g_autofree char *link = test_path(folder, "link"), *fifo = test_path(folder, "fifo");
        g_autofree char *target = test_path(folder, "target");
        _cleanup_close_ int fd = open(target, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        g_assert_cmpint(symlink(path, link), ==, 0);
        g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
        g_assert_cmpint(file_copy_out(path, 10, fd).error, ==, 0);
        g_assert_true(content_is(folder, "target", "0123456789"));
        g_assert_cmpint(file_copy_out(path, 9, fd).error, ==, EFBIG);
        g_assert_cmpint(file_copy_out(link, 10, fd).error, ==, ELOOP);
        g_assert_cmpint(file_copy_out(fifo, 10, fd).error, ==, ENXIO);
        g_assert_cmpint(file_copy_out(folder, 10, fd).error, ==, ENXIO);
        g_assert_cmpint(file_copy_out("/nowhere", 10, fd).error, ==, ENOENT);
        test_folder_remove(folder);
}

int main(int argc, char **argv) {
        if (test_skip_without_calls()) {
                return 0; /* a checker that has no pidfds has no tracing of its children either */
        }
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/file-child/replaced", test_replaced);
        g_test_add_func("/platform/file-child/folders-are-made", test_folders_are_made);
        g_test_add_func("/platform/file-child/copied-out", test_copied_out);
        g_test_add_func("/platform/file-child/writers-side-by-side", test_writers_side_by_side);
        g_test_add_func("/platform/file-child/no-space-left", test_no_space_left);
        g_test_add_func("/platform/file-child/killed-at-each-system-call", test_killed_at_each_system_call);
#if defined(__x86_64__)
        g_test_add_data_func(
                        "/platform/file-child/EIO-at-each-system-call",
                        GINT_TO_POINTER(EIO),
                        test_error_at_each_system_call);
        g_test_add_data_func(
                        "/platform/file-child/ENOSPC-at-each-system-call",
                        GINT_TO_POINTER(ENOSPC),
                        test_error_at_each_system_call);
#endif
        return g_test_run();
}
