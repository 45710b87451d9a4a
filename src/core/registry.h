/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/process.h"

/* All processes, by increasing id. Ids restart at 0 only when the list is empty. Owns its processes. */
typedef struct Registry Registry;

Registry *registry_new(uint32_t processes_max);
void registry_free(Registry *registry);

/* A new process with the next id and the lowest free instance number of its name. LimitExceeded at the
 * cap. It is configured by the caller. */
int registry_add(
                Registry *registry,
                const char *name,
                const char unique_id[33],
                uid_t owner,
                uint64_t now_usec,
                Process **ret,
                Error *error);
/* A process with the id that it had under an earlier supervisor. Call by increasing id. */
Process *registry_add_restored(
                Registry *registry, uint32_t id, const char unique_id[33], uid_t owner, uint32_t instance);
/* Ids go on from here. */
void registry_set_next_id(Registry *registry, uint32_t id);
void registry_remove_and_free(Registry *registry, Process *process);

/* The id that registry_add() gives out next. */
uint32_t registry_next_id(const Registry *registry);

size_t registry_count(const Registry *registry);
Process *registry_at(const Registry *registry, size_t i);
Process *registry_get(const Registry *registry, uint32_t id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Registry, registry_free)
