/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What lies between the pipes of processes and their logs (platform/log-pump.h): one sparse memfd that the
 * service manager keeps, with a window of fixed size for each pump. Pages that nobody wrote to cost nothing.
 */
typedef struct PumpStore PumpStore;

enum {
        PUMP_STREAMS = 2,              /* standard output and error */
        PUMP_REGION_BYTES = 64 * 1024, /* so that whole pages of any size can be given back */
        PUMP_RING_BYTES = 2 * PUMP_REGION_BYTES,
        PUMP_BLOCK_BYTES = 8 * PUMP_REGION_BYTES,
        PUMP_STREAM_BYTES = PUMP_RING_BYTES + PUMP_BLOCK_BYTES,
        PUMP_WINDOW_BYTES = PUMP_REGION_BYTES + PUMP_STREAMS * PUMP_STREAM_BYTES,
        PUMP_RECIPE_BYTES = 2048,
        PUMP_SLOT_MAX = 64 * 1024,
};

/* Where a block goes. */
typedef enum PumpSink {
        PUMP_SINK_OWN,      /* the file of the stream */
        PUMP_SINK_COMBINED, /* that of both */
        PUMP_SINK_JOURNAL,
        _PUMP_SINK_MAX,
} PumpSink;

/* How far a sink is with the block. */
typedef struct PumpProgress {
        _Atomic uint64_t done; /* bytes of the block, or, of the journal, of its source */
        uint64_t size_bytes;   /* of the file before the write that is under way */
} PumpProgress;

/* Of done: a write was begun, how far it came is to be seen in the file. */
#define PUMP_WRITING (UINT64_C(1) << 63)

/* The words of a stream. Positions are offsets in the store. What is between tail and head has been read and
 * is in no block that was finished. */
typedef struct PumpWords {
        _Atomic uint64_t head; /* stored by the kernel, in the instant in which the bytes leave the pipe */
        _Atomic uint64_t tail;
        _Atomic uint64_t block; /* bytes of the block that is being written; 0: there is none */
        uint64_t next_tail;     /* this and the next: when it is finished */
        uint64_t taken;         /* of the ring, by the block */
        uint32_t next_in_line;
        uint32_t rewind; /* the ring is empty then, and begins anew */
        uint32_t in_line;
        PumpProgress sinks[_PUMP_SINK_MAX];
} PumpWords;

/* The first bytes of a window. */
typedef struct PumpHead {
        _Atomic uint32_t used;
        _Atomic uint32_t files; /* under which number the socket with its files is kept */
        PumpWords streams[PUMP_STREAMS];
        _Alignas(8) unsigned char recipe[PUMP_RECIPE_BYTES]; /* what its user needs to know to go on */
} PumpHead;

/* A window while its pump is there. */
typedef struct PumpWindow {
        PumpStore *store; /* weak */
        uint64_t start;
        PumpHead *head;
        struct {
                uint64_t start;      /* of the ring, in the store */
                unsigned char *ring; /* twice in a row, so that what lies in it is in one piece */
                unsigned char *block;
        } streams[PUMP_STREAMS];
} PumpWindow;

/* fd: what an earlier supervisor left, the store's on success; negative: a new one. -EBADMSG: not ours;
 * -EPROTONOSUPPORT: of another format. */
int pump_store_new(int fd, PumpStore **ret);
void pump_store_free(PumpStore *store);

/* To be kept by the service manager; borrowed. The second is for who goes on with it. */
int pump_store_get_fd(const PumpStore *store);
int pump_store_take_fd(PumpStore *store);

/* How many slots there are, free ones included. */
uint32_t pump_store_count(const PumpStore *store);

/* A slot that nobody has, emptied; it is nobody's still until pump_window_use(). */
int pump_store_take_slot(PumpStore *store, uint32_t *ret_slot, PumpWindow *ret);
void pump_window_use(PumpWindow *window);

/* What an earlier supervisor left in a slot. 0: nothing; 1: there is something; -EBADMSG: it is broken. */
int pump_store_open_slot(PumpStore *store, uint32_t slot, PumpWindow *ret);

/* For us; a successor goes on with it. */
void pump_window_close(PumpWindow *window);
/* For everybody. */
void pump_window_release(PumpWindow *window);

/* Between two offsets of the store: have memory for what is to be written; give whole pages back. */
int pump_store_populate(const PumpWindow *window, unsigned char *memory, size_t bytes);
void pump_store_trim(const PumpStore *store, uint64_t from, uint64_t to);
