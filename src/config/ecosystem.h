/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"
#include "core/value.h"

#include <stdbool.h>

typedef enum EcosystemShape {
        ECOSYSTEM_ONE,   /* the document is an app */
        ECOSYSTEM_ARRAY, /* it is an array of apps, or has one under "apps" */
        ECOSYSTEM_KEY,   /* it has one app under "apps" */
} EcosystemShape;

/* What a document declares. Starts as {0}. */
typedef struct Ecosystem {
        Value *apps; /* an array of maps in the order of the document */
        EcosystemShape shape;
        bool lines;         /* the document has several, so that a line says something */
        GPtrArray *notices; /* of char *: what was taken without effect */
} Ecosystem;

/* Decode a document: JSON as people write it, with one app, an array of apps, or {"apps": ...}. Beside
 * "apps" it may have "deploy", which has no effect here, and keys that begin with "x-" (for anchors of
 * YAML). InvalidData for bad JSON, InvalidConfig for another shape. */
int ecosystem_decode(const char *document, Ecosystem *ret, Error *error);
void ecosystem_done(Ecosystem *ecosystem);

/* Replace the error's message, which begins with the name of an attribute or not, by one that says where in
 * the document it is: "line 7: apps[2].kill_timeout: ...". */
void ecosystem_place_error(const Ecosystem *ecosystem, unsigned index, Error *error);

/* The line that the message about an app is about, 0: there is none. */
unsigned ecosystem_line_of(const Ecosystem *ecosystem, unsigned index, const char *message);

/* The environment of an app under a profile: "env" with "env_<profile>" over it; NULL: neither is there.
 * NULL for the profile is none. InvalidConfig: one of the two is no map. */
int ecosystem_environment(const Value *app, const char *profile, Value **ret, Error *error);

/* The profile that a key of an app is for, "production" of "env_production"; NULL: it is no such key. */
const char *ecosystem_profile_of(const char *key);

enum {
        ECOSYSTEM_APPS_MAX = 10000,
};

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Ecosystem, ecosystem_done)
