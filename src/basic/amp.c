/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A frame that is not whole yet is looked at from its start each time: that is fifteen lengths at most, and
 * what was known of it needs no place of its own. */

#include "basic/amp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        VERSION = 1,
        MARK_BYTES = 2,
        MEMORY_BYTES_MIN = 512,
};

static const char *const marks[] = { [AMP_RAW] = "", [AMP_STRING] = "s:", [AMP_JSON] = "j:" };

AmpType amp_argument_type(const AmpArgument *argument, AmpArgument *ret) {
        AmpType type = AMP_RAW;

        if (argument->length >= MARK_BYTES) {
                if (memcmp(argument->bytes, marks[AMP_STRING], MARK_BYTES) == 0) {
                        type = AMP_STRING;
                } else if (memcmp(argument->bytes, marks[AMP_JSON], MARK_BYTES) == 0) {
                        type = AMP_JSON;
                }
        }
        size_t mark = strlen(marks[type]);
        *ret = (AmpArgument){ argument->bytes + mark, argument->length - mark };
        return type;
}

void amp_reader_init(AmpReader *reader, size_t frame_bytes_max, size_t argument_bytes_max) {
        *reader = (AmpReader){
                .frame_bytes_max = frame_bytes_max,
                .argument_bytes_max = argument_bytes_max,
        };
}

void amp_reader_done(AmpReader *reader) {
        free(reader->bytes);
        *reader = (AmpReader){ 0 };
}

/* Twice as much each time, so that a large frame is not copied for each of its pieces. */
static int grow(AmpReader *reader, size_t needed) {
        size_t size = reader->size > 0 ? reader->size : MEMORY_BYTES_MIN;

        while (size < needed) {
                if (size > SIZE_MAX / 2) {
                        return -ENOMEM;
                }
                size *= 2;
        }
        if (size == reader->size) {
                return 0;
        }
        char *bytes = realloc(reader->bytes, size);
        if (!bytes) {
                return -ENOMEM;
        }
        reader->bytes = bytes;
        reader->size = size;
        return 0;
}

int amp_reader_reserve(AmpReader *reader, size_t wanted, void **ret, size_t *ret_size) {
        size_t waiting = reader->end - reader->start;

        if (wanted > SIZE_MAX - waiting) {
                return -ENOMEM;
        }
        if (reader->start > 0 && (waiting == 0 || reader->size - reader->end < wanted)) {
                memmove(reader->bytes, reader->bytes + reader->start, waiting);
                reader->start = 0;
                reader->end = waiting;
        }
        if (reader->size - reader->end < wanted) {
                int r = grow(reader, waiting + wanted);
                if (r < 0) {
                        return r;
                }
        }
        *ret = reader->bytes + reader->end;
        *ret_size = reader->size - reader->end;
        return 0;
}

void amp_reader_commit(AmpReader *reader, size_t count) {
        assert(count <= reader->size - reader->end);
        reader->end += count;
}

static size_t read_length(const char *bytes) {
        const unsigned char *b = (const unsigned char *) bytes;

        return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

int amp_reader_next(AmpReader *reader, AmpFrame *ret) {
        size_t there = reader->end - reader->start;

        if (there < AMP_HEAD_BYTES) {
                return 0;
        }
        const char *bytes = reader->bytes + reader->start;
        size_t position = AMP_HEAD_BYTES; /* within the cap, or beyond it by no more than a length */
        ret->count = (unsigned char) bytes[0] & AMP_ARGUMENTS_MAX;
        for (size_t i = 0; i < ret->count; i++) {
                if (there < position + AMP_LENGTH_BYTES) {
                        return position + AMP_LENGTH_BYTES > reader->frame_bytes_max ? -EMSGSIZE : 0;
                }
                size_t length = read_length(bytes + position);
                position += AMP_LENGTH_BYTES;
                if (length > reader->argument_bytes_max || position > reader->frame_bytes_max ||
                    length > reader->frame_bytes_max - position) {
                        return -EMSGSIZE;
                }
                if (there < position + length) {
                        return 0;
                }
                ret->arguments[i] = (AmpArgument){ bytes + position, length };
                position += length;
        }
        reader->start += position;
        return 1;
}

size_t amp_reader_waiting_bytes(const AmpReader *reader) {
        return reader->end - reader->start;
}

size_t amp_reader_memory_bytes(const AmpReader *reader) {
        return reader->size;
}

void amp_reader_trim(AmpReader *reader) {
        if (reader->start == reader->end) {
                free(reader->bytes);
                reader->bytes = NULL;
                reader->size = reader->start = reader->end = 0;
        }
}

size_t amp_argument_bytes(AmpType type, size_t length) {
        return AMP_LENGTH_BYTES + strlen(marks[type]) + length;
}

char *amp_write_head(char *out, size_t count) {
        assert(count <= AMP_ARGUMENTS_MAX);
        *out = (char) (VERSION << 4 | count);
        return out + AMP_HEAD_BYTES;
}

char *amp_write_argument_head(char *out, AmpType type, size_t length) {
        size_t mark = strlen(marks[type]);
        size_t all = mark + length;

        assert(all <= UINT32_MAX);
        for (unsigned i = 0; i < AMP_LENGTH_BYTES; i++) {
                out[i] = (char) (unsigned char) (all >> (8 * (AMP_LENGTH_BYTES - 1 - i)));
        }
        memcpy(out + AMP_LENGTH_BYTES, marks[type], mark);
        return out + AMP_LENGTH_BYTES + mark;
}

char *amp_write_argument(char *out, AmpType type, const void *bytes, size_t length) {
        char *start = amp_write_argument_head(out, type, length);

        if (length > 0) {
                memcpy(start, bytes, length);
        }
        return start + length;
}
