/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls that wait for several processes: answered once, whatever comes first. */

#include "manager/operation.h"

#include "basic/sd-cleanup.h"
#include "event-fixture.h"
#include "fixture.h"

#include <string.h>

typedef struct Answer {
        unsigned count;
        bool called;
        ErrorCode code;
        char *message;
        char *ids;
} Answer;

static void on_answer(void *userdata, const Error *error, const GArray *ids) {
        Answer *answer = userdata;
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < ids->len; i++) {
                g_string_append_printf(text, "%s%u", i > 0 ? " " : "", g_array_index(ids, uint32_t, i));
        }
        answer->count++;
        answer->called = true;
        answer->code = error->code;
        g_free(answer->message);
        answer->message = g_strdup(error->message);
        g_free(answer->ids);
        answer->ids = g_string_free(text, FALSE);
}

static void assert_answer(Answer *answer, ErrorCode code, const char *ids, const char *message) {
        g_assert_cmpuint(answer->count, ==, 1);
        g_assert_cmpint(answer->code, ==, (int) code);
        g_assert_cmpstr(answer->ids, ==, ids);
        g_assert_cmpstr(answer->message, ==, message);
        g_free(answer->message);
        g_free(answer->ids);
}

static void finish(Operation *operation, uint32_t id, ErrorCode code, const char *message) {
        g_auto(Error) error = { 0 };

        if (code != ERROR_NONE) {
                (void) error_set(&error, code, "%s", message);
        }
        operation_finish(operation, id, &error);
}

static const Request waiting = { .wait = true };
static const Request impatient = { .wait = false };

static void test_none(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Answer answer = { 0 };
        Operation *operation = operation_new(event, on_answer, &answer);

        g_assert_cmpuint(answer.count, ==, 0);
        operation_seal_and_invalidate(operation, &waiting);
        assert_answer(&answer, ERROR_NONE, "", NULL);
}

static void test_all_done(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Answer answer = { 0 };
        Operation *operation = operation_new(event, on_answer, &answer);

        operation_expect(operation, 3);
        operation_expect(operation, 1);
        operation_expect(operation, 2);
        operation_finish(operation, 2, NULL);
        operation_seal_and_invalidate(operation, &waiting);
        g_assert_cmpuint(answer.count, ==, 0);
        finish(operation, 1, ERROR_NONE, NULL);
        g_assert_cmpuint(answer.count, ==, 0);
        finish(operation, 3, ERROR_NONE, NULL);
        assert_answer(&answer, ERROR_NONE, "3 1 2", NULL); /* in the order they were expected */
}

/* All were done before it was sealed: not answered before either. */
static void test_done_before_seal(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Answer answer = { 0 };
        Operation *operation = operation_new(event, on_answer, &answer);

        operation_expect(operation, 5);
        operation_finish(operation, 5, NULL);
        g_assert_cmpuint(answer.count, ==, 0);
        operation_seal_and_invalidate(operation, &impatient);
        assert_answer(&answer, ERROR_NONE, "5", NULL);
}

/* One process that fails gives its own error. */
static void test_single_failure(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Answer answer = { 0 };
        Operation *operation = operation_new(event, on_answer, &answer);

        operation_expect(operation, 5);
        operation_seal_and_invalidate(operation, &waiting);
        finish(operation, 5, ERROR_SPAWN_FAILED, "script: no such file");
        assert_answer(&answer, ERROR_SPAWN_FAILED, "", "script: no such file");
}

/* Of several, each that failed has a line, and the others are named. */
static void test_partial_failure(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Answer answer = { 0 };
        Operation *operation = operation_new(event, on_answer, &answer);

        for (uint32_t id = 0; id < 4; id++) {
                operation_expect(operation, id);
        }
        operation_seal_and_invalidate(operation, &waiting);
        finish(operation, 2, ERROR_SPAWN_FAILED, "no");
        finish(operation, 0, ERROR_NONE, NULL);
        finish(operation, 1, ERROR_CANCELLED, "stopped");
        g_assert_cmpuint(answer.count, ==, 0);
        finish(operation, 3, ERROR_NONE, NULL);
        assert_answer(&answer,
                      ERROR_PARTIAL_FAILURE,
                      "0 3",
                      "/org/pm2/Process/2: SpawnFailed: no\n/org/pm2/Process/1: Cancelled: stopped");
}

/* Who does not wait is told of what is known when it is sealed; the rest is said to nobody. */
static void test_no_wait(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Answer answer = { 0 };
        Operation *operation = operation_new(event, on_answer, &answer);

        operation_expect(operation, 1);
        operation_expect(operation, 2);
        operation_expect(operation, 3);
        finish(operation, 2, ERROR_ALREADY_RUNNING, "online");
        operation_seal_and_invalidate(operation, &impatient);
        g_assert_cmpuint(answer.count, ==, 1);
        finish(operation, 1, ERROR_SPAWN_FAILED, "later");
        finish(operation, 3, ERROR_NONE, NULL);
        assert_answer(&answer, ERROR_PARTIAL_FAILURE, "1 3", "/org/pm2/Process/2: AlreadyRunning: online");
}

/* The timeout answers; the work goes on and its end frees the operation (the sanitizers see to it). */
static void test_timeout(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        const Request request = { .wait = true, .timeout_usec = 1000 };
        Answer answer = { 0 };
        Operation *operation = operation_new(event, on_answer, &answer);

        operation_expect(operation, 1);
        operation_seal_and_invalidate(operation, &request);
        g_assert_cmpuint(answer.count, ==, 0);
        test_event_wait_flag(event, &answer.called, "the timeout");
        finish(operation, 1, ERROR_NONE, NULL);
        test_assert_contains(answer.message, "the work goes on");
        g_clear_pointer(&answer.message, g_free);
        assert_answer(&answer, ERROR_TIMEOUT, "", NULL);
}

/* Done in time: the timer is forgotten. Absurd timeouts are none. */
static void test_in_time(void) {
        static const uint64_t timeouts[] = { 1000, 60000000, UINT64_MAX, INT64_MAX };
        _cleanup_event_ sd_event *event = test_event_new();

        for (size_t i = 0; i < G_N_ELEMENTS(timeouts); i++) {
                const Request request = { .wait = true, .timeout_usec = timeouts[i] };
                Answer answer = { 0 };
                Operation *operation = operation_new(event, on_answer, &answer);
                operation_expect(operation, 1);
                operation_seal_and_invalidate(operation, &request);
                finish(operation, 1, ERROR_NONE, NULL);
                test_event_drain(event);
                assert_answer(&answer, ERROR_NONE, "1", NULL);
        }
}

/* The caller has gone: nobody is told of anything. */
static void test_forget(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        const Request request = { .wait = true, .timeout_usec = 1 };
        Answer answer = { 0 };
        Operation *operation = operation_new(event, on_answer, &answer);

        operation_expect(operation, 1);
        operation_expect(operation, 2);
        operation_seal_and_invalidate(operation, &request);
        operation_forget(operation);
        test_event_drain(event);
        finish(operation, 1, ERROR_SPAWN_FAILED, "no");
        finish(operation, 2, ERROR_NONE, NULL);
        g_assert_cmpuint(answer.count, ==, 0);
}

static void test_nobody_asks(void) {
        _cleanup_event_ sd_event *event = test_event_new();
        Operation *operation = operation_new(event, NULL, NULL);

        operation_expect(operation, 1);
        operation_seal_and_invalidate(operation, &waiting);
        finish(operation, 1, ERROR_SPAWN_FAILED, "no");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/manager/operation/none", test_none);
        g_test_add_func("/manager/operation/all-done", test_all_done);
        g_test_add_func("/manager/operation/done-before-seal", test_done_before_seal);
        g_test_add_func("/manager/operation/single-failure", test_single_failure);
        g_test_add_func("/manager/operation/partial-failure", test_partial_failure);
        g_test_add_func("/manager/operation/no-wait", test_no_wait);
        g_test_add_func("/manager/operation/timeout", test_timeout);
        g_test_add_func("/manager/operation/in-time", test_in_time);
        g_test_add_func("/manager/operation/forget", test_forget);
        g_test_add_func("/manager/operation/nobody-asks", test_nobody_asks);
        return g_test_run();
}
