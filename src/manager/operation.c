/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/operation.h"

#include "basic/time-util.h"

#include <inttypes.h>

enum {
        NAMED_IDS_MAX = 8, /* in the text of a timeout */
};

typedef struct Failure {
        uint32_t id;
        bool no_process;
        char *what; /* that is not a process, NULL: the error says it */
        Error error;
} Failure;

struct Operation {
        sd_event *event;
        sd_event_source *timer;
        OperationHandler handler; /* NULL: was answered, or nobody asks any more */
        void *userdata;
        uint64_t timeout_usec;
        bool asked; /* uid says by whom */
        uid_t uid;
        unsigned pending;  /* processes, and one for the maker */
        GArray *ids;       /* of uint32_t: all that were expected */
        unsigned removals; /* expected beside them */
        GArray *failures;  /* of Failure */
};

static void clear_failure(void *item) {
        Failure *failure = item;
        g_free(failure->what);
        error_clear(&failure->error);
}

Operation *operation_new(sd_event *event, OperationHandler handler, void *userdata) {
        Operation *operation = g_new0(Operation, 1);

        operation->event = sd_event_ref(event);
        operation->handler = handler;
        operation->userdata = userdata;
        operation->pending = 1;
        operation->ids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        operation->failures = g_array_new(FALSE, FALSE, sizeof(Failure));
        g_array_set_clear_func(operation->failures, clear_failure);
        return operation;
}

void operation_set_caller(Operation *operation, uid_t uid) {
        operation->asked = true;
        operation->uid = uid;
}

bool operation_get_caller(const Operation *operation, uid_t *ret_uid) {
        *ret_uid = operation->uid;
        return operation->asked;
}

static void operation_free(Operation *operation) {
        (void) sd_event_source_disable_unref(operation->timer);
        (void) sd_event_unref(operation->event);
        g_array_unref(operation->ids);
        g_array_unref(operation->failures);
        g_free(operation);
}

static void answer(Operation *operation, const Error *error, const GArray *ids) {
        OperationHandler handler = operation->handler;

        operation->handler = NULL;
        operation->timer = sd_event_source_disable_unref(operation->timer);
        if (handler) {
                handler(operation->userdata, error, ids);
        }
}

static bool has_failed(const Operation *operation, uint32_t id) {
        for (guint i = 0; i < operation->failures->len; i++) {
                const Failure *failure = &g_array_index(operation->failures, Failure, i);
                if (!failure->no_process && failure->id == id) {
                        return true;
                }
        }
        return false;
}

static GArray *ids_that_are_done(const Operation *operation) {
        GArray *done = g_array_new(FALSE, FALSE, sizeof(uint32_t));

        for (guint i = 0; i < operation->ids->len; i++) {
                uint32_t id = g_array_index(operation->ids, uint32_t, i);
                if (!has_failed(operation, id)) {
                        g_array_append_val(done, id);
                }
        }
        return done;
}

static unsigned failures_without_process(const Operation *operation) {
        unsigned count = 0;

        for (guint i = 0; i < operation->failures->len; i++) {
                count += g_array_index(operation->failures, Failure, i).no_process;
        }
        return count;
}

static char *describe_failure(const Failure *failure, bool with_code) {
        g_autofree char *path = failure->no_process
                                                ? g_strdup(failure->what)
                                                : g_strdup_printf("/org/pm2/Process/%" PRIu32, failure->id);

        return g_strconcat(
                        path ? path : "",
                        path ? ": " : "",
                        with_code ? error_code_to_name(failure->error.code) : "",
                        with_code ? ": " : "",
                        failure->error.message,
                        NULL);
}

/* A single process fails with its own error; of several, each that failed gets a line. */
static void sum_up(const Operation *operation, Error *ret) {
        if (operation->failures->len == 0) {
                return;
        }
        const Failure *first = &g_array_index(operation->failures, Failure, 0);
        if (operation->ids->len + operation->removals + failures_without_process(operation) == 1) {
                g_autofree char *text = first->no_process ? describe_failure(first, false)
                                                          : g_strdup(first->error.message);
                (void) error_set(ret, first->error.code, "%s", text);
                return;
        }
        g_autoptr(GString) lines = g_string_new(NULL);
        for (guint i = 0; i < operation->failures->len; i++) {
                g_autofree char *line =
                                describe_failure(&g_array_index(operation->failures, Failure, i), true);
                g_string_append_printf(lines, "%s%s", i > 0 ? "\n" : "", line);
        }
        (void) error_set(ret, ERROR_PARTIAL_FAILURE, "%s", lines->str);
}

static void release_and_invalidate(Operation *operation) {
        if (--operation->pending > 0) {
                return;
        }
        if (operation->handler) {
                g_auto(Error) error = { 0 };
                g_autoptr(GArray) done = ids_that_are_done(operation);
                sum_up(operation, &error);
                answer(operation, &error, done);
        }
        operation_free(operation);
}

void operation_expect(Operation *operation, uint32_t id) {
        g_array_append_val(operation->ids, id);
        operation->pending++;
}

void operation_expect_removal(Operation *operation) {
        operation->removals++;
        operation->pending++;
}

void operation_finish(Operation *operation, uint32_t id, Error *error) {
        if (error && error->code != ERROR_NONE) {
                Failure failure = { .id = id };
                error_move(&failure.error, error);
                g_array_append_val(operation->failures, failure);
        }
        release_and_invalidate(operation);
}

void operation_fail(Operation *operation, const char *what, Error *error) {
        Failure failure = { .no_process = true, .what = g_strdup(what) };

        error_move(&failure.error, error);
        g_array_append_val(operation->failures, failure);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Operation *operation = userdata;
        g_auto(Error) error = { 0 };
        g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(uint32_t));

        g_autoptr(GString) list = g_string_new(NULL);
        for (guint i = 0; i < operation->ids->len && i < NAMED_IDS_MAX; i++) {
                g_string_append_printf(
                                list,
                                "%s%" PRIu32,
                                i > 0 ? ", " : "",
                                g_array_index(operation->ids, uint32_t, i));
        }
        (void) error_set(
                        &error,
                        ERROR_TIMEOUT,
                        "process %s%s: not done within the timeout of %" PRIu64
                        " ms; the work goes on, ProcessEvent tells its end",
                        list->str,
                        operation->ids->len > NAMED_IDS_MAX ? "..." : "",
                        operation->timeout_usec / USEC_PER_MSEC);
        answer(operation, &error, none);
        return 0;
}

void operation_seal_and_invalidate(Operation *operation, const Request *request) {
        if (operation->pending > 1 && !request->wait) {
                g_auto(Error) error = { 0 };
                g_autoptr(GArray) done = ids_that_are_done(operation);
                sum_up(operation, &error);
                answer(operation, &error, done);
        } else if (operation->pending > 1 && request->timeout_usec > 0) {
                operation->timeout_usec = request->timeout_usec;
                int r = sd_event_add_time_relative(
                                operation->event,
                                &operation->timer,
                                CLOCK_BOOTTIME,
                                MIN(request->timeout_usec, UINT64_C(86400) * 365 * USEC_PER_SEC),
                                USEC_PER_MSEC,
                                on_timeout,
                                operation);
                if (r < 0) {
                        operation->timer = NULL;
                }
        }
        release_and_invalidate(operation);
}

void operation_forget(Operation *operation) {
        operation->handler = NULL;
        operation->timer = sd_event_source_disable_unref(operation->timer);
}
