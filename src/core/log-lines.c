/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/log-lines.h"

#include <string.h>

#define JSON_BEGIN   "{\"message\":\""
#define JSON_PARTIAL ",\"partial\":true"
#define JSON_INVALID ",\"invalid_utf8\":true"
#define REPLACEMENT  "\xef\xbf\xbd" /* U+FFFD */

static char *put(char *out, const char *bytes, size_t length) {
        memcpy(out, bytes, length);
        return out + length;
}

static char *put_text(char *out, const char *text) {
        return put(out, text, strlen(text));
}

static char *escape_ascii(unsigned char byte, char *out) {
        static const char digits[] = "0123456789abcdef";
        static const char shorts[32] = {
                ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
        };

        if (byte >= 0x20 && byte != '"' && byte != '\\') {
                *out++ = (char) byte;
                return out;
        }
        *out++ = '\\';
        if (byte >= 0x20) {
                *out++ = (char) byte;
        } else if (shorts[byte]) {
                *out++ = shorts[byte];
        } else {
                out = put(out, "u00", 3);
                *out++ = digits[byte >> 4];
                *out++ = digits[byte & 15];
        }
        return out;
}

char *log_line_escape(const char *text, size_t length, char *out, bool *ret_invalid) {
        const char *end = text + length;

        while (text < end) {
                if ((unsigned char) *text < 0x80) {
                        out = escape_ascii((unsigned char) *text++, out);
                        continue;
                }
                gunichar character = g_utf8_get_char_validated(text, end - text);
                if (character == (gunichar) -1 || character == (gunichar) -2) {
                        out = put_text(out, REPLACEMENT);
                        *ret_invalid = true;
                        text++;
                        continue;
                }
                size_t bytes = (size_t) (g_utf8_next_char(text) - text);
                out = put(out, text, bytes);
                text += bytes;
        }
        return out;
}

/* Where a piece may end without dividing a character: at size, or up to three bytes before it. */
static size_t before_character(const char *bytes, size_t size) {
        for (size_t back = 1; back <= 3; back++) {
                unsigned char byte = (unsigned char) bytes[size - back];
                if (byte < 0x80) {
                        break;
                }
                if (byte >= 0xc0) {
                        size_t whole = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
                        return whole > back ? size - back : size;
                }
        }
        return size;
}

size_t log_line_length(const LogLineInput *input, bool whole_characters) {
        size_t reach = MIN(input->size, (size_t) LOG_LINE_BYTES_MAX + 1);
        const char *newline = reach > 0 ? memchr(input->bytes, '\n', reach) : NULL;

        if (newline) {
                return (size_t) (newline - input->bytes) + 1;
        }
        if (reach > LOG_LINE_BYTES_MAX) {
                return whole_characters ? before_character(input->bytes, LOG_LINE_BYTES_MAX)
                                        : LOG_LINE_BYTES_MAX;
        }
        return input->end ? input->size : 0;
}

/* A line or a piece of one. ends: its newline goes out. */
static char *put_line(
                const LogLineStyle *style,
                const char *bytes,
                size_t length,
                bool begins,
                bool ends,
                char *out) {
        bool invalid = false;

        if (!style->json) {
                out = begins ? put_text(out, style->before) : out;
                out = put(out, bytes, length);
                return ends ? put(out, "\n", 1) : out;
        }
        out = put_text(out, JSON_BEGIN);
        out = log_line_escape(bytes, length, out, &invalid);
        out = put_text(put(out, "\"", 1), style->facts);
        out = ends ? out : put_text(out, JSON_PARTIAL);
        out = invalid ? put_text(out, JSON_INVALID) : out;
        return put(out, "}\n", 2);
}

/* What a line may take at most. */
static size_t room_for(const LogLineStyle *style, size_t length) {
        return style->json ? 6 * length + strlen(style->facts) + 64 : length + strlen(style->before) + 1;
}

LogLineOutput log_lines_format(
                const LogLineStyle *style, const LogLineInput *input, char *out, size_t out_size) {
        LogLineOutput output = { .in_line = input->in_line };
        LogLineInput rest = *input;
        char *to = out;

        for (;;) {
                size_t length = log_line_length(&rest, style->json);
                bool finish = length == 0 && rest.end && output.in_line; /* of a long line that just ended */
                if ((length == 0 && !finish) || room_for(style, length) > (size_t) (out + out_size - to)) {
                        break;
                }
                bool newline = length > 0 && rest.bytes[length - 1] == '\n';
                bool last = rest.end && length == rest.size;
                to = put_line(style, rest.bytes, length - newline, !output.in_line, newline || last, to);
                output.in_line = !newline && !last;
                output.taken += length;
                rest.bytes += length;
                rest.size -= length;
        }
        output.made = (size_t) (to - out);
        return output;
}
