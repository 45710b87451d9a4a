/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One part goes this way; a kill between two steps leaves what the next call goes on from:
 *
 *   .pm2-ID.copy    being written; of no worth
 *   .pm2-ID.ready   complete and on the disk, and still in the log as well
 *   .pm2-ID.marked  and the first block of the log is a hole, which is how a log never looks otherwise
 *   NAME.N          and the part is cut off the log
 *
 * Making the hole can be done twice, cutting cannot: but whether it was done is seen by the hole. ID has the
 * inode of the log and how much is to be cut, and a digest of it, so that a log that somebody has emptied in
 * between keeps what it got since. The names are hidden: who reads the files sees each line once. */

/* no fault points here: this is another process, which a test of its own kills at each of its system calls
 */

#include "platform/log-split.h"

#include "basic/cleanup.h"
#include "basic/macro.h"
#include "platform/child-steps.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIGEST_START UINT64_C(0xcbf29ce484222325) /* those of FNV-1a */
#define DIGEST_PRIME UINT64_C(0x100000001b3)
#define COPY         ".copy"
#define READY        ".ready"
#define MARKED       ".marked"

enum {
        BUFFER_BYTES = 65536,
        SUFFIX_BYTES = 16,
        HIDDEN_NAME_BYTES = 160,
        NAME_TRIES_MAX = 1000,
};

/* A part, as its hidden name tells. */
typedef struct Part {
        uint64_t inode;
        uint64_t number;
        uint64_t cut_bytes;  /* whole blocks */
        uint64_t rest_bytes; /* of the line behind them */
        uint64_t digest;     /* of both */
        char suffix[SUFFIX_BYTES];
} Part;

typedef struct Split {
        const LogSplitPlan *plan;
        int folder_fd;
        int fd; /* of the log */
        uint64_t inode, block_bytes;
        uint64_t size_bytes; /* of what may be moved */
        mode_t mode;
        uint64_t highest; /* number in the folder, 0: none */
        uint64_t removed_bytes, rest_bytes;
        uint64_t kept_bytes, kept_files;
} Split;

static void hidden_name(const Part *part, const char *state, char name[HIDDEN_NAME_BYTES]) {
        (void) snprintf(name,
                        HIDDEN_NAME_BYTES,
                        ".pm2-%" PRIx64 "-%" PRIu64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64 "%s%s",
                        part->inode,
                        part->number,
                        part->cut_bytes,
                        part->rest_bytes,
                        part->digest,
                        part->suffix,
                        state);
}

/* Returns the state, NULL: it is no such name. */
static const char *parse_hidden_name(const char *name, Part *ret) {
        static const char *const states[] = { COPY, READY, MARKED };
        size_t length = strlen(name);
        int used = 0;

        if (sscanf(name,
                   ".pm2-%" SCNx64 "-%" SCNu64 "-%" SCNx64 "-%" SCNx64 "-%" SCNx64 "%n",
                   &ret->inode,
                   &ret->number,
                   &ret->cut_bytes,
                   &ret->rest_bytes,
                   &ret->digest,
                   &used) != 5) {
                return NULL;
        }
        for (size_t i = 0; i < ELEMENTS(states); i++) {
                size_t state_length = strlen(states[i]);
                if (length < (size_t) used + state_length ||
                    strcmp(name + length - state_length, states[i]) != 0) {
                        continue;
                }
                size_t suffix_length = length - (size_t) used - state_length;
                if (suffix_length >= sizeof(ret->suffix)) {
                        return NULL;
                }
                memcpy(ret->suffix, name + used, suffix_length);
                ret->suffix[suffix_length] = '\0';
                return states[i];
        }
        return NULL;
}

/* The number of NAME.N, NAME.N.gz or NAME.N.zst; 0: it is no such name. */
static uint64_t parse_name(const Split *split, const char *name) {
        size_t length = strlen(split->plan->name);
        char *end;

        if (strncmp(name, split->plan->name, length) != 0 || name[length] != '.' || name[length + 1] < '1' ||
            name[length + 1] > '9') {
                return 0;
        }
        errno = 0;
        uint64_t number = strtoull(name + length + 1, &end, 10);
        bool ends = *end == '\0' || strcmp(end, ".gz") == 0 || strcmp(end, ".zst") == 0;
        return ends && errno == 0 ? number : 0;
}

typedef int (*EachName)(Split *split, const char *name);

/* Until one returns something else than 0, which is returned. */
static int for_each_name(Split *split, EachName each) {
        int fd = openat(split->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
        const struct dirent *entry;
        int r = 0;

        if (!folder) {
                return -errno;
        }
        while (r == 0 && (entry = readdir(folder))) {
                r = each(split, entry->d_name);
        }
        return r;
}

static int note_number(Split *split, const char *name) {
        uint64_t number = parse_name(split, name);

        split->highest = number > split->highest ? number : split->highest;
        return 0;
}

static int remove_old(Split *split, const char *name) {
        uint64_t number = parse_name(split, name);
        struct stat status;

        if (number == 0) {
                return 0;
        }
        if (split->highest > split->plan->retain && number <= split->highest - split->plan->retain) {
                (void) unlinkat(split->folder_fd, name, 0);
        } else if (fstatat(split->folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) >= 0) {
                split->kept_files++;
                split->kept_bytes += (uint64_t) status.st_size;
        }
        return 0;
}

/* By words, for speed: the same buffers must be fed each time, which those of a regular file are. */
static uint64_t add_to_digest(uint64_t digest, const char *bytes, size_t size) {
        size_t i = 0;

        for (uint64_t word; i + sizeof(word) <= size; i += sizeof(word)) {
                memcpy(&word, bytes + i, sizeof(word));
                digest = (digest ^ word) * DIGEST_PRIME;
                digest ^= digest >> 32;
        }
        for (; i < size; i++) {
                digest = (digest ^ (unsigned char) bytes[i]) * DIGEST_PRIME;
        }
        return digest;
}

/* The beginning of the log, into a file or pipe; negative: nowhere. */
static int read_part(const Split *split, uint64_t bytes, int target_fd, uint64_t *ret_digest) {
        char buffer[BUFFER_BYTES];

        *ret_digest = DIGEST_START;
        for (uint64_t done = 0; done < bytes;) {
                size_t wanted = bytes - done < sizeof(buffer) ? (size_t) (bytes - done) : sizeof(buffer);
                ssize_t n = pread(split->fd, buffer, wanted, (off_t) done);
                if (n <= 0) {
                        return n < 0 ? -errno : -ESTALE; /* somebody has emptied it */
                }
                int r = target_fd >= 0 ? child_write_all(target_fd, buffer, (size_t) n) : 0;
                if (r < 0) {
                        return r;
                }
                *ret_digest = add_to_digest(*ret_digest, buffer, (size_t) n);
                done += (uint64_t) n;
        }
        return 0;
}

/* In the child of the child. */
static _Noreturn void compress(const char *program, int in_fd, int out_fd) {
        char *const argv[] = { (char *) program, (char *) "-c", NULL };
        char *const envp[] = { NULL };
        sigset_t none;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        if (dup2(in_fd, STDIN_FILENO) >= 0 && dup2(out_fd, STDOUT_FILENO) >= 0) {
                (void) syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0U);
                (void) execve(program, argv, envp);
        }
        _exit(EXIT_FAILURE);
}

static int read_compressed(const Split *split, uint64_t bytes, int target_fd, uint64_t *ret_digest) {
        int ends[2], status;

        if (pipe2(ends, O_CLOEXEC) < 0) {
                return -errno;
        }
        pid_t pid = fork();
        if (pid == 0) {
                compress(split->plan->compressor, ends[0], target_fd);
        }
        int r = pid < 0 ? -errno : 0;
        (void) close(ends[0]);
        if (r >= 0) {
                r = read_part(split, bytes, ends[1], ret_digest);
        }
        (void) close(ends[1]);
        /* may block: this is a child, whose supervisor waits for events */
        if (pid > 0 && (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
                r = r < 0 && r != -EPIPE ? r : -EIO;
        }
        return r;
}

static int rename_hidden(const Split *split, const Part *part, const char *from, const char *to) {
        char before[HIDDEN_NAME_BYTES], after[HIDDEN_NAME_BYTES];

        hidden_name(part, from, before);
        hidden_name(part, to, after);
        return RET_NERRNO(renameat(split->folder_fd, before, split->folder_fd, after));
}

/* Under the next number that is free. */
static int publish(Split *split, const Part *part, const char *state) {
        char before[HIDDEN_NAME_BYTES], after[NAME_MAX + 1];

        hidden_name(part, state, before);
        for (uint64_t i = 0; i < NAME_TRIES_MAX; i++) {
                uint64_t number = (part->number > split->highest ? part->number : split->highest + 1) + i;
                int n =
                                snprintf(after,
                                         sizeof(after),
                                         "%s.%" PRIu64 "%s",
                                         split->plan->name,
                                         number,
                                         part->suffix);
                if (n >= (int) sizeof(after)) {
                        return -ENAMETOOLONG;
                }
                int r = RET_NERRNO(renameat2(
                                split->folder_fd, before, split->folder_fd, after, RENAME_NOREPLACE));
                if (r != -EEXIST) {
                        split->highest = r < 0 ? split->highest : number;
                        return r;
                }
        }
        return -EEXIST;
}

/* Nothing else makes a hole there: see log_cut_has_holes(). */
static bool begins_with_hole(const Split *split) {
        off_t data = lseek(split->fd, 0, SEEK_DATA);

        return data < 0 ? errno == ENXIO && split->size_bytes > 0 : (uint64_t) data >= split->block_bytes;
}

static int finish_marked(Split *split, const Part *part) {
        if (begins_with_hole(split)) {
                int r = log_cut_collapse(split->fd, part->cut_bytes);
                if (r < 0) {
                        return r;
                }
                split->removed_bytes += part->cut_bytes;
                split->size_bytes -=
                                part->cut_bytes < split->size_bytes ? part->cut_bytes : split->size_bytes;
                split->rest_bytes = part->rest_bytes;
        }
        return publish(split, part, MARKED);
}

/* Whether it still begins with the part. */
static bool has_part(const Split *split, const Part *part) {
        uint64_t digest;

        if (split->size_bytes < part->cut_bytes + part->rest_bytes) {
                return false;
        }
        return begins_with_hole(split) ||
               (read_part(split, part->cut_bytes + part->rest_bytes, -EBADF, &digest) >= 0 &&
                digest == part->digest);
}

static int finish_ready(Split *split, const Part *part) {
        int r = RET_NERRNO(
                        fallocate(split->fd,
                                  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                  0,
                                  (off_t) split->block_bytes));
        if (r >= 0) {
                log_cut_blank(split->fd, part->cut_bytes, part->rest_bytes);
                r = rename_hidden(split, part, READY, MARKED);
        }
        return r < 0 ? r : finish_marked(split, part);
}

static int finish_begun(Split *split, const char *name) {
        Part part;
        const char *state = parse_hidden_name(name, &part);

        if (!state || part.inode != split->inode) {
                return 0;
        }
        if (strcmp(state, COPY) == 0) {
                return RET_NERRNO(unlinkat(split->folder_fd, name, 0));
        }
        if (split->block_bytes == 0 || part.cut_bytes == 0 || part.cut_bytes % split->block_bytes != 0 ||
            part.rest_bytes > SSIZE_MAX / 2 || part.cut_bytes > SSIZE_MAX / 2) {
                return -EBADMSG;
        }
        if (strcmp(state, MARKED) == 0) {
                return finish_marked(split, &part);
        }
        return has_part(split, &part) ? finish_ready(split, &part) : publish(split, &part, READY);
}

/* Where the part ends: at the last boundary of a block within the size that a line begins at, or nearly so.
 */
static int choose(const Split *split, Part *part) {
        uint64_t size = split->plan->size_bytes, block = split->block_bytes;
        uint64_t reach = log_cut_reach_bytes(size);
        uint64_t first = size > reach + block ? (size - reach) / block * block : block;
        LogSearch search;

        log_search_init(&search, first, block);
        search.last = true;
        int r = log_cut_search(split->fd, &search, size);
        if (r >= 0 && !search.found && first > block) {
                log_search_init(&search, block, block);
                search.last = true;
                r = log_cut_search(split->fd, &search, size);
        }
        part->cut_bytes = search.found ? search.boundary : size / block * block;
        part->rest_bytes = search.found ? search.rest_bytes : 0;
        return r;
}

static int make_copy(const Split *split, Part *part) {
        char name[HIDDEN_NAME_BYTES];
        uint64_t bytes = part->cut_bytes + part->rest_bytes;

        hidden_name(part, COPY, name);
        _cleanup_close_ int fd = openat(
                        split->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0) {
                return -errno;
        }
        uint64_t digest = 0;
        int r = split->plan->compressor ? read_compressed(split, bytes, fd, &digest)
                                        : read_part(split, bytes, fd, &digest);
        if (r >= 0) {
                r = RET_NERRNO(fchmod(fd, split->mode));
        }
        if (r >= 0) {
                r = RET_NERRNO(fsync(fd)); /* a loss of power must not take both */
        }
        if (r >= 0) {
                char ready[HIDDEN_NAME_BYTES];
                part->digest = digest;
                hidden_name(part, READY, ready);
                r = RET_NERRNO(renameat(split->folder_fd, name, split->folder_fd, ready));
        }
        if (r < 0) {
                (void) unlinkat(split->folder_fd, name, 0);
        }
        return r;
}

static int split_one(Split *split) {
        Part part = { .inode = split->inode, .number = split->highest + 1 };

        if (split->size_bytes <= split->plan->size_bytes) {
                return 0;
        }
        (void) snprintf(part.suffix, sizeof(part.suffix), "%s", split->plan->suffix);
        int r = choose(split, &part);
        if (r >= 0) {
                r = make_copy(split, &part);
        }
        return r < 0 ? r : finish_ready(split, &part);
}

static int open_split(Split *split, int file_fd) {
        struct stat status;

        split->fd = log_cut_open(file_fd);
        if (split->fd < 0) {
                return split->fd;
        }
        split->folder_fd = open(split->plan->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (split->folder_fd < 0 || fstat(split->fd, &status) < 0) {
                return -errno;
        }
        split->inode = status.st_ino;
        split->size_bytes = (uint64_t) status.st_size < split->plan->seen_bytes ? (uint64_t) status.st_size
                                                                                : split->plan->seen_bytes;
        split->block_bytes = log_cut_block_bytes((uint64_t) status.st_blksize);
        split->mode = status.st_mode & 0777;
        return split->block_bytes == 0 ? -EOPNOTSUPP : log_cut_probe(split->fd);
}

static LogCutReport split_open(Split *split) {
        int r = for_each_name(split, note_number);
        if (r >= 0) {
                r = for_each_name(split, finish_begun);
        }
        if (r >= 0 && log_cut_has_holes(split->fd, split->size_bytes)) {
                return (LogCutReport){ .result = LOG_CUT_HOLES };
        }
        if (r >= 0) {
                r = split_one(split);
        }
        if (r >= 0) {
                r = for_each_name(split, remove_old);
        }
        LogCutReport report = r < 0 ? log_cut_failure(-r)
                                    : (LogCutReport){ .result = split->removed_bytes > 0 ? LOG_CUT_DONE
                                                                                         : LOG_CUT_NOTHING };
        report.removed_bytes = split->removed_bytes;
        report.rest_bytes = split->rest_bytes;
        report.kept_bytes = split->kept_bytes;
        report.kept_files = split->kept_files;
        return report;
}

LogCutReport log_split(int file_fd, const LogSplitPlan *plan) {
        Split split = { .plan = plan, .folder_fd = -EBADF, .fd = -EBADF };

        int r = open_split(&split, file_fd);
        LogCutReport report = r < 0 ? log_cut_failure(-r) : split_open(&split);
        (void) close_fd(split.folder_fd);
        (void) close_fd(split.fd);
        return report;
}
