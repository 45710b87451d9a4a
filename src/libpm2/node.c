/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A module evaluated in a child. The answer has a pipe of its own, so that a module may print what it likes;
 * its first character says whether JSON or an error message follows. */

#include "node.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_FD       3
#define ANSWER_MAX      (1024 * 1024 + 1)
#define TIMEOUT_DEFAULT (UINT64_C(30) * 1000000)
#define NSEC_PER_USEC   1000

/* import() takes every kind of module. Of an error the lines before the stack are sent, and the place in the
 * file itself. */
static char program[] =
                "const fs = require('fs'), url = require('url'), path = process.argv[1];"
                "function say(mark, text) {"
                "  const bytes = Buffer.from(mark + text);"
                "  for (let done = 0; done < bytes.length;) {"
                "    done += fs.writeSync(3, bytes, done);"
                "  }"
                "  process.exit(0);"
                "}"
                "function fail(error) {"
                "  const lines = String(error && error.stack || error).split('\\n');"
                "  const frame = (line) => /^\\s+at /.test(line), first = lines.findIndex(frame);"
                "  const text = first < 0 ? lines : lines.slice(0, first);"
                "  say('!', text.concat(lines.find((line) => frame(line) && line.includes(path)) || "
                "[]).join('\\n'));"
                "}"
                "process.on('uncaughtException', fail);"
                "import(url.pathToFileURL(path)).then(async (module) => {"
                "  let value = 'default' in module ? module.default : { ...module };"
                "  if (value && value.__esModule && value.default) value = value.default;"
                "  const text = JSON.stringify(await (typeof value === 'function' ? value() : value),"
                "    (key, item) => item instanceof RegExp ? String(item) : item);"
                "  if (text === undefined) throw new Error('it exports nothing that JSON can say');"
                "  say('=', text);"
                "}).catch(fail);";

typedef struct Evaluation {
        const char *path; /* as it was given */
        pid_t pid;
        int pidfd;
        int pipe; /* what the child says */
        uint64_t deadline_usec;
        char *answer;
        size_t length;
} Evaluation;

static uint64_t now_usec(void) {
        struct timespec now;
        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / NSEC_PER_USEC;
}

static int spawn_node(const char *path, int answer_fd, pid_t *ret) {
        static char name[] = "node", option[] = "-e";
        char *arguments[] = { name, option, program, (char *) path, NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;

        int r = posix_spawn_file_actions_init(&actions);
        if (r != 0) {
                return -r;
        }
        r = posix_spawnattr_init(&attributes);
        if (r != 0) {
                (void) posix_spawn_file_actions_destroy(&actions);
                return -r;
        }
        (void) sigemptyset(&none);
        (void) sigfillset(&all);
        (void) posix_spawnattr_setsigmask(&attributes, &none);
        (void) posix_spawnattr_setsigdefault(&attributes, &all);
        (void) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        r = posix_spawn_file_actions_adddup2(&actions, answer_fd, ANSWER_FD);
        if (r == 0) {
                r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        }
        if (r == 0) {
                r = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        }
        if (r == 0) {
                r = posix_spawnp(ret, name, &actions, &attributes, arguments, environ);
        }
        (void) posix_spawnattr_destroy(&attributes);
        (void) posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* Read what is there. 1: there is no more to come. */
static int read_some(Evaluation *evaluation) {
        ssize_t n =
                        read(evaluation->pipe,
                             evaluation->answer + evaluation->length,
                             ANSWER_MAX + 1 - evaluation->length);

        if (n < 0) {
                return errno == EINTR ? 0 : -errno;
        }
        evaluation->length += (size_t) n;
        if (evaluation->length > ANSWER_MAX) {
                return -EFBIG;
        }
        return n == 0;
}

/* Wait for the answer. The end of the child is the end of it, whoever has the pipe beside. */
static int wait_answer(Evaluation *evaluation) {
        for (;;) {
                uint64_t now = now_usec();
                if (now >= evaluation->deadline_usec) {
                        return -ETIMEDOUT;
                }
                uint64_t left = evaluation->deadline_usec - now;
                struct timespec timeout = {
                        .tv_sec = (time_t) (left / 1000000),
                        .tv_nsec = (long) (left % 1000000) * NSEC_PER_USEC,
                };
                struct pollfd fds[] = {
                        { .fd = evaluation->pipe, .events = POLLIN },
                        { .fd = evaluation->pidfd, .events = POLLIN },
                };
                int r = ppoll(fds, 2, &timeout, NULL);
                if (r < 0 && errno != EINTR) {
                        return -errno;
                }
                if (r > 0 && fds[0].revents) {
                        r = read_some(evaluation);
                        if (r != 0) {
                                return r < 0 ? r : 0;
                        }
                } else if (r > 0 && fds[1].revents) {
                        return 0;
                }
        }
}

static int judge(pm2_client *client, Evaluation *evaluation, int result, char **ret_json) {
        const char *path = evaluation->path;

        evaluation->answer[evaluation->length] = '\0';
        if (result == -ETIMEDOUT) {
                return client_fail(client, result, "%s: node did not answer in time", path);
        }
        if (result == -EFBIG) {
                return client_fail(
                                client,
                                result,
                                "%s: what it exports is over %d bytes",
                                path,
                                ANSWER_MAX - 1);
        }
        if (result < 0) {
                return client_fail(client, result, "%s: cannot read what node says: %m", path);
        }
        if (evaluation->answer[0] == '!') {
                return client_fail(client, -EBADMSG, "%s: %s", path, evaluation->answer + 1);
        }
        if (evaluation->answer[0] != '=') {
                return client_fail(client, -EBADMSG, "%s: node ended without an answer", path);
        }
        *ret_json = strdup(evaluation->answer + 1);
        return *ret_json ? 0 : client_fail(client, -ENOMEM, "%s: %m", path);
}

static int evaluate(pm2_client *client, Evaluation *evaluation, const char *absolute, char **ret_json) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0) {
                return client_fail(client, -errno, "cannot make a pipe: %m");
        }
        _cleanup_close_ int read_end = ends[0];
        int r = spawn_node(absolute, ends[1], &evaluation->pid);
        (void) close_fd(ends[1]);
        if (r < 0) {
                return client_fail(
                                client,
                                r,
                                r == -ENOENT ? "cannot evaluate %s: there is no node in PATH"
                                             : "cannot evaluate %s: cannot start node: %m",
                                evaluation->path);
        }
        _cleanup_close_ int pidfd = pidfd_open(evaluation->pid, 0);
        evaluation->pidfd = pidfd;
        evaluation->pipe = read_end;
        r = wait_answer(evaluation);
        /* It has said all, or is late. */
        if (pidfd >= 0) {
                (void) pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
        } else if (waitpid(evaluation->pid, NULL, WNOHANG) == 0) {
                (void) kill(evaluation->pid, SIGKILL);
        }
        /* ECHILD where the program has its children reaped otherwise. */
        while (waitpid(evaluation->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        return judge(client, evaluation, r, ret_json);
}

int node_evaluate(pm2_client *client, const char *path, uint64_t timeout_usec, char **ret_json) {
        _cleanup_free_ char *absolute = realpath(path, NULL), *answer = malloc(ANSWER_MAX + 2);
        Evaluation evaluation = {
                .path = path,
                .answer = answer,
                .deadline_usec = now_usec() + (timeout_usec > 0 ? timeout_usec : TIMEOUT_DEFAULT),
        };

        if (!absolute) {
                return client_fail(client, -errno, "cannot read %s: %m", path);
        }
        if (!answer) {
                return client_fail(client, -ENOMEM, "%s: %m", path);
        }
        if (evaluation.deadline_usec < timeout_usec) {
                evaluation.deadline_usec = UINT64_MAX;
        }
        return evaluate(client, &evaluation, absolute, ret_json);
}
