/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* no fault points here: this is another process */

#include "platform/exec-credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        PARENT_MODE = 0711,
        FOLDER_MODE = 0700,
        FILE_MODE = 0400,
        BUFFER_BYTES = 16 * 1024,
};

int exec_credentials_make_folder(const ExecPlan *plan) {
        const char *folder = plan->credentials_folder;

        if (!folder) {
                return 0;
        }
        mode_t mask = umask(0);
        child_make_parents(folder, PARENT_MODE);
        int r = mkdir(folder, FOLDER_MODE);
        (void) umask(mask);
        if (r < 0 && errno != EEXIST) { /* one that could not be removed is used again */
                return errno;
        }
        if (plan->user && lchown(folder, plan->user->uid, plan->user->gid) < 0) {
                return errno;
        }
        return 0;
}

/* The first bytes up to the limit and one more. */
static int copy_bytes(int from, int to, ExecReport *failure) {
        char buffer[BUFFER_BYTES];
        size_t total = 0;

        for (;;) {
                ssize_t n = read(from, buffer, sizeof(buffer));
                if (n <= 0) {
                        return n < 0 ? errno : 0;
                }
                total += (size_t) n;
                if (total > EXEC_CREDENTIAL_BYTES_MAX) {
                        return EFBIG;
                }
                ssize_t written = write(to, buffer, (size_t) n);
                if (written != n) {
                        failure->stage = EXEC_STAGE_CREDENTIALS_FOLDER;
                        return written < 0 ? errno : ENOSPC;
                }
        }
}

static int copy_file(const ExecCredential *credential, ExecReport *failure) {
        int from = child_open_to_read(credential->source);
        if (from < 0) {
                return -from;
        }
        (void) unlink(credential->target);
        int to = open(credential->target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
        if (to < 0) {
                failure->stage = EXEC_STAGE_CREDENTIALS_FOLDER;
                return errno;
        }
        int error = copy_bytes(from, to, failure);
        (void) close(from);
        (void) close(to);
        return error;
}

bool exec_credentials_copy(const ExecPlan *plan, ExecReport *ret_failure) {
        ret_failure->error = 0;
        for (size_t i = 0; i < plan->n_credentials && ret_failure->error == 0; i++) {
                ret_failure->item = (int32_t) i;
                ret_failure->error = copy_file(&plan->credentials[i], ret_failure);
        }
        return ret_failure->error == 0;
}
