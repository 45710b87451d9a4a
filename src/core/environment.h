/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/value.h"

#include <glib.h>
#include <stdbool.h>

/* An immutable set of NAME=value assignments, sorted by name. The assignments are interned: a thousand
 * processes that start from the same environment hold it once. Reference counted, since apps share it. */
typedef struct Environment Environment;

/* Whether a name can be one: not empty, no '='. */
bool environment_name_is_valid(const char *name);

/* From "NAME=value" strings; what is none is skipped and the last of a name counts. */
Environment *environment_new(const char *const *assignments);
Environment *environment_new_empty(void);
Environment *environment_ref(Environment *environment);
void environment_unref(Environment *environment);

/* base with every assignment of over put over it; either may be NULL. */
Environment *environment_merge(const Environment *base, const Environment *over);

/* The value of a name, NULL if unset. */
const char *environment_get(const Environment *environment, const char *name);

size_t environment_count(const Environment *environment);
/* The i-th assignment, "NAME=value". */
const char *environment_at(const Environment *environment, size_t i);
/* A map of names to strings; freed by the caller. */
Value *environment_to_value(const Environment *environment);
guint environment_hash(const Environment *environment);
bool environment_equal(const Environment *a, const Environment *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Environment, environment_unref)
