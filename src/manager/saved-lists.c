/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Save and Resurrect: who may, in which order, and the saving. Files are touched by children alone. */

#include "manager/saved-lists.h"

#include "basic/log.h"
#include "basic/utf8.h"
#include "manager/awaiting.h"
#include "manager/manager-state.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        TASKS_OF_USER_MAX = 64,
        NAME_BYTES_MAX = NAME_MAX - 8, /* of a file: ".", ".new" and ".bak" are added */
};

#define LIST_NAME "dump.json"

void saved_lists_init(Manager *manager) {
        manager->lists = g_new0(SavedLists, 1);
        g_queue_init(&manager->lists->tasks);
}

static void task_free(ListTask *task) {
        file_job_cancel(task->job);
        (void) sd_event_source_disable_unref(task->turn);
        saved_list_reader_free(task->reader);
        if (task->names) {
                g_hash_table_unref(task->names);
        }
        error_clear(&task->trouble);
        g_free(task->bytes);
        g_free(task->path);
        g_free(task);
}

void saved_lists_free(Manager *manager) {
        ListTask *task;

        while (manager->lists && (task = g_queue_pop_head(&manager->lists->tasks))) {
                if (task->operation) {
                        operation_forget(task->operation);
                        if (task->load) {
                                operation_seal_and_invalidate(task->operation, &task->request);
                        } else {
                                operation_finish(task->operation, 0, NULL);
                        }
                }
                task_free(task);
        }
        g_clear_pointer(&manager->lists, g_free);
}

const ExecUser *list_task_user(const ListTask *task, ExecUser *storage) {
        if (task->own_place || task->owner == geteuid()) {
                return NULL;
        }
        *storage = user_info_exec_user(manager_user(task->manager, task->owner));
        return storage;
}

char *manager_saved_list_path(const Manager *manager, uid_t owner, const char *path) {
        if (path[0]) {
                return g_strdup(path);
        }
        return manager->system ? g_strdup_printf("%s/%u/" LIST_NAME, manager->paths->state_dir, owner)
                               : g_build_filename(manager->paths->state_dir, LIST_NAME, NULL);
}

static int check_path(const char *path, Error *error) {
        const char *name = strrchr(path, '/');
        const char *problem = NULL;

        if (!path[0]) {
                return 0;
        }
        if (path[0] != '/') {
                problem = "is not absolute";
        } else if (!name[1]) {
                problem = "has no file name";
        } else if (strlen(path) >= PATH_MAX - 8 || strlen(name + 1) > NAME_BYTES_MAX) {
                problem = "is too long";
        }
        if (problem) {
                g_autofree char *quoted = error_quote(path);
                return error_set(error, ERROR_INVALID_ARGS, "path: %s: %s", quoted, problem);
        }
        return 0;
}

/* How a process comes back: not at all if it is being deleted. */
static bool is_saved(const Process *process, SavedStatus *ret_status) {
        const Command *last = g_queue_peek_tail(&process->handle->commands);

        *ret_status = process->state != PROCESS_STOPPED ? SAVED_ONLINE
                      : process->held                   ? SAVED_STOPPED
                                                        : SAVED_ENDED;
        if (!last) {
                return true;
        }
        *ret_status = last->verb == COMMAND_STOP ? SAVED_STOPPED : SAVED_ONLINE;
        return last->verb != COMMAND_DELETE;
}

/* The list as text; NULL if it is empty. */
static char *write_list(const Manager *manager, uid_t owner, bool force, size_t *ret_size) {
        SavedListWriter *writer = saved_list_writer_new();
        unsigned count = 0;

        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                const Process *process = registry_at(manager->registry, i);
                SavedStatus status;
                if (process->owner == owner && is_saved(process, &status)) {
                        saved_list_writer_add(writer, process->config, process->caller_env, status);
                        count++;
                }
        }
        char *text = saved_list_writer_finish(writer, ret_size);
        if (count == 0 && !force) {
                g_clear_pointer(&text, g_free);
        }
        return text;
}

/* The answer of a save. */
static void answer_save_and_invalidate(ListTask *task, Error *error) {
        Operation *operation = g_steal_pointer(&task->operation);

        if (error->code != ERROR_NONE) {
                log_warning("%s", error->message);
        }
        list_task_end_and_invalidate(task);
        operation_finish(operation, 0, error);
}

static void on_saved(void *userdata, const FileReport *report, char **bytes, size_t size) {
        ListTask *task = userdata;
        g_auto(Error) error = { 0 };

        task->job = NULL;
        if (report->error != 0) {
                g_autofree char *why = file_report_describe(report);
                (void) error_set(
                                &error,
                                report->error == EACCES || report->error == EPERM ? ERROR_ACCESS_DENIED
                                                                                  : ERROR_INVALID_DATA,
                                "%s: %s; what was there is as it was",
                                task->path,
                                why);
        }
        answer_save_and_invalidate(task, &error);
}

static int start_save(ListTask *task, const char *text, size_t size, Error *error) {
        const char *slash = strrchr(task->path, '/');
        const char *name = slash + 1;
        g_autofree char *folder =
                        g_strndup(task->path, slash == task->path ? 1 : (gsize) (slash - task->path));
        g_autofree char *previous = g_strconcat(name, ".bak", NULL);
        g_autofree char *temporary = g_strconcat(".", name, ".new", NULL);
        FileReplacement replacement = {
                .folder = folder,
                .make_folder = task->own_place,
                .name = name,
                .previous = previous,
                .temporary = temporary,
                .bytes = text,
                .size = size,
        };
        ExecUser storage;

        int r = file_job_replace(
                        task->manager->event,
                        &replacement,
                        list_task_user(task, &storage),
                        on_saved,
                        task,
                        &task->job);
        return r < 0 ? error_set(error,
                                 ERROR_SPAWN_FAILED,
                                 "%s: no child can be made to write it: %s",
                                 task->path,
                                 g_strerror(-r))
                     : 0;
}

static void save_begin_and_invalidate(ListTask *task) {
        Manager *manager = task->manager;
        g_auto(Error) error = { 0 };
        size_t size = 0;
        g_autofree char *text = write_list(manager, task->owner, task->request.force, &size);

        int r = shutdown_refuse(manager, &error);
        if (r >= 0 && !text) {
                r = error_set(&error,
                              ERROR_NO_SUCH_PROCESS,
                              "there is no process to be saved; \"force\" saves an empty list");
        } else if (r >= 0 && size > SAVED_LIST_BYTES_MAX) {
                r = error_set(&error,
                              ERROR_LIMIT_EXCEEDED,
                              "%s: the list would have %zu bytes; no list has over %d",
                              task->path,
                              size,
                              SAVED_LIST_BYTES_MAX);
        } else if (r >= 0) {
                r = start_save(task, text, size, &error);
        }
        if (r < 0) {
                answer_save_and_invalidate(task, &error);
        }
}

static bool owner_is_busy(const SavedLists *lists, uid_t owner) {
        for (const GList *item = lists->tasks.head; item; item = item->next) {
                const ListTask *task = item->data;
                if (task->owner == owner) {
                        return task->active;
                }
        }
        return true; /* there is nothing to be begun */
}

/* What waits for this owner may begin now. */
static void begin_next(SavedLists *lists, uid_t owner) {
        if (owner_is_busy(lists, owner)) {
                return;
        }
        for (const GList *item = lists->tasks.head; item; item = item->next) {
                ListTask *task = item->data;
                if (task->owner == owner) {
                        task->active = true;
                        if (task->load) {
                                list_load_begin_and_invalidate(task);
                        } else {
                                save_begin_and_invalidate(task);
                        }
                        return;
                }
        }
}

static bool any_at_start(const SavedLists *lists) {
        for (const GList *item = lists->tasks.head; item; item = item->next) {
                if (((const ListTask *) item->data)->at_start) {
                        return true;
                }
        }
        return false;
}

void list_task_end_and_invalidate(ListTask *task) {
        Manager *manager = task->manager;
        SavedLists *lists = manager->lists;
        uid_t owner = task->owner;

        (void) g_queue_remove(&lists->tasks, task);
        task_free(task);
        if (lists->loading && !any_at_start(lists)) {
                lists->loading = false;
                manager_state_set_loading(manager, false);
        }
        awaiting_touch_all(manager);
        begin_next(lists, owner);
}

bool saved_lists_are_loading(const Manager *manager) {
        for (const GList *item = manager->lists->tasks.head; item; item = item->next) {
                if (((const ListTask *) item->data)->load) {
                        return true;
                }
        }
        return false;
}

static int check_room(const SavedLists *lists, uid_t owner, Error *error) {
        unsigned count = 0;

        for (const GList *item = lists->tasks.head; item; item = item->next) {
                count += ((const ListTask *) item->data)->owner == owner;
        }
        return count >= TASKS_OF_USER_MAX ? error_set(error,
                                                      ERROR_BUSY,
                                                      "%u calls that save or load a list wait already",
                                                      count)
                                          : 0;
}

static ListTask *task_new(Manager *manager, uid_t owner, const char *path, bool load) {
        ListTask *task = g_new0(ListTask, 1);

        task->manager = manager;
        task->owner = owner;
        task->load = load;
        task->own_place = path[0] == '\0';
        task->path = manager_saved_list_path(manager, owner, path);
        g_queue_push_tail(&manager->lists->tasks, task);
        return task;
}

static int submit(
                Manager *manager,
                const ManagerCall *call,
                const char *path,
                bool load,
                Operation **ret,
                Error *error) {
        uid_t owner = call->caller.uid;
        g_auto(Request) request = { 0 };

        int r = shutdown_refuse(manager, error);
        if (r >= 0) {
                r = request_parse(&request, call->options, load ? 0 : REQUEST_FORCE, error);
        }
        if (r >= 0) {
                r = check_path(path, error);
        }
        if (r >= 0) {
                r = check_room(manager->lists, owner, error);
        }
        if (r < 0) {
                return r;
        }
        ListTask *task = task_new(manager, owner, path, load);
        /* Of the request nothing else is used, and the rest does not outlive the call. */
        task->request = (Request){
                .wait = request.wait,
                .timeout_usec = request.timeout_usec,
                .force = request.force,
        };
        Operation *operation = operation_new(manager->event, call->handler, call->userdata);
        operation_set_caller(operation, owner);
        task->operation = operation;
        if (ret) {
                *ret = operation;
        }
        if (!load) {
                operation_expect(operation, 0);
                operation_seal_and_invalidate(operation, &task->request);
        }
        begin_next(manager->lists, owner);
        return 0;
}

int manager_save(
                Manager *manager, const ManagerCall *call, const char *path, Operation **ret, Error *error) {
        return submit(manager, call, path, false, ret, error);
}

int manager_resurrect(
                Manager *manager, const ManagerCall *call, const char *path, Operation **ret, Error *error) {
        return submit(manager, call, path, true, ret, error);
}

static void finish_start_load(SavedLists *lists) {
        if (--lists->loads_begun == 0 && lists->on_loaded) {
                void (*on_loaded)(void *userdata) = lists->on_loaded;
                lists->on_loaded = NULL;
                on_loaded(lists->userdata);
        }
}

static void on_start_load_done(void *userdata, const Error *error, const GArray *ids) {
        Manager *manager = userdata;

        if (error->code != ERROR_NONE) {
                log_error("saved list: %s", error->message);
        }
        if (ids->len > 0) {
                log_notice("the saved list has brought %u processes", ids->len);
        }
        finish_start_load(manager->lists);
}

/* A user who is gone may leave a list. */
static bool is_unknown(Manager *manager, uid_t owner) {
        g_autofree char *number = g_strdup_printf("%u", owner);

        return manager->system && strcmp(manager_user(manager, owner)->name, number) == 0;
}

static void load_at_start(Manager *manager, uid_t owner, bool resumed) {
        if (is_unknown(manager, owner)) {
                log_warning("the saved list of uid %u is left alone: there is no such user", owner);
                return;
        }
        ListTask *task = task_new(manager, owner, "", true);

        task->at_start = true;
        task->resumed = resumed;
        task->request.wait = true;
        task->operation = operation_new(manager->event, on_start_load_done, manager);
        manager->lists->loads_begun++;
}

static int compare_uids(const void *a, const void *b) {
        uid_t first = *(const uid_t *) a, second = *(const uid_t *) b;
        return (first > second) - (first < second);
}

/* The users that have a folder for their list, by uid. */
static GArray *list_owners(const Manager *manager) {
        GArray *owners = g_array_new(FALSE, FALSE, sizeof(uid_t));
        g_autoptr(GDir) listing = NULL;
        const char *name;

        if (!manager->system) {
                uid_t own = geteuid();
                g_array_append_val(owners, own);
                return owners;
        }
        listing = g_dir_open(manager->paths->state_dir, 0, NULL);
        while (listing && (name = g_dir_read_name(listing))) {
                guint64 number;
                if (g_ascii_string_to_unsigned(name, 10, 0, UINT32_MAX - 1, &number, NULL)) {
                        uid_t uid = (uid_t) number;
                        g_array_append_val(owners, uid);
                }
        }
        g_array_sort(owners, compare_uids);
        return owners;
}

void manager_load_saved(Manager *manager, void (*on_loaded)(void *userdata), void *userdata) {
        SavedLists *lists = manager->lists;
        bool resumed = false;

        if (!manager_state_needs_list(manager, &resumed)) {
                on_loaded(userdata);
                return;
        }
        lists->loading = true;
        lists->on_loaded = on_loaded;
        lists->userdata = userdata;
        lists->loads_begun = 1; /* this function itself */
        manager_state_set_loading(manager, true);
        g_autoptr(GArray) owners = list_owners(manager);
        for (guint i = 0; i < owners->len; i++) {
                load_at_start(manager, g_array_index(owners, uid_t, i), resumed);
        }
        for (guint i = 0; i < owners->len; i++) {
                begin_next(lists, g_array_index(owners, uid_t, i));
        }
        if (!any_at_start(lists)) {
                lists->loading = false;
                manager_state_set_loading(manager, false);
        }
        finish_start_load(lists);
}
