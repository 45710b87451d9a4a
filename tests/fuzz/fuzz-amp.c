/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes, cut anywhere: the same frames as one look at the whole finds, the same verdict, and memory that
 * follows what was sent and not what was claimed. Each frame is written again and is read as the same. */

#include "fuzz.h"

#include "basic/amp.h"

#include <errno.h>
#include <string.h>

enum {
        CUTS = 8,
        MEMORY_BYTES_MIN = 512,
};

typedef struct Stream {
        const uint8_t *next;
        size_t size;
        size_t frame_max, argument_max;
} Stream;

/* The plain way: the frame at the start of what is there is taken. 1, 0: it is not whole, -EMSGSIZE. */
static int take(Stream *stream, AmpFrame *ret) {
        size_t position = 1;
        guint32 length;

        if (stream->size == 0) {
                return 0;
        }
        ret->count = stream->next[0] & 15;
        for (size_t i = 0; i < ret->count; i++) {
                if (position + sizeof(length) > stream->frame_max) {
                        return -EMSGSIZE;
                }
                if (stream->size - position < sizeof(length)) {
                        return 0;
                }
                memcpy(&length, stream->next + position, sizeof(length));
                length = GUINT32_FROM_BE(length);
                position += sizeof(length);
                if (length > stream->argument_max || position + length > stream->frame_max) {
                        return -EMSGSIZE;
                }
                if (stream->size - position < length) {
                        return 0;
                }
                ret->arguments[i] = (AmpArgument){ (const char *) stream->next + position, length };
                position += length;
        }
        stream->next += position;
        stream->size -= position;
        return 1;
}

static void check_same(const AmpFrame *one, const AmpFrame *other) {
        g_assert_cmpuint(one->count, ==, other->count);
        for (size_t i = 0; i < one->count; i++) {
                g_assert_cmpmem(one->arguments[i].bytes,
                                one->arguments[i].length,
                                other->arguments[i].bytes,
                                other->arguments[i].length);
        }
}

static void check_written(const AmpFrame *frame) {
        size_t bytes = AMP_HEAD_BYTES;
        AmpArgument content;

        for (size_t i = 0; i < frame->count; i++) {
                AmpType type = amp_argument_type(&frame->arguments[i], &content);
                bytes += amp_argument_bytes(type, content.length);
        }
        g_autofree char *text = g_malloc(bytes);
        char *end = amp_write_head(text, frame->count);
        for (size_t i = 0; i < frame->count; i++) {
                AmpType type = amp_argument_type(&frame->arguments[i], &content);
                end = amp_write_argument(end, type, content.bytes, content.length);
        }
        g_assert_true(end == text + bytes);
        Stream again = { (const uint8_t *) text, bytes, SIZE_MAX, SIZE_MAX };
        AmpFrame frame_again;
        g_assert_cmpint(take(&again, &frame_again), ==, 1);
        g_assert_cmpuint(again.size, ==, 0);
        check_same(frame, &frame_again);
}

/* Give the reader a piece; what it takes out of it is what the plain way takes. */
static int feed(AmpReader *reader, Stream *plain, const uint8_t *bytes, size_t size) {
        AmpFrame frame, expected;
        void *room;
        size_t room_size;
        int r;

        g_assert_cmpint(amp_reader_reserve(reader, size + 1, &room, &room_size), ==, 0);
        g_assert_cmpuint(room_size, >, size);
        memcpy(room, bytes, size);
        amp_reader_commit(reader, size);
        while ((r = amp_reader_next(reader, &frame)) > 0) {
                g_assert_cmpint(take(plain, &expected), ==, 1);
                check_same(&frame, &expected);
                check_written(&frame);
        }
        amp_reader_trim(reader);
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        FuzzReader input = { data, size };
        Stream plain = { .frame_max = 1 + fuzz_byte(&input), .argument_max = fuzz_byte(&input) };
        AmpFrame frame;
        size_t cuts[CUTS];
        AmpReader reader;
        int r = 0;

        for (unsigned i = 0; i < CUTS; i++) {
                cuts[i] = fuzz_byte(&input);
        }
        plain.next = input.data;
        plain.size = input.size;
        amp_reader_init(&reader, plain.frame_max, plain.argument_max);
        const uint8_t *next = input.data, *end = input.data + input.size;
        for (unsigned i = 0; i <= CUTS && r == 0; i++) {
                size_t piece = i < CUTS ? MIN(cuts[i], (size_t) (end - next)) : (size_t) (end - next);
                r = feed(&reader, &plain, next, piece);
                next += piece;
                g_assert_cmpuint(amp_reader_memory_bytes(&reader), <=, 2 * (MEMORY_BYTES_MIN + input.size));
        }
        g_assert_cmpint(take(&plain, &frame), ==, r);
        if (r == 0) {
                g_assert_cmpuint(amp_reader_waiting_bytes(&reader), ==, plain.size);
                g_assert_cmpuint(plain.size, <, plain.frame_max);
        }
        amp_reader_done(&reader);
        return 0;
}
