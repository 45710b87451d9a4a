/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/child-steps.h"
#include "platform/exec-logs.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* The only code that runs between the making of a child and its execve(). Async-signal-safe: no allocation,
 * no GLib, no logging. */

/* Where a launch failed. */
typedef enum ExecStage {
        EXEC_STAGE_USER,
        EXEC_STAGE_CWD,
        EXEC_STAGE_ENV_FILE,
        EXEC_STAGE_CREDENTIALS,
        EXEC_STAGE_CREDENTIALS_FOLDER,
        EXEC_STAGE_OUT_FILE,
        EXEC_STAGE_ERROR_FILE,
        EXEC_STAGE_LOG_FILE,
        EXEC_STAGE_PID_FILE,
        EXEC_STAGE_OOM_SCORE,
        EXEC_STAGE_LIMITS,
        EXEC_STAGE_LISTEN,
        EXEC_STAGE_EXECUTE,
        _EXEC_STAGE_MAX,
} ExecStage;

enum {
        EXEC_STREAMS = 2, /* standard output and error, in this order: their numbers less one */
};

/* A file that a stream goes to. */
typedef struct ExecLog {
        uint64_t device, inode; /* 0: no regular file */
        uint32_t local;         /* 1: on a file system of this machine, nobody waits for anybody there */
        uint64_t size_bytes;    /* when it was opened */
} ExecLog;

/* What the child writes to its result pipe: {EXECUTE, 0} right before execve(), then end of file if that
 * succeeded; or what failed. End of file alone: it died before. */
typedef struct ExecReport {
        int32_t stage;
        int32_t error; /* errno; EXEC_NOT_REGULAR: the file is of another kind */
        int32_t item;  /* of EXEC_STAGE_LIMITS the resource, of files their index */
        uint32_t line; /* of an environment file, 0: none; then error is an EnvironmentFileResult */
        ExecLog logs[EXEC_LOGS]; /* of {EXECUTE, 0} */
} ExecReport;

enum {
        EXEC_NOT_REGULAR = CHILD_NOT_REGULAR,
        EXEC_CREDENTIAL_BYTES_MAX = 1024 * 1024,
        EXEC_FIRST_FD = 3,    /* of the listening sockets: SD_LISTEN_FDS_START */
        EXEC_SOCKETS_MAX = 7, /* Node wants a low one for its channel, which is behind them */
        EXEC_PID_DIGITS = 10,
        EXEC_GATE_CLOSED_STATUS = 219, /* of a child that was never let through, for whoever adopted it */
};

typedef struct ExecLimit {
        int resource;
        struct rlimit limit;
} ExecLimit;

typedef struct ExecEnvironmentFile {
        const char *path;
        bool optional; /* it may be missing */
} ExecEnvironmentFile;

typedef struct ExecCredential {
        const char *source, *target;
} ExecCredential;

/* All pointers are read by the child in its copy of the parent's memory. */
typedef struct ExecPlan {
        const char *path;
        char *const *argv;
        char *const *envp;
        char *const *env_over; /* what of envp stands over the variables of the files; NULL: nothing */
        const ExecEnvironmentFile *env_files;
        size_t n_env_files;
        const char *credentials_folder; /* made, and the files copied into it; NULL: none */
        const ExecCredential *credentials;
        size_t n_credentials;
        const char *cwd;
        const char *out_path;   /* NULL: /dev/null */
        const char *error_path; /* NULL: /dev/null */
        const char *log_path;   /* of both, by way of logs_fd; NULL: none */
        int logs_fd;            /* whom the logs are sent to, see exec-logs.h; 0 or negative: the streams are
                                 * the logs themselves */
        int stream_fds[EXEC_STREAMS]; /* with logs_fd what the streams are; negative: /dev/null */
        const char *pid_path;         /* NULL: none */
        const int *sockets;           /* become EXEC_FIRST_FD and so on; EXEC_SOCKETS_MAX at most */
        size_t n_sockets;
        char *listen_pid;     /* "LISTEN_PID=", room for EXEC_PID_DIGITS and a NUL; in the environments by
                               * this address. NULL: none */
        int channel_fd;       /* becomes the next one behind the sockets; 0 or negative: none */
        bool stdin_pipe;      /* see stdin-line.h; false: /dev/null */
        const ExecUser *user; /* NULL: stay who we are */
        bool ends_with_us;    /* it is killed when the supervisor dies */
        struct rlimit nofile; /* what the supervisor had before it raised its own */
        const ExecLimit *limits;
        size_t n_limits;
        const char *oom_score_adjust; /* in decimal; NULL: as it is */
} ExecPlan;

/* Open a file that a user named, with the flags of open(2): no waiting on FIFOs and devices, no following of
 * a link in its last part, nothing but regular files. Async-signal-safe. Returns the fd or a negative error.
 */
int exec_open_regular(const char *path, int flags);

/* Whether what a descriptor is of lies on such a file system. May wait for another one. */
bool exec_file_is_local(int fd);

/* Wait for a byte on gate_fd (end of file: exit), then become the program. Never returns. */
_Noreturn void exec_child_run(const ExecPlan *plan, int gate_fd, int result_fd);
