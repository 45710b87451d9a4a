/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager/log-excerpt.h"

#include "basic/cleanup.h"
#include "core/file-names.h"
#include "core/last-lines.h"
#include "manager/log-files.h"
#include "platform/stream-file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* The very file that the stream was, whatever has its name by now. */
static int open_file(const ProcessHandle *handle, int stream, const char *path) {
        char name[32];
        int kept_fd = log_files_get_fd(handle, stream);
        _cleanup_close_ int found_fd =
                        kept_fd < 0 ? stream_file_open_path(path, &handle->logs[stream]) : -EBADF;

        if (kept_fd < 0 && found_fd < 0) {
                return found_fd;
        }
        (void) snprintf(name, sizeof(name), "/proc/self/fd/%d", kept_fd < 0 ? found_fd : kept_fd);
        int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static char *read_end(int fd) {
        char bytes[LOG_EXCERPT_BYTES_MAX + 1]; /* the first tells whether a line begins behind it */
        int64_t size = stream_file_size(fd);
        int64_t start = MAX(size - (int64_t) sizeof(bytes), 0);

        ssize_t n = size < 0 ? -1 : pread(fd, bytes, sizeof(bytes), start);
        if (n < 0) {
                return NULL;
        }
        return last_lines(bytes, (size_t) n, start == 0, LOG_EXCERPT_LINES_MAX, LOG_EXCERPT_BYTES_MAX);
}

LogExcerptResult log_excerpt_read(ProcessHandle *handle, int stream, char **ret) {
        Manager *manager = handle->manager;
        const Process *process = handle->process;
        const char *path = stream == 0 ? process->out_log_path : process->error_log_path;
        const ExecLog *log = &handle->logs[stream];

        if (process->config->disable_logs || file_name_is_null(path)) {
                return LOG_EXCERPT_NONE;
        }
        if (log->inode != 0 && !log->local) {
                return LOG_EXCERPT_REMOTE;
        }
        if (log->inode == 0) {
                return LOG_EXCERPT_LOST;
        }
        manager_become_user(manager, manager_user(manager, process->owner));
        _cleanup_close_ int fd = open_file(handle, stream, path);
        manager_become_self(manager);
        *ret = fd < 0 ? NULL : read_end(fd);
        return *ret ? LOG_EXCERPT_DONE : LOG_EXCERPT_LOST;
}
