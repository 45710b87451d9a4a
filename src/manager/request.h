/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/environment.h"
#include "core/error.h"
#include "core/value.h"

/* The options of a call, taken apart: what steers the call itself, and attributes of an app. */
typedef struct Request {
        bool wait;             /* reply when the work is done; default */
        uint64_t timeout_usec; /* 0: none */
        bool force;
        bool start; /* default true */
        bool update_env;
        Environment *caller_env; /* NULL: not given */
        char *cwd;               /* NULL: not given */
        char **only;             /* NULL: not given */
        char *profile;           /* of environments, option "env"; NULL: not given */
        bool saved;              /* a document is a saved list */
        GPtrArray *attributes;   /* of const ValueEntry, borrowed from the options */
} Request;

/* Which keys a call takes beside wait and timeout. */
typedef enum RequestKeys {
        REQUEST_FORCE = 1 << 0,
        REQUEST_START = 1 << 1,
        REQUEST_ENVIRONMENT = 1 << 2, /* caller_env */
        REQUEST_UPDATE_ENV = 1 << 3,
        REQUEST_CWD = 1 << 4,
        REQUEST_ONLY = 1 << 5,
        REQUEST_PROFILE = 1 << 7,    /* env */
        REQUEST_ATTRIBUTES = 1 << 6, /* any other key is taken for an attribute */
        REQUEST_SAVED = 1 << 8,
} RequestKeys;

/* The options must outlive the request. InvalidArgs names an unknown key or a value of the wrong kind. */
int request_parse(Request *request, const Value *options, unsigned keys, Error *error);
void request_done(Request *request);

/* The value of an attribute in the request, by its name alone; NULL if it is not given. */
const Value *request_attribute(const Request *request, const char *name);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Request, request_done)
