/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/time-zone.h"

#include "basic/fd-util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
        ZONE_FILE_BYTES_MIN = 44,        /* the header: RFC 8536, 3.1 */
        ZONE_FILE_BYTES_MAX = 64 * 1024, /* the largest has 4 */
};

/* GLib complains aloud of a file that is no zone. Whoever installs packages has written what is in it. */
static bool is_zone_file(const char *path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        char magic[4];
        struct stat status;

        if (fd < 0) {
                return false;
        }
        bool is = fstat(fd, &status) >= 0 && S_ISREG(status.st_mode) &&
                  status.st_size >= ZONE_FILE_BYTES_MIN && status.st_size <= ZONE_FILE_BYTES_MAX &&
                  read(fd, magic, sizeof(magic)) == sizeof(magic) &&
                  memcmp(magic, "TZif", sizeof(magic)) == 0;
        (void) close_fd(fd);
        return is;
}

/* Where GLib looks, too. An absolute name stands for itself. */
static char *zone_path(const char *name) {
        const char *folder = getenv("TZDIR");

        return g_path_is_absolute(name)
                               ? g_strdup(name)
                               : g_build_filename(folder ? folder : "/usr/share/zoneinfo", name, NULL);
}

/* As tzset(3): TZ has a file of the database, or rules; without it there is /etc/localtime; else UTC. */
static GTimeZone *open_own(void) {
        const char *variable = getenv("TZ");
        GTimeZone *zone = NULL;

        if (variable && variable[0] == ':') {
                variable++;
        }
        g_autofree char *path = variable && variable[0] ? zone_path(variable) : g_strdup("/etc/localtime");
        bool has_file = access(path, F_OK) >= 0;
        if (has_file ? is_zone_file(path) : variable && variable[0]) {
                zone = g_time_zone_new_identifier(variable && variable[0] ? variable : NULL);
        }
        return zone ? zone : g_time_zone_new_utc();
}

int time_zone_open(const char *name, GTimeZone **ret) {
        if (!name) {
                *ret = open_own();
                return 0;
        }
        /* GLib takes rules in place of a name, and would find zones that the database has not got. */
        g_autofree char *path = zone_path(name);
        GTimeZone *zone = is_zone_file(path) ? g_time_zone_new_identifier(name) : NULL;
        if (!zone) {
                return -ENOENT;
        }
        *ret = zone;
        return 0;
}
