/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One list from its file to processes: read by a child, checked as a whole, then taken app by app, a few in
 * each turn of the loop. */

#include "basic/log.h"
#include "core/file-names.h"
#include "manager/depends-check.h"
#include "manager/manager-state.h"
#include "manager/saved-lists.h"

#include <inttypes.h>
#include <string.h>

enum {
        CHECKS_A_TURN = 64,
        APPS_A_TURN = 8,
};

static void read_file_and_invalidate(ListTask *task);

/* All apps are registered: what is left is up to their commands. */
static void finish_and_invalidate(ListTask *task) {
        Operation *operation = g_steal_pointer(&task->operation);
        Request request = task->request;

        list_task_end_and_invalidate(task);
        operation_seal_and_invalidate(operation, &request);
}

static void fail_and_invalidate(ListTask *task, Error *error) {
        operation_fail(task->operation, NULL, error);
        finish_and_invalidate(task);
}

/* The list cannot be used: the previous one may. */
static void try_previous_and_invalidate(ListTask *task, Error *error, bool missing) {
        if (task->previous) {
                if (task->at_start && missing && task->missing) {
                        finish_and_invalidate(task); /* nothing was ever saved */
                } else {
                        g_auto(Error) trouble = { 0 };
                        error_move(&trouble, &task->trouble);
                        fail_and_invalidate(task, &trouble);
                }
                return;
        }
        task->previous = true;
        task->missing = missing;
        error_move(&task->trouble, error);
        read_file_and_invalidate(task);
}

static char *list_path(const ListTask *task) {
        return g_strconcat(task->path, task->previous ? ".bak" : "", NULL);
}

/* How many entries of this name are skipped: as many as there are processes of it, where a supervisor that
 * was killed has brought them; else all. */
static unsigned skipped_of(const ListTask *task, const char *name) {
        unsigned count = 0;

        for (size_t i = 0; i < registry_count(task->manager->registry); i++) {
                const Process *process = registry_at(task->manager->registry, i);
                count += process->owner == task->owner && strcmp(process->config->name, name) == 0;
        }
        return count > 0 && !task->resumed ? UINT_MAX : count;
}

/* What is in the list already is named in the answer, and is no error. */
static void tell_existing(const ListTask *task, const char *name) {
        for (size_t i = 0; i < registry_count(task->manager->registry); i++) {
                const Process *process = registry_at(task->manager->registry, i);
                if (process->owner == task->owner && strcmp(process->config->name, name) == 0) {
                        operation_expect(task->operation, process->id);
                        operation_finish(task->operation, process->id, NULL);
                }
        }
}

static bool is_skipped(ListTask *task, const char *name) {
        gpointer left;

        if (!g_hash_table_lookup_extended(task->names, name, NULL, &left)) {
                left = GUINT_TO_POINTER(skipped_of(task, name));
                if (left) {
                        tell_existing(task, name);
                }
        }
        unsigned count = GPOINTER_TO_UINT(left);
        unsigned rest = count == UINT_MAX || count == 0 ? count : count - 1;
        (void) g_hash_table_insert(task->names, g_strdup(name), GUINT_TO_POINTER(rest));
        return count > 0;
}

int saved_entry_apply(const SavedEntry *entry, AppConfig *config, Error *error) {
        for (guint i = 0; i < entry->attributes->entries->len; i++) {
                const ValueEntry *member = &g_array_index(entry->attributes->entries, ValueEntry, i);
                int r = app_config_set_by_name(config, member->key, member->value, error);
                if (r < 0) {
                        return r;
                }
        }
        return app_config_check(config, error);
}

/* What can be said without looking at any file. */
static ProcessPlan bare_plan(const ListTask *task, const AppConfig *config) {
        const char *home = manager_user(task->manager, task->owner)->home;
        const char *cwd = config->cwd ? config->cwd : home;
        g_autofree char *path = file_name_resolve(config->script, cwd, home);

        return (ProcessPlan){
                .exec_path = g_strdup(path),
                .interpreter = g_strdup(config->interpreter ? config->interpreter : "none"),
                .program = g_strdup(path),
                .cwd = g_strdup(cwd),
                .out_log_path = g_strdup(config->out_file ? config->out_file : "/dev/null"),
                .error_log_path = g_strdup(config->error_file ? config->error_file : "/dev/null"),
                .log_path = g_strdup(""),
                .pid_path = g_strdup(config->pid_file ? config->pid_file : "/dev/null"),
                .version = g_strdup("N/A"),
        };
}

/* An app that its files do not allow now stays in the list: its disk may come later, and a save must not
 * lose it. Whatever starts it looks at the files again. */
static void register_unusable(
                ListTask *task,
                const SavedEntry *entry,
                AppConfig *config,
                Environment *caller_env,
                const Error *why) {
        Manager *manager = task->manager;
        g_auto(ProcessPlan) plan = bare_plan(task, config);
        Process *process;

        if (manager_add_process(manager, task->owner, config, caller_env, &plan, &process, NULL) < 0) {
                return;
        }
        ProcessFacts facts = {
                .state = entry->status == SAVED_ONLINE ? PROCESS_ERRORED : PROCESS_STOPPED,
                .held = entry->status == SAVED_STOPPED,
                .created_realtime_usec = process->created_realtime_usec,
                .exit_status = EXIT_STATUS_NONE,
        };
        process_restore(process, &facts);
        process_take_reason(process, g_strdup(why->message));
        process->changes |= CHANGE_STATUS;
        manager_state_save(process->handle);
        manager_notify_changes(manager, process);
}

static int register_app(ListTask *task, const SavedEntry *entry, AppConfig *config, Error *error) {
        Manager *manager = task->manager;
        g_autoptr(Environment) caller_env = app_environment_base(manager, task->owner, entry->environment);
        g_auto(ProcessPlan) plan = { 0 };
        Process *process;

        int r = app_plan_make(manager, task->owner, config, caller_env, &plan, error);
        if (r >= 0) {
                r = depends_check_new_app(manager, task->owner, config, error);
        }
        if (r < 0) {
                register_unusable(task, entry, config, caller_env, error);
                return r;
        }
        r = manager_add_process(manager, task->owner, config, caller_env, &plan, &process, error);
        if (r < 0) {
                return r;
        }
        uint32_t id = process->id;
        operation_expect(task->operation, id);
        if (entry->status != SAVED_ONLINE || !config->autostart) {
                process_set_held(process, entry->status == SAVED_STOPPED);
                process_take_reason(
                                process,
                                g_strdup(entry->status != SAVED_ONLINE ? "stopped when the list was saved"
                                                                       : "not started: autostart is off"));
                manager_state_save(process->handle);
                manager_notify_changes(manager, process);
                operation_finish(task->operation, id, NULL);
        } else {
                command_submit_and_invalidate(process->handle, command_new(COMMAND_START, task->operation));
        }
        return 0;
}

static int take_entry(ListTask *task, const SavedEntry *entry, Error *error) {
        g_autoptr(AppConfig) config = app_config_new();

        int r = saved_entry_apply(entry, config, error);
        if (r < 0 || is_skipped(task, config->name)) {
                return r;
        }
        return register_app(task, entry, config, error);
}

/* One app that cannot be had keeps no other from coming. */
static void note_failure(ListTask *task, const SavedEntry *entry, Error *error) {
        g_autofree char *path = list_path(task);
        const Value *name = entry->attributes ? value_get(entry->attributes, "name") : NULL;
        g_autofree char *quoted = name && name->kind == VALUE_STRING ? error_quote(name->string) : NULL;
        g_autofree char *where =
                        g_strdup_printf("%s, line %u: apps[%u]%s%s",
                                        path,
                                        entry->line,
                                        task->number,
                                        quoted ? " " : "",
                                        quoted ? quoted : "");

        operation_fail(task->operation, where, error);
}

/* 1: there may be more. */
static int take_next(ListTask *task) {
        g_auto(SavedEntry) entry = { 0 };
        g_auto(Error) error = { 0 };

        int r = saved_list_reader_next(task->reader, &entry, &error);
        if (r == 0) {
                return 0;
        }
        if (r > 0) {
                r = take_entry(task, &entry, &error);
        }
        if (r < 0) {
                note_failure(task, &entry, &error);
        }
        task->number++;
        return 1;
}

static void begin_taking(ListTask *task) {
        task->checked = true;
        if (task->trouble.code != ERROR_NONE) {
                g_autofree char *path = list_path(task);
                g_autofree char *text = g_strdup_printf(
                                "%s; the previous list, %s, is loaded", task->trouble.message, path);
                g_auto(Error) error = { 0 };
                (void) error_set(&error, task->trouble.code, "%s", text);
                if (!task->at_start) {
                        log_warning("%s", text);
                }
                operation_fail(task->operation, NULL, &error);
        }
}

static void refuse_list_and_invalidate(ListTask *task, const Error *cause) {
        g_autofree char *path = list_path(task);
        g_auto(Error) error = { 0 };

        (void) error_set(&error, cause->code, "%s, %s", path, cause->message);
        g_clear_pointer(&task->reader, saved_list_reader_free);
        g_clear_pointer(&task->bytes, g_free);
        task->turn = sd_event_source_disable_unref(task->turn);
        try_previous_and_invalidate(task, &error, false);
}

static int next_turn(ListTask *task);

static int on_turn(sd_event_source *source, void *userdata) {
        ListTask *task = userdata;
        g_auto(Error) error = { 0 };
        int r = 1;

        if (task->manager->detached) {
                return 0; /* the next supervisor goes on */
        }
        if (shutdown_refuse(task->manager, &error) < 0) {
                fail_and_invalidate(task, &error);
                return 0;
        }
        for (unsigned i = 0; r > 0 && !task->checked && i < CHECKS_A_TURN; i++) {
                r = saved_list_reader_check(task->reader, &error);
        }
        if (r < 0) {
                refuse_list_and_invalidate(task, &error);
                return 0;
        }
        if (r == 0) {
                begin_taking(task);
                r = 1;
        }
        for (unsigned i = 0; r > 0 && task->checked && i < APPS_A_TURN; i++) {
                r = take_next(task);
        }
        if (r == 0) {
                finish_and_invalidate(task);
                return 0;
        }
        return next_turn(task);
}

/* A new source each time: one that stays comes before all that is pending since a later turn. */
static int next_turn(ListTask *task) {
        task->turn = sd_event_source_disable_unref(task->turn);
        return sd_event_add_defer(task->manager->event, &task->turn, on_turn, task);
}

static void on_read(void *userdata, const FileReport *report, char **bytes, size_t size) {
        ListTask *task = userdata;
        g_auto(Error) error = { 0 };

        task->job = NULL;
        if (report->error != 0) {
                g_autofree char *path = list_path(task);
                g_autofree char *why = file_report_describe(report);
                (void) error_set(
                                &error,
                                report->error == EACCES ? ERROR_ACCESS_DENIED : ERROR_INVALID_DATA,
                                "%s: %s",
                                path,
                                why);
                try_previous_and_invalidate(task, &error, report->error == ENOENT);
                return;
        }
        task->bytes = g_steal_pointer(bytes);
        int r = saved_list_reader_new(task->bytes, size, &task->reader, &error);
        if (r >= 0) {
                r = next_turn(task);
                if (r < 0) {
                        (void) error_set(
                                        &error, ERROR_LIMIT_EXCEEDED, "no event source: %s", g_strerror(-r));
                }
        }
        if (r < 0) {
                refuse_list_and_invalidate(task, &error);
        }
}

static void read_file_and_invalidate(ListTask *task) {
        g_autofree char *path = list_path(task);
        g_auto(Error) error = { 0 };
        ExecUser storage;

        int r =
                        file_job_read(task->manager->event,
                                      path,
                                      SAVED_LIST_BYTES_MAX,
                                      list_task_user(task, &storage),
                                      on_read,
                                      task,
                                      &task->job);
        if (r < 0) {
                (void) error_set(
                                &error,
                                ERROR_SPAWN_FAILED,
                                "%s: no child can be made to read it: %s",
                                path,
                                g_strerror(-r));
                fail_and_invalidate(task, &error);
        }
}

void list_load_begin_and_invalidate(ListTask *task) {
        task->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        read_file_and_invalidate(task);
}
