/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Log files are written by the processes themselves, several of which may share one; here they are watched
 * and cut. A file is known by device and inode: what the gated child has opened, so that nothing else that a
 * program puts in the place of its standard output is ever cut. While it stands still there is a watch and
 * nothing more; while it grows, a timer. The cut itself may wait for the disk, so a child does it, one at a
 * time. */

#include "manager/log-files.h"

#include "basic/cleanup.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "core/file-names.h"
#include "manager/log-follow.h"
#include "manager/log-job.h"
#include "manager/log-pumps.h"
#include "platform/log-cut.h"
#include "platform/stream-file.h"

#include <inttypes.h>
#include <sys/inotify.h>

/* After a cut that failed, for a reason that may pass. */
#define RETRY_USEC  (5 * USEC_PER_SEC)
#define LOCKED_USEC (1 * USEC_PER_SEC)

enum {
        LOCKED_MAX = 10, /* times, then it is told: it is no child of a predecessor's */
};

typedef struct LogStream {
        ProcessHandle *handle;
        int index; /* of its streams */
} LogStream;

typedef struct LogFile {
        Manager *manager; /* weak */
        ExecLog id;
        int fd;          /* O_PATH: the inode stays what it is, whatever becomes of its name */
        GArray *streams; /* of LogStream; empty: it goes when there is nothing left to be done */
        sd_event_source *watch, *timer;
        LogUse use;           /* as it was when it was last looked at */
        uint64_t looked_usec; /* when that was, on the monotonic clock */
        LogLimits limits;     /* as they were then */
        LogLimits squeezed;   /* for a cut for the sake of all logs */
        bool squeeze;         /* it is that cut that is due or made */
        uint64_t dry_bytes;   /* it was so large when such a cut freed nothing */
        uid_t owner;          /* this and the next: of the process that came last */
        char *path;
        bool due; /* it waits for its cut */
        bool left_alone;
        bool told;           /* that a cut failed */
        unsigned n_locked;   /* how often it was found locked in a row */
        uint64_t seen_bytes; /* its size when its cut began, which takes of these alone */
} LogFile;

struct LogFiles {
        GHashTable *files; /* of LogFile, by id */
        GQueue due;        /* of LogFile */
        LogFile *at_work;  /* NULL: none */
        ChildJob *job;
        uint64_t used_bytes; /* by all of them */
        unsigned n_squeezed; /* cuts for the sake of all that are due or made */
};

guint log_files_hash_id(gconstpointer key) {
        const ExecLog *id = key;
        return g_int64_hash(&id->inode) ^ g_int64_hash(&id->device);
}

gboolean log_files_equal_ids(gconstpointer a, gconstpointer b) {
        const ExecLog *one = a, *other = b;
        return one->inode == other->inode && one->device == other->device;
}

static uint64_t use_bytes(const LogFile *file) {
        return file->use.size_bytes + file->use.kept_bytes;
}

static void set_use(LogFile *file, LogUse use) {
        struct LogFiles *logs = file->manager->logs;

        logs->used_bytes -= use_bytes(file);
        file->use = use;
        logs->used_bytes += use_bytes(file);
}

static void set_size(LogFile *file, int64_t size) {
        LogUse use = file->use;

        use.size_bytes = size > 0 ? (uint64_t) size : 0;
        set_use(file, use);
}

static void stop_looking(LogFile *file) {
        file->watch = sd_event_source_disable_unref(file->watch);
        file->timer = sd_event_source_disable_unref(file->timer);
}

static void file_free(gpointer data) {
        LogFile *file = data;

        stop_looking(file);
        (void) close_fd(file->fd);
        (void) g_array_unref(file->streams);
        g_free(file->path);
        g_free(file);
}

static const char *path_of(const LogStream *stream) {
        const Process *process = stream->handle->process;
        return stream->index == 0   ? process->out_log_path
               : stream->index == 1 ? process->error_log_path
                                    : process->log_path;
}

/* Nobody may write to it by now: then as it was. */
static void take_limits(LogFile *file) {
        for (guint i = 0; i < file->streams->len; i++) {
                const LogStream *stream = &g_array_index(file->streams, LogStream, i);
                LogLimits limits = log_limits_of(stream->handle->process->config);
                file->limits = i == 0 ? limits : log_limits_join(file->limits, limits);
        }
}

#define TROUBLE_PREFIX "log_max_size: "

/* What was wrong has passed. */
static void take_back(LogFile *file) {
        for (guint i = 0; file->told && i < file->streams->len; i++) {
                Process *process = g_array_index(file->streams, LogStream, i).handle->process;
                if (process->trouble && g_str_has_prefix(process->trouble, TROUBLE_PREFIX)) {
                        process_take_trouble(process, NULL);
                        manager_notify_changes(file->manager, process);
                }
        }
        file->told = false;
        file->n_locked = 0;
}

static void tell(LogFile *file, const char *what) {
        for (guint i = 0; i < file->streams->len; i++) {
                const LogStream *stream = &g_array_index(file->streams, LogStream, i);
                Process *process = stream->handle->process;
                process_take_trouble(
                                process, g_strdup_printf(TROUBLE_PREFIX "%s: %s", path_of(stream), what));
                manager_notify_changes(file->manager, process);
                if (i == 0 && !file->told) {
                        log_warning("process %" PRIu32 " '%s': its log is not bounded: %s: %s",
                                    process->id,
                                    process->config->name,
                                    path_of(stream),
                                    what);
                }
        }
}

static void leave_alone(LogFile *file, const char *what) {
        file->manager->logs->n_squeezed -= file->squeeze;
        file->squeeze = false;
        file->left_alone = true;
        stop_looking(file);
        tell(file, what);
}

static void start_next(struct LogFiles *logs);

static void submit(LogFile *file) {
        struct LogFiles *logs = file->manager->logs;

        stop_looking(file);
        if (!file->due && logs->at_work != file) {
                file->due = true;
                g_queue_push_tail(&logs->due, file);
        }
        start_next(logs);
}

static void look(LogFile *file);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        look(userdata);
        return 0;
}

static void arm_timer(LogFile *file, uint64_t usec) {
        /* So that the timers of many files meet. */
        uint64_t accuracy_usec = usec / 4;

        stop_looking(file);
        int r = sd_event_add_time_relative(
                        file->manager->event,
                        &file->timer,
                        CLOCK_MONOTONIC,
                        usec,
                        accuracy_usec,
                        on_timer,
                        file);
        if (r < 0) {
                leave_alone(file, "no timer is to be had");
        }
}

static void tell_failure(LogFile *file, const char *what) {
        tell(file, what);
        file->told = true;
        arm_timer(file, RETRY_USEC);
}

static int on_written(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        LogFile *file = userdata;
        /* Nothing is known of how fast it grows. */
        arm_timer(file, LOG_INTERVAL_MIN_USEC);
        return 0;
}

static void watch(LogFile *file) {
        stop_looking(file);
        int r = sd_event_add_inotify_fd(
                        file->manager->event, &file->watch, file->fd, IN_MODIFY, on_written, file);
        if (r < 0) {
                g_autofree char *why = g_strdup_printf("it cannot be watched: %s", g_strerror(-r));
                leave_alone(file, why);
                return;
        }
        int64_t size = stream_file_size(file->fd);
        if (size > (int64_t) file->use.size_bytes) { /* before the watch was there */
                arm_timer(file, LOG_INTERVAL_MIN_USEC);
        }
}

static uint64_t cap_bytes(const Manager *manager) {
        return manager_settings(manager)->logs_max_bytes;
}

/* That of which most is to be had. */
static LogFile *find_largest(const struct LogFiles *logs, uint64_t wanted_bytes) {
        GHashTableIter iterator;
        LogFile *largest = NULL;
        void *value;

        g_hash_table_iter_init(&iterator, logs->files);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                LogFile *file = value;
                if (file->left_alone || file->told || file->due || logs->at_work == file ||
                    use_bytes(file) <= file->dry_bytes ||
                    (largest && use_bytes(largest) >= use_bytes(file))) {
                        continue;
                }
                LogLimits limits = file->limits;
                if (log_limits_squeeze(&limits, &file->use, wanted_bytes)) {
                        file->squeezed = limits;
                        largest = file;
                }
        }
        return largest;
}

/* All logs together are over their cap: a sixteenth more than that is freed, so that it lasts. */
static void squeeze(Manager *manager) {
        struct LogFiles *logs = manager->logs;
        uint64_t cap = cap_bytes(manager);

        if (cap == 0 || logs->used_bytes <= cap || logs->n_squeezed > 0) {
                return;
        }
        LogFile *largest = find_largest(logs, logs->used_bytes - cap + cap / 16);
        if (largest) {
                largest->squeeze = true;
                logs->n_squeezed++;
                submit(largest);
        }
}

/* How large it may become before something is to be done. */
static uint64_t room_of(const LogFile *file) {
        uint64_t cap = cap_bytes(file->manager), used = file->manager->logs->used_bytes;
        uint64_t bound = file->limits.bound_bytes > 0 ? file->limits.bound_bytes : UINT64_MAX;
        uint64_t room = used < cap ? cap - used : 0;

        return cap > 0 ? MIN(bound, file->use.size_bytes + room) : bound;
}

static void look(LogFile *file) {
        uint64_t now_usec = now_monotonic_usec(), before = file->use.size_bytes;
        int64_t size = stream_file_size(file->fd);

        stop_looking(file);
        take_limits(file);
        uint64_t bound = file->limits.bound_bytes;
        if ((bound == 0 && cap_bytes(file->manager) == 0) || file->left_alone || size < 0) {
                return;
        }
        uint64_t elapsed_usec = now_usec - file->looked_usec;
        set_size(file, size);
        file->looked_usec = now_usec;
        if (bound > 0 && file->use.size_bytes > bound) {
                submit(file);
                return;
        }
        squeeze(file->manager);
        if (file->due || file->manager->logs->at_work == file) {
                return;
        }
        if (file->use.size_bytes > before) {
                arm_timer(file,
                          log_interval_usec(
                                          file->use.size_bytes,
                                          room_of(file),
                                          file->use.size_bytes - before,
                                          elapsed_usec));
        } else {
                watch(file);
        }
}

static const LogStream *find_overwriter(const LogFile *file) {
        for (guint i = 0; i < file->streams->len; i++) {
                const LogStream *stream = &g_array_index(file->streams, LogStream, i);
                if (stream_file_is_overwritten(stream->handle->child.pid, stream->index + 1, &file->id)) {
                        return stream;
                }
        }
        return NULL;
}

static void forget(LogFile *file) {
        set_use(file, (LogUse){ 0 });
        (void) g_hash_table_remove(file->manager->logs->files, &file->id);
}

/* What we write ourselves can be begun anew under its name. False: others write to it. */
static bool move_away(LogFile *file) {
        for (guint i = 0; i < file->streams->len; i++) {
                if (!g_array_index(file->streams, LogStream, i).handle->pump) {
                        return false;
                }
        }
        file->left_alone = true;
        stop_looking(file);
        for (guint i = 0; i < file->streams->len; i++) {
                const LogStream *stream = &g_array_index(file->streams, LogStream, i);
                log_pumps_reopen(stream->handle, i == 0 ? stream->index : -1);
        }
        return true;
}

static void take_report(LogFile *file, const LogCutReport *report, bool squeezed) {
        g_autofree char *why = NULL;

        switch ((LogCutResult) report->result) {
        case LOG_CUT_DONE:
                log_debug("a log was cut: %" PRIu64 " bytes", report->removed_bytes);
                take_back(file);
                break;
        case LOG_CUT_NOTHING:
                take_back(file);
                break;
        case LOG_CUT_HOLES:
                leave_alone(file, "a program writes to it, but does not append");
                return;
        case LOG_CUT_UNABLE:
                if (move_away(file)) {
                        return;
                }
                leave_alone(file, "its file system cannot cut a file");
                return;
        case LOG_CUT_BUSY:
                if (++file->n_locked >= LOCKED_MAX) {
                        tell_failure(file, "it is locked");
                } else {
                        arm_timer(file, LOCKED_USEC);
                }
                return;
        case LOG_CUT_FAILED:
        case _LOG_CUT_RESULT_MAX:
        default:
                why = g_strdup_printf("it cannot be cut: %s", g_strerror(report->error));
                tell_failure(file, why);
                return;
        }
        int64_t size = stream_file_size(file->fd);
        const LogUse use = { .size_bytes = size > 0 ? (uint64_t) size : 0,
                             .kept_bytes = report->kept_bytes,
                             .kept_files = report->kept_files };
        bool freed = use.size_bytes + use.kept_bytes < use_bytes(file) || report->removed_bytes > 0;
        set_use(file, use);
        file->dry_bytes = squeezed && !freed ? use_bytes(file) : 0;
        file->looked_usec = now_monotonic_usec();
        if (report->result == LOG_CUT_DONE && file->limits.bound_bytes > 0 &&
            file->use.size_bytes > file->limits.bound_bytes) {
                submit(file);
        } else {
                arm_timer(file, LOG_INTERVAL_MIN_USEC); /* it may be growing fast */
        }
}

/* It has grown since the cut began. */
static bool has_more_to_cut(const LogFile *file, const LogCutReport *report) {
        uint64_t bound = file->limits.bound_bytes;
        bool can = report->result == LOG_CUT_DONE ||
                   (report->result == LOG_CUT_NOTHING && file->seen_bytes <= bound);

        return bound > 0 && can && stream_file_size(file->fd) > (int64_t) bound;
}

static void end_cut(LogFile *file, const LogCutReport *report) {
        struct LogFiles *logs = file->manager->logs;
        bool squeezed = file->squeeze;

        file->squeeze = false;
        logs->n_squeezed -= squeezed;
        if (file->streams->len > 0) {
                take_report(file, report, squeezed);
        } else if (has_more_to_cut(file, report)) {
                submit(file);
        } else {
                forget(file);
        }
}

static void on_cut(void *userdata, ChildJobResult result, int error, const void *report) {
        struct LogFiles *logs = userdata;
        LogFile *file = g_steal_pointer(&logs->at_work);
        const LogCutReport lost = { .result = LOG_CUT_FAILED, .error = error };

        logs->job = NULL;
        if (result != CHILD_JOB_DONE) {
                report = NULL;
        }
        log_follow_resume(file->manager, &file->id, report);
        end_cut(file, report ? report : &lost);
        start_next(logs);
}

static void start_next(struct LogFiles *logs) {
        LogFile *file;

        while (!logs->at_work && (file = g_queue_pop_head(&logs->due))) {
                const LogStream *overwriter = find_overwriter(file);
                file->due = false;
                if (overwriter) {
                        leave_alone(file, "the app writes to it, but does not append");
                        continue;
                }
                int64_t size = stream_file_size(file->fd); /* so much is told of, at least */
                file->seen_bytes = size > 0 ? (uint64_t) size : 0;
                log_follow_pause(file->manager, &file->id);
                int r =
                                log_job_start(file->manager,
                                              file->fd,
                                              file->path,
                                              file->seen_bytes,
                                              file->squeeze ? &file->squeezed : &file->limits,
                                              file->owner,
                                              on_cut,
                                              logs,
                                              &logs->job);
                if (r >= 0) {
                        logs->at_work = file;
                } else {
                        const LogCutReport none = { .result = LOG_CUT_FAILED, .error = -r };
                        log_follow_resume(file->manager, &file->id, &none);
                        end_cut(file, &none);
                }
        }
}

static void add_stream(ProcessHandle *handle, int index, int fd) {
        Manager *manager = handle->manager;
        const ExecLog *id = &handle->logs[index];
        LogFile *file = g_hash_table_lookup(manager->logs->files, id);

        if (!file) {
                file = g_new0(LogFile, 1);
                file->manager = manager;
                file->id = *id;
                file->fd = steal_fd(&fd);
                file->streams = g_array_new(false, false, sizeof(LogStream));
                (void) g_hash_table_insert(manager->logs->files, &file->id, file);
        }
        (void) close_fd(fd);
        const LogStream stream = { .handle = handle, .index = index };
        (void) g_array_append_val(file->streams, stream);
        file->owner = handle->process->owner;
        g_free(file->path);
        file->path = g_strdup(path_of(&stream));
        handle->log_files[index] = file;
        if (index < EXEC_STREAMS) { /* the combined one has nothing that those have not */
                log_follow_attached(handle, index);
        }
        set_size(file, stream_file_size(file->fd));
        take_limits(file);
        if (file->limits.separate && !file->left_alone) {
                submit(file); /* an earlier supervisor may have died in the midst of it */
        } else {
                look(file);
        }
}

/* As the kernel tells it, or else by the name that the file was opened by a moment ago: programs with
 * privileges of their own are not to be looked into. Of what an earlier supervisor started nobody knows what
 * was opened; then it must be what the name leads to. */
static int open_stream(ProcessHandle *handle, int index, const char *path) {
        ExecLog *id = &handle->logs[index];
        pid_t pid = handle->child.pid;
        int fd;

        if (id->inode == 0) {
                (void) stream_file_identify(pid, index + 1, path, id);
        }
        if (id->inode == 0) {
                return -ESTALE;
        }
        if (!id->local) {
                return -EREMOTE;
        }
        fd = stream_file_open(pid, index + 1, id);
        return fd < 0 && fd != -ESTALE ? stream_file_open_path(path, id) : fd;
}

/* We have it open ourselves. */
static void attach_pumped(ProcessHandle *handle, int index) {
        int fd = log_pumps_file(handle, index);

        if (fd >= 0 && !handle->log_files[index] && stream_file_copy(fd, &handle->logs[index], &fd) >= 0) {
                add_stream(handle, index, fd);
        }
}

void log_files_attach(ProcessHandle *handle) {
        Manager *manager = handle->manager;

        for (int i = 0; handle->main_alive && i < EXEC_LOGS; i++) {
                const LogStream stream = { .handle = handle, .index = i };
                const char *path = path_of(&stream);
                if (handle->log_files[i] || !path[0] || file_name_is_null(path)) {
                        continue;
                }
                if (handle->pump) {
                        attach_pumped(handle, i);
                        continue;
                }
                if (i >= EXEC_STREAMS) {
                        continue;
                }
                manager_become_user(manager, manager_user(manager, handle->process->owner));
                int fd = open_stream(handle, i, path);
                manager_become_self(manager);
                if (fd >= 0) {
                        add_stream(handle, i, fd);
                } else if (fd == -EREMOTE) {
                        log_notice("process %" PRIu32
                                   " '%s': its log is not bounded: %s: its file system is "
                                   "not known to be of this machine",
                                   handle->process->id,
                                   handle->process->config->name,
                                   path);
                }
        }
}

/* Nobody writes to it any more: what was written last may have brought it over its bound. */
static void leave(LogFile *file) {
        const struct LogFiles *logs = file->manager->logs;
        int64_t size = stream_file_size(file->fd);

        stop_looking(file);
        if (file->limits.bound_bytes > 0 && !file->left_alone && size > (int64_t) file->limits.bound_bytes) {
                submit(file);
        } else if (!file->due && logs->at_work != file) {
                forget(file);
        }
}

static void remove_stream(LogFile *file, const ProcessHandle *handle, int index) {
        for (guint i = 0; i < file->streams->len; i++) {
                const LogStream *stream = &g_array_index(file->streams, LogStream, i);
                if (stream->handle == handle && stream->index == index) {
                        (void) g_array_remove_index_fast(file->streams, i);
                        return;
                }
        }
}

static void detach(ProcessHandle *handle, int index) {
        if (!handle->log_files[index]) {
                return;
        }
        if (index < EXEC_STREAMS) {
                log_follow_detached(handle, index);
        }
        LogFile *file = g_steal_pointer(&handle->log_files[index]);
        remove_stream(file, handle, index);
        if (file->streams->len > 0) {
                look(file); /* its bound may be another one */
        } else {
                leave(file);
        }
}

void log_files_detach(ProcessHandle *handle) {
        for (int i = 0; i < EXEC_LOGS; i++) {
                detach(handle, i);
        }
}

bool log_files_is_cutting(const Manager *manager, const ExecLog *id) {
        const LogFile *file = manager->logs->at_work;

        return file && log_files_equal_ids(&file->id, id);
}

bool log_files_is_alone(const ProcessHandle *handle, int index) {
        return handle->log_files[index]->streams->len == 1;
}

void log_files_review(ProcessHandle *handle) {
        for (int i = 0; i < EXEC_LOGS; i++) {
                if (handle->log_files[i]) {
                        look(handle->log_files[i]);
                }
        }
}

int log_files_get_fd(const ProcessHandle *handle, int stream) {
        return handle->log_files[stream] ? handle->log_files[stream]->fd : -EBADF;
}

bool log_files_is_shared(const ProcessHandle *handle, int stream) {
        const LogFile *file = handle->log_files[stream];

        for (guint i = 0; file && i < file->streams->len; i++) {
                if (g_array_index(file->streams, LogStream, i).handle != handle) {
                        return true;
                }
        }
        return false;
}

static void reload(ProcessHandle *handle) {
        if (handle->pump) {
                log_pumps_reopen(handle, -1);
                return;
        }
        for (int i = 0; i < EXEC_LOGS; i++) {
                if (handle->log_files[i]) {
                        int fd = stream_file_open(handle->child.pid, i + 1, &handle->logs[i]);
                        if (fd != -ESTALE) { /* also where it has another name by now */
                                (void) close_fd(fd);
                                continue;
                        }
                        detach(handle, i);
                }
                handle->logs[i] = (ExecLog){ 0 };
        }
        log_files_attach(handle);
}

void manager_reload_logs(Manager *manager, const Caller *caller) {
        for (size_t i = 0; i < registry_count(manager->registry); i++) {
                const Process *process = registry_at(manager->registry, i);
                if (caller_may_control(caller, process->owner)) {
                        reload(process->handle);
                }
        }
}

void log_files_init(Manager *manager) {
        struct LogFiles *logs = g_new0(struct LogFiles, 1);

        logs->files = g_hash_table_new_full(log_files_hash_id, log_files_equal_ids, NULL, file_free);
        g_queue_init(&logs->due);
        manager->logs = logs;
}

void log_files_free(Manager *manager) {
        struct LogFiles *logs = g_steal_pointer(&manager->logs);
        GHashTableIter iterator;
        void *file;

        child_job_cancel(logs->job);
        g_hash_table_iter_init(&iterator, logs->files);
        while (g_hash_table_iter_next(&iterator, NULL, &file)) {
                const GArray *streams = ((const LogFile *) file)->streams;
                for (guint i = 0; i < streams->len; i++) {
                        const LogStream *stream = &g_array_index(streams, LogStream, i);
                        stream->handle->log_files[stream->index] = NULL;
                }
        }
        g_queue_clear(&logs->due);
        g_hash_table_unref(logs->files);
        g_free(logs);
}
