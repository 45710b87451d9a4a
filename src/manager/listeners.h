/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cluster/listen-address.h"
#include "manager/manager-internal.h"

/* The listening sockets that are held for apps. They outlive processes, reloads, and our own crash and
 * re-exec: the service manager keeps them under the names "l<number>", and what belongs to them is in a blob
 * of the manager's record. An app is an owner and a name. A socket is closed when no process of its app is
 * alive or is to be started again, or by listener_close(). */
typedef struct Listener Listener;

enum {
        LISTENERS_PER_APP_MAX = 64,
        LISTENER_DATA_BYTES_MAX = 64 * 1024,
};

/* key: any text, unique within the app. "listen:..." belongs to the attribute listen, "cluster:..." to the
 * cluster's primary. NULL: there is none. */
Listener *listeners_find(const Manager *manager, uid_t owner, const char *name, const char *key);

/* Bind with the rights of the owner, keep, write down. The fd is non-blocking. Negative errno, with
 * SpawnFailed ("tcp:8080: Address already in use") or LimitExceeded. */
int listeners_open(
                Manager *manager,
                uid_t owner,
                const char *name,
                const char *key,
                const ListenAddress *address,
                Listener **ret,
                Error *error);

/* The same open socket for the app under another name of its. As listeners_open(); ret may be NULL. */
int listeners_hold_as_well(
                Manager *manager, const Listener *of, const char *name, Listener **ret, Error *error);

/* For what was written down elsewhere. NULL: it is not there any more. */
Listener *listeners_by_number(const Manager *manager, uint32_t number);
/* Never used twice in the life of the state. */
uint32_t listener_number(const Listener *listener);
/* Borrowed. */
int listener_fd(const Listener *listener);
const char *listener_key(const Listener *listener);
const ListenAddress *listener_address(const Listener *listener);
/* Text that its user wants kept with it; NULL: none. It is written down. Set: -E2BIG over
 * LISTENER_DATA_BYTES_MAX; other negative errno: it could not be written down, and nothing has changed. */
const char *listener_data(const Listener *listener);
int listener_set_data(Manager *manager, Listener *listener, const char *data);
/* A pointer of its user, which is not written down; free_func is called with it when the listener goes. */
void listener_set_user(Listener *listener, void *user, GDestroyNotify free_func);
void *listener_get_user(const Listener *listener);
/* From now on whoever connects is refused, and the address is free. The path of a socket is removed if it is
 * still the one that was made. */
void listener_close(Manager *manager, Listener *listener);

/* Where a process came to rest or was deleted, or an app has another name or config: close what nobody needs
 * any more. */
void listeners_review(Manager *manager, uid_t owner, const char *name);

/* The attribute listen. */

/* InvalidConfig: an entry cannot be understood, or stands twice. */
int listeners_check(const AppConfig *config, Error *error);

/* Have every socket that the config names. held_as: the name that the process has had up to now, NULL: none;
 * what is held under that name is held under the new one as well. after_end: what runs of the app will have
 * ended before the sockets are needed, so what that alone keeps in use is no error yet. SpawnFailed or
 * LimitExceeded; nothing is closed then: see listeners_review(). */
int listeners_prepare(
                Manager *manager,
                uid_t owner,
                const AppConfig *config,
                const char *held_as,
                bool after_end,
                Error *error);

/* The same for a process that is being launched. Its sockets block, whatever a program has made of them
 * before, unless one of the app runs. */
int listeners_launch(Manager *manager, const Process *process, Error *error);

/* The sockets of a config in its order, all of which are there; returns their number, LISTEN_SOCKETS_MAX at
 * most. ret_names: for LISTEN_FDNAMES. */
size_t listeners_collect(
                const Manager *manager,
                uid_t owner,
                const AppConfig *config,
                int *ret_fds,
                char **ret_names);

/* Take over what an earlier supervisor held. Before the processes, and before anything is written. */
void listeners_restore(Manager *manager);
/* When the processes are there: close what none of them needs. */
void listeners_review_all(Manager *manager);
/* Whether what was written down can be read. */
bool listeners_record_is_good(const StateStore *store, const StateBlob *blob);
void listeners_hand_over(const Manager *manager, Handover *handover);
/* Close them all and leave what is kept. */
void listeners_free(Manager *manager);
void listeners_free_one(void *item);
