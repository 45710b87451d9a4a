/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/notify-message.h"

#include "basic/macro.h"
#include "basic/utf8.h"

#include <assert.h>
#include <glib.h>
#include <string.h>

enum {
        MAIN_PID_MIN = 2,
        MAIN_PID_MAX = 1 << 22, /* PID_MAX_LIMIT of Linux */
        ERROR_NUMBER_MAX = 4095,
};

/* A part of the text; no NUL is in it, and none at its end. */
typedef struct Slice {
        const char *text;
        size_t length;
} Slice;

static bool slice_is(Slice slice, const char *word) {
        return slice.length == strlen(word) && memcmp(slice.text, word, slice.length) == 0;
}

/* Digits and nothing else. */
static bool take_number(Slice value, uint64_t maximum, uint64_t *ret) {
        uint64_t number = 0;

        if (value.length == 0) {
                return false;
        }
        for (size_t i = 0; i < value.length; i++) {
                unsigned digit = (unsigned) value.text[i] - '0';
                if (digit > 9 || number > (maximum - digit) / 10) {
                        return false;
                }
                number = number * 10 + digit;
        }
        *ret = number;
        return true;
}

static bool take_one(NotifyMessage *message, Slice value) {
        return slice_is(value, "1");
}

static bool take_zero(NotifyMessage *message, Slice value) {
        return slice_is(value, "0");
}

/* Control characters would not be one line, and could drive a terminal. */
static bool take_status(NotifyMessage *message, Slice value) {
        size_t length = 0;

        if (!utf8_is_valid(value.text, value.length)) {
                return false;
        }
        const char *end = value.text + value.length;
        for (const char *p = value.text, *next; p < end; p = next) {
                next = g_utf8_next_char(p);
                bool control = g_unichar_iscntrl(g_utf8_get_char(p));
                size_t size = control ? 1 : (size_t) (next - p);
                if (length + size > NOTIFY_STATUS_BYTES_MAX) {
                        break;
                }
                memcpy(message->status + length, control ? "?" : p, size);
                length += size;
        }
        message->status[length] = '\0';
        return true;
}

static bool take_watchdog(NotifyMessage *message, Slice value) {
        message->watchdog_trigger = slice_is(value, "trigger");
        return message->watchdog_trigger || slice_is(value, "1");
}

static bool take_watchdog_usec(NotifyMessage *message, Slice value) {
        return take_number(value, UINT64_MAX, &message->watchdog_usec);
}

static bool take_extend_timeout(NotifyMessage *message, Slice value) {
        return take_number(value, UINT64_MAX, &message->extend_timeout_usec);
}

static bool take_monotonic(NotifyMessage *message, Slice value) {
        return take_number(value, UINT64_MAX, &message->monotonic_usec);
}

static bool take_main_pid(NotifyMessage *message, Slice value) {
        uint64_t number;

        if (!take_number(value, MAIN_PID_MAX, &number) || number < MAIN_PID_MIN) {
                return false;
        }
        message->main_pid = (int32_t) number;
        return true;
}

static bool take_main_pidfd_id(NotifyMessage *message, Slice value) {
        uint64_t number;

        if (!take_number(value, UINT64_MAX, &number) || number == 0) {
                return false;
        }
        message->main_pidfd_id = number;
        return true;
}

/* A number, or a name as in errno(3). */
static bool take_errno(NotifyMessage *message, Slice value) {
        uint64_t number;

        if (take_number(value, ERROR_NUMBER_MAX, &number)) {
                message->error_number = (int32_t) number;
                return true;
        }
        for (int i = 1; i <= ERROR_NUMBER_MAX; i++) {
                const char *name = strerrorname_np(i);
                if (name && slice_is(value, name)) {
                        message->error_number = i;
                        return true;
                }
        }
        return false;
}

/* The D-Bus specification: two or more elements, separated by dots, that begin with no digit. */
static bool is_error_name(Slice name) {
        bool first = true, dotted = false;

        for (size_t i = 0; i < name.length; i++) {
                char c = name.text[i];
                if (c == '.' ? first : !(g_ascii_isalpha(c) || c == '_' || (g_ascii_isdigit(c) && !first))) {
                        return false;
                }
                first = c == '.';
                dotted = dotted || first;
        }
        return dotted && !first;
}

static bool is_fd_name(Slice name) {
        for (size_t i = 0; i < name.length; i++) {
                if (!g_ascii_isprint(name.text[i]) || name.text[i] == ':') {
                        return false;
                }
        }
        return true;
}

static bool take_name(char *ret, Slice name, bool (*is_valid)(Slice name)) {
        if (name.length > NOTIFY_NAME_BYTES_MAX || !is_valid(name)) {
                return false;
        }
        memcpy(ret, name.text, name.length);
        ret[name.length] = '\0';
        return true;
}

static bool take_bus_error(NotifyMessage *message, Slice value) {
        return take_name(message->bus_error, value, is_error_name);
}

static bool take_fd_name(NotifyMessage *message, Slice value) {
        return take_name(message->fd_name, value, is_fd_name);
}

static bool take_access(NotifyMessage *message, Slice value) {
        static const char *const words[] = {
                [NOTIFY_ACCESS_NONE] = "none",
                [NOTIFY_ACCESS_MAIN] = "main",
                [NOTIFY_ACCESS_EXEC] = "exec",
                [NOTIFY_ACCESS_ALL] = "all",
        };
        static_assert(ELEMENTS(words) == _NOTIFY_ACCESS_MAX, "a word for every access");

        for (size_t i = 0; i < ELEMENTS(words); i++) {
                if (slice_is(value, words[i])) {
                        message->access = (NotifyAccess) i;
                        return true;
                }
        }
        return false;
}

/* take: false if the value is not one; then what it wrote means nothing. */
static const struct {
        const char *name;
        bool (*take)(NotifyMessage *message, Slice value);
} keys[] = {
        [NOTIFY_READY] = { "READY", take_one },
        [NOTIFY_RELOADING] = { "RELOADING", take_one },
        [NOTIFY_STOPPING] = { "STOPPING", take_one },
        [NOTIFY_STATUS] = { "STATUS", take_status },
        [NOTIFY_WATCHDOG] = { "WATCHDOG", take_watchdog },
        [NOTIFY_WATCHDOG_USEC] = { "WATCHDOG_USEC", take_watchdog_usec },
        [NOTIFY_EXTEND_TIMEOUT_USEC] = { "EXTEND_TIMEOUT_USEC", take_extend_timeout },
        [NOTIFY_MONOTONIC_USEC] = { "MONOTONIC_USEC", take_monotonic },
        [NOTIFY_MAIN_PID] = { "MAINPID", take_main_pid },
        [NOTIFY_MAIN_PIDFD_ID] = { "MAINPIDFDID", take_main_pidfd_id },
        [NOTIFY_ERRNO] = { "ERRNO", take_errno },
        [NOTIFY_BUS_ERROR] = { "BUSERROR", take_bus_error },
        [NOTIFY_ACCESS] = { "NOTIFYACCESS", take_access },
        [NOTIFY_BARRIER] = { "BARRIER", take_one },
        [NOTIFY_FD_STORE] = { "FDSTORE", take_one },
        [NOTIFY_FD_STORE_REMOVE] = { "FDSTOREREMOVE", take_one },
        [NOTIFY_FD_NAME] = { "FDNAME", take_fd_name },
        [NOTIFY_FD_POLL] = { "FDPOLL", take_zero },
};
static_assert(ELEMENTS(keys) == _NOTIFY_KEY_MAX, "a row for every key");
static_assert(_NOTIFY_KEY_MAX <= 32, "a bit for every key");

#define BIT(key)   (UINT32_C(1) << (key))
/* What a process is doing: one of them at a time. */
#define PHASE_KEYS (BIT(NOTIFY_READY) | BIT(NOTIFY_RELOADING) | BIT(NOTIFY_STOPPING))

const char *notify_key_name(NotifyKey key) {
        return keys[key].name;
}

bool notify_message_has(const NotifyMessage *message, NotifyKey key) {
        return message->given & BIT(key);
}

bool notify_message_is_wrong(const NotifyMessage *message, NotifyKey key) {
        return message->wrong & BIT(key);
}

static NotifyKey find_key(Slice name) {
        NotifyKey key = 0;

        while (key < _NOTIFY_KEY_MAX && !slice_is(name, keys[key].name)) {
                key++;
        }
        return key;
}

static void take_line(NotifyMessage *message, Slice line) {
        const char *equals = memchr(line.text, '=', line.length);
        if (!equals) {
                return;
        }
        Slice name = { line.text, (size_t) (equals - line.text) };
        Slice value = { equals + 1, line.length - name.length - 1 };
        NotifyKey key = find_key(name);
        if (key == _NOTIFY_KEY_MAX) {
                return;
        }
        bool phase = BIT(key) & PHASE_KEYS;
        bool flag = keys[key].take == take_one || keys[key].take == take_zero;
        if (!flag && (message->given | message->wrong) & BIT(key)) {
                return;
        }
        if (!keys[key].take(message, value)) {
                message->wrong |= BIT(key);
                return;
        }
        message->given = (phase ? message->given & ~PHASE_KEYS : message->given) | BIT(key);
}

int notify_message_parse(const char *text, size_t length, NotifyMessage *ret) {
        NotifyMessage message = { 0 };
        unsigned n_lines = 0;

        if (length > NOTIFY_MESSAGE_BYTES_MAX) {
                return -EMSGSIZE;
        }
        if (length > 0 && text[length - 1] == '\0') {
                length--;
        }
        if (length > 0 && memchr(text, '\0', length)) {
                return -EBADMSG;
        }
        for (size_t i = 0; i < length;) {
                Slice line = { text + i, 0 };
                while (i < length && text[i] != '\n' && text[i] != '\r') {
                        i++;
                        line.length++;
                }
                i++; /* the end of the line */
                if (line.length > 0) {
                        take_line(&message, line);
                        n_lines++;
                }
        }
        if (notify_message_has(&message, NOTIFY_BARRIER) && n_lines > 1) {
                /* It has to come alone: nothing of the whole counts. */
                message = (NotifyMessage){ .wrong = BIT(NOTIFY_BARRIER) };
        }
        *ret = message;
        return 0;
}
