/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files that save and load lists. */

#include "config/saved-list.h"
#include "manager/manager-internal.h"
#include "platform/file-job.h"

/* A list that is being saved or loaded. Those of one user are done one after the other, in the order of the
 * calls: a save tells what a load before it has brought, and two loads do not start one app twice. */
typedef struct ListTask {
        Manager *manager; /* weak */
        uid_t owner;
        bool load;
        bool own_place; /* in our folder, with our rights */
        bool at_start;  /* of the service: nobody has called */
        bool resumed;   /* a supervisor that was killed has loaded a part of it */
        char *path;
        bool active;
        FileJob *job;
        Operation *operation;
        Request request;

        /* Of a load: */
        bool previous; /* it is the previous copy that is read */
        Error trouble; /* with the list itself, then */
        bool missing;  /* that is what was wrong with it */
        char *bytes;
        SavedListReader *reader;
        bool checked;
        GHashTable *names; /* name -> how many of its entries are skipped */
        unsigned number;   /* of the entry */
        sd_event_source *turn;
} ListTask;

typedef struct SavedLists {
        GQueue tasks;         /* of ListTask */
        bool loading;         /* at start: not all apps are registered */
        unsigned loads_begun; /* at start, that are not answered */
        void (*on_loaded)(void *userdata);
        void *userdata;
} SavedLists;

/* The task is over: the next one of its owner begins. */
void list_task_end_and_invalidate(ListTask *task);

/* Whether a list is being loaded, or will be: what is not there yet may come. */
bool saved_lists_are_loading(const Manager *manager);

/* With these rights files are read and written; NULL: with ours. storage is for the call. */
const ExecUser *list_task_user(const ListTask *task, ExecUser *storage);

/* saved-list-load.c: the app that an entry declares. */
int saved_entry_apply(const SavedEntry *entry, AppConfig *config, Error *error);

/* saved-list-check.c: what loading this text would do, as a map. */
int saved_list_validate(Manager *manager, const Caller *caller, const char *text, Value **ret, Error *error);

/* saved-list-load.c: begin to read. */
void list_load_begin_and_invalidate(ListTask *task);
