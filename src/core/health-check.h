/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/environment.h"
#include "core/error.h"
#include "core/health.h"
#include "core/value.h"

/* The attribute "health": how an app is asked whether it is well. */

typedef enum HealthKind {
        HEALTH_HTTP, /* GET, and the status of the answer */
        HEALTH_TCP,  /* a connection */
        HEALTH_UNIX, /* the same to a socket in the file system */
        HEALTH_EXEC, /* a command that exits with 0 */
        _HEALTH_KIND_MAX,
} HealthKind;

enum {
        HEALTH_TARGET_BYTES_MAX = 4096,
        HEALTH_WORDS_MAX = 256,
        HEALTH_PATH_BYTES_MAX = 107, /* sockaddr_un, with a NUL */
};

typedef struct HealthCheck {
        HealthKind kind;
        char *target; /* as it was declared; of exec a command of the shell. NULL: words */
        char **words; /* of exec; NULL: target */
        HealthRules rules;
        uint64_t status_min, status_max; /* of http: what counts as success */
        bool restart;                    /* what is unhealthy is restarted */
} HealthCheck;

/* Read what a caller wrote: an object, or "http=http://127.0.0.1:8080/ interval=5s" as command lines have
 * it. Nothing (false, 0, "" and an empty object) is NULL. InvalidConfig names the member, as
 * "health.interval".
 */
int health_check_from_value(const Value *value, HealthCheck **ret, Error *error);

/* The object that a caller could have written, with all its members; freed by the caller. */
Value *health_check_to_value(const HealthCheck *check);

HealthCheck *health_check_copy(const HealthCheck *check);
bool health_check_equal(const HealthCheck *a, const HealthCheck *b);
void health_check_free(HealthCheck *check);

/* Where a probe goes. */
typedef struct HealthAddress {
        char *host;      /* numeric; NULL: localhost, which is 127.0.0.1 or else ::1 */
        uint16_t port;   /* 0: there is a path */
        char *path;      /* of a socket in the file system, absolute */
        char *authority; /* of http: what the header Host says */
        char *resource;  /* of http: what is asked for */
} HealthAddress;

/* "8080" "127.0.0.1:8080" "[::1]:8080" "localhost:8080", of http with http:// before it and a path behind
 * it, or "http://unix:/run/app.sock:/path". Names are not looked up. InvalidConfig says what is wrong. */
int health_address_parse(HealthKind kind, const char *target, HealthAddress *ret, Error *error);
void health_address_done(HealthAddress *address);

/* Put variables in place of their ${NAME}. InvalidConfig: there is no such variable. Freed by the caller. */
int health_target_expand(const char *target, const Environment *environment, char **ret, Error *error);

/* "http". */
const char *health_kind_to_name(HealthKind kind);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HealthCheck, health_check_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HealthAddress, health_address_done)
