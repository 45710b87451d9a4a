/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "platform/exec-logs.h"
#include "platform/pump-store.h"

#include <systemd/sd-event.h>

/* From the pipes of one launch to its logs, for where its bytes must change or no single file keeps them.
 * Whenever we are killed, no byte is lost and none is there twice in a file: the pipes, the window and the
 * socket in which the files lie are kept by the service manager, and a successor goes on with them. */
typedef struct LogPump LogPump;

/* The bytes of a stream that are to become lines. */
typedef struct PumpSource {
        const char *bytes;
        size_t size;
        bool in_line; /* they go on with a line that was too long to be taken at once */
        bool end;     /* nothing follows */
} PumpSource;

typedef struct PumpLines {
        size_t taken, made;
        bool in_line;
} PumpLines;

typedef struct LogPumpOptions {
        void *userdata;
        bool journal;
        /* Make as many lines of it as there are. Nothing taken and nothing made: more must come first. */
        PumpLines (*format)(
                        void *userdata, int stream, const PumpSource *source, char *out, size_t out_size);
        /* A line of the source for the journal, or a piece of one. -EAGAIN: log_pump_go_on() will be called.
         */
        int (*send)(void *userdata, int stream, const char *line, size_t length);
        /* Before and after the files are touched: as whom that is done. */
        void (*enter)(void *userdata);
        void (*leave)(void *userdata);
        /* It cannot write for now: a positive errno, 0 when it can again. */
        void (*on_trouble)(void *userdata, PumpSink sink, int error);
        /* It can again, and so much was given up meanwhile, so that the app need not wait for ever. */
        void (*on_lost)(void *userdata, int stream, uint64_t bytes);
        /* The files are there, or others in their place. */
        void (*on_files)(void *userdata);
        /* Nobody has the pipes open, and all is written. May free it. */
        void (*on_end)(void *userdata);
} LogPumpOptions;

/* fds: the ends to be read of the pipes, of a stream that has none negative; files_fd: the socket by which
 * the files come (exec-logs.h). All of them become the pump's, as the window does, in any case. */
int log_pump_new(
                sd_event *event,
                PumpWindow *window,
                const int fds[PUMP_STREAMS],
                int files_fd,
                const LogPumpOptions *options,
                LogPump **ret);

/* Look at what an earlier supervisor has left in the midst of being written. Before any pump writes. */
void log_pump_recover(LogPump *pump);

/* The end of it: the window is given back, what is in it is gone. */
void log_pump_free(LogPump *pump);

/* For us; a successor goes on. The descriptors are the caller's now. */
void log_pump_leave(LogPump *pump, int ret_fds[PUMP_STREAMS], int *ret_files_fd);

PumpWindow *log_pump_window(LogPump *pump);

/* Take the files in, if they have come. */
void log_pump_take_files(LogPump *pump);
/* Its file, the combined one behind those of the streams; borrowed. Negative: none. */
int log_pump_file(const LogPump *pump, int index);
/* Others in place of the files, from the next block on; the socket becomes the pump's. Returns the one
 * before, the caller's now. */
int log_pump_exchange_files(LogPump *pump, int files_fd);

/* Read and write what lies there now, up to a bound, without on_end. */
void log_pump_drain(LogPump *pump);
/* Whether there is nothing more to come. */
bool log_pump_has_ended(const LogPump *pump);
/* Try again what could not be done. */
void log_pump_go_on(LogPump *pump);
