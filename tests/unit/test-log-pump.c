/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The files come through their socket at any time: before what is to be written, behind it, or never; and
 * who takes them out is the loop or somebody who wants to read them. */

#include "platform/log-pump.h"

#include "event-fixture.h"
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT "first\nsecond\n"

typedef struct Fixture {
        sd_event *event;
        char *folder, *path;
        PumpStore *store;
        LogPump *pump;
        int pipes[PUMP_STREAMS], sender;
        bool has_ended;
} Fixture;

/* Whole lines, as they are. */
static PumpLines on_format(
                void *userdata, int stream, const PumpSource *source, char *out, size_t out_size) {
        const char *newline = memrchr(source->bytes, '\n', source->size);
        size_t length = newline ? (size_t) (newline + 1 - source->bytes) : 0;

        g_assert_cmpuint(length, <=, out_size);
        memcpy(out, source->bytes, length);
        return (PumpLines){ .taken = length, .made = length };
}

static void on_trouble(void *userdata, PumpSink sink, int error) {
        g_assert_cmpint(error, ==, 0);
}

static void on_lost(void *userdata, int stream, uint64_t bytes) {
        g_assert_not_reached();
}

static void on_end(void *userdata) {
        Fixture *fixture = userdata;
        fixture->has_ended = true;
}

static void set_up(Fixture *fixture) {
        int ends[2], fds[PUMP_STREAMS];
        uint32_t slot;
        PumpWindow window;
        LogPumpOptions options = {
                .userdata = fixture,
                .format = on_format,
                .on_trouble = on_trouble,
                .on_lost = on_lost,
                .on_end = on_end,
        };

        *fixture = (Fixture){ .event = test_event_new(), .folder = test_folder_new() };
        fixture->path = test_path(fixture->folder, "log");
        for (int i = 0; i < PUMP_STREAMS; i++) {
                g_assert_cmpint(pipe2(ends, O_CLOEXEC | O_NONBLOCK), ==, 0);
                fds[i] = ends[0];
                fixture->pipes[i] = ends[1];
        }
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
        fixture->sender = ends[1];
        g_assert_cmpint(pump_store_new(-EBADF, &fixture->store), ==, 0);
        g_assert_cmpint(pump_store_take_slot(fixture->store, &slot, &window), ==, 0);
        pump_window_use(&window);
        g_assert_cmpint(log_pump_new(fixture->event, &window, fds, ends[0], &options, &fixture->pump),
                        ==,
                        0);
}

static void send_files(Fixture *fixture) {
        const ExecLogPlan plan = { .paths = { fixture->path, fixture->path } };
        int fds[EXEC_LOGS], error;

        g_assert_cmpint(exec_logs_open(&plan, fds, &error), ==, -1);
        g_assert_cmpint(exec_logs_send(fixture->sender, fds), ==, 0);
        for (int i = 0; i < EXEC_LOGS; i++) {
                (void) close(fds[i]);
        }
}

static void write_text(const Fixture *fixture) {
        for (int i = 0; i < PUMP_STREAMS; i++) {
                g_assert_cmpint(write(fixture->pipes[i], TEXT, strlen(TEXT)), ==, strlen(TEXT));
        }
}

/* All is written, then it ends. */
static void finish(Fixture *fixture, const char *expected) {
        for (int i = 0; i < PUMP_STREAMS; i++) {
                (void) close(fixture->pipes[i]);
        }
        (void) close(fixture->sender);
        test_event_wait_flag(fixture->event, &fixture->has_ended, "the end");
        if (expected) {
                g_autofree char *text = test_file_read(fixture->path);
                g_assert_cmpstr(text, ==, expected);
        }
        log_pump_free(fixture->pump);
        pump_store_free(fixture->store);
        g_free(fixture->path);
        test_folder_remove(fixture->folder);
        (void) sd_event_unref(fixture->event);
}

static void test_files_first(void) {
        Fixture fixture;

        set_up(&fixture);
        send_files(&fixture);
        test_event_drain(fixture.event);
        write_text(&fixture);
        finish(&fixture, TEXT TEXT);
}

static void test_files_behind(void) {
        Fixture fixture;

        set_up(&fixture);
        write_text(&fixture);
        test_event_drain(fixture.event);
        send_files(&fixture);
        finish(&fixture, TEXT TEXT);
}

/* Both streams wait, and the loop does not hear of the files itself. */
static void test_files_taken(void) {
        Fixture fixture;

        set_up(&fixture);
        write_text(&fixture);
        test_event_drain(fixture.event);
        send_files(&fixture);
        log_pump_take_files(fixture.pump);
        g_assert_cmpint(log_pump_file(fixture.pump, 0), >=, 0);
        finish(&fixture, TEXT TEXT);
}

/* One stream takes them while the other waits. */
static void test_files_taken_by_a_stream(void) {
        Fixture fixture;

        set_up(&fixture);
        g_assert_cmpint(write(fixture.pipes[1], TEXT, strlen(TEXT)), ==, strlen(TEXT));
        test_event_drain(fixture.event);
        send_files(&fixture);
        g_assert_cmpint(write(fixture.pipes[0], TEXT, strlen(TEXT)), ==, strlen(TEXT));
        finish(&fixture, TEXT TEXT);
}

/* Who should have sent them is gone: the app is not held, what it writes is read. */
static void test_no_files(void) {
        Fixture fixture;

        set_up(&fixture);
        write_text(&fixture);
        test_event_drain(fixture.event);
        finish(&fixture, NULL);
}

static void test_exchanged_before_they_came(void) {
        Fixture fixture;
        int ends[2];

        set_up(&fixture);
        write_text(&fixture);
        test_event_drain(fixture.event);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
        (void) close(fixture.sender);
        fixture.sender = ends[1];
        send_files(&fixture);
        (void) close(log_pump_exchange_files(fixture.pump, ends[0]));
        finish(&fixture, TEXT TEXT);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/log-pump/files-first", test_files_first);
        g_test_add_func("/log-pump/files-behind", test_files_behind);
        g_test_add_func("/log-pump/files-taken", test_files_taken);
        g_test_add_func("/log-pump/files-taken-by-a-stream", test_files_taken_by_a_stream);
        g_test_add_func("/log-pump/no-files", test_no_files);
        g_test_add_func("/log-pump/exchanged-before-they-came", test_exchanged_before_they_came);
        return g_test_run();
}
