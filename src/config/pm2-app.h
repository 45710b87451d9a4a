/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/environment.h"
#include "core/error.h"
#include "core/value.h"

#include <stdbool.h>

/* An app in the words of PM2 (7.0.4): the attributes in the names of its inside, facts of the run, and what
 * its clients and modules keep there. */

typedef enum Pm2Source {
        PM2_SOURCE_DUMP,  /* an object of dump.pm2: files in PM2's own folders have none of their own here */
        PM2_SOURCE_START, /* what a client wants started: its files are where it has put them */
        PM2_SOURCE_CHANGE, /* what a client wants changed of an app that is there */
} Pm2Source;

typedef struct Pm2App {
        Value *attributes;        /* map, to be set by name; what has no effect here is in "extra" */
        Environment *environment; /* that it starts from; NULL: not told */
        bool stopped;
        bool ended;  /* by itself, as far as can be told: PM2 does not say who stopped it */
        bool single; /* it says nothing of instances: one process, as a dump has it */
} Pm2App;

void pm2_app_done(Pm2App *app);

/* object: a map. InvalidData names the key. */
int pm2_app_read(const Value *object, Pm2Source source, Pm2App *ret, Error *error);

/* Variables of a map; what is no scalar is left out, as PM2 does. */
Environment *pm2_environment_read(const Value *map);

/* Whether this key of PM2's structure is that of a fact. */
bool pm2_key_is_fact(const char *key);
/* Whether this key of PM2's structure is that of a fact, or the name of an attribute that has an effect. */
bool pm2_key_is_known(const char *key);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pm2App, pm2_app_done)
