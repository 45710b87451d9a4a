/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/amp.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

enum {
        FRAME_MAX = 1000,
        ARGUMENT_MAX = 600,
};

static void put_argument(GByteArray *bytes, const char *argument, size_t length) {
        const uint8_t head[] = {
                (uint8_t) (length >> 24),
                (uint8_t) (length >> 16),
                (uint8_t) (length >> 8),
                (uint8_t) length,
        };

        (void) g_byte_array_append(bytes, head, sizeof(head));
        (void) g_byte_array_append(bytes, (const uint8_t *) argument, (guint) length);
}

static void put_head(GByteArray *bytes, uint8_t head) {
        (void) g_byte_array_append(bytes, &head, 1);
}

/* A frame of texts, ended by NULL. */
static void put_frame(GByteArray *bytes, unsigned version, ...) {
        const char *texts[AMP_ARGUMENTS_MAX];
        uint8_t count = 0;
        va_list list;

        va_start(list, version);
        for (const char *text; (text = va_arg(list, const char *));) {
                texts[count++] = text;
        }
        va_end(list);
        put_head(bytes, (uint8_t) (version << 4 | count));
        for (uint8_t i = 0; i < count; i++) {
                put_argument(bytes, texts[i], strlen(texts[i]));
        }
}

/* In memory of just that size where it can be, so that a sanitizer sees what is written behind it. */
static void feed(AmpReader *reader, const void *bytes, size_t length) {
        void *room;
        size_t size;

        if (length > 0) {
                g_assert_cmpint(amp_reader_reserve(reader, length, &room, &size), ==, 0);
                g_assert_cmpuint(size, >=, length);
                memcpy(room, bytes, length);
                amp_reader_commit(reader, length);
        }
}

static void assert_argument(const AmpArgument *argument, const char *bytes, size_t length) {
        g_assert_cmpmem(argument->bytes, argument->length, bytes, length);
}

/* All frames of a stream as one text: arguments in brackets, a newline behind each frame. */
static void take_all(AmpReader *reader, GString *text) {
        AmpFrame frame;
        int r;

        while ((r = amp_reader_next(reader, &frame)) > 0) {
                for (size_t i = 0; i < frame.count; i++) {
                        g_string_append_c(text, '[');
                        g_string_append_len(
                                        text, frame.arguments[i].bytes, (gssize) frame.arguments[i].length);
                        g_string_append_c(text, ']');
                }
                g_string_append_c(text, '\n');
        }
        g_assert_cmpint(r, ==, 0);
}

static GByteArray *make_stream(GString *expected) {
        GByteArray *bytes = g_byte_array_new();

        put_frame(bytes, 1, "j:{\"type\":\"methods\"}", "s:4242:1", NULL);
        put_frame(bytes, 2, "raw", "", NULL); /* any version; an empty last one */
        put_frame(bytes, 0, "", NULL);
        put_frame(bytes, 1, NULL);
        put_frame(bytes,
                  15,
                  "a",
                  "b",
                  "c",
                  "d",
                  "e",
                  "f",
                  "g",
                  "h",
                  "i",
                  "j",
                  "k",
                  "l",
                  "m",
                  "n",
                  "o",
                  NULL);
        put_frame(bytes, 1, "", "", "x", NULL);
        g_string_assign(expected,
                        "[j:{\"type\":\"methods\"}][s:4242:1]\n"
                        "[raw][]\n"
                        "[]\n"
                        "\n"
                        "[a][b][c][d][e][f][g][h][i][j][k][l][m][n][o]\n"
                        "[][][x]\n");
        return bytes;
}

static void test_cut_at_each_byte(void) {
        g_autoptr(GString) expected = g_string_new(NULL);
        g_autoptr(GByteArray) stream = make_stream(expected);

        for (guint cut = 0; cut <= stream->len; cut++) {
                g_autoptr(GString) text = g_string_new(NULL);
                AmpReader reader;
                amp_reader_init(&reader, FRAME_MAX, ARGUMENT_MAX);
                feed(&reader, stream->data, cut);
                take_all(&reader, text);
                feed(&reader, stream->data + cut, stream->len - cut);
                take_all(&reader, text);
                g_assert_cmpstr(text->str, ==, expected->str);
                g_assert_cmpuint(amp_reader_waiting_bytes(&reader), ==, 0);
                amp_reader_done(&reader);
        }
}

static void test_byte_by_byte(void) {
        g_autoptr(GString) expected = g_string_new(NULL), text = g_string_new(NULL);
        g_autoptr(GByteArray) stream = make_stream(expected);
        AmpReader reader;

        amp_reader_init(&reader, FRAME_MAX, ARGUMENT_MAX);
        for (guint i = 0; i < stream->len; i++) {
                feed(&reader, stream->data + i, 1);
                take_all(&reader, text);
        }
        g_assert_cmpstr(text->str, ==, expected->str);
        amp_reader_done(&reader);
}

/* A frame is given as soon as it is whole, and is not waited for longer. */
static void test_at_once(void) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        AmpReader reader;
        AmpFrame frame;

        amp_reader_init(&reader, FRAME_MAX, ARGUMENT_MAX);
        g_assert_cmpint(amp_reader_next(&reader, &frame), ==, 0);
        put_frame(bytes, 1, "j:1", "", NULL);
        feed(&reader, bytes->data, bytes->len - 1);
        g_assert_cmpint(amp_reader_next(&reader, &frame), ==, 0);
        g_assert_cmpuint(amp_reader_waiting_bytes(&reader), ==, bytes->len - 1);
        feed(&reader, bytes->data + bytes->len - 1, 1);
        g_assert_cmpint(amp_reader_next(&reader, &frame), ==, 1);
        g_assert_cmpuint(frame.count, ==, 2);
        assert_argument(&frame.arguments[1], "", 0);
        g_assert_cmpint(amp_reader_next(&reader, &frame), ==, 0);
        amp_reader_done(&reader);
}

/* Thousands in one piece, with a part of one at the end; memory does not grow with how many passed. */
static void test_many(void) {
        enum {
                ROUNDS = 50,
                FRAMES = 1000,
        };
        g_autoptr(GByteArray) stream = g_byte_array_new();
        AmpReader reader;
        AmpFrame frame;
        size_t memory = 0;

        for (unsigned i = 0; i < FRAMES; i++) {
                put_frame(stream, 1, "j:{}", "s:1:2", NULL);
        }
        amp_reader_init(&reader, FRAME_MAX, ARGUMENT_MAX);
        feed(&reader, stream->data, 7);
        for (unsigned i = 0; i < ROUNDS; i++) {
                unsigned count = 0;
                feed(&reader, stream->data + 7, stream->len - 7);
                feed(&reader, stream->data, 7);
                while (amp_reader_next(&reader, &frame) > 0) {
                        g_assert_cmpuint(frame.count, ==, 2);
                        assert_argument(&frame.arguments[1], "s:1:2", 5);
                        count++;
                }
                g_assert_cmpuint(count, ==, FRAMES);
                g_assert_cmpuint(amp_reader_waiting_bytes(&reader), ==, 7);
                g_assert_true(memory == 0 || amp_reader_memory_bytes(&reader) == memory);
                memory = amp_reader_memory_bytes(&reader);
        }
        amp_reader_trim(&reader);
        g_assert_cmpuint(amp_reader_memory_bytes(&reader), ==, memory); /* something waits */
        feed(&reader, stream->data + 7, stream->len / FRAMES - 7);
        g_assert_cmpint(amp_reader_next(&reader, &frame), ==, 1);
        amp_reader_trim(&reader);
        g_assert_cmpuint(amp_reader_memory_bytes(&reader), ==, 0);
        amp_reader_done(&reader);
}

/* What becomes of a stream of one frame with an argument of this length, as far as it was sent. */
static int judge(size_t frame_max, size_t argument_max, const void *bytes, size_t length) {
        AmpReader reader;
        AmpFrame frame;

        amp_reader_init(&reader, frame_max, argument_max);
        feed(&reader, bytes, length);
        int r = amp_reader_next(&reader, &frame);
        g_assert_cmpuint(amp_reader_memory_bytes(&reader), <=, 4096);
        amp_reader_done(&reader);
        return r;
}

/* Refused as soon as the length is there, whatever it claims, and nothing is kept for it. */
static void test_caps(void) {
        static const struct {
                size_t frame_max, argument_max;
                const char *bytes;
                size_t length;
                int expected;
        } cases[] = {
                { FRAME_MAX, ARGUMENT_MAX, "\x12\xff\xff\xff\xff", 5, -EMSGSIZE },
                { FRAME_MAX, ARGUMENT_MAX, "\x12\xff\xff\xff", 4, 0 }, /* not known yet */
                { FRAME_MAX, ARGUMENT_MAX, "\x11\x80\0\0\0", 5, -EMSGSIZE },
                { FRAME_MAX, ARGUMENT_MAX, "\x11\x7f\xff\xff\xff", 5, -EMSGSIZE },
                { FRAME_MAX, ARGUMENT_MAX, "\x11\0\0\x02\x58", 5, 0 },         /* 600 */
                { FRAME_MAX, ARGUMENT_MAX, "\x11\0\0\x02\x59", 5, -EMSGSIZE }, /* 601 */
                { 100, ARGUMENT_MAX, "\x11\0\0\0\x5f", 5, 0 },                 /* 1 + 4 + 95 */
                { 100, ARGUMENT_MAX, "\x11\0\0\0\x60", 5, -EMSGSIZE },
                { 100, SIZE_MAX, "\x11\xff\xff\xff\xff", 5, -EMSGSIZE },
                { SIZE_MAX, SIZE_MAX, "\x12\xff\xff\xff\xff", 5, 0 },
                { 9, 9, "\x12\0\0\0\0\0\0\0\0", 9, 1 },
                { 8, 8, "\x12\0\0\0\0\0\0\0", 8, -EMSGSIZE }, /* the second length cannot be within */
                { 8, 8, "\x12\0\0\0\0\0\0\0\0", 9, -EMSGSIZE },
                { 6, 6, "\x12\0\0\0\1x", 6, -EMSGSIZE },
                { 1, 0, "\x10", 1, 1 },
                { 1, 0, "\x11", 1, -EMSGSIZE },
                { FRAME_MAX, ARGUMENT_MAX, "\x1f\0\0\0\0\0\0\0\0\xff\xff\xff\xff", 13, -EMSGSIZE },
                { FRAME_MAX, ARGUMENT_MAX, "", 0, 0 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_test_message("case %zu", i);
                int r = judge(cases[i].frame_max, cases[i].argument_max, cases[i].bytes, cases[i].length);
                g_assert_cmpint(r, ==, cases[i].expected);
        }
}

/* Good frames before a bad one are given out, and the verdict stays. */
static void test_bad_behind_good(void) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        AmpReader reader;
        AmpFrame frame;

        put_frame(bytes, 1, "j:1", "s:1", NULL);
        (void) g_byte_array_append(bytes, (const uint8_t *) "\x12\xff\xff\xff\xff", 5);
        amp_reader_init(&reader, FRAME_MAX, ARGUMENT_MAX);
        feed(&reader, bytes->data, bytes->len);
        g_assert_cmpint(amp_reader_next(&reader, &frame), ==, 1);
        g_assert_cmpint(amp_reader_next(&reader, &frame), ==, -EMSGSIZE);
        feed(&reader, bytes->data, bytes->len);
        g_assert_cmpint(amp_reader_next(&reader, &frame), ==, -EMSGSIZE);
        amp_reader_done(&reader);
}

static void test_largest(void) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_autofree char *large = g_strnfill(ARGUMENT_MAX, 'x');
        AmpReader reader;
        AmpFrame frame;

        put_frame(bytes, 1, large, large + ARGUMENT_MAX - (FRAME_MAX - 1 - 4 - ARGUMENT_MAX - 4), NULL);
        g_assert_cmpuint(bytes->len, ==, FRAME_MAX);
        amp_reader_init(&reader, FRAME_MAX, ARGUMENT_MAX);
        for (guint i = 0; i < bytes->len; i++) {
                g_assert_cmpint(amp_reader_next(&reader, &frame), ==, 0);
                feed(&reader, bytes->data + i, 1);
        }
        g_assert_cmpint(amp_reader_next(&reader, &frame), ==, 1);
        assert_argument(&frame.arguments[0], large, ARGUMENT_MAX);
        g_assert_cmpuint(amp_reader_memory_bytes(&reader), <=, 2 * FRAME_MAX);
        amp_reader_done(&reader);
}

static void test_types(void) {
        static const struct {
                const char *bytes;
                size_t length;
                AmpType type;
                const char *content;
        } cases[] = {
                { "s:text", 6, AMP_STRING, "text" },
                { "s:", 2, AMP_STRING, "" },
                { "j:{}", 4, AMP_JSON, "{}" },
                { "j:", 2, AMP_JSON, "" },
                { "s", 1, AMP_RAW, "s" },
                { "", 0, AMP_RAW, "" },
                { "J:1", 3, AMP_RAW, "J:1" },
                { ":s:", 3, AMP_RAW, ":s:" },
                { "j:cut off here", 1, AMP_RAW, "j" }, /* not behind its end */
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                const AmpArgument argument = { cases[i].bytes, cases[i].length };
                AmpArgument content;
                g_assert_cmpint(amp_argument_type(&argument, &content), ==, cases[i].type);
                assert_argument(&content, cases[i].content, strlen(cases[i].content));
        }
}

/* As PM2 writes it. */
static void test_write(void) {
        static const char expected[] = "\x12\0\0\0\x1bj:{\"args\":[{\"msg\":\"pong\"}]}\0\0\0\x08s:4242:0";
        static const char json[] = "{\"args\":[{\"msg\":\"pong\"}]}";
        size_t bytes = AMP_HEAD_BYTES + amp_argument_bytes(AMP_JSON, strlen(json)) +
                       amp_argument_bytes(AMP_STRING, strlen("4242:0"));
        g_autofree char *out = g_malloc(bytes);
        char *end = amp_write_head(out, 2);

        end = amp_write_argument(end, AMP_JSON, json, strlen(json));
        end = amp_write_argument(end, AMP_STRING, "4242:0", strlen("4242:0"));
        g_assert_true(end == out + bytes);
        g_assert_cmpmem(out, bytes, expected, sizeof(expected) - 1);
}

/* What is written is read as it was, of each type and count. */
static void test_round_trip(void) {
        g_autofree char *large = g_strnfill(70000, 'y');
        static const size_t lengths[] = { 0, 1, 255, 256, 65535, 65536, 69998 };

        for (size_t count = 0; count <= AMP_ARGUMENTS_MAX; count++) {
                size_t bytes = AMP_HEAD_BYTES;
                for (size_t i = 0; i < count; i++) {
                        bytes += amp_argument_bytes((AmpType) (i % 3), lengths[i % G_N_ELEMENTS(lengths)]);
                }
                g_autofree char *out = g_malloc(bytes);
                char *end = amp_write_head(out, count);
                for (size_t i = 0; i < count; i++) {
                        end = amp_write_argument(
                                        end, (AmpType) (i % 3), large, lengths[i % G_N_ELEMENTS(lengths)]);
                }
                g_assert_true(end == out + bytes);
                AmpReader reader;
                AmpFrame frame;
                amp_reader_init(&reader, bytes, SIZE_MAX);
                feed(&reader, out, bytes);
                g_assert_cmpint(amp_reader_next(&reader, &frame), ==, 1);
                g_assert_cmpuint(frame.count, ==, count);
                for (size_t i = 0; i < count; i++) {
                        AmpArgument content;
                        g_assert_cmpint(amp_argument_type(&frame.arguments[i], &content),
                                        ==,
                                        (AmpType) (i % 3));
                        assert_argument(&content, large, lengths[i % G_N_ELEMENTS(lengths)]);
                }
                amp_reader_done(&reader);
        }
}

static void test_no_memory(void) {
        AmpReader reader;
        void *room;
        size_t size;

        amp_reader_init(&reader, FRAME_MAX, ARGUMENT_MAX);
        g_assert_cmpint(amp_reader_reserve(&reader, SIZE_MAX, &room, &size), ==, -ENOMEM);
        feed(&reader, "\x12", 1);
        g_assert_cmpint(amp_reader_reserve(&reader, SIZE_MAX, &room, &size), ==, -ENOMEM);
        g_assert_cmpint(amp_reader_reserve(&reader, SIZE_MAX / 2 + 2, &room, &size), ==, -ENOMEM);
        g_assert_cmpuint(amp_reader_waiting_bytes(&reader), ==, 1); /* what was there still is */
        amp_reader_done(&reader);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/amp/cut-at-each-byte", test_cut_at_each_byte);
        g_test_add_func("/amp/byte-by-byte", test_byte_by_byte);
        g_test_add_func("/amp/at-once", test_at_once);
        g_test_add_func("/amp/many", test_many);
        g_test_add_func("/amp/caps", test_caps);
        g_test_add_func("/amp/bad-behind-good", test_bad_behind_good);
        g_test_add_func("/amp/largest", test_largest);
        g_test_add_func("/amp/types", test_types);
        g_test_add_func("/amp/write", test_write);
        g_test_add_func("/amp/round-trip", test_round_trip);
        g_test_add_func("/amp/no-memory", test_no_memory);
        return g_test_run();
}
