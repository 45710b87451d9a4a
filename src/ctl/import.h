/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "amp-client.h"
#include "ctl.h"

/* The list of a running PM2, taken over app by app. */

/* One process that PM2 has. */
typedef struct ImportProcess {
        const pm2_value *facts; /* all that PM2 knows of it; borrowed */
        uint32_t id;            /* in PM2 */
        const char *status;     /* there */
        bool runs;              /* there, or is about to */
        const char *action;     /* here: "start", "register", "leave" */
        const char *notice;     /* translated, or "" */
} ImportProcess;

typedef enum ImportResult {
        IMPORT_PLANNED,
        IMPORT_LEFT,   /* in PM2, untouched; message says why */
        IMPORT_TAKEN,  /* it is here; message: what has stayed in PM2 all the same, NULL: nothing */
        IMPORT_FAILED, /* it is in PM2 as before if that was possible; message says why */
} ImportResult;

/* All processes of one name: they come together or not at all. */
typedef struct ImportApp {
        const char *name;
        GArray *processes; /* of ImportProcess */
        bool module;       /* of PM2 itself: left there, which is no failure */
        ImportResult result;
        char *message;
        pm2_value *taken; /* its processes here; NULL: none */
} ImportApp;

typedef struct Import {
        Ctl *ctl;
        AmpClient *daemon;
        char *version;   /* of PM2 */
        pm2_value *list; /* as PM2 gave it */
        GPtrArray *apps; /* of ImportApp, in the order of ids */
} Import;

/* Connect to PM2's daemon and read its list. Returns an exit status; on failure a message was printed. */
int import_open(Ctl *ctl, const char *home, Import *import);
void import_done(Import *import);

/* Decide what becomes of each app; the client of the ctl is connected. Returns an exit status. */
int import_plan(Import *import);

/* import-move.c: take one app over; the outcome is in it. false: PM2's daemon or pm2d has gone, and going on
 * makes no sense. */
bool import_move(Import *import, ImportApp *app);
