/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any datagram. What counts is printed again and must come out the same. */

#include "fuzz.h"

#include "core/notify-message.h"

#include <inttypes.h>
#include <string.h>

static void print_field(GString *text, const NotifyMessage *message, NotifyKey key) {
        static const char *const words[] = { "none", "main", "exec", "all" };
        const uint64_t numbers[_NOTIFY_KEY_MAX] = {
                [NOTIFY_WATCHDOG_USEC] = message->watchdog_usec,
                [NOTIFY_EXTEND_TIMEOUT_USEC] = message->extend_timeout_usec,
                [NOTIFY_MONOTONIC_USEC] = message->monotonic_usec,
                [NOTIFY_MAIN_PID] = (uint64_t) message->main_pid,
                [NOTIFY_MAIN_PIDFD_ID] = message->main_pidfd_id,
                [NOTIFY_ERRNO] = (uint64_t) message->error_number,
                [NOTIFY_READY] = 1,
                [NOTIFY_RELOADING] = 1,
                [NOTIFY_STOPPING] = 1,
                [NOTIFY_WATCHDOG] = 1,
                [NOTIFY_BARRIER] = 1,
                [NOTIFY_FD_STORE] = 1,
                [NOTIFY_FD_STORE_REMOVE] = 1,
        };
        const char *const texts[_NOTIFY_KEY_MAX] = {
                [NOTIFY_STATUS] = message->status,
                [NOTIFY_BUS_ERROR] = message->bus_error,
                [NOTIFY_FD_NAME] = message->fd_name,
                [NOTIFY_ACCESS] = words[message->access],
                [NOTIFY_WATCHDOG] = message->watchdog_trigger ? "trigger" : NULL,
        };

        g_string_append_printf(text, "%s=", notify_key_name(key));
        if (texts[key]) {
                g_string_append(text, texts[key]);
        } else {
                g_string_append_printf(text, "%" PRIu64, numbers[key]);
        }
        g_string_append_c(text, '\n');
}

static void check_message(const NotifyMessage *message) {
        uint32_t all = (UINT32_C(1) << _NOTIFY_KEY_MAX) - 1;

        g_assert_cmphex((message->given | message->wrong) & ~all, ==, 0);
        g_assert_cmpint(notify_message_has(message, NOTIFY_READY) +
                                        notify_message_has(message, NOTIFY_RELOADING) +
                                        notify_message_has(message, NOTIFY_STOPPING),
                        <=,
                        1);
        if (notify_message_has(message, NOTIFY_BARRIER)) {
                g_assert_cmphex(message->given, ==, UINT32_C(1) << NOTIFY_BARRIER);
        }
        if (notify_message_has(message, NOTIFY_MAIN_PID)) {
                g_assert_cmpint(message->main_pid, >, 1);
        }
        g_assert_cmpint(message->error_number, >=, 0);
        g_assert_cmpuint(message->access, <, _NOTIFY_ACCESS_MAX);
        g_assert_true(g_utf8_validate(message->status, -1, NULL));
        for (const char *p = message->status; *p; p = g_utf8_next_char(p)) {
                g_assert_false(g_unichar_iscntrl(g_utf8_get_char(p)));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        g_autofree char *bytes = size > 0 ? g_memdup2(data, size) : NULL;
        g_autoptr(GString) text = g_string_new(NULL);
        NotifyMessage message, again;

        if (notify_message_parse(bytes, size, &message) < 0) {
                g_assert_true(size > NOTIFY_MESSAGE_BYTES_MAX || memchr(data, 0, size));
                return 0;
        }
        check_message(&message);
        for (NotifyKey key = 0; key < _NOTIFY_KEY_MAX; key++) {
                if (notify_message_has(&message, key)) {
                        print_field(text, &message, key);
                }
        }
        g_assert_cmpint(notify_message_parse(text->str, text->len, &again), ==, 0);
        g_assert_cmphex(again.given, ==, message.given);
        g_assert_cmphex(again.wrong, ==, 0);
        if (notify_message_has(&message, NOTIFY_STATUS)) {
                g_assert_cmpstr(again.status, ==, message.status);
        }
        return 0;
}
