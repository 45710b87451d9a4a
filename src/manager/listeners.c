/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which sockets are held for which app: when they are made, and when they go. */

#include "basic/cleanup.h"
#include "basic/log.h"
#include "manager/listeners-internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define KEY_OF_ATTRIBUTE "listen:"
#define NAME_OF_NONE     "unknown" /* as sd_listen_fds_with_names(3) calls it */

Listener *listeners_make_one(uint32_t number, uid_t owner, const char *name, const char *key, int fd) {
        Listener *listener = g_new0(Listener, 1);

        listener->number = number;
        listener->owner = owner;
        listener->name = g_strdup(name);
        listener->key = g_strdup(key);
        listener->fd = fd;
        return listener;
}

void listeners_free_one(void *item) {
        Listener *listener = item;

        listener_set_user(listener, NULL, NULL);
        listen_address_done(&listener->address);
        (void) close_fd(listener->fd);
        g_free(listener->name);
        g_free(listener->key);
        g_free(listener->data);
        g_free(listener);
}

static Listener *at(const Manager *manager, guint i) {
        return manager->listeners->pdata[i];
}

static bool is_of(const Listener *listener, uid_t owner, const char *name) {
        return listener->owner == owner && strcmp(listener->name, name) == 0;
}

Listener *listeners_find(const Manager *manager, uid_t owner, const char *name, const char *key) {
        for (guint i = 0; i < manager->listeners->len; i++) {
                Listener *listener = at(manager, i);
                if (is_of(listener, owner, name) && strcmp(listener->key, key) == 0) {
                        return listener;
                }
        }
        return NULL;
}

Listener *listeners_by_number(const Manager *manager, uint32_t number) {
        for (guint i = 0; i < manager->listeners->len; i++) {
                if (at(manager, i)->number == number) {
                        return at(manager, i);
                }
        }
        return NULL;
}

uint32_t listener_number(const Listener *listener) {
        return listener->number;
}

int listener_fd(const Listener *listener) {
        return listener->fd;
}

const char *listener_key(const Listener *listener) {
        return listener->key;
}

const ListenAddress *listener_address(const Listener *listener) {
        return &listener->address;
}

const char *listener_data(const Listener *listener) {
        return listener->data;
}

int listener_set_data(Manager *manager, Listener *listener, const char *data) {
        if (data && strlen(data) > LISTENER_DATA_BYTES_MAX) {
                return -E2BIG;
        }
        char *before = listener->data;
        listener->data = g_strdup(data);
        int r = listeners_store_write(manager);
        if (r < 0) {
                g_free(listener->data);
                listener->data = before;
                return r;
        }
        g_free(before);
        return 0;
}

void listener_set_user(Listener *listener, void *user, GDestroyNotify free_func) {
        if (listener->user && listener->free_user) {
                listener->free_user(listener->user);
        }
        listener->user = user;
        listener->free_user = free_func;
}

void *listener_get_user(const Listener *listener) {
        return listener->user;
}

static guint count_of(const Manager *manager, uid_t owner, const char *name) {
        guint count = 0;

        for (guint i = 0; i < manager->listeners->len; i++) {
                count += is_of(at(manager, i), owner, name);
        }
        return count;
}

static int check_room(const Manager *manager, uid_t owner, const char *name, Error *error) {
        if (count_of(manager, owner, name) < LISTENERS_PER_APP_MAX) {
                return 0;
        }
        (void) error_set(
                        error,
                        ERROR_LIMIT_EXCEEDED,
                        "'%s' would have more than %d listening sockets",
                        name,
                        LISTENERS_PER_APP_MAX);
        return -ENOSPC;
}

static bool is_same_socket(int a, int b) {
        struct stat one, other;

        return fstat(a, &one) >= 0 && fstat(b, &other) >= 0 && one.st_dev == other.st_dev &&
               one.st_ino == other.st_ino;
}

/* A socket that is held under two names stays, with its path, until both have gone. */
static bool is_shared(const Manager *manager, const Listener *listener) {
        for (guint i = 0; i < manager->listeners->len; i++) {
                const Listener *other = at(manager, i);
                if (other != listener && is_same_socket(other->fd, listener->fd)) {
                        return true;
                }
        }
        return false;
}

static void remove_path(Manager *manager, const Listener *listener) {
        if (listener->file.inode > 0) {
                manager_become_user(manager, manager_user(manager, listener->owner));
                listen_file_remove(listener->address.path, listener->file);
                manager_become_self(manager);
        }
}

/* Into the list and into safe hands. */
static int take_in(Manager *manager, Listener *listener, Error *error) {
        g_ptr_array_add(manager->listeners, listener);
        int r = listeners_store_add(manager, listener);
        if (r < 0) {
                if (!is_shared(manager, listener)) {
                        remove_path(manager, listener);
                }
                (void) g_ptr_array_remove(manager->listeners, listener); /* which frees it */
                (void) error_set(
                                error,
                                ERROR_SPAWN_FAILED,
                                "a listening socket cannot be kept: %s",
                                g_strerror(-r));
        }
        return r;
}

/* Root binds for others: what the kernel would ask of them is asked here. */
static int bind_for(
                Manager *manager,
                uid_t owner,
                const ListenAddress *address,
                int *ret_fd,
                ListenFile *ret_file) {
        if (manager->system && owner != 0 && listen_is_privileged(address)) {
                return -EACCES;
        }
        manager_become_user(manager, manager_user(manager, owner));
        int r = listen_bind(address, ret_fd);
        if (r >= 0 && address->path) {
                *ret_file = listen_file_of(address->path);
        }
        manager_become_self(manager);
        return r;
}

int listeners_open(
                Manager *manager,
                uid_t owner,
                const char *name,
                const char *key,
                const ListenAddress *address,
                Listener **ret,
                Error *error) {
        ListenFile file = { 0 };
        int fd;

        int r = check_room(manager, owner, name, error);
        if (r < 0) {
                return r;
        }
        r = bind_for(manager, owner, address, &fd, &file);
        if (r < 0) {
                g_autofree char *text = listen_address_to_text(address);
                (void) error_set(error, ERROR_SPAWN_FAILED, "%s: %s", text, g_strerror(-r));
                return r;
        }
        Listener *listener = listeners_make_one(listeners_store_number(manager), owner, name, key, fd);
        listen_address_copy(address, &listener->address);
        listener->file = file;
        r = take_in(manager, listener, error);
        if (r >= 0 && ret) {
                *ret = listener;
        }
        return r;
}

/* The service manager closes its copy of the fd when it comes to it: until then whoever connected would wait
 * for nobody, and the port would be in use. So it is shut down as well, once it is written down that it has
 * gone. */
void listener_close(Manager *manager, Listener *listener) {
        g_autoptr(GPtrArray) closed = g_ptr_array_new_with_free_func(listeners_free_one);
        bool last = !is_shared(manager, listener);
        guint place;

        if (last) {
                remove_path(manager, listener);
        }
        log_debug("'%s': %s is closed", listener->name, listener->key);
        if (g_ptr_array_find(manager->listeners, listener, &place)) {
                g_ptr_array_add(closed, g_ptr_array_steal_index(manager->listeners, place));
        }
        (void) listeners_store_write(manager);
        if (last) {
                (void) shutdown(listener->fd, SHUT_RDWR);
        }
        listeners_store_remove(manager, listener->number);
}

/* The key of one entry; NULL: it cannot be understood. */
static char *key_of(const char *text, ListenAddress *address, char **ret_name, Error *error) {
        g_autofree char *name = NULL;

        if (listen_address_parse(text, address, &name, error) < 0) {
                return NULL;
        }
        g_autofree char *normal = listen_address_to_text(address);
        if (ret_name) {
                *ret_name = g_steal_pointer(&name);
        }
        return g_strconcat(KEY_OF_ATTRIBUTE, normal, NULL);
}

int listeners_check(const AppConfig *config, Error *error) {
        g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (char **entry = config->listen; *entry; entry++) {
                g_auto(ListenAddress) address = { 0 };
                g_auto(Error) cause = { 0 };
                char *key = key_of(*entry, &address, NULL, &cause);
                if (!key) {
                        return error_set(error, ERROR_INVALID_CONFIG, "listen: %s", cause.message);
                }
                if (!g_hash_table_add(keys, key)) {
                        g_autofree char *quoted = error_quote(*entry);
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "listen: %s stands there twice",
                                        quoted);
                }
        }
        return 0;
}

static bool config_needs(const AppConfig *config, const char *name, const char *key) {
        if (strcmp(config->name, name) != 0) {
                return false;
        }
        if (!g_str_has_prefix(key, KEY_OF_ATTRIBUTE)) {
                return true; /* of another use than the attribute: as long as there is the app */
        }
        for (char **entry = config->listen; *entry; entry++) {
                g_auto(ListenAddress) address = { 0 };
                g_autofree char *own = key_of(*entry, &address, NULL, NULL);
                if (own && strcmp(own, key) == 0) {
                        return true;
                }
        }
        return false;
}

/* It is there, or will be. */
static bool process_needs(const Process *process, const char *name, const char *key) {
        bool starts = process_state_is_alive(process->state) || process->state == PROCESS_WAITING_RESTART;
        const Process *twin = process->handle->twin;

        if (twin && process_state_is_alive(twin->state) && config_needs(twin->config, name, key)) {
                return true;
        }

        for (GList *item = process->handle->commands.head; item; item = item->next) {
                const Command *command = item->data;
                bool start = command->verb == COMMAND_START || command->verb == COMMAND_RESTART ||
                             command->verb == COMMAND_RELOAD;
                starts = starts || start;
                if (start && command->config && config_needs(command->config, name, key)) {
                        return true;
                }
        }
        return starts && config_needs(process->config, name, key);
}

static bool is_needed(const Manager *manager, const Listener *listener) {
        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                const Process *process = registry_at(manager->registry, i);
                if (process->owner == listener->owner &&
                    process_needs(process, listener->name, listener->key)) {
                        return true;
                }
        }
        return false;
}

void listeners_review(Manager *manager, uid_t owner, const char *name) {
        for (guint i = manager->detached ? 0 : manager->listeners->len; i > 0; i--) {
                Listener *listener = at(manager, i - 1);
                if (is_of(listener, owner, name) && !is_needed(manager, listener)) {
                        listener_close(manager, listener);
                }
        }
}

void listeners_review_all(Manager *manager) {
        for (guint i = manager->listeners->len; i > 0; i--) {
                Listener *listener = at(manager, i - 1);
                if (!is_needed(manager, listener)) {
                        listener_close(manager, listener);
                }
        }
}

/* The old name may have other processes yet. */
int listeners_hold_as_well(
                Manager *manager, const Listener *of, const char *name, Listener **ret, Error *error) {
        int r = check_room(manager, of->owner, name, error);
        if (r < 0) {
                return r;
        }
        int fd = fcntl(of->fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0) {
                (void) error_set(error, ERROR_SPAWN_FAILED, "%s", g_strerror(errno));
                return -ECANCELED;
        }
        Listener *listener =
                        listeners_make_one(listeners_store_number(manager), of->owner, name, of->key, fd);
        listen_address_copy(&of->address, &listener->address);
        listener->file = of->file;
        listener->data = g_strdup(of->data);
        r = take_in(manager, listener, error);
        if (r >= 0 && ret) {
                *ret = listener;
        }
        return r;
}

static bool is_alive_of(const Process *process, uid_t owner, const char *name) {
        return process->owner == owner && process_state_is_alive(process->state) &&
               strcmp(process->config->name, name) == 0;
}

/* The port is held by what the app has now. */
static bool has_port(const Manager *manager, uid_t owner, const char *name, const ListenAddress *address) {
        for (guint i = 0; i < manager->listeners->len; i++) {
                const Listener *listener = at(manager, i);
                if (is_of(listener, owner, name) && address->port > 0 &&
                    listener->address.kind == address->kind && listener->address.port == address->port) {
                        return true;
                }
        }
        return false;
}

/* What is in use will be free when the process that is to be ended has ended: it has another address with
 * this port, or it has the socket itself, from a supervisor that could not leave it to us. Of several
 * processes the first to end would find it in use by the others. */
static bool will_be_free(
                const Manager *manager,
                uid_t owner,
                const char *name,
                const char *key,
                const ListenAddress *address) {
        bool names_it = false;
        size_t alive = 0;

        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                const Process *process = registry_at(manager->registry, i);
                if (is_alive_of(process, owner, name)) {
                        names_it = names_it || config_needs(process->config, name, key);
                        alive++;
                }
        }
        return alive == 1 && (names_it || has_port(manager, owner, name, address));
}

/* As one of systemd does it: until a program says otherwise, and nobody accepts here. */
static void let_block(int fd) {
        int flags = fcntl(fd, F_GETFL);

        (void) fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

static int prepare_one(
                Manager *manager,
                uid_t owner,
                const char *name,
                const char *entry,
                const char *held_as,
                bool after_end,
                Error *error) {
        g_auto(ListenAddress) address = { 0 };
        g_autofree char *key = key_of(entry, &address, NULL, error);

        if (!key) {
                return -ECANCELED;
        }
        if (listeners_find(manager, owner, name, key)) {
                return 0;
        }
        const Listener *held = held_as ? listeners_find(manager, owner, held_as, key) : NULL;
        if (held) {
                return listeners_hold_as_well(manager, held, name, NULL, error);
        }
        int r = listeners_open(manager, owner, name, key, &address, NULL, error);
        if (r == -EADDRINUSE && after_end &&
            will_be_free(manager, owner, held_as ? held_as : name, key, &address)) {
                error_clear(error);
                return 0;
        }
        return r;
}

int listeners_prepare(
                Manager *manager,
                uid_t owner,
                const AppConfig *config,
                const char *held_as,
                bool after_end,
                Error *error) {
        for (char **entry = config->listen; *entry; entry++) {
                g_auto(Error) cause = { 0 };
                if (prepare_one(manager, owner, config->name, *entry, held_as, after_end, &cause) < 0) {
                        return error_set(error, cause.code, "listen: %s", cause.message);
                }
        }
        return 0;
}

static bool another_runs(const Manager *manager, const Process *process) {
        uid_t owner = process->owner;
        const char *name = process->config->name;

        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                const Process *other = registry_at(manager->registry, i);
                const Process *hidden = other->handle->twin;
                if ((other != process && is_alive_of(other, owner, name)) ||
                    (hidden && hidden != process && is_alive_of(hidden, owner, name))) {
                        return true;
                }
        }
        return false;
}

int listeners_launch(Manager *manager, const Process *process, Error *error) {
        const AppConfig *config = process->config;

        if (!config->listen[0]) {
                return 0;
        }
        int r = listeners_prepare(manager, process->owner, config, NULL, false, error);
        if (r < 0 || another_runs(manager, process)) {
                return r;
        }
        int fds[LISTEN_SOCKETS_MAX];
        g_autofree char *names = NULL;
        size_t count = listeners_collect(manager, process->owner, config, fds, &names);
        for (size_t i = 0; i < count; i++) {
                let_block(fds[i]);
        }
        return 0;
}

size_t listeners_collect(
                const Manager *manager,
                uid_t owner,
                const AppConfig *config,
                int *ret_fds,
                char **ret_names) {
        GString *names = g_string_new(NULL);
        size_t count = 0;

        for (char **entry = config->listen; *entry && count < LISTEN_SOCKETS_MAX; entry++) {
                g_auto(ListenAddress) address = { 0 };
                g_autofree char *name = NULL;
                g_autofree char *key = key_of(*entry, &address, &name, NULL);
                const Listener *listener = key ? listeners_find(manager, owner, config->name, key) : NULL;
                if (listener) {
                        g_string_append_printf(
                                        names, "%s%s", count > 0 ? ":" : "", name ? name : NAME_OF_NONE);
                        ret_fds[count++] = listener->fd;
                }
        }
        *ret_names = g_string_free(names, FALSE);
        return count;
}

Value *manager_listen_sockets(const Manager *manager, const Process *process) {
        bool held = process_state_is_alive(process->state) || process->state == PROCESS_WAITING_RESTART ||
                    process->state == PROCESS_AWAITING;
        Value *texts = value_new_array();

        for (guint i = 0; held && i < manager->listeners->len; i++) {
                const Listener *listener = at(manager, i);
                if (is_of(listener, process->owner, process->config->name)) {
                        g_autofree char *text = listen_fd_to_text(listener->fd);
                        value_append(texts, value_new_string(text ? text : listener->key));
                }
        }
        return texts;
}

void listeners_free(Manager *manager) {
        g_clear_pointer(&manager->listeners, g_ptr_array_unref);
}
