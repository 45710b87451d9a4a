/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/actions.h"

#include "basic/time-util.h"
#include "basic/utf8.h"
#include "config/json-cursor.h"
#include "config/json-text.h"
#include "core/target.h"
#include "manager/manager-state.h"
#include "manager/messages.h"

#include <inttypes.h>
#include <string.h>

#define ANSWER_TIMEOUT_USEC (30 * USEC_PER_SEC)

enum {
        PENDING_MAX = 64, /* of one process */
};

/* An action that one process was asked for. Answers carry the action's name alone: the oldest that waits for
 * that name is meant. */
struct PendingAction {
        ProcessHandle *handle; /* weak */
        char *name;
        Operation *operation; /* weak */
        ActionAnswers *answers;
        uint32_t id;
        sd_event_source *timer;
};

ActionAnswers *action_answers_new(void) {
        ActionAnswers *answers = g_new0(ActionAnswers, 1);

        answers->n_ref = 1;
        answers->items = g_array_new(FALSE, FALSE, sizeof(ActionAnswer));
        return answers;
}

ActionAnswers *action_answers_ref(ActionAnswers *answers) {
        answers->n_ref++;
        return answers;
}

void action_answers_unref(ActionAnswers *answers) {
        if (!answers || --answers->n_ref > 0) {
                return;
        }
        for (guint i = 0; i < answers->items->len; i++) {
                g_free(g_array_index(answers->items, ActionAnswer, i).text);
        }
        g_array_unref(answers->items);
        g_free(answers);
}

static void add_answer(ActionAnswers *answers, uint32_t id, ErrorCode error, const char *text) {
        ActionAnswer answer = { .id = id, .error = error, .text = g_strdup(text) };

        g_array_append_val(answers->items, answer);
}

/* A failure is an answer too: what one process does is nothing to the others. */
static void finish_and_invalidate(PendingAction *pending, ErrorCode error, const char *text) {
        g_auto(Error) none = { 0 };
        Operation *operation = pending->operation;
        uint32_t id = pending->id;

        add_answer(pending->answers, id, error, text);
        (void) g_queue_remove(&pending->handle->actions, pending);
        (void) sd_event_source_disable_unref(pending->timer);
        action_answers_unref(pending->answers);
        g_free(pending->name);
        g_free(pending);
        operation_finish(operation, id, &none);
}

void actions_fail_pending(ProcessHandle *handle) {
        while (!g_queue_is_empty(&handle->actions)) {
                finish_and_invalidate(
                                g_queue_peek_head(&handle->actions),
                                ERROR_NOT_ONLINE,
                                "it ended before it answered");
        }
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        finish_and_invalidate(userdata, ERROR_TIMEOUT, "it did not answer in time");
        return 0;
}

/* The text of a member of an object; the last of that name counts. Freed by the caller, NULL: there is none.
 */
static char *member_text(const char *text, size_t length, const char *name) {
        JsonCursor cursor = json_cursor_begin(text, length);
        bool first = true;
        char *found = NULL;
        int r = json_cursor_enter(&cursor, '{', NULL);

        while (r >= 0 && json_cursor_next(&cursor, '{', &first, NULL) > 0) {
                g_autofree char *key = NULL;
                r = json_cursor_key(&cursor, &key, NULL);
                (void) json_cursor_peek(&cursor);
                size_t start = cursor.position;
                if (r >= 0) {
                        r = json_cursor_skip(&cursor, NULL);
                }
                if (r >= 0 && strcmp(key, name) == 0) {
                        g_free(found);
                        found = g_strndup(text + start, cursor.position - start);
                }
        }
        return found;
}

/* {"action_name":...,"return":...}: who waits for it gets what it returned. */
static void take_reply(ProcessHandle *handle, const Value *reply, const char *text, size_t length) {
        const Value *name = reply->kind == VALUE_MAP ? value_get(reply, "action_name") : NULL;

        for (GList *item = handle->actions.head; name && name->kind == VALUE_STRING && item;
             item = item->next) {
                PendingAction *pending = item->data;
                if (strcmp(pending->name, name->string) == 0) {
                        g_autofree char *result = member_text(text, length, "return");
                        finish_and_invalidate(pending, ERROR_NONE, result ? result : "null");
                        return;
                }
        }
}

bool actions_take_message(ProcessHandle *handle, const char *type, const char *data, size_t length) {
        SelfReport *report = &handle->process->report;
        g_autoptr(Value) value = NULL;

        if (!g_str_has_prefix(type, "axm:")) {
                return false;
        }
        bool decoded = json_text_decode(data, length, &value, NULL) >= 0;
        if (strcmp(type, "axm:reply") == 0) {
                if (decoded) {
                        take_reply(handle, value, data, length);
                }
                return false;
        }
        if (strcmp(type, "axm:action") == 0) {
                if (decoded && self_report_add_action(report, value) >= 0) {
                        manager_state_save(handle); /* it is said once */
                }
                return true;
        }
        if (strcmp(type, "axm:monitor") == 0) {
                (void) (decoded && self_report_merge_metrics(report, value));
                return true;
        }
        if (strcmp(type, "axm:option:configuration") == 0) {
                (void) (decoded && self_report_merge_options(report, value));
                return true;
        }
        return strcmp(type, "axm:option:setPID") == 0;
}

/* A bare string without parameters, as PM2 sends it. */
static char *make_message(const Process *process, const char *action, const char *params) {
        g_autoptr(GString) text = g_string_new(NULL);

        if (!params[0]) {
                json_text_append_string(text, action);
                return g_string_free(g_steal_pointer(&text), FALSE);
        }
        g_string_append_printf(text, "{\"id\":%" PRIu32 ",\"msg\":", process->id);
        json_text_append_string(text, action);
        g_string_append(text, ",\"opts\":");
        json_text_append_string(text, params);
        g_string_append_c(text, '}');
        return g_string_free(g_steal_pointer(&text), FALSE);
}

static int ask(ProcessHandle *handle, const char *action, const char *params, Error *error) {
        const Process *process = handle->process;

        int r = messages_check(handle, error);
        if (r < 0) {
                return r;
        }
        if (!self_report_has_action(&process->report, action)) {
                g_autofree char *quoted = error_quote(action);
                return error_set(
                                error,
                                ERROR_NO_SUCH_ACTION,
                                "process %" PRIu32 " '%s' has no action %s",
                                process->id,
                                process->config->name,
                                quoted);
        }
        if (g_queue_get_length(&handle->actions) >= PENDING_MAX) {
                return error_set(
                                error,
                                ERROR_BUSY,
                                "process %" PRIu32 " '%s' owes %d answers already",
                                process->id,
                                process->config->name,
                                PENDING_MAX);
        }
        g_autofree char *message = make_message(process, action, params);
        return messages_send(handle, message, strlen(message), error);
}

static void wait_for_answer(
                ProcessHandle *handle,
                const char *action,
                uint64_t timeout_usec,
                Operation *operation,
                ActionAnswers *answers) {
        PendingAction *pending = g_new0(PendingAction, 1);

        pending->handle = handle;
        pending->name = g_strdup(action);
        pending->operation = operation;
        pending->answers = action_answers_ref(answers);
        pending->id = handle->process->id;
        (void) sd_event_add_time_relative(
                        handle->manager->event,
                        &pending->timer,
                        CLOCK_BOOTTIME,
                        timeout_usec,
                        USEC_PER_MSEC,
                        on_timeout,
                        pending);
        g_queue_push_tail(&handle->actions, pending);
}

static void trigger_one(
                ProcessHandle *handle,
                const char *action,
                const char *params,
                const Request *request,
                Operation *operation,
                ActionAnswers *answers) {
        g_auto(Error) failure = { 0 }, none = { 0 };
        uint32_t id = handle->process->id;

        if (ask(handle, action, params, &failure) < 0) {
                add_answer(answers, id, failure.code, failure.message);
                operation_finish(operation, id, &none);
        } else if (request->wait) {
                uint64_t timeout_usec =
                                request->timeout_usec > 0 ? request->timeout_usec : ANSWER_TIMEOUT_USEC;
                wait_for_answer(handle, action, timeout_usec, operation, answers);
        } else {
                add_answer(answers, id, ERROR_NONE, "");
                operation_finish(operation, id, &none);
        }
}

int manager_trigger(
                Manager *manager,
                const ManagerCall *call,
                const char *target,
                const char *action,
                const char *params,
                ActionAnswers *answers,
                Operation **ret,
                Error *error) {
        const Request untimed = { .wait = true }; /* each answer has its own time */
        g_auto(Request) request = { 0 };
        g_autoptr(GPtrArray) processes = NULL;

        int r = request_parse(&request, call->options, 0, error);
        if (r >= 0 && (!utf8_is_valid(action, strlen(action)) || !action[0])) {
                r = error_set(error, ERROR_INVALID_DATA, "action: is empty");
        }
        if (r >= 0) {
                r = target_resolve(manager->registry, &call->caller, target, &processes, error);
        }
        if (r < 0) {
                return r;
        }
        Operation *operation = manager_expect_all(manager, call, processes);
        for (guint i = 0; i < processes->len; i++) {
                const Process *process = processes->pdata[i];
                trigger_one(process->handle, action, params, &request, operation, answers);
        }
        if (ret) {
                *ret = operation;
        }
        operation_seal_and_invalidate(operation, &untimed);
        return 0;
}
