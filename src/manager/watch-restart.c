/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/watch-restart.h"

#include "basic/log.h"
#include "basic/time-util.h"
#include "core/watch-rules.h"
#include "manager/manager-state.h"
#include "platform/watch-tree.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* So long nothing may change before the restart, so that a checkout makes one. */
#define QUIET_USEC          (100 * USEC_PER_MSEC)
/* Where they go on for longer than it takes to save a file they are many, made by somebody who may pause:
 * half as long as it took until now, within these bounds. */
#define MANY_AFTER_USEC     (50 * USEC_PER_MSEC)
#define MANY_QUIET_MIN_USEC (1 * USEC_PER_SEC)
#define MANY_QUIET_MAX_USEC (5 * USEC_PER_SEC)
/* Where there is always a change, the restart comes so long after the first. */
#define PATIENCE_USEC       (30 * USEC_PER_SEC)
#define ACCURACY_USEC       (5 * USEC_PER_MSEC)

#define TROUBLE_PREFIX "watch: "

struct WatchRestarts {
        GHashTable *hubs;    /* uid -> WatchHub */
        GHashTable *groups;  /* key -> WatchGroup */
        GHashTable *members; /* id of the process -> WatchMember */
};

/* Those that watch the same. */
typedef struct WatchGroup {
        Manager *manager; /* weak */
        char *key;
        uid_t owner;
        unsigned n_members;
        WatchRules *rules;
        WatchTree *tree; /* NULL: there can be none */
        char *failure;   /* NULL: none */
        uint64_t quiet_usec;
        uint64_t first_usec, last_usec; /* of the changes that wait for their restart; 0: there are none */
        char *path;                     /* the first of them */
        sd_event_source *timer;
} WatchGroup;

typedef struct WatchMember {
        WatchGroup *group;         /* weak */
        AppConfig *config;         /* that it is of */
        char *due;                 /* the path that it is to be restarted for; NULL: none */
        sd_event_source *deferred; /* looks whether it can be now; NULL: never needed yet */
        Process *process;          /* weak */
} WatchMember;

static void free_group(void *item) {
        WatchGroup *group = item;

        watch_tree_free(group->tree);
        watch_rules_free(group->rules);
        (void) sd_event_source_disable_unref(group->timer);
        g_free(group->failure);
        g_free(group->path);
        g_free(group->key);
        g_free(group);
}

static void free_member(void *item) {
        WatchMember *member = item;

        (void) sd_event_source_disable_unref(member->deferred);
        app_config_unref(member->config);
        g_free(member->due);
        g_free(member);
}

static void free_hub(void *item) {
        watch_hub_free(item);
}

static WatchMember *find_member(const Manager *manager, uint32_t id) {
        return manager->watch_restarts
                               ? g_hash_table_lookup(manager->watch_restarts->members, GUINT_TO_POINTER(id))
                               : NULL;
}

/* "app.log", its parts "app.log.3.zst", and what they are made as, ".app.log.copy". */
static bool is_part_of(const char *name, const char *file) {
        size_t length = strlen(file);

        name += name[0] == '.' && file[0] != '.';
        return strncmp(name, file, length) == 0 && (name[length] == '\0' || name[length] == '.');
}

static bool is_same_folder(const char *one, const char *other) {
        struct stat first, second;

        return strcmp(one, other) == 0 || (stat(one, &first) == 0 && stat(other, &second) == 0 &&
                                           first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

static bool is_file_of(const Process *process, const char *path) {
        const char *const files[] = { process->out_log_path, process->error_log_path, process->pid_path };
        const char *name = strrchr(path, '/') + 1;

        for (size_t i = 0; i < ELEMENTS(files); i++) {
                const char *slash = files[i] ? strrchr(files[i], '/') : NULL;
                if (!slash || !is_part_of(name, slash + 1)) {
                        continue;
                }
                g_autofree char *folder = g_path_get_dirname(path);
                g_autofree char *other = g_path_get_dirname(files[i]);
                if (is_same_folder(folder, other)) {
                        return true;
                }
        }
        return false;
}

/* Also those of the others of the owner: two apps with logs in one folder would restart each other. */
static bool is_ignored(void *userdata, const char *path, size_t root_bytes, bool folder) {
        const WatchGroup *group = userdata;
        const Registry *registry = group->manager->registry;

        if (watch_rules_ignore(group->rules, path, root_bytes)) {
                return true;
        }
        for (size_t i = 0; !folder && i < registry_count(registry); i++) {
                const Process *process = registry_at(registry, i);
                if (process->owner == group->owner && is_file_of(process, path)) {
                        return true;
                }
        }
        return false;
}

static void restart_and_invalidate(WatchMember *member) {
        Process *process = member->process;
        g_autofree char *path = g_steal_pointer(&member->due);

        if (process->handle->manager->shutting_down || process->frozen ||
            command_has_stop(process->handle)) {
                return; /* somebody wants it so */
        }
        log_info("process %" PRIu32 " '%s': %s has changed", process->id, process->config->name, path);
        manager_remember(process, (HistoryEntry){ .kind = HISTORY_WATCH, .text = path });
        manager_restart_by_itself_and_invalidate(process, CAUSE_WATCH);
}

static int on_deferred(sd_event_source *source, void *userdata) {
        WatchMember *member = userdata;

        if (member->due && !command_is_under_way(member->process->handle)) {
                restart_and_invalidate(member);
        }
        return 0;
}

/* At the end of this turn: what has changed the process is not through with it. While it is being started or
 * ended it is looked at again with its next change. */
static void look_later(WatchMember *member) {
        Manager *manager = member->group->manager;
        int r = member->deferred
                                ? 0
                                : sd_event_add_defer(manager->event, &member->deferred, on_deferred, member);

        if (r >= 0) {
                r = sd_event_source_set_enabled(member->deferred, SD_EVENT_ONESHOT);
        }
        if (r < 0) {
                (void) log_error_errno(
                                r, "process %" PRIu32 ": no restart by watch: %m", member->process->id);
        }
}

/* A name of a file is any bytes; for people it is one line. */
static char *to_text(const char *path) {
        char *text = g_utf8_make_valid(path, -1);

        for (char *c = text; *c; c++) {
                *c = g_ascii_iscntrl(*c) ? '?' : *c;
        }
        return text;
}

static void fire(WatchGroup *group) {
        GHashTableIter iterator;
        void *item;

        g_autofree char *path = to_text(group->path);
        g_clear_pointer(&group->path, g_free);
        group->first_usec = 0;
        watch_tree_rearm(group->tree);
        g_hash_table_iter_init(&iterator, group->manager->watch_restarts->members);
        while (g_hash_table_iter_next(&iterator, NULL, &item)) {
                WatchMember *member = item;
                if (member->group == group) {
                        g_free(member->due);
                        member->due = g_strdup(path);
                        look_later(member);
                }
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

static uint64_t due_usec_of(const WatchGroup *group) {
        uint64_t quiet_usec = group->quiet_usec, taken_usec = group->last_usec - group->first_usec;

        if (taken_usec > MANY_AFTER_USEC) {
                quiet_usec = MAX(
                                quiet_usec, CLAMP(taken_usec / 2, MANY_QUIET_MIN_USEC, MANY_QUIET_MAX_USEC));
        }
        return MIN(group->last_usec + quiet_usec, group->first_usec + group->quiet_usec + PATIENCE_USEC);
}

static void arm(WatchGroup *group) {
        uint64_t due_usec = due_usec_of(group);
        int r = 0;

        if (!group->timer) {
                r = sd_event_add_time(
                                group->manager->event,
                                &group->timer,
                                CLOCK_MONOTONIC,
                                due_usec,
                                ACCURACY_USEC,
                                on_timer,
                                group);
        } else {
                (void) sd_event_source_set_time(group->timer, due_usec);
                r = sd_event_source_set_enabled(group->timer, SD_EVENT_ONESHOT);
        }
        if (r < 0) {
                (void) log_error_errno(r, "no restart by watch: %m");
                group->first_usec = 0;
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        WatchGroup *group = userdata;

        if (group->first_usec == 0) {
                return 0;
        }
        if (now_monotonic_usec() < due_usec_of(group)) {
                arm(group);
        } else {
                fire(group);
        }
        return 0;
}

static void on_change(void *userdata, const char *path) {
        WatchGroup *group = userdata;

        group->last_usec = now_monotonic_usec();
        if (group->first_usec == 0) {
                group->first_usec = group->last_usec;
                g_free(group->path);
                group->path = g_strdup(path);
                arm(group);
        }
}

static char *describe_failure(const WatchGroup *group, int error, const char *path) {
        const char *user = manager_user_name(group->manager, group->owner);

        switch (error) {
        case -ENOSPC:
                return g_strdup_printf(
                                TROUBLE_PREFIX "there are more folders than user '%s' may watch: "
                                               "fs.inotify.max_user_watches is %lu",
                                user,
                                watch_limit_read("max_user_watches"));
        case -EMFILE:
                return g_strdup_printf(
                                TROUBLE_PREFIX "no inotify instance is left for user '%s': "
                                               "fs.inotify.max_user_instances is %lu",
                                user,
                                watch_limit_read("max_user_instances"));
        case -EREMOTE:
                return g_strdup_printf(
                                TROUBLE_PREFIX
                                "%s: not everybody's changes of its file system are told here",
                                path);
        case -E2BIG:
                return g_strdup_printf(
                                TROUBLE_PREFIX "%s: over %d folders, see ignore_watch",
                                path,
                                WATCH_FOLDERS_MAX);
        default:
                return g_strdup_printf(TROUBLE_PREFIX "%s: %s", path ? path : "inotify", g_strerror(-error));
        }
}

static void tell_failure(const WatchGroup *group, Process *process) {
        log_warning("process %" PRIu32 " '%s' watches nothing: %s",
                    process->id,
                    process->config->name,
                    group->failure);
        manager_remember(process, (HistoryEntry){ .kind = HISTORY_WATCH, .text = group->failure });
        process_take_trouble(process, g_strdup(group->failure));
        manager_state_save(process->handle);
}

/* What holds of the group holds of it now. */
static void tell_state(const WatchGroup *group, Process *process) {
        process_set_watching(process, group->tree && !group->failure && watch_tree_is_complete(group->tree));
        if (group->failure) {
                tell_failure(group, process);
        }
}

static void on_state(void *userdata) {
        WatchGroup *group = userdata;
        g_autoptr(GPtrArray) processes = g_ptr_array_new();
        GHashTableIter iterator;
        void *item;
        const char *path;

        int r = watch_tree_error(group->tree, &path);
        if (r < 0) {
                g_free(group->failure);
                group->failure = describe_failure(group, r, path);
        }
        g_hash_table_iter_init(&iterator, group->manager->watch_restarts->members);
        while (g_hash_table_iter_next(&iterator, NULL, &item)) {
                if (((WatchMember *) item)->group == group) {
                        g_ptr_array_add(processes, ((WatchMember *) item)->process);
                }
        }
        for (guint i = 0; i < processes->len; i++) {
                tell_state(group, processes->pdata[i]);
                manager_notify_changes(group->manager, processes->pdata[i]);
        }
}

static void append_to_key(GString *key, const char *text) {
        g_string_append_printf(key, "%zu:%s", strlen(text), text);
}

static char *make_key(const Process *process, char *const *paths) {
        const AppConfig *config = process->config;
        char *const *patterns = app_watch_patterns(config);
        GString *key = g_string_new(NULL);

        g_string_append_printf(
                        key,
                        "%u %" PRIu64 " %d %d ",
                        (unsigned) process->owner,
                        config->watch_delay_usec,
                        app_watch_follows_symlinks(config),
                        patterns != NULL);
        append_to_key(key, process->cwd);
        for (; *paths; paths++) {
                append_to_key(key, *paths);
        }
        g_string_append_c(key, ' ');
        for (; patterns && *patterns; patterns++) {
                append_to_key(key, *patterns);
        }
        return g_string_free(key, FALSE);
}

static int get_hub(Manager *manager, uid_t owner, WatchHub **ret) {
        GHashTable *hubs = manager->watch_restarts->hubs;

        *ret = g_hash_table_lookup(hubs, GUINT_TO_POINTER(owner));
        if (*ret) {
                return 0;
        }
        int r = watch_hub_new(manager->event, manager->system ? manager_user(manager, owner) : NULL, ret);
        if (r >= 0) {
                (void) g_hash_table_insert(hubs, GUINT_TO_POINTER(owner), *ret);
        }
        return r;
}

static WatchGroup *make_group(const Process *process, char *key, char *const *paths) {
        Manager *manager = process->handle->manager;
        const AppConfig *config = process->config;
        WatchGroup *group = g_new0(WatchGroup, 1);
        const WatchTreeSpec spec = {
                .paths = paths,
                .follow_symlinks = app_watch_follows_symlinks(config),
                .is_ignored = is_ignored,
                .on_change = on_change,
                .on_state = on_state,
                .userdata = group,
        };
        WatchHub *hub;

        group->manager = manager;
        group->key = key;
        group->owner = process->owner;
        group->quiet_usec = MAX(config->watch_delay_usec, QUIET_USEC);
        int r = watch_rules_new(process->cwd, app_watch_patterns(config), &group->rules, NULL);
        if (r >= 0) {
                r = get_hub(manager, process->owner, &hub);
        }
        if (r >= 0) {
                group->tree = watch_tree_new(hub, &spec);
        } else {
                group->failure = describe_failure(group, r, NULL);
        }
        (void) g_hash_table_insert(manager->watch_restarts->groups, group->key, group);
        return group;
}

static void join(Process *process) {
        Manager *manager = process->handle->manager;
        WatchMember *member = g_new0(WatchMember, 1);

        if (!manager->watch_restarts) {
                manager->watch_restarts = g_new0(struct WatchRestarts, 1);
                *manager->watch_restarts = (struct WatchRestarts){
                        .hubs = g_hash_table_new_full(NULL, NULL, NULL, free_hub),
                        .groups = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_group),
                        .members = g_hash_table_new_full(NULL, NULL, NULL, free_member),
                };
        }
        g_auto(GStrv) paths = app_watch_paths(&process->config->watch, process->cwd);
        g_autofree char *key = make_key(process, paths);
        WatchGroup *group = g_hash_table_lookup(manager->watch_restarts->groups, key);
        if (!group) {
                group = make_group(process, g_steal_pointer(&key), paths);
        }
        group->n_members++;
        *member = (WatchMember){ .group = group,
                                 .config = app_config_ref(process->config),
                                 .process = process };
        (void) g_hash_table_insert(manager->watch_restarts->members, GUINT_TO_POINTER(process->id), member);
        tell_state(group, process);
}

static void leave(Manager *manager, uint32_t id, WatchMember *member) {
        struct WatchRestarts *all = manager->watch_restarts;
        WatchGroup *group = member->group;
        uid_t owner = group->owner;

        (void) g_hash_table_remove(all->members, GUINT_TO_POINTER(id));
        if (--group->n_members > 0) {
                return;
        }
        (void) g_hash_table_remove(all->groups, group->key);
        const WatchHub *hub = g_hash_table_lookup(all->hubs, GUINT_TO_POINTER(owner));
        if (hub && watch_hub_is_idle(hub)) {
                (void) g_hash_table_remove(all->hubs, GUINT_TO_POINTER(owner));
        }
}

/* Nothing of a watch is told of it any more. */
static void part(Process *process, WatchMember *member) {
        leave(process->handle->manager, process->id, member);
        process_set_watching(process, false);
        if (process->trouble && g_str_has_prefix(process->trouble, TROUBLE_PREFIX)) {
                process_take_trouble(process, NULL);
        }
}

/* What was declared not to be started watches nothing before its first start. */
static bool is_wanted(const Process *process) {
        bool never_started = process->state == PROCESS_STOPPED && process->start_realtime_usec == 0;

        return process->config->watch.on && !process->held && !never_started &&
               !process->handle->manager->shutting_down;
}

/* A restart brings a config of its own, in which mostly nothing is new. */
static bool is_same(const Process *process, WatchMember *member) {
        if (member->config != process->config) {
                g_auto(GStrv) paths = app_watch_paths(&process->config->watch, process->cwd);
                g_autofree char *key = make_key(process, paths);
                if (strcmp(key, member->group->key) != 0) {
                        return false;
                }
                app_config_unref(member->config);
                member->config = app_config_ref(process->config);
        }
        return true;
}

void watch_restart_sync(Process *process) {
        Manager *manager = process->handle->manager;
        WatchMember *member = find_member(manager, process->id);

        if ((!member && !process->config->watch.on) ||
            registry_get(manager->registry, process->id) != process) {
                return;
        }
        bool wanted = is_wanted(process);
        if (member && wanted && is_same(process, member)) {
                if (member->due) {
                        look_later(member);
                }
                return;
        }
        if (member) {
                part(process, member);
        }
        if (wanted) {
                join(process);
        }
}

void watch_restart_forget(Manager *manager, const Process *process) {
        WatchMember *member = find_member(manager, process->id);

        if (member && member->process == process) {
                leave(manager, process->id, member);
        }
}

void watch_restart_free(Manager *manager) {
        struct WatchRestarts *all = manager->watch_restarts;

        if (all) {
                g_hash_table_unref(all->members);
                g_hash_table_unref(all->groups);
                g_hash_table_unref(all->hubs);
                g_free(all);
        }
}

static void set_watch(Process *process, AppWatch watch) {
        g_autoptr(AppConfig) config = app_config_copy(process->config);
        g_autoptr(Value) value = app_watch_to_value(&watch);

        (void) app_config_set(config, attribute_find("watch"), value, NULL);
        process_set_config(process, config);
}

void watch_restart_resume(Process *process) {
        const AppWatch *watch = &process->config->watch;
        Manager *manager = process->handle->manager;
        WatchMember *member = find_member(manager, process->id);

        if (watch->paused) {
                set_watch(process, (AppWatch){ .on = true, .paths = watch->paths });
        }
        if (member && member->process == process && member->group->failure) {
                part(process, member);
        }
}

bool manager_set_watch(Process *process, bool on) {
        const AppWatch *watch = &process->config->watch;

        if (watch->on == on) {
                return false;
        }
        set_watch(process, (AppWatch){ .on = on, .paused = !on, .paths = watch->paths });
        manager_state_save(process->handle);
        manager_notify_changes(process->handle->manager, process);
        return true;
}
