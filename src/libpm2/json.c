/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Values as JSON text (RFC 8259). Numbers are written in the C locale, whatever the program has set. */

#include "value.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <string.h>

static void write_string(FILE *out, const char *text) {
        static const char short_escapes[] = "\bb\ff\nn\rr\tt\"\"\\\\";

        (void) putc_unlocked('"', out);
        for (const unsigned char *p = (const unsigned char *) text; *p; p++) {
                const char *escape = short_escapes;
                while (*escape && (unsigned char) *escape != *p) {
                        escape += 2;
                }
                if (*escape) {
                        (void) fprintf(out, "\\%c", escape[1]);
                } else if (*p < 0x20) {
                        (void) fprintf(out, "\\u%04x", *p);
                } else {
                        (void) putc_unlocked(*p, out);
                }
        }
        (void) putc_unlocked('"', out);
}

/* The shortest text that reads back as the same number. */
static void write_double(FILE *out, double number) {
        char text[32];

        if (!isfinite(number)) {
                (void) fputs("null", out);
                return;
        }
        for (int precision = 15; precision <= 17; precision++) {
                (void) snprintf(text, sizeof(text), "%.*g", precision, number);
                if (strtod(text, NULL) == number) {
                        break;
                }
        }
        (void) fputs(text, out);
}

static void write_newline(FILE *out, pm2_json_format format, unsigned depth) {
        if (format == PM2_JSON_PRETTY) {
                (void) fprintf(out, "\n%*s", (int) depth * 2, "");
        }
}

static void write_value(FILE *out, const pm2_value *value, pm2_json_format format, unsigned depth);

static void write_container(FILE *out, const pm2_value *value, pm2_json_format format, unsigned depth) {
        bool object = value->type == PM2_VALUE_OBJECT;

        (void) putc_unlocked(object ? '{' : '[', out);
        for (size_t i = 0; i < value->length; i++) {
                if (i > 0) {
                        (void) putc_unlocked(',', out);
                }
                write_newline(out, format, depth + 1);
                if (object) {
                        write_string(out, value->keys[i]);
                        (void) fputs(format == PM2_JSON_PRETTY ? ": " : ":", out);
                }
                write_value(out, value->items[i], format, depth + 1);
        }
        if (value->length > 0) {
                write_newline(out, format, depth);
        }
        (void) putc_unlocked(object ? '}' : ']', out);
}

static void write_value(FILE *out, const pm2_value *value, pm2_json_format format, unsigned depth) {
        switch (pm2_value_get_type(value)) {
        case PM2_VALUE_BOOL:
                (void) fputs(value->boolean ? "true" : "false", out);
                break;
        case PM2_VALUE_INT64:
                (void) fprintf(out, "%" PRIi64, value->int64);
                break;
        case PM2_VALUE_UINT64:
                (void) fprintf(out, "%" PRIu64, value->uint64);
                break;
        case PM2_VALUE_DOUBLE:
                write_double(out, value->number);
                break;
        case PM2_VALUE_STRING:
                write_string(out, value->string);
                break;
        case PM2_VALUE_ARRAY:
        case PM2_VALUE_OBJECT:
                write_container(out, value, format, depth);
                break;
        case PM2_VALUE_NULL:
        default:
                (void) fputs("null", out);
                break;
        }
}

PM2_EXPORT int pm2_value_to_json(const pm2_value *value, pm2_json_format format, char **ret) {
        char *text = NULL;
        size_t length = 0;

        if (format != PM2_JSON_SHORT && format != PM2_JSON_PRETTY) {
                return -EINVAL;
        }
        locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t) 0);
        if (plain == (locale_t) 0) {
                return -ENOMEM;
        }
        FILE *out = open_memstream(&text, &length);
        if (!out) {
                freelocale(plain);
                return -ENOMEM;
        }
        locale_t before = uselocale(plain);
        write_value(out, value, format, 0);
        (void) uselocale(before);
        freelocale(plain);
        bool failed = ferror(out);
        if (fclose(out) != 0 || failed) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}
