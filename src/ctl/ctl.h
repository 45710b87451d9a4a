/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "arguments.h"

#include <pm2/pm2.h>

/* Exit statuses, documented in pm2ctl(1). */
enum {
        EXIT_OK = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
        EXIT_NO_DAEMON = 3,
        EXIT_NO_PROCESS = 4,
        EXIT_TIMEOUT = 5,
        EXIT_ACCESS = 6,
};

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,
        JSON_PRETTY,
} JsonMode;

/* One run of pm2ctl. */
typedef struct Ctl {
        pm2_client *client;      /* connected if the verb says so */
        uint64_t instance_flags; /* of pm2_connect(): which supervisor is meant */
        bool no_daemon;          /* one that is started is ours alone */
        JsonMode json;
        bool silent;
        bool terminal; /* standard output is one */
        bool utf8;     /* the locale's characters are */
        bool colour;
} Ctl;

typedef enum VerbConnect {
        CONNECT_NOT,   /* the verb connects by itself, if at all */
        CONNECT_ONLY,  /* to a supervisor that runs */
        CONNECT_SPAWN, /* to one that is started if need be */
} VerbConnect;

typedef struct Verb {
        const char *name;
        unsigned options; /* groups beside GROUP_COMMON */
        unsigned arguments_min, arguments_max;
        bool behind_dashes; /* what is behind "--" are arguments of the app */
        VerbConnect connect;
        const char *usage; /* its arguments */
        const char *summary;
        int (*run)(Ctl *ctl, const Arguments *arguments);
} Verb;

typedef struct VerbAlias {
        const char *name, *verb;
        const char *option; /* that comes with it, or NULL */
} VerbAlias;

/* All verbs and other names for them, each ended by an entry without a name. */
extern const Verb verbs[];
extern const VerbAlias verb_aliases[];

/* The verb of a name or alias, whose option goes to ret_option. NULL: there is none. */
const Verb *verb_find(const char *name, const char **ret_option);

/* Run pm2ctl with the words behind its name, ended by NULL. Returns the exit status. */
int ctl_run(const char *const *argv);

int verb_start(Ctl *ctl, const Arguments *arguments);
int verb_stop(Ctl *ctl, const Arguments *arguments);
int verb_restart(Ctl *ctl, const Arguments *arguments);
int verb_reload(Ctl *ctl, const Arguments *arguments);
int verb_scale(Ctl *ctl, const Arguments *arguments);
int verb_reset(Ctl *ctl, const Arguments *arguments);
int verb_delete(Ctl *ctl, const Arguments *arguments);
int verb_validate(Ctl *ctl, const Arguments *arguments);
int verb_list(Ctl *ctl, const Arguments *arguments);
int verb_describe(Ctl *ctl, const Arguments *arguments);
int verb_why(Ctl *ctl, const Arguments *arguments);
int verb_set(Ctl *ctl, const Arguments *arguments);
int verb_freeze(Ctl *ctl, const Arguments *arguments);
int verb_thaw(Ctl *ctl, const Arguments *arguments);
int verb_signal(Ctl *ctl, const Arguments *arguments);
int verb_send(Ctl *ctl, const Arguments *arguments);
int verb_message(Ctl *ctl, const Arguments *arguments);
int verb_trigger(Ctl *ctl, const Arguments *arguments);
int verb_logs(Ctl *ctl, const Arguments *arguments);
int verb_flush(Ctl *ctl, const Arguments *arguments);
int verb_reload_logs(Ctl *ctl, const Arguments *arguments);
int verb_bus(Ctl *ctl, const Arguments *arguments);
int verb_save(Ctl *ctl, const Arguments *arguments);
int verb_resurrect(Ctl *ctl, const Arguments *arguments);
int verb_import(Ctl *ctl, const Arguments *arguments);
int verb_compat(Ctl *ctl, const Arguments *arguments);
int verb_daemon_reexec(Ctl *ctl, const Arguments *arguments);
int verb_kill(Ctl *ctl, const Arguments *arguments);
int verb_status(Ctl *ctl, const Arguments *arguments);
int verb_version(Ctl *ctl, const Arguments *arguments);
int verb_help(Ctl *ctl, const Arguments *arguments);
