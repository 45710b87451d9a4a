/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The framing of PM2's two sockets, "amp". A frame is one byte, of which the lower half is the count of its
 * arguments, and each argument: its length as 32 bits, most significant byte first, and its bytes. The upper
 * half of the first byte is a version, 1, at which no reader looks. Two bytes at the start of an argument
 * say what it is. */

enum {
        AMP_ARGUMENTS_MAX = 15,
        AMP_HEAD_BYTES = 1,
        AMP_LENGTH_BYTES = 4,
};

typedef enum AmpType {
        AMP_RAW,    /* without a mark: any bytes */
        AMP_STRING, /* "s:" and UTF-8 */
        AMP_JSON,   /* "j:" and JSON text */
} AmpType;

/* An argument as it stands in its frame, with its mark. Borrowed. */
typedef struct AmpArgument {
        const char *bytes;
        size_t length;
} AmpArgument;

typedef struct AmpFrame {
        size_t count;
        AmpArgument arguments[AMP_ARGUMENTS_MAX];
} AmpFrame;

/* What an argument is, by its mark alone; ret gets what is behind the mark. */
AmpType amp_argument_type(const AmpArgument *argument, AmpArgument *ret);

/* Takes frames out of a stream that comes in pieces. The fields are for amp.c. */
typedef struct AmpReader {
        char *bytes;
        size_t size;       /* of the memory */
        size_t start, end; /* of what is there and not taken */
        size_t frame_bytes_max, argument_bytes_max;
} AmpReader;

/* The caps are for whole frames, and for one argument with its mark. No memory is taken before something is
 * to be read, never more than twice a frame and what a caller makes room for, and what a peer says of
 * lengths takes none. */
void amp_reader_init(AmpReader *reader, size_t frame_bytes_max, size_t argument_bytes_max);
void amp_reader_done(AmpReader *reader);

/* Room for at least that many bytes, to be read into; ret_size is what there is. Frames that were given out
 * are no longer valid. -ENOMEM. */
int amp_reader_reserve(AmpReader *reader, size_t wanted, void **ret, size_t *ret_size);
/* So many bytes were read into it. */
void amp_reader_commit(AmpReader *reader, size_t count);

/* 1: the next frame, valid until amp_reader_reserve() or amp_reader_trim(). 0: more bytes are needed.
 * -EMSGSIZE: it is over a cap; nothing that follows can be understood, so the peer is to be given up. */
int amp_reader_next(AmpReader *reader, AmpFrame *ret);

/* Bytes of which no whole frame was taken yet. */
size_t amp_reader_waiting_bytes(const AmpReader *reader);
/* The memory that is taken. */
size_t amp_reader_memory_bytes(const AmpReader *reader);
/* Give the memory back if nothing waits in it. */
void amp_reader_trim(AmpReader *reader);

/* A frame is written piece by piece into memory of the caller: its head, and each argument. All return where
 * the next piece goes. */

/* What an argument takes, all counted. */
size_t amp_argument_bytes(AmpType type, size_t length);

/* At most AMP_ARGUMENTS_MAX. */
char *amp_write_head(char *out, size_t count);
/* The length of an argument and its mark; length is that of the bytes that the caller puts behind it, with
 * the mark at most UINT32_MAX. */
char *amp_write_argument_head(char *out, AmpType type, size_t length);
char *amp_write_argument(char *out, AmpType type, const void *bytes, size_t length);
