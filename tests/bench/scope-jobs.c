/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the scopes alone cost, to compare a supervisor with: children that wait at a gate, a transient scope
 * for each, at most 64 jobs at a time, 32 scopes in a slice, and the gate opened when the job is done.
 *
 *   scope-jobs COUNT PROGRAM [ARGUMENT...]   for each line of standard input COUNT of them; prints the
 *                                            microseconds from the first fork until all are executed, and
 * ends them again
 *
 * With COUNT 0 the lines are counts. A line "exec N" makes N children without a scope. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

enum {
        JOBS_MAX = 64,
        SLICE_SCOPES_MAX = 32,
        CHILDREN_MAX = 10000,
        UNIT_MAX = 64,
};

#define MANAGER_NAME      "org.freedesktop.systemd1"
#define MANAGER_OBJECT    "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"

typedef struct Child {
        pid_t pid;
        int gate_fd, result_fd;
        char unit[UNIT_MAX];
        bool placed;
} Child;

static Child children[CHILDREN_MAX];
static unsigned asked, placed, run_number;
static char **program;

static uint64_t now_usec(void) {
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static _Noreturn void fail(const char *what, int error) {
        fprintf(stderr, "scope-jobs: %s: %s\n", what, strerror(error));
        exit(1);
}

static void check(int r, const char *what) {
        if (r < 0) {
                fail(what, -r);
        }
}

/* A child that executes the program once the gate is opened; its result_fd is closed by that. */
static void spawn(Child *child) {
        int gate[2], result[2];

        if (pipe2(gate, O_CLOEXEC) < 0 || pipe2(result, O_CLOEXEC) < 0) {
                fail("pipe", errno);
        }
        child->pid = fork();
        if (child->pid < 0) {
                fail("fork", errno);
        }
        if (child->pid == 0) {
                char byte;
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) close(gate[1]);
                if (read(gate[0], &byte, 1) == 1) {
                        (void) execv(program[0], program);
                }
                _exit(127);
        }
        (void) close(gate[0]);
        (void) close(result[1]);
        child->gate_fd = gate[1];
        child->result_fd = result[0];
        child->placed = false;
}

static void open_gate(Child *child) {
        if (write(child->gate_fd, "", 1) != 1) {
                fail("gate", errno);
        }
        (void) close(child->gate_fd);
}

static void slice_name(char name[static UNIT_MAX], unsigned number) {
        (void) snprintf(name, UNIT_MAX, "bench-g%ux%u.slice", run_number, number / SLICE_SCOPES_MAX);
}

static void ask_scope(sd_bus *bus, Child *child, unsigned number) {
        char slice[UNIT_MAX];

        (void) snprintf(child->unit, sizeof(child->unit), "bench-%u-%u.scope", run_number, number);
        (void) snprintf(slice,
                        sizeof(slice),
                        "bench-g%u.slice",
                        run_number * 1000 + number / SLICE_SCOPES_MAX);
        check(sd_bus_call_method_async(
                              bus,
                              NULL,
                              MANAGER_NAME,
                              MANAGER_OBJECT,
                              MANAGER_INTERFACE,
                              "StartTransientUnit",
                              NULL,
                              NULL,
                              "ssa(sv)a(sa(sv))",
                              child->unit,
                              "fail",
                              4,
                              "Description",
                              "s",
                              "a scope of a benchmark",
                              "Slice",
                              "s",
                              slice,
                              "CollectMode",
                              "s",
                              "inactive-or-failed",
                              "PIDs",
                              "au",
                              1,
                              (uint32_t) child->pid,
                              0),
              "StartTransientUnit");
}

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *unit, *result;
        unsigned run, number;

        check(sd_bus_message_read(message, "uoss", NULL, NULL, &unit, &result), "JobRemoved");
        if (sscanf(unit, "bench-%u-%u.scope", &run, &number) == 2 && run == run_number && number < asked &&
            !children[number].placed) {
                if (strcmp(result, "done") != 0) {
                        fail(unit, EIO);
                }
                children[number].placed = true;
                placed++;
                open_gate(&children[number]);
        }
        return 0;
}

static void process_bus(sd_bus *bus) {
        int r = sd_bus_process(bus, NULL);

        if (r == 0) {
                r = sd_bus_wait(bus, UINT64_MAX);
        }
        check(r, "bus");
}

static void wait_executed(unsigned count) {
        char byte;

        for (unsigned i = 0; i < count; i++) {
                if (read(children[i].result_fd, &byte, 1) != 0) {
                        fail("result", errno);
                }
                (void) close(children[i].result_fd);
        }
}

static uint64_t run_scopes(sd_bus *bus, unsigned count) {
        uint64_t start = now_usec();

        run_number++;
        asked = placed = 0;
        while (placed < count) {
                while (asked < count && asked - placed < JOBS_MAX) {
                        spawn(&children[asked]);
                        ask_scope(bus, &children[asked], asked);
                        asked++;
                }
                process_bus(bus);
        }
        wait_executed(count);
        return now_usec() - start;
}

static uint64_t run_exec(unsigned count) {
        uint64_t start = now_usec();

        for (unsigned i = 0; i < count; i++) {
                spawn(&children[i]);
                open_gate(&children[i]);
        }
        asked = count;
        wait_executed(count);
        return now_usec() - start;
}

/* The processes, and the slices, which stay otherwise. */
static void end_all(sd_bus *bus) {
        for (unsigned i = 0; i < asked; i++) {
                (void) kill(children[i].pid, SIGKILL);
        }
        for (unsigned i = 0; i < asked; i++) {
                (void) waitpid(children[i].pid, NULL, 0);
        }
        for (unsigned i = 0; i < placed; i += SLICE_SCOPES_MAX) {
                char slice[UNIT_MAX];
                slice_name(slice, i);
                check(sd_bus_call_method(
                                      bus,
                                      MANAGER_NAME,
                                      MANAGER_OBJECT,
                                      MANAGER_INTERFACE,
                                      "StopUnit",
                                      NULL,
                                      NULL,
                                      "ss",
                                      slice,
                                      "replace"),
                      "StopUnit");
        }
        asked = placed = 0;
}

static uint64_t run(sd_bus *bus, const char *line) {
        bool scopes = strncmp(line, "scope ", 6) == 0;
        unsigned count = (unsigned) atoi(strchr(line, ' ') ? strchr(line, ' ') : "0");

        if (asked != 0 || count == 0 || count > CHILDREN_MAX) {
                fail(line, EINVAL);
        }
        return scopes ? run_scopes(bus, count) : run_exec(count);
}

int main(int argc, char **argv) {
        char line[64];
        struct rlimit files;
        sd_bus *bus = NULL;

        if (argc < 2) {
                return 2;
        }
        program = argv + 1;
        (void) getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = files.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &files);
        run_number = (unsigned) getpid();
        check(sd_bus_open_user(&bus), "user bus");
        check(sd_bus_match_signal(
                              bus,
                              NULL,
                              MANAGER_NAME,
                              MANAGER_OBJECT,
                              MANAGER_INTERFACE,
                              "JobRemoved",
                              on_job_removed,
                              NULL),
              "JobRemoved");
        while (fgets(line, sizeof(line), stdin)) {
                uint64_t usec = 0;
                if (strcmp(line, "end\n") == 0) {
                        end_all(bus);
                } else {
                        usec = run(bus, line);
                }
                printf("%" PRIu64 "\n", usec);
                (void) fflush(stdout);
        }
        end_all(bus);
        (void) sd_bus_flush_close_unref(bus);
        return 0;
}
