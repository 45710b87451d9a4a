/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A follower for each file that somebody wants to hear of, known by device and inode as in log-files.c,
 * however many processes write to it. It is woken by inotify, reads a bounded part in each turn of the loop,
 * and stays when the process has ended: what its descendants write, and what the next start writes, is where
 * it goes on.
 *
 * While a child cuts the file it is not read, for only afterwards it is known by how much the place has
 * moved. So what was written right before an exit can come behind the exit then; else it comes before. */

#include "manager/log-follow.h"

#include "basic/cleanup.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "core/file-names.h"
#include "manager/log-files.h"
#include "manager/observers.h"
#include "platform/log-reader.h"
#include "platform/stream-file.h"

#include <inttypes.h>
#include <sys/inotify.h>

enum {
        HEAR_OUT_BYTES_MAX = 4 * 1024 * 1024, /* at an exit; the rest comes in later turns */
        TAIL_BYTES_MIN = 4096,                /* of one file, however many there are */
};

typedef struct LogFollower {
        Manager *manager; /* weak */
        ExecLog id;
        LogReader reader;
        GArray *sources;                /* of LogSource */
        sd_event_source *watch, *again; /* the file has grown; there was more to read than in one turn */
        bool paused;
        bool begun_in_cut; /* it is paused since it is there */
        bool ended;        /* nobody writes to it: what is there is complete */
        bool touched;      /* something was read */
        uid_t reader_uid;  /* with whose rights it was opened */
} LogFollower;

struct LogFollows {
        GHashTable *files; /* of LogFollower, by id */
        LogBuffer buffer;
        sd_event_source *review; /* NULL: not needed yet */
};

static void follower_free(gpointer data) {
        LogFollower *follower = data;

        (void) sd_event_source_disable_unref(follower->watch);
        (void) sd_event_source_disable_unref(follower->again);
        log_reader_done(&follower->reader);
        (void) g_array_unref(follower->sources);
        g_free(follower);
}

static void tell(const LogFollower *follower, const char *bytes, size_t length, uint64_t lost_bytes) {
        const LogLines lines = {
                .sources = (const LogSource *) follower->sources->data,
                .n_sources = follower->sources->len,
                .at_realtime_usec = now_realtime_usec(),
                .bytes = bytes,
                .length = length,
                .lost_bytes = lost_bytes,
        };

        if (lines.n_sources > 0) {
                observers_tell_log(follower->manager, &lines);
        }
}

/* One part of the file. The number of bytes that were read; 0: there is nothing more for now. */
static size_t read_part(LogFollower *follower) {
        const char *bytes = NULL;
        size_t length = 0;

        if (follower->paused) {
                return 0;
        }
        LogReadResult result =
                        log_reader_read(&follower->reader,
                                        &follower->manager->follows->buffer,
                                        follower->ended,
                                        &bytes,
                                        &length);
        if (result == LOG_READ_EMPTIED) {
                return 1;
        }
        if (length > 0) {
                follower->touched = true;
                tell(follower, bytes, length, 0);
        } else {
                follower->ended = false;
        }
        return result == LOG_READ_MORE ? length : 0;
}

static void read_again(LogFollower *follower) {
        (void) sd_event_source_set_enabled(follower->again, SD_EVENT_ONESHOT);
}

static int on_again(sd_event_source *source, void *userdata) {
        LogFollower *follower = userdata;

        if (read_part(follower) > 0) {
                read_again(follower);
        }
        return 0;
}

/* Also where events were lost: the file itself is looked at. */
static int on_modified(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        return on_again(source, userdata);
}

static void hear_out(LogFollower *follower, bool final) {
        size_t total = 0, length = 1;

        follower->ended = follower->ended || final;
        while (length > 0 && total < HEAR_OUT_BYTES_MAX) {
                length = read_part(follower);
                total += length;
        }
        if (length > 0) {
                read_again(follower);
        }
}

static int watch(LogFollower *follower, int path_fd) {
        sd_event *event = follower->manager->event;

        int r = sd_event_add_defer(event, &follower->again, on_again, follower);
        if (r >= 0) {
                r = sd_event_source_set_enabled(follower->again, SD_EVENT_OFF);
        }
        return r < 0 ? r
                     : sd_event_add_inotify_fd(
                                       event, &follower->watch, path_fd, IN_MODIFY, on_modified, follower);
}

/* With the rights of the owner of the process: who may not read it may not have it read. */
static int open_file(Manager *manager, const Process *process, int path_fd) {
        manager_become_user(manager, manager_user(manager, process->owner));
        int fd = log_reader_open(path_fd);
        manager_become_self(manager);
        return fd;
}

/* Another user's process writes to the file too: whether that user may read it. */
static bool may_read(const LogFollower *follower, const ProcessHandle *handle, int index) {
        if (follower->reader_uid == handle->process->owner) {
                return true;
        }
        _cleanup_close_ int fd =
                        open_file(handle->manager, handle->process, log_files_get_fd(handle, index));
        return fd >= 0;
}

/* Two were launched at a time, and the one that was heard of first has opened the file last. */
static void begin_earlier(LogFollower *follower, uint64_t offset) {
        if (!follower->touched && !follower->paused && offset < follower->reader.offset) {
                log_reader_init(&follower->reader, follower->reader.fd, offset);
        }
}

/* fresh: all that the process has written is wanted. */
static LogFollower *follower_new(const ProcessHandle *handle, int index, bool fresh) {
        Manager *manager = handle->manager;
        const ExecLog *id = &handle->logs[index];
        int path_fd = log_files_get_fd(handle, index);
        int fd = open_file(manager, handle->process, path_fd);

        if (fd < 0) {
                (void) log_print_errno(
                                LOG_NOTICE,
                                fd,
                                "process %" PRIu32 " '%s': its log cannot be read: %m",
                                handle->process->id,
                                handle->process->config->name);
                return NULL;
        }
        LogFollower *follower = g_new0(LogFollower, 1);
        follower->manager = manager;
        follower->id = *id;
        follower->reader_uid = handle->process->owner;
        follower->sources = g_array_new(false, false, sizeof(LogSource));
        follower->paused = follower->begun_in_cut = log_files_is_cutting(manager, id);
        if (fresh) {
                log_reader_init(&follower->reader, fd, id->size_bytes);
        } else {
                log_reader_init_at_end(&follower->reader, fd);
        }
        int r = watch(follower, path_fd);
        if (r < 0) {
                (void) log_warning_errno(r, "a log cannot be watched: %m");
                follower_free(follower);
                return NULL;
        }
        read_again(follower); /* what came before the watch was there */
        (void) g_hash_table_insert(manager->follows->files, &follower->id, follower);
        return follower;
}

static bool is_source(const LogFollower *follower, const Process *process, bool error) {
        for (guint i = 0; i < follower->sources->len; i++) {
                const LogSource *source = &g_array_index(follower->sources, LogSource, i);
                if (source->process == process && source->error == error) {
                        return true;
                }
        }
        return false;
}

static int compare_sources(gconstpointer a, gconstpointer b) {
        const LogSource *one = a, *other = b;

        return one->process->id != other->process->id ? (one->process->id > other->process->id ? 1 : -1)
                                                      : one->error - other->error;
}

static bool goes_to(const ProcessHandle *handle, int index, const ExecLog *id) {
        return handle->log_files[index] && log_files_equal_ids(&handle->logs[index], id);
}

/* Whether something of a process still writes to the file. */
static bool is_attached(const LogSource *source, const ExecLog *id) {
        const ProcessHandle *handle = source->process->handle;
        int index = source->error;

        return goes_to(handle, index, id) || (handle->twin && goes_to(handle->twin->handle, index, id));
}

/* A stream goes to another file now: the one before is read to its end, and no more. */
static void leave_old_files(Manager *manager, const Process *process, bool error, const LogFollower *now) {
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, manager->follows->files);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                LogFollower *follower = value;
                for (guint i = follower->sources->len; follower != now && i > 0; i--) {
                        const LogSource *source = &g_array_index(follower->sources, LogSource, i - 1);
                        if (source->process == process && source->error == error &&
                            !is_attached(source, &follower->id)) {
                                hear_out(follower, false);
                                (void) g_array_remove_index(follower->sources, i - 1);
                        }
                }
                if (follower->sources->len == 0) {
                        g_hash_table_iter_remove(&iterator);
                }
        }
}

static void add(const ProcessHandle *handle, int index, bool fresh) {
        Manager *manager = handle->manager;
        const LogSource source = { .process = reload_visible(handle), .error = index == 1 };

        LogFollower *follower = g_hash_table_lookup(manager->follows->files, &handle->logs[index]);
        if (!follower) {
                follower = follower_new(handle, index, fresh);
        } else if (fresh) {
                begin_earlier(follower, handle->logs[index].size_bytes);
        }
        if (!follower || is_source(follower, source.process, source.error) ||
            !may_read(follower, handle, index)) {
                return;
        }
        (void) g_array_append_val(follower->sources, source);
        g_array_sort(follower->sources, compare_sources);
        leave_old_files(manager, source.process, source.error, follower);
}

void log_follow_attached(const ProcessHandle *handle, int index) {
        if (observers_want_log(handle->manager, reload_visible(handle), index == 1)) {
                add(handle, index, true);
        }
}

void log_follow_detached(const ProcessHandle *handle, int index) {
        LogFollower *follower = g_hash_table_lookup(handle->manager->follows->files, &handle->logs[index]);

        if (follower) {
                hear_out(follower, log_files_is_alone(handle, index));
        }
}

void log_follow_pause(Manager *manager, const ExecLog *id) {
        LogFollower *follower = g_hash_table_lookup(manager->follows->files, id);

        if (follower) {
                hear_out(follower, false);
                follower->paused = true;
        }
}

void log_follow_resume(Manager *manager, const ExecLog *id, const LogCutReport *report) {
        LogFollower *follower = g_hash_table_lookup(manager->follows->files, id);
        uint64_t lost_bytes = 0;

        if (!follower) {
                return;
        }
        if (!report) {
                lost_bytes = log_reader_check(&follower->reader) ? 0 : UINT64_MAX;
        } else if (follower->begun_in_cut) {
                log_reader_find(&follower->reader, report->removed_bytes, report->rest_bytes);
        } else {
                lost_bytes = log_reader_cut(&follower->reader, report->removed_bytes, report->rest_bytes);
        }
        follower->paused = follower->begun_in_cut = false;
        if (lost_bytes > 0) {
                tell(follower, NULL, 0, lost_bytes);
        }
        read_again(follower);
}

/* It is large only while it is needed. */
static void release_buffer(Manager *manager) {
        if (g_hash_table_size(manager->follows->files) == 0) {
                log_buffer_clear(&manager->follows->buffer);
        }
}

/* Those that nobody wants any more; process NULL: of any. */
static void remove_sources(Manager *manager, const Process *process) {
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, manager->follows->files);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                const LogFollower *follower = value;
                for (guint i = follower->sources->len; i > 0; i--) {
                        const LogSource *source = &g_array_index(follower->sources, LogSource, i - 1);
                        if (process ? source->process == process
                                    : !observers_want_log(manager, source->process, source->error)) {
                                (void) g_array_remove_index(follower->sources, i - 1);
                        }
                }
                if (follower->sources->len == 0) {
                        g_hash_table_iter_remove(&iterator);
                }
        }
        release_buffer(manager);
}

void log_follow_forget(Manager *manager, const Process *process) {
        remove_sources(manager, process);
}

static void add_all_of(const ProcessHandle *handle) {
        for (int i = 0; i < EXEC_STREAMS; i++) {
                if (handle->log_files[i] &&
                    observers_want_log(handle->manager, reload_visible(handle), i == 1)) {
                        add(handle, i, false);
                }
        }
}

void manager_logs_are_wanted(Manager *manager) {
        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                const ProcessHandle *handle = registry_at(manager->registry, i)->handle;
                add_all_of(handle);
                if (handle->twin) {
                        add_all_of(handle->twin->handle);
                }
        }
}

static int on_review(sd_event_source *source, void *userdata) {
        Manager *manager = userdata;

        remove_sources(manager, NULL);
        manager_logs_are_wanted(manager); /* a changed config may be one that is wanted */
        return 0;
}

void manager_logs_are_less_wanted(Manager *manager) {
        struct LogFollows *follows = manager->follows;

        int r = follows->review ? sd_event_source_set_enabled(follows->review, SD_EVENT_ONESHOT)
                                : sd_event_add_defer(manager->event, &follows->review, on_review, manager);
        if (r < 0 && r != -ESTALE) { /* the loop has ended: nobody wants any more */
                (void) log_warning_errno(r, "it cannot be looked at which logs are wanted: %m");
        }
}

/* What is asked for of one file. */
typedef struct LogTail {
        LogSource source;
        ExecLog id;
} LogTail;

const char *manager_log_obstacle(const Process *process, bool error) {
        const ExecLog *id = &process->handle->logs[error];

        if (file_name_is_null(error ? process->error_log_path : process->out_log_path)) {
                return "keeps no such log in a file";
        }
        return id->inode != 0 && !id->local ? "logs to a file system that is not known to be of this machine"
                                            : NULL;
}

static void collect(const LogTailRequest *request, Process *process, GHashTable *known, GArray *tails) {
        for (int i = 0; i < EXEC_STREAMS; i++) {
                const ExecLog *id = &process->handle->logs[i];
                if (id->inode == 0 || !id->local || g_hash_table_contains(known, id) ||
                    !request->wants(request->userdata, process, i == 1)) {
                        continue;
                }
                const LogTail tail = { .source = { .process = process, .error = i == 1 }, .id = *id };
                (void) g_array_append_val(tails, tail);
                (void) g_hash_table_add(known, (void *) id);
        }
}

static int open_tail(Manager *manager, const LogTail *tail) {
        const Process *process = tail->source.process;
        int held_fd = log_files_get_fd(process->handle, tail->source.error);

        if (held_fd >= 0) {
                return open_file(manager, process, held_fd);
        }
        const char *path = tail->source.error ? process->error_log_path : process->out_log_path;
        manager_become_user(manager, manager_user(manager, process->owner));
        _cleanup_close_ int path_fd = stream_file_open_path(path, &tail->id);
        int fd = path_fd < 0 ? path_fd : log_reader_open(path_fd);
        manager_become_self(manager);
        return fd;
}

static void read_tail(
                Manager *manager, const LogTailRequest *request, const LogTail *tail, size_t bytes_max) {
        const LogFollower *follower = g_hash_table_lookup(manager->follows->files, &tail->id);
        LogLines lines = { .sources = &tail->source, .n_sources = 1 };

        _cleanup_close_ int fd = open_tail(manager, tail);
        if (fd < 0 || (!request->to_the_end && log_files_is_cutting(manager, &tail->id))) {
                return; /* nobody knows where what is told later begins */
        }
        int64_t size = stream_file_size(fd);
        uint64_t end = follower && !request->to_the_end ? follower->reader.offset
                       : size > 0                       ? (uint64_t) size
                                                        : 0;
        log_reader_tail(fd,
                        &manager->follows->buffer,
                        end,
                        request->lines,
                        bytes_max,
                        &lines.bytes,
                        &lines.length);
        if (lines.length > 0) {
                request->tell(request->userdata, &lines);
        }
}

void manager_read_log_tails(Manager *manager, const LogTailRequest *request) {
        g_autoptr(GHashTable) known = g_hash_table_new(log_files_hash_id, log_files_equal_ids);
        g_autoptr(GArray) tails = g_array_new(false, false, sizeof(LogTail));

        for (size_t i = 0; request->lines > 0 && i < registry_count(manager->registry); i++) {
                collect(request, registry_at(manager->registry, i), known, tails);
        }
        for (guint i = 0; i < tails->len; i++) {
                size_t bytes_max = MAX(request->bytes_max / tails->len, (size_t) TAIL_BYTES_MIN);
                read_tail(manager, request, &g_array_index(tails, LogTail, i), bytes_max);
        }
        release_buffer(manager);
}

void log_follows_init(Manager *manager) {
        manager->follows = g_new0(struct LogFollows, 1);
        manager->follows->files =
                        g_hash_table_new_full(log_files_hash_id, log_files_equal_ids, NULL, follower_free);
}

void log_follows_free(Manager *manager) {
        struct LogFollows *follows = manager->follows;

        g_hash_table_remove_all(follows->files);
        g_hash_table_unref(follows->files);
        log_buffer_clear(&follows->buffer);
        (void) sd_event_source_disable_unref(follows->review);
        g_free(follows);
}
