/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The file of $PM2D_FAULT_FILE is mapped at the first point: a test writes there where the supervisor is to
 * die (tests/chaos/fault_file.py has the same layout) and reads what was passed. It outlives every
 * supervisor; who dies disarms it first, so that the successor lives. */

#include "basic/fault-point.h"

#if PM2D_FAULT_POINTS /* fuzz builds compile every file of this folder */

#        include "basic/fd-util.h"

#        include <errno.h>
#        include <fcntl.h>
#        include <signal.h>
#        include <stdatomic.h>
#        include <stdbool.h>
#        include <stdint.h>
#        include <stdlib.h>
#        include <string.h>
#        include <sys/mman.h>
#        include <sys/stat.h>
#        include <unistd.h>

enum {
        NAME_BYTES = 40,
        POINTS_MAX = 256,
};

typedef enum Side {
        SIDE_BEFORE,
        SIDE_AFTER,
        _SIDE_MAX,
} Side;

typedef struct Point {
        char name[NAME_BYTES];
        uint32_t passed[_SIDE_MAX];
        uint32_t killed[_SIDE_MAX];
} Point;

typedef struct FaultFile {
        _Atomic uint32_t armed; /* the passage at which to die; 0: none */
        uint32_t side;
        char name[NAME_BYTES];
        Point points[POINTS_MAX]; /* in the order of their first passage */
} FaultFile;

static FaultFile *map_file(void) {
        const char *path = getenv(FAULT_FILE_VARIABLE);
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        struct stat status;
        void *memory = MAP_FAILED;

        if (fd >= 0 && fstat(fd, &status) == 0 && (size_t) status.st_size >= sizeof(FaultFile)) {
                memory = mmap(NULL, sizeof(FaultFile), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        }
        (void) close_fd(fd);
        return memory == MAP_FAILED ? NULL : memory;
}

static Point *find_point(FaultFile *file, const char *name) {
        for (size_t i = 0; i < POINTS_MAX; i++) {
                Point *point = &file->points[i];
                if (point->name[0] == '\0') {
                        (void) strncpy(point->name, name, NAME_BYTES - 1);
                }
                if (strncmp(point->name, name, NAME_BYTES - 1) == 0) {
                        return point;
                }
        }
        abort(); /* more points than the tree has */
}

/* Of this process alone: a copy of it that has not executed anything yet passes points as well. */
static FaultFile *own_file(void) {
        static FaultFile *file;
        static pid_t pid;

        if (pid == 0) {
                pid = getpid();
                file = map_file();
        }
        return pid == getpid() ? file : NULL;
}

static void pass(const char *name, Side side) {
        int saved_errno = errno;
        FaultFile *file = own_file();

        if (file) {
                Point *point = find_point(file, name);
                uint32_t armed = atomic_load(&file->armed);
                point->passed[side]++;
                if (armed > 0 && file->side == side && strncmp(file->name, name, NAME_BYTES) == 0) {
                        atomic_store(&file->armed, armed - 1);
                        if (armed == 1) {
                                point->killed[side]++;
                                (void) kill(getpid(), SIGKILL);
                        }
                }
        }
        errno = saved_errno;
}

void fault_before(const char *name) {
        pass(name, SIDE_BEFORE);
}

void fault_after(const char *name) {
        pass(name, SIDE_AFTER);
}

#endif
