/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/program-lookup.h"

#include "basic/cleanup.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_SEARCH_PATH "/usr/local/bin:/usr/bin:/bin"

static int check_regular(const struct stat *status) {
        if (S_ISDIR(status->st_mode)) {
                return -EISDIR;
        }
        return S_ISREG(status->st_mode) ? 0 : -ENXIO;
}

int program_inspect(const char *path, ProgramFile *ret) {
        struct stat status;
        char head[4] = "";

        if (stat(path, &status) < 0) {
                return -errno;
        }
        int r = check_regular(&status);
        if (r < 0) {
                return r;
        }
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0 && pread(fd, head, sizeof(head), 0) < 0) {
                return -errno;
        }
        *ret = (ProgramFile){
                .executable = faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0,
                .self_contained = memcmp(head, "\177ELF", 4) == 0 || memcmp(head, "#!", 2) == 0,
        };
        return 0;
}

static bool is_executable_file(const char *path) {
        struct stat status;
        return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
               faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

int program_find(const char *name, const char *search_path, char **ret) {
        if (strchr(name, '/')) {
                if (!is_executable_file(name)) {
                        return -ENOENT;
                }
                *ret = g_strdup(name);
                return 0;
        }
        g_auto(GStrv) folders = g_strsplit(search_path ? search_path : DEFAULT_SEARCH_PATH, ":", -1);
        for (char **folder = folders; *folder; folder++) {
                g_autofree char *path = g_build_filename(*folder, name, NULL);
                if ((*folder)[0] == '/' && is_executable_file(path)) {
                        *ret = g_steal_pointer(&path);
                        return 0;
                }
        }
        return -ENOENT;
}

int program_check_folder(const char *path) {
        struct stat status;

        if (stat(path, &status) < 0) {
                return -errno;
        }
        if (!S_ISDIR(status.st_mode)) {
                return -ENOTDIR;
        }
        return RET_NERRNO(faccessat(AT_FDCWD, path, X_OK, AT_EACCESS));
}

int program_check_log_file(const char *path) {
        struct stat status;

        if (lstat(path, &status) < 0) {
                return errno == ENOENT ? 0 : -errno;
        }
        return S_ISLNK(status.st_mode) ? -ELOOP : check_regular(&status);
}
