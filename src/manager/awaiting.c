/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/awaiting.h"

#include "basic/log.h"
#include "core/dependency-verdict.h"
#include "manager/depends-check.h"
#include "manager/manager-state.h"
#include "manager/saved-lists.h"

#include <inttypes.h>
#include <string.h>

enum {
        REVIEWS_A_TURN = 64,
};

struct Awaiting {
        sd_event_source *source;
        unsigned count;  /* of those that wait for others */
        unsigned places; /* of start_parallel, that are taken */
        GQueue queue;    /* of ids: who waits for a place; those that want none any more are passed over */
};

static struct Awaiting *awaiting_of(Manager *manager) {
        if (!manager->awaiting) {
                manager->awaiting = g_new0(struct Awaiting, 1);
                g_queue_init(&manager->awaiting->queue);
        }
        return manager->awaiting;
}

void awaiting_free(Manager *manager) {
        struct Awaiting *awaiting = g_steal_pointer(&manager->awaiting);

        if (awaiting) {
                (void) sd_event_source_disable_unref(awaiting->source);
                g_queue_clear(&awaiting->queue);
                g_free(awaiting);
        }
}

static int on_review(sd_event_source *source, void *userdata);

/* In a later turn: what has happened is not through with its processes. */
static void review_later(Manager *manager) {
        struct Awaiting *awaiting = awaiting_of(manager);
        int r = awaiting->source ? 0
                                 : sd_event_add_defer(manager->event, &awaiting->source, on_review, manager);

        if (r >= 0) {
                r = sd_event_source_set_enabled(awaiting->source, SD_EVENT_ONESHOT);
        }
        if (r < 0) {
                (void) log_error_errno(r, "starts that wait cannot be looked at: %m");
        }
}

static void mark(ProcessHandle *handle) {
        handle->await.due = true;
        review_later(handle->manager);
}

static bool has_place(Manager *manager) {
        return awaiting_of(manager)->places < manager->settings->start_parallel;
}

static void take_place(ProcessHandle *handle) {
        handle->await.has_place = true;
        handle->await.wants_place = false;
        awaiting_of(handle->manager)->places++;
}

static void give_place_back(ProcessHandle *handle) {
        struct Awaiting *awaiting = awaiting_of(handle->manager);

        if (handle->await.has_place) {
                handle->await.has_place = false;
                awaiting->places--;
                if (!g_queue_is_empty(&awaiting->queue)) {
                        review_later(handle->manager);
                }
        }
}

/* Whoever wants it to run has said so, and it was not let go before. */
static bool may_wait(const Command *command) {
        return !command->let_go && (command->cause == CAUSE_CALLER || command->cause == CAUSE_DEPENDENT);
}

ProcessInput awaiting_start_input(ProcessHandle *handle, const Command *command) {
        const Process *process = handle->process;
        struct Awaiting *awaiting = awaiting_of(handle->manager);

        if (!may_wait(command)) {
                return gone_start_input(process);
        }
        if (!process->config->depends_on && has_place(handle->manager) &&
            g_queue_is_empty(&awaiting->queue)) {
                take_place(handle);
                return gone_start_input(process);
        }
        return process_state_is_alive(process->state) ? INPUT_GONE_AWAIT : INPUT_AWAIT;
}

static bool waits_for(const Process *process, const Process *other) {
        return process->handle->await.waits && process->owner == other->owner &&
               dependencies_find(process->config->depends_on, other->config->name);
}

void awaiting_touch(const Process *process) {
        Manager *manager = process->handle->manager;

        for (size_t i = 0;
             manager->awaiting && manager->awaiting->count > 0 && i < registry_count(manager->registry);
             i++) {
                const Process *other = registry_at(manager->registry, i);
                if (waits_for(other, process)) {
                        mark(other->handle);
                }
        }
}

void awaiting_touch_all(Manager *manager) {
        for (size_t i = 0;
             manager->awaiting && manager->awaiting->count > 0 && i < registry_count(manager->registry);
             i++) {
                const Process *process = registry_at(manager->registry, i);
                if (process->handle->await.waits) {
                        mark(process->handle);
                }
        }
}

bool awaiting_is_needed(const Process *process) {
        const Manager *manager = process->handle->manager;

        for (size_t i = 0;
             manager->awaiting && manager->awaiting->count > 0 && i < registry_count(manager->registry);
             i++) {
                if (waits_for(registry_at(manager->registry, i), process)) {
                        return true;
                }
        }
        return false;
}

void awaiting_on_failed_launch(const Process *process, const char *what) {
        const Manager *manager = process->handle->manager;

        for (size_t i = 0;
             manager->awaiting && manager->awaiting->count > 0 && i < registry_count(manager->registry);
             i++) {
                const Process *other = registry_at(manager->registry, i);
                Await *await = &other->handle->await;
                if (waits_for(other, process) && !await->failure &&
                    dependencies_find(other->config->depends_on, process->config->name)->condition !=
                                    DEPENDENCY_STARTED) {
                        await->failure = g_strdup_printf(
                                        DEPENDENCY_REASON "%s' failed: %s", process->config->name, what);
                        mark(other->handle);
                }
        }
}

static void want_place(ProcessHandle *handle) {
        Process *process = handle->process;

        handle->await.wants_place = true;
        g_queue_push_tail(&awaiting_of(handle->manager)->queue, GUINT_TO_POINTER(process->id));
        review_later(handle->manager);
        process_take_reason(process, g_strdup("waits for its turn (setting start_parallel)"));
}

/* Only what waits for others is looked through when something happens to one. */
static void count_in(ProcessHandle *handle) {
        if (handle->process->config->depends_on && !handle->await.counted) {
                handle->await.counted = true;
                awaiting_of(handle->manager)->count++;
        }
}

static void stop_waiting(ProcessHandle *handle) {
        if (handle->await.counted) {
                handle->manager->awaiting->count--;
        }
        g_free(handle->await.failure);
        handle->await = (Await){ .has_place = handle->await.has_place };
}

static void begin_to_wait(ProcessHandle *handle) {
        stop_waiting(handle);
        handle->await.waits = true;
        count_in(handle);
        if (handle->await.counted) {
                mark(handle);
        } else {
                want_place(handle);
        }
}

void awaiting_reconsider(ProcessHandle *handle) {
        if (handle->await.waits) {
                handle->await.asked = false;
                count_in(handle);
                mark(handle);
        }
}

void awaiting_forget(ProcessHandle *handle) {
        stop_waiting(handle);
        if (handle->manager->awaiting) {
                give_place_back(handle);
        }
}

void awaiting_on_state(ProcessHandle *handle) {
        const Process *process = handle->process;
        ProcessState state = process->state;

        if (state != PROCESS_PLACING && state != PROCESS_EXECUTING) {
                give_place_back(handle);
        }
        if (handle->role != ROLE_VISIBLE) {
                return;
        }
        if (state == PROCESS_AWAITING) {
                begin_to_wait(handle);
        } else if (handle->await.waits) {
                stop_waiting(handle);
        }
        if (process_state_is_running(state) || state == PROCESS_STOPPED || state == PROCESS_ERRORED) {
                awaiting_touch(process);
        }
}

void awaiting_adopt(ProcessHandle *handle) {
        const Command *command = command_active(handle);

        if (!command) {
                command_resume(handle, COMMAND_START);
        } else if (command_is_stop(command)) {
                return;
        }
        command_active(handle)->launching = true;
        begin_to_wait(handle);
}

/* A command that has yet to launch it. */
static bool is_starting(const Process *process) {
        for (const GList *item = process->handle->commands.head; item; item = item->next) {
                const Command *command = item->data;
                bool start = command->verb == COMMAND_START && process->state != PROCESS_ONLINE;
                if ((start || command->verb == COMMAND_RESTART) && !command->launching) {
                        return true;
                }
        }
        return false;
}

/* What comes of looking at all that one waits for. */
typedef struct Outcome {
        char *failure; /* NULL: none */
        const Dependency *for_ /* that is not met, NULL: all are */;
        unsigned pending; /* how many are not */
        bool missing;     /* one may still come with a list that is being loaded */
        GArray *resting;  /* of uint32_t: what has to be started */
} Outcome;

static void outcome_done(Outcome *outcome) {
        g_free(outcome->failure);
        g_array_unref(outcome->resting);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_done)

static void look_at(const Process *process, const Dependency *dependency, bool asked, Outcome *outcome) {
        const Manager *manager = process->handle->manager;
        bool found = false, pending = false;

        for (size_t i = 0; i < registry_count(manager->registry) && !outcome->failure; i++) {
                const Process *other = registry_at(manager->registry, i);
                if (other->owner != process->owner || strcmp(other->config->name, dependency->name) != 0) {
                        continue;
                }
                found = true;
                DependencyVerdict verdict =
                                dependency_judge(other, dependency->condition, is_starting(other));
                pending = pending || verdict != DEPENDENCY_MET;
                if (verdict == DEPENDENCY_AT_REST && !asked) {
                        g_array_append_val(outcome->resting, other->id);
                } else if (verdict > DEPENDENCY_PENDING) {
                        outcome->failure = dependency_describe_failure(other, dependency->condition);
                }
        }
        if (!found && !outcome->failure) {
                outcome->missing = pending = saved_lists_are_loading(manager);
                outcome->failure = pending ? NULL
                                           : g_strdup_printf(DEPENDENCY_REASON "%s' failed: there is no app "
                                                                               "of this name any more",
                                                             dependency->name);
        }
        if (pending) {
                outcome->pending++;
                outcome->for_ = outcome->for_ ? outcome->for_ : dependency;
        }
}

static void fail_and_invalidate(ProcessHandle *handle, const char *why) {
        Process *process = handle->process;
        Command *command = command_active(handle);

        log_warning("process %" PRIu32 " '%s' is not started: %s", process->id, process->config->name, why);
        manager_remember(process, (HistoryEntry){ .kind = HISTORY_ERRORED, .text = (char *) why });
        if (command) {
                command->fresh = false; /* what was declared well stays, and says why it does not run */
                (void) error_set(
                                &handle->launch_error,
                                ERROR_SPAWN_FAILED,
                                "process %" PRIu32 " '%s': %s",
                                process->id,
                                process->config->name,
                                why);
        }
        process_take_reason(process, g_strdup(why));
        lifecycle_input_and_invalidate(handle, INPUT_LAUNCH_FAILED);
}

/* Why it waits, for whoever looks. */
static void tell_why(ProcessHandle *handle, char *why) {
        g_autofree char *reason = why;
        Process *process = handle->process;

        if (strcmp(process->reason, reason) != 0) {
                process_take_reason(process, g_steal_pointer(&reason));
                manager_state_save(handle);
                manager_notify_changes(handle->manager, process);
        }
}

static void tell_what_for(ProcessHandle *handle, const Outcome *outcome) {
        g_autofree char *more =
                        outcome->pending > 1 ? g_strdup_printf(" and %u more", outcome->pending - 1) : NULL;

        handle->await.wants_place = false;
        tell_why(handle,
                 g_strdup_printf("waits for '%s' (%s)%s",
                                 outcome->for_->name,
                                 dependency_condition_to_name(outcome->for_->condition),
                                 more ? more : ""));
}

static void let_go_and_invalidate(ProcessHandle *handle) {
        Process *process = handle->process;

        take_place(handle);
        process_take_reason(process, g_strdup(command_reason(command_active(handle))));
        lifecycle_input_and_invalidate(handle, gone_start_input(process));
}

/* All that it waited for is there. */
static void go_on_and_invalidate(ProcessHandle *handle) {
        struct Awaiting *awaiting = awaiting_of(handle->manager);

        if (handle->await.wants_place) {
                return; /* it has its turn in the queue */
        }
        if (has_place(handle->manager) && g_queue_is_empty(&awaiting->queue)) {
                let_go_and_invalidate(handle);
                return;
        }
        want_place(handle);
        manager_notify_changes(handle->manager, handle->process);
}

/* What rests and nobody has stopped is started for it. Returns why one cannot be, or NULL. */
static char *start_resting(const Process *process, const GArray *ids) {
        Manager *manager = process->handle->manager;
        g_auto(Error) error = { 0 };

        if (depends_check_circle(manager, process, &error) < 0) {
                return g_strdup(error.message);
        }
        for (guint i = 0; i < ids->len; i++) {
                Process *other = registry_get(manager->registry, g_array_index(ids, uint32_t, i));
                if (other && manager_start_by_itself_and_invalidate(other, CAUSE_DEPENDENT, &error) < 0) {
                        return g_strdup_printf(
                                        DEPENDENCY_REASON "%s' failed: %s",
                                        other->config->name,
                                        error.message);
                }
        }
        return NULL;
}

static void evaluate_and_invalidate(ProcessHandle *handle) {
        Process *process = handle->process;
        const GArray *dependencies = process->config->depends_on;
        g_auto(Outcome) outcome = { .failure = g_steal_pointer(&handle->await.failure),
                                    .resting = g_array_new(FALSE, FALSE, sizeof(uint32_t)) };

        for (size_t i = 0; i < dependencies_count(dependencies) && !outcome.failure; i++) {
                look_at(process, dependencies_at(dependencies, i), handle->await.asked, &outcome);
        }
        handle->await.asked = !outcome.missing;
        if (!outcome.failure && outcome.resting->len > 0) {
                outcome.failure = start_resting(process, outcome.resting);
        }
        if (outcome.failure) {
                fail_and_invalidate(handle, outcome.failure);
        } else if (outcome.for_) {
                tell_what_for(handle, &outcome);
        } else {
                go_on_and_invalidate(handle);
        }
}

/* The ids of those that are to be looked at, so many as one turn of the loop takes. */
static GArray *take_due(const Manager *manager) {
        GArray *ids = g_array_new(FALSE, FALSE, sizeof(uint32_t));

        for (size_t i = 0; i < registry_count(manager->registry) && ids->len < REVIEWS_A_TURN; i++) {
                const Process *process = registry_at(manager->registry, i);
                if (process->handle->await.due) {
                        process->handle->await.due = false;
                        g_array_append_val(ids, process->id);
                }
        }
        return ids;
}

static Process *find_waiting(const Manager *manager, uint32_t id) {
        Process *process = registry_get(manager->registry, id);
        const Command *command = process ? command_active(process->handle) : NULL;

        return command && process->handle->await.waits && !command_is_stop(command) ? process : NULL;
}

static void give_places_and_invalidate(Manager *manager) {
        struct Awaiting *awaiting = awaiting_of(manager);

        while (has_place(manager) && !g_queue_is_empty(&awaiting->queue)) {
                uint32_t id = GPOINTER_TO_UINT(g_queue_pop_head(&awaiting->queue));
                Process *process = find_waiting(manager, id);
                if (process && process->handle->await.wants_place) {
                        let_go_and_invalidate(process->handle);
                }
        }
}

static int on_review(sd_event_source *source, void *userdata) {
        Manager *manager = userdata;

        if (manager->detached || manager->shutting_down) {
                return 0;
        }
        g_autoptr(GArray) ids = take_due(manager);
        for (guint i = 0; i < ids->len; i++) {
                Process *process = find_waiting(manager, g_array_index(ids, uint32_t, i));
                if (process) {
                        evaluate_and_invalidate(process->handle);
                }
        }
        if (ids->len == REVIEWS_A_TURN) {
                review_later(manager);
        }
        give_places_and_invalidate(manager);
        return 0;
}
