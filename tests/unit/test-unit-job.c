/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Asks a bus of a few lines, which lies in the same loop and answers what a case says. */

#include "platform/unit-job.h"

#include "basic/sd-cleanup.h"
#include "event-fixture.h"
#include "fixture.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIT      "pm2d@x.service"
#define UNIT_PATH "/org/freedesktop/systemd1/unit/pm2d_40x_2eservice"
#define JOB_PATH  "/org/freedesktop/systemd1/job/4711"

typedef enum Answer {
        ANSWER_VALUE,
        ANSWER_ERROR,
        ANSWER_OTHER_TYPE,
        ANSWER_EMPTY,
        ANSWER_CLOSE, /* the connection ends */
        ANSWER_NONE,
} Answer;

typedef struct Script {
        const char *name;
        Answer job, type;
        uint32_t id; /* 0: there is no job */
        const char *type_text;
        const char *expected;
        unsigned n_asked;
} Script;

typedef struct FakeBus {
        sd_event *event;
        const Script *script;
        char *folder, *path;
        int listener;
        sd_event_source *source;
        sd_bus *peer;
        unsigned n_asked;
        bool closed;
} FakeBus;

static int reply(FakeBus *fake, sd_bus_message *message, Answer answer, const char *types, uint32_t id) {
        switch (answer) {
        case ANSWER_VALUE:
                return types[0] == '(' ? sd_bus_reply_method_return(
                                                         message, "v", types, id, id ? JOB_PATH : "/")
                                       : sd_bus_reply_method_return(
                                                         message, "v", types, fake->script->type_text);
        case ANSWER_ERROR:
                return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_UNKNOWN_OBJECT, "gone");
        case ANSWER_OTHER_TYPE:
                return sd_bus_reply_method_return(message, "v", "t", UINT64_MAX);
        case ANSWER_EMPTY:
                return sd_bus_reply_method_return(message, "");
        case ANSWER_CLOSE:
                sd_bus_close(fake->peer);
                return 1;
        case ANSWER_NONE:
        default:
                return 1;
        }
}

static void assert_get(sd_bus_message *message, const char *interface, const char *property) {
        const char *asked_interface = NULL, *asked_property = NULL;

        g_assert_true(sd_bus_message_is_method_call(message, "org.freedesktop.DBus.Properties", "Get") > 0);
        g_assert_cmpstr(sd_bus_message_get_destination(message), ==, "org.freedesktop.systemd1");
        g_assert_cmpint(sd_bus_message_read(message, "ss", &asked_interface, &asked_property), >, 0);
        g_assert_cmpstr(asked_interface, ==, interface);
        g_assert_cmpstr(asked_property, ==, property);
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        FakeBus *fake = userdata;
        const char *path = sd_bus_message_get_path(message);

        if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.Local", "Disconnected") > 0) {
                fake->closed = true;
                return 1;
        }
        if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus", "Hello") > 0) {
                return sd_bus_reply_method_return(message, "s", ":1.7");
        }
        fake->n_asked++;
        if (strcmp(path, UNIT_PATH) == 0) {
                assert_get(message, "org.freedesktop.systemd1.Unit", "Job");
                return reply(fake, message, fake->script->job, "(uo)", fake->script->id);
        }
        g_assert_cmpstr(path, ==, JOB_PATH);
        assert_get(message, "org.freedesktop.systemd1.Job", "JobType");
        return reply(fake, message, fake->script->type, "s", 0);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        FakeBus *fake = userdata;
        const sd_id128_t id = { .bytes = { 1 } };

        int peer_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        g_assert_cmpint(peer_fd, >=, 0);
        g_assert_null(fake->peer);
        g_assert_cmpint(sd_bus_new(&fake->peer), ==, 0);
        g_assert_cmpint(sd_bus_set_fd(fake->peer, peer_fd, peer_fd), >=, 0);
        g_assert_cmpint(sd_bus_set_server(fake->peer, true, id), >=, 0);
        g_assert_cmpint(sd_bus_add_filter(fake->peer, NULL, on_message, fake), >=, 0);
        g_assert_cmpint(sd_bus_start(fake->peer), >=, 0);
        g_assert_cmpint(sd_bus_attach_event(fake->peer, fake->event, SD_EVENT_PRIORITY_NORMAL), >=, 0);
        return 0;
}

static void fake_bus_init(FakeBus *fake, sd_event *event, const Script *script, const char *variable) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        *fake = (FakeBus){ .event = event, .script = script, .folder = test_folder_new() };
        fake->path = test_path(fake->folder, "bus");
        fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        g_assert_cmpint(fake->listener, >=, 0);
        (void) g_strlcpy(address.sun_path, fake->path, sizeof(address.sun_path));
        g_assert_cmpint(bind(fake->listener, (struct sockaddr *) &address, sizeof(address)), ==, 0);
        g_assert_cmpint(listen(fake->listener, 4), ==, 0);
        g_assert_cmpint(sd_event_add_io(event, &fake->source, fake->listener, EPOLLIN, on_connection, fake),
                        >=,
                        0);
        g_autofree char *bus_address = g_strdup_printf("unix:path=%s", fake->path);
        g_unsetenv("DBUS_SESSION_BUS_ADDRESS");
        g_unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
        g_assert_true(g_setenv(variable, bus_address, TRUE));
}

static void fake_bus_done(FakeBus *fake) {
        if (fake->peer) {
                (void) sd_bus_detach_event(fake->peer);
                (void) sd_bus_close_unref(fake->peer);
        }
        (void) sd_event_source_disable_unref(fake->source);
        fake->listener = close_fd(fake->listener);
        g_free(fake->path);
        test_folder_remove(fake->folder);
}

typedef struct Told {
        UnitJob *job;
        bool called;
        unsigned count;
        char *type;
        bool free_inside;
} Told;

static void on_told(void *userdata, const char *type) {
        Told *told = userdata;

        told->called = true;
        told->count++;
        g_free(told->type);
        told->type = g_strdup(type);
        if (told->free_inside) {
                unit_job_free(g_steal_pointer(&told->job));
        }
}

static void run(const Script *script, bool system, bool free_inside) {
        _cleanup_event_ sd_event *event = test_event_new();
        Told told = { .free_inside = free_inside };
        FakeBus fake;

        fake_bus_init(&fake, event, script, system ? "DBUS_SYSTEM_BUS_ADDRESS" : "DBUS_SESSION_BUS_ADDRESS");
        g_assert_cmpint(unit_job_ask(event, system, UNIT, on_told, &told, &told.job), ==, 0);
        g_assert_cmpuint(told.count, ==, 0); /* from the loop, not from here */
        test_event_wait_flag(event, &told.called, script->name);
        test_event_drain(event);
        g_assert_cmpuint(told.count, ==, 1);
        g_assert_cmpstr(told.type, ==, script->expected);
        g_assert_cmpuint(fake.n_asked, ==, script->n_asked);
        unit_job_free(told.job);
        test_event_drain(event);
        g_free(told.type);
        fake_bus_done(&fake);
}

static void test_answers(void) {
        static const Script scripts[] = {
                { "restart", ANSWER_VALUE, ANSWER_VALUE, 4711, "restart", "restart", 2 },
                { "stop", ANSWER_VALUE, ANSWER_VALUE, 4711, "stop", "stop", 2 },
                { "an unknown type", ANSWER_VALUE, ANSWER_VALUE, UINT32_MAX, "nop", "nop", 2 },
                { "no job", ANSWER_VALUE, ANSWER_VALUE, 0, "restart", "", 1 },
                { "no such unit", ANSWER_ERROR, ANSWER_VALUE, 1, "restart", "", 1 },
                { "another type", ANSWER_OTHER_TYPE, ANSWER_VALUE, 1, "restart", "", 1 },
                { "nothing in it", ANSWER_EMPTY, ANSWER_VALUE, 1, "restart", "", 1 },
                { "the bus ends", ANSWER_CLOSE, ANSWER_VALUE, 1, "restart", "", 1 },
                { "the job is done", ANSWER_VALUE, ANSWER_ERROR, 1, "restart", "", 2 },
                { "a type of another type", ANSWER_VALUE, ANSWER_OTHER_TYPE, 1, "restart", "", 2 },
                { "a type that is not there", ANSWER_VALUE, ANSWER_EMPTY, 1, "restart", "", 2 },
                { "the bus ends late", ANSWER_VALUE, ANSWER_CLOSE, 1, "restart", "", 2 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
                for (int variant = 0; variant < 4; variant++) {
                        run(&scripts[i], variant & 1, variant & 2);
                }
        }
}

/* Two seconds, of which this test waits for all. */
static void test_no_answer(void) {
        static const Script script = { "the limit of time", ANSWER_VALUE, ANSWER_NONE, 1, "restart", "", 2 };
        gint64 before = g_get_monotonic_time();

        run(&script, false, false);
        g_assert_cmpint(g_get_monotonic_time() - before, >=, 2 * G_TIME_SPAN_SECOND);
}

static bool was_asked(void *userdata) {
        return ((const FakeBus *) userdata)->n_asked == 1;
}

/* Freed while it waits: nobody is told, and the connection ends. */
static void test_given_up(void) {
        static const Script script = { "given up", ANSWER_NONE, ANSWER_NONE, 1, "restart", "", 1 };
        _cleanup_event_ sd_event *event = test_event_new();
        Told told = { 0 };
        FakeBus fake;

        fake_bus_init(&fake, event, &script, "DBUS_SESSION_BUS_ADDRESS");
        g_assert_cmpint(unit_job_ask(event, false, UNIT, on_told, &told, &told.job), ==, 0);
        test_event_wait(event, was_asked, &fake, "the question");
        unit_job_free(told.job);
        test_event_wait_flag(event, &fake.closed, "the end of the connection");
        g_assert_cmpuint(told.count, ==, 0);
        fake_bus_done(&fake);
        unit_job_free(NULL);
}

static void test_no_bus(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        UnitJob *job = NULL;
        Told told = { 0 };

        g_assert_true(g_setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/no/such/bus", TRUE));
        g_assert_true(g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "no address", TRUE));
        g_assert_cmpint(unit_job_ask(event, false, UNIT, on_told, &told, &job), ==, -ENOENT);
        g_assert_cmpint(unit_job_ask(event, true, UNIT, on_told, &told, &job), <, 0);
        g_assert_null(job);
        test_event_drain(event);
        g_assert_cmpuint(told.count, ==, 0);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/unit-job/answers", test_answers);
        g_test_add_func("/platform/unit-job/no-answer", test_no_answer);
        g_test_add_func("/platform/unit-job/given-up", test_given_up);
        g_test_add_func("/platform/unit-job/no-bus", test_no_bus);
        return g_test_run();
}
