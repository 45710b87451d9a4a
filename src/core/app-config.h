/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/app-watch.h"
#include "core/dependencies.h"
#include "core/environment-filter.h"
#include "core/environment.h"
#include "core/error.h"
#include "core/health-check.h"
#include "core/resource-limits.h"
#include "core/value.h"

#include <stdbool.h>
#include <stdint.h>

enum {
        GIVEN_WORDS = 2,
        ENV_FILES_MAX = 64,
        LISTEN_SOCKETS_MAX = 7,
        CREDENTIALS_MAX = 64,
        EXIT_CODE_WORDS = 4, /* a bit for each code, 0 to 255 */
};

#define OOM_SCORE_KEPT INT64_MIN

/* What follows when an app does not say in time that it is ready. In the order of the table's words. */
typedef enum ReadyTimeoutAction {
        READY_TIMEOUT_FAIL,
        READY_TIMEOUT_ONLINE,
} ReadyTimeoutAction;

/* What becomes of connections that are kept, when another process takes over. */
typedef enum ReloadDrain {
        RELOAD_DRAIN_HTTP,
        RELOAD_DRAIN_NONE,
} ReloadDrain;

/* How an app speaks to the supervisor. In the order of the table's words. */
typedef enum NotifyKind {
        NOTIFY_AUTO, /* as it is: Node over its channel, others not at all unless another attribute asks */
        NOTIFY_NONE,
        NOTIFY_NODE,    /* over the channel on the descriptor that NODE_CHANNEL_FD names */
        NOTIFY_SYSTEMD, /* by sd_notify(3) */
} NotifyKind;

/* How an app is run. In the order of the table's words. */
typedef enum ExecMode {
        EXEC_MODE_FORK,
        EXEC_MODE_CLUSTER, /* its processes are workers of Node's cluster, and we are their primary */
} ExecMode;

/* How connections come to the workers of a cluster. In the order of the table's words. */
typedef enum ClusterSchedule {
        CLUSTER_SHARED,      /* each accepts for itself */
        CLUSTER_ROUND_ROBIN, /* we accept, and hand them out */
} ClusterSchedule;

/* What a line of a log is. In the order of the table's words. */
typedef enum LogType {
        LOG_TYPE_RAW,
        LOG_TYPE_JSON,
} LogType;

/* Where output goes. In the order of the table's words. */
typedef enum LogTarget {
        LOG_TARGET_FILE,
        LOG_TARGET_JOURNAL,
        LOG_TARGET_BOTH,
} LogTarget;

/* How older parts of a log are kept. In the order of the table's words. */
typedef enum LogCompression {
        LOG_COMPRESSION_NONE,
        LOG_COMPRESSION_GZIP,
        LOG_COMPRESSION_ZSTD,
} LogCompression;

/* What is loaded into a Node app. In the order of the table's words. */
typedef enum PmxKind {
        PMX_FALSE,
        PMX_TRUE, /* nothing either, but PM2's own word is told back */
        PMX_PRELOAD,
} PmxKind;

/* What becomes of a cron_restart that comes while the process is being started or ended. In the order of the
 * table's words. */
typedef enum CronOverlap {
        CRON_OVERLAP_SKIP,
        CRON_OVERLAP_QUEUE,
        CRON_OVERLAP_KILL,
} CronOverlap;

/* What the user declares about an app. Every field is one row of the attribute table in
 * app-attributes.c: decoders, messages, defaults and the manual come from there. */
typedef struct AppConfig {
        unsigned n_ref;
        uint64_t given[GIVEN_WORDS]; /* bit i: attribute i was set by the user, not by its default */

        char *script;
        char *name;
        char *name_prefix;
        bool append_env_to_name;
        char *namespace;
        char *cwd;
        char **args;
        char *interpreter;
        char **node_args;
        Environment *env;
        char **env_file;          /* each with a '-' before it that may be missing */
        Environment *credentials; /* NAME=path */
        EnvironmentFilter filter_env;
        uint64_t port; /* 0: none */
        char **listen; /* sockets that are held for it */
        char *instance_var;
        char *increment_var; /* NULL: none */
        int64_t instances;   /* as declared: see instances_count() */
        int exec_mode;       /* of ExecMode */
        int cluster_sched;   /* of ClusterSchedule */
        bool autostart;
        bool autorestart;
        uint64_t min_uptime_usec;
        uint64_t max_restarts;
        uint64_t restart_delay_usec;
        uint64_t exp_backoff_usec; /* 0: none */
        uint64_t stop_exit_codes[EXIT_CODE_WORDS];
        uint64_t kill_timeout_usec;
        int kill_signal;
        bool treekill;
        char *pre_start;
        uint64_t pre_start_timeout_usec;
        char *post_stop;
        uint64_t post_stop_timeout_usec;
        bool wait_ready;
        uint64_t listen_timeout_usec; /* 0: the default */
        int ready_timeout_action;     /* of ReadyTimeoutAction */
        uint64_t reload_timeout_usec;
        uint64_t reload_parallel;
        int reload_drain;           /* of ReloadDrain */
        uint64_t reload_watch_usec; /* 0: a reload is not taken back */
        int notify;                 /* of NotifyKind */
        int pmx;                    /* of PmxKind */
        uint64_t watchdog_usec;     /* 0: none */
        bool shutdown_with_message;
        char *out_file;
        char *error_file;
        char *pid_file;
        char *log_file;        /* NULL: none; "true": by its default name */
        int log_type;          /* of LogType */
        char *log_date_format; /* NULL: none */
        bool time;             /* the date has PM2's form */
        int log_target;        /* of LogTarget */
        bool merge_logs;
        bool disable_logs;
        uint64_t log_max_size_bytes; /* 0: no bound */
        uint64_t log_retain;
        int log_compress;          /* of LogCompression */
        uint64_t memory_max_bytes; /* this and the next six: 0 is none */
        uint64_t memory_high_bytes;
        uint64_t max_memory_restart_bytes;
        uint64_t cpu_quota_usec; /* in each second */
        uint64_t cpu_weight;
        uint64_t io_weight;
        uint64_t tasks_max;
        int64_t oom_score_adjust; /* OOM_SCORE_KEPT: as we have it ourselves */
        ResourceLimits *limits;   /* NULL: none */
        char *cron_restart;       /* NULL: none */
        char *cron_timezone;      /* NULL: ours */
        int cron_overlap;         /* of CronOverlap */
        GArray *depends_on;       /* of Dependency; NULL: none */
        HealthCheck *health;      /* NULL: none */
        AppWatch watch;
        char **ignore_watch;
        uint64_t watch_delay_usec;
        Value *watch_options; /* map; NULL: none */
        Value *extra;         /* map: what others keep with the app; NULL: nothing */
        Value *kept;          /* map: attributes of PM2 that have no effect here; NULL: none is given */
} AppConfig;

typedef enum AttributeType {
        ATTRIBUTE_STRING,
        ATTRIBUTE_PATH,
        ATTRIBUTE_BOOL,
        ATTRIBUTE_NUMBER,
        ATTRIBUTE_DURATION, /* milliseconds, or a time span as in systemd.time(7) */
        ATTRIBUTE_SIGNAL,
        ATTRIBUTE_STRINGS, /* an array, or a string that is split as a shell would */
        ATTRIBUTE_PATHS,   /* a path, or an array of them; one may have a '-' before it */
        ATTRIBUTE_ENVIRONMENT,
        ATTRIBUTE_CREDENTIALS, /* a map of names to paths */
        ATTRIBUTE_SIZE,        /* bytes, or a number with K, M, G, T: powers of 1024 */
        ATTRIBUTE_EXIT_CODES,  /* one or several of 0 to 255 */
        ATTRIBUTE_FILTER,      /* of the caller's environment */
        ATTRIBUTE_PERCENT,     /* "150%" or 150, of one core; kept as µs in each second */
        ATTRIBUTE_SCORE,       /* a whole number that may be negative; minimum and maximum are cast */
        ATTRIBUTE_COUNT,       /* of processes: "max" is 0; minimum and maximum are cast */
        ATTRIBUTE_WORD,        /* one of the words of the row; kept as its place among them. Where "true" and
                                * "false" are words they are also taken, and told back, as what they mean */
        ATTRIBUTE_CRON,        /* when something is due; what is false, 0 or empty is none */
        ATTRIBUTE_WATCH,       /* true, false, or paths: see AppWatch */
        ATTRIBUTE_LIMITS,      /* a map of resource limits, or "nofile=1024:4096 core=infinity" */
        ATTRIBUTE_HEALTH,      /* a probe with its times, see health-check.h */
        ATTRIBUTE_DEPENDS,     /* names of apps, or a map of names to conditions */
        ATTRIBUTE_OBJECT,      /* a map of anything, of at most so many bytes: kept as it is */
        ATTRIBUTE_OFF,         /* not supported: only what asks for nothing is taken, and nothing is kept */
        ATTRIBUTE_KEPT,        /* of PM2, without effect: any value is kept and told back */
        _ATTRIBUTE_TYPE_MAX,
} AttributeType;

typedef struct Attribute {
        const char *name;
        const char *aliases; /* separated by blanks; the camelCase form of each name is one too */
        AttributeType type;
        size_t offset;        /* of the field in AppConfig */
        uint64_t minimum;     /* of a number or size, in µs of a duration */
        uint64_t maximum;     /* of a number or size, in µs of a duration, in bytes of a string or map */
        const char *fallback; /* the default, as a caller could write it; NULL: none. Of ATTRIBUTE_OFF: the
                               * words that it takes, NULL: false, 0 and all that is empty */
        const char *words;    /* of ATTRIBUTE_WORD, separated by blanks */
        int distinct_words; /* of these; those behind them are other names of the same, in the same order. 0:
                             * all of them */
        const char *help;   /* one sentence for the manual */
        bool lines;         /* a string that may have several: a command */
        bool or_false;      /* a string that may be false, 0 or empty: none; a path that may be true */
        bool or_zero;       /* 0 is taken too, though it is below the minimum: none */
        bool live;          /* a change takes effect on what runs: SetProperties takes it */
} Attribute;

/* The table, in the order of the manual. */
extern const Attribute attributes[];
extern const size_t n_attributes;

/* Row by name or alias, also in camelCase; NULL if there is none. */
const Attribute *attribute_find(const char *name);

/* The name or alias that somebody who wrote this probably meant; NULL: nothing is near. */
const char *attribute_guess(const char *name);

/* "a duration": how the manual and messages call a type. */
const char *attribute_type_to_text(AttributeType type);

/* The same for one attribute: of ATTRIBUTE_WORD with its words ("one of fail, online"). Freed by the caller.
 */
char *attribute_values_to_text(const Attribute *attribute);

/* "duration": the type as one word, for programs. */
const char *attribute_type_to_name(AttributeType type);

/* All defaults. */
AppConfig *app_config_new(void);
AppConfig *app_config_copy(const AppConfig *config);
AppConfig *app_config_ref(AppConfig *config);
void app_config_unref(AppConfig *config);

/* Set one attribute from what a caller wrote; null brings the default back. InvalidConfig names the key
 * and the value. Only before the config is shared. */
int app_config_set(AppConfig *config, const Attribute *attribute, const Value *value, Error *error);

/* Set by the name; an unknown one is InvalidConfig, with the name that was probably meant. */
int app_config_set_by_name(AppConfig *config, const char *name, const Value *value, Error *error);

/* The value of an attribute in its natural type (durations in ms, sizes in bytes); the caller frees it. */
Value *app_config_get(const AppConfig *config, const Attribute *attribute);

bool app_config_is_given(const AppConfig *config, const char *name);

/* "fork_mode" or "cluster_mode", as PM2 shows it. */
const char *app_config_exec_mode(const AppConfig *config);

/* Whether the names of log files go without the id of the process: where it is not said, they do unless the
 * app has a number of instances or is a cluster. */
bool app_config_merges_logs(const AppConfig *config);

/* The given attributes that have no effect here, as "vizion, trace"; NULL: none. The caller frees it. */
char *app_config_list_kept(const AppConfig *config);

/* Whether an exit with this code is an end that was wanted. */
bool app_config_is_stop_code(const AppConfig *config, int exit_code);

/* Put the prefix before the name, where both are given and it is not there yet. */
int app_config_apply_prefix(AppConfig *config, Error *error);

/* Put the profile behind the name, where the config says so and there is a name. */
int app_config_append_profile(AppConfig *config, const char *profile, Error *error);

/* Whether another can take its place while it serves: what it listens on is not its own. */
bool app_config_is_replaceable(const AppConfig *config);

/* What no single attribute can tell: a script is there, a name is there. */
int app_config_check(const AppConfig *config, Error *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(AppConfig, app_config_unref)
