/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat/crowd.h"

/* A key that stands most often in the table, and how often. */
static unsigned find_most(GHashTable *counts, uint32_t *ret_key) {
        GHashTableIter iterator;
        void *key, *count;
        unsigned most = 0;

        g_hash_table_iter_init(&iterator, counts);
        while (g_hash_table_iter_next(&iterator, &key, &count)) {
                if (GPOINTER_TO_UINT(count) > most) {
                        most = GPOINTER_TO_UINT(count);
                        *ret_key = GPOINTER_TO_UINT(key);
                }
        }
        return most;
}

static void add(GHashTable *counts, uint32_t key) {
        unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, GUINT_TO_POINTER(key)));

        (void) g_hash_table_insert(counts, GUINT_TO_POINTER(key), GUINT_TO_POINTER(count + 1));
}

/* Idle before busy, then the oldest. */
static bool goes_before(const CrowdMember *one, const CrowdMember *other) {
        return one->busy != other->busy ? other->busy : one->last_used_usec < other->last_used_usec;
}

size_t crowd_choose(const CrowdMember *members, size_t count) {
        g_autoptr(GHashTable) users = g_hash_table_new(NULL, NULL), processes = g_hash_table_new(NULL, NULL);
        uint32_t uid = 0, pid = 0;
        size_t chosen = count;

        for (size_t i = 0; i < count; i++) {
                add(users, (uint32_t) members[i].uid);
        }
        (void) find_most(users, &uid);
        for (size_t i = 0; i < count; i++) {
                if (members[i].uid == uid) {
                        add(processes, (uint32_t) members[i].pid);
                }
        }
        bool crowded = find_most(processes, &pid) > 1;
        for (size_t i = 0; i < count; i++) {
                const CrowdMember *member = &members[i];
                if (member->uid != uid || (crowded ? (uint32_t) member->pid != pid : member->busy)) {
                        continue;
                }
                if (chosen == count || goes_before(member, &members[chosen])) {
                        chosen = i;
                }
        }
        return chosen;
}
