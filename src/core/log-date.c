/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/log-date.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const months[] = {
        "January", "February", "March",     "April",   "May",      "June",
        "July",    "August",   "September", "October", "November", "December"
};
static const char *const weekdays[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday" };

typedef struct Output {
        char *buffer;
        size_t length;
} Output;

static void put(Output *output, const char *text, size_t length) {
        size_t room = LOG_DATE_BYTES_MAX - 1 - output->length;

        length = length < room ? length : room;
        memcpy(output->buffer + output->length, text, length);
        output->length += length;
}

static __attribute__((format(printf, 2, 3))) void print(Output *output, const char *format, ...) {
        char text[32];
        va_list arguments;

        va_start(arguments, format);
        int n = vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (n > 0) {
                put(output, text, strlen(text));
        }
}

static void put_offset(Output *output, const LogTime *time, const char *between) {
        int minutes = abs(time->offset_minutes);

        print(output,
              "%c%02d%s%02d",
              time->offset_minutes < 0 ? '-' : '+',
              minutes / 60,
              between,
              minutes % 60);
}

static void put_number(Output *output, size_t length, unsigned number) {
        print(output, length == 1 ? "%u" : "%02u", number);
}

static void put_name(Output *output, const char *name, size_t length) {
        put(output, name, length);
}

static void put_year(Output *output, size_t length, const LogTime *time) {
        if (length == 4) {
                print(output, "%04d", time->year);
        } else if (length == 2) {
                print(output, "%02d", abs(time->year) % 100);
        } else {
                put_offset(output, time, "");
        }
}

static void put_month(Output *output, size_t length, const LogTime *time) {
        const char *name = months[(time->month + 11) % 12];

        if (length <= 2) {
                put_number(output, length, time->month);
        } else {
                put_name(output, name, length == 3 ? 3 : strlen(name));
        }
}

static void put_weekday(Output *output, size_t length, const LogTime *time) {
        const char *name = weekdays[time->weekday % 7];

        if (length == 1) {
                put_number(output, 1, time->weekday);
        } else {
                put_name(output, name, length < 4 ? length : strlen(name));
        }
}

/* How many of a letter make one token. */
static size_t longest(char letter) {
        switch (letter) {
        case 'Y':
        case 'M':
        case 'd':
                return 4;
        case 'D':
        case 'H':
        case 'h':
        case 'm':
        case 's':
        case 'Z':
                return 2;
        case 'A':
        case 'a':
                return 1;
        case 'S':
                return 3;
        default:
                return 0;
        }
}

static void put_token(Output *output, char letter, size_t length, const LogTime *time) {
        unsigned hour = time->hour % 12 == 0 ? 12 : time->hour % 12;

        switch (letter) {
        case 'Y':
                put_year(output, length, time);
                break;
        case 'M':
                put_month(output, length, time);
                break;
        case 'd':
                put_weekday(output, length, time);
                break;
        case 'D':
                put_number(output, length, time->day);
                break;
        case 'H':
                put_number(output, length, time->hour);
                break;
        case 'h':
                put_number(output, length, hour);
                break;
        case 'm':
                put_number(output, length, time->minute);
                break;
        case 's':
                put_number(output, length, time->second);
                break;
        case 'S':
                print(output, "%03u", time->millisecond);
                break;
        case 'Z':
                put_offset(output, time, length == 1 ? ":" : "");
                break;
        case 'A':
                put(output, time->hour < 12 ? "AM" : "PM", 2);
                break;
        case 'a':
        default:
                put(output, time->hour < 12 ? "am" : "pm", 2);
                break;
        }
}

size_t log_date_format(const char *format, const LogTime *time, char *buffer) {
        Output output = { .buffer = buffer };

        while (*format) {
                const char *end = *format == '[' ? strchr(format, ']') : NULL;
                if (end && end > format + 1) {
                        put(&output, format + 1, (size_t) (end - format) - 1);
                        format = end + 1;
                        continue;
                }
                size_t length = 1, most = longest(*format);
                while (length < most && format[length] == *format) {
                        length++;
                }
                if (most == 0 || (*format == 'S' && length < 3)) {
                        put(&output, format, length);
                } else {
                        put_token(&output, *format, length, time);
                }
                format += length;
        }
        buffer[output.length] = '\0';
        return output.length;
}

size_t log_date_iso(const LogTime *time, char *buffer) {
        return log_date_format("YYYY-MM-DDTHH:mm:ss.SSS[Z]", time, buffer);
}
