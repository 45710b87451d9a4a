/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/notify-message.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define BIT(key) (UINT32_C(1) << (key))
/* Any of them counts, so one can have been wrong too. */
#define FLAGS                                                                                               \
        (BIT(NOTIFY_READY) | BIT(NOTIFY_RELOADING) | BIT(NOTIFY_STOPPING) | BIT(NOTIFY_BARRIER) |           \
         BIT(NOTIFY_FD_STORE) | BIT(NOTIFY_FD_STORE_REMOVE) | BIT(NOTIFY_FD_POLL))

static NotifyMessage parse(const char *text) {
        NotifyMessage message;

        /* In memory of just that size: what reads on is found. */
        size_t length = strlen(text);
        g_autofree char *copy = length > 0 ? g_memdup2(text, length) : NULL;
        g_assert_cmpint(notify_message_parse(copy, length, &message), ==, 0);
        g_assert_cmphex(message.given & message.wrong & ~FLAGS, ==, 0);
        return message;
}

/* What is given and what is wrong of each text; the keys as NotifyKey. */
static const struct {
        const char *text;
        uint32_t given, wrong;
} cases[] = {
        { "", 0, 0 },
        { "\n", 0, 0 },
        { "\n\n\r\n", 0, 0 },
        { "READY=1", BIT(NOTIFY_READY), 0 },
        { "READY=1\n", BIT(NOTIFY_READY), 0 },
        { "\nREADY=1\n\n", BIT(NOTIFY_READY), 0 },
        { "READY=1\r\nSTATUS=x\r\n", BIT(NOTIFY_READY) | BIT(NOTIFY_STATUS), 0 },
        { "READY=1\rWATCHDOG=1", BIT(NOTIFY_READY) | BIT(NOTIFY_WATCHDOG), 0 },
        /* no keys of ours */
        { "X_MINE=1\nready=1\n READY=1\nREADY\n=1\nREADYY=1\nREAD=1\n=\n==", 0, 0 },
        /* only "1" is defined */
        { "READY=0", 0, BIT(NOTIFY_READY) },
        { "READY=", 0, BIT(NOTIFY_READY) },
        { "READY=1 ", 0, BIT(NOTIFY_READY) },
        { "READY=11", 0, BIT(NOTIFY_READY) },
        { "READY==1", 0, BIT(NOTIFY_READY) },
        { "RELOADING=yes\nSTOPPING=2", 0, BIT(NOTIFY_RELOADING) | BIT(NOTIFY_STOPPING) },
        /* of these the last counts */
        { "READY=1\nSTOPPING=1", BIT(NOTIFY_STOPPING), 0 },
        { "STOPPING=1\nREADY=1", BIT(NOTIFY_READY), 0 },
        { "RELOADING=1\nMONOTONIC_USEC=5", BIT(NOTIFY_RELOADING) | BIT(NOTIFY_MONOTONIC_USEC), 0 },
        { "READY=1\nRELOADING=1\nREADY=0", BIT(NOTIFY_RELOADING), BIT(NOTIFY_READY) },
        { "READY=1\nREADY=0", BIT(NOTIFY_READY), BIT(NOTIFY_READY) },
        /* of the others the first, good or not */
        { "WATCHDOG=1\nWATCHDOG=nonsense", BIT(NOTIFY_WATCHDOG), 0 },
        { "WATCHDOG=nonsense\nWATCHDOG=1", 0, BIT(NOTIFY_WATCHDOG) },
        { "MAINPID=x\nMAINPID=77", 0, BIT(NOTIFY_MAIN_PID) },
        /* flags wherever they stand */
        { "FDSTORE=0\nFDSTORE=1", BIT(NOTIFY_FD_STORE), BIT(NOTIFY_FD_STORE) },
        { "FDSTORE=1\nFDNAME=a b\nFDPOLL=0",
          BIT(NOTIFY_FD_STORE) | BIT(NOTIFY_FD_NAME) | BIT(NOTIFY_FD_POLL),
          0 },
        { "FDSTOREREMOVE=1\nFDPOLL=1", BIT(NOTIFY_FD_STORE_REMOVE), BIT(NOTIFY_FD_POLL) },
        /* a barrier comes alone */
        { "BARRIER=1", BIT(NOTIFY_BARRIER), 0 },
        { "BARRIER=1\n\n", BIT(NOTIFY_BARRIER), 0 },
        { "BARRIER=0", 0, BIT(NOTIFY_BARRIER) },
        { "BARRIER=0\nREADY=1", BIT(NOTIFY_READY), BIT(NOTIFY_BARRIER) },
        { "READY=1\nBARRIER=1", 0, BIT(NOTIFY_BARRIER) },
        { "BARRIER=1\nX_OTHER=1", 0, BIT(NOTIFY_BARRIER) },
        { "BARRIER=1\nBARRIER=1", 0, BIT(NOTIFY_BARRIER) },
        { "BARRIER=0\nBARRIER=1\nREADY=1", 0, BIT(NOTIFY_BARRIER) },
        /* names */
        { "BUSERROR=org.freedesktop.DBus.Error.TimedOut", BIT(NOTIFY_BUS_ERROR), 0 },
        { "BUSERROR=a._1", BIT(NOTIFY_BUS_ERROR), 0 },
        { "BUSERROR=", 0, BIT(NOTIFY_BUS_ERROR) },
        { "BUSERROR=nodot", 0, BIT(NOTIFY_BUS_ERROR) },
        { "BUSERROR=a.", 0, BIT(NOTIFY_BUS_ERROR) },
        { "BUSERROR=.a", 0, BIT(NOTIFY_BUS_ERROR) },
        { "BUSERROR=a..b", 0, BIT(NOTIFY_BUS_ERROR) },
        { "BUSERROR=a.1b", 0, BIT(NOTIFY_BUS_ERROR) },
        { "BUSERROR=a.b-c", 0, BIT(NOTIFY_BUS_ERROR) },
        { "BUSERROR=a.\xc3\xa9", 0, BIT(NOTIFY_BUS_ERROR) },
        { "FDNAME=", BIT(NOTIFY_FD_NAME), 0 },
        { "FDNAME=a:b", 0, BIT(NOTIFY_FD_NAME) },
        { "FDNAME=\t", 0, BIT(NOTIFY_FD_NAME) },
        { "FDNAME=\xc3\xa9", 0, BIT(NOTIFY_FD_NAME) },
        { "NOTIFYACCESS=everybody", 0, BIT(NOTIFY_ACCESS) },
        { "NOTIFYACCESS=", 0, BIT(NOTIFY_ACCESS) },
};

static void test_cases(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                NotifyMessage message = parse(cases[i].text);
                if (message.given != cases[i].given || message.wrong != cases[i].wrong) {
                        g_error("%s: given %x, wrong %x", cases[i].text, message.given, message.wrong);
                }
        }
}

static void test_all(void) {
        NotifyMessage message =
                        parse("READY=1\nSTATUS=Serving 5 %\nWATCHDOG=trigger\nWATCHDOG_USEC=20000000\n"
                              "EXTEND_TIMEOUT_USEC=1\nMONOTONIC_USEC=18446744073709551615\nMAINPID=4711\n"
                              "MAINPIDFDID=9\nERRNO=2\nBUSERROR=a.b\nNOTIFYACCESS=exec\nFDSTORE=1\n"
                              "FDSTOREREMOVE=1\nFDNAME=foobar\nFDPOLL=0");

        g_assert_cmphex(message.wrong, ==, 0);
        for (NotifyKey key = 0; key < _NOTIFY_KEY_MAX; key++) {
                bool expected = key != NOTIFY_RELOADING && key != NOTIFY_STOPPING && key != NOTIFY_BARRIER;
                g_assert_true(notify_message_has(&message, key) == expected);
                g_assert_false(notify_message_is_wrong(&message, key));
        }
        g_assert_cmpstr(message.status, ==, "Serving 5 %");
        g_assert_true(message.watchdog_trigger);
        g_assert_cmpuint(message.watchdog_usec, ==, 20000000);
        g_assert_cmpuint(message.extend_timeout_usec, ==, 1);
        g_assert_cmpuint(message.monotonic_usec, ==, UINT64_MAX);
        g_assert_cmpint(message.main_pid, ==, 4711);
        g_assert_cmpuint(message.main_pidfd_id, ==, 9);
        g_assert_cmpint(message.error_number, ==, ENOENT);
        g_assert_cmpstr(message.bus_error, ==, "a.b");
        g_assert_cmpint(message.access, ==, NOTIFY_ACCESS_EXEC);
        g_assert_cmpstr(message.fd_name, ==, "foobar");
}

static void check_number(NotifyKey key, const char *value, bool good) {
        g_autofree char *text = g_strdup_printf("%s=%s", notify_key_name(key), value);
        NotifyMessage message = parse(text);

        g_assert_true(notify_message_has(&message, key) == good);
        g_assert_true(notify_message_is_wrong(&message, key) == !good);
}

static void test_numbers(void) {
        static const char *const good[] = { "0", "007", "18446744073709551615" };
        static const char *const wrong[] = {
                "18446744073709551616",
                "184467440737095516150",
                "99999999999999999999999999999999",
                "",
                "-1",
                "+1",
                " 1",
                "1 ",
                "0x10",
                "1.5",
                "1s",
                "\xd9\xa1",
        };
        static const NotifyKey keys[] = { NOTIFY_WATCHDOG_USEC,
                                          NOTIFY_EXTEND_TIMEOUT_USEC,
                                          NOTIFY_MONOTONIC_USEC };

        for (size_t k = 0; k < G_N_ELEMENTS(keys); k++) {
                for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                        check_number(keys[k], good[i], true);
                }
                for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
                        check_number(keys[k], wrong[i], false);
                }
        }
        g_assert_cmpuint(parse("WATCHDOG_USEC=18446744073709551615").watchdog_usec, ==, UINT64_MAX);
        g_assert_cmpuint(parse("WATCHDOG_USEC=007").watchdog_usec, ==, 7);
}

static void test_pids(void) {
        static const struct {
                const char *text;
                int pid; /* 0: wrong */
        } pids[] = {
                { "2", 2 },          { "4194304", 4194304 },
                { "4194305", 0 },    { "1", 0 },
                { "0", 0 },          { "-2", 0 },
                { "", 0 },           { "2147483648", 0 },
                { "4294967298", 0 }, { "12x", 0 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(pids); i++) {
                g_autofree char *text = g_strdup_printf("MAINPID=%s", pids[i].text);
                NotifyMessage message = parse(text);
                g_assert_true(notify_message_has(&message, NOTIFY_MAIN_PID) == (pids[i].pid > 0));
                g_assert_true(notify_message_is_wrong(&message, NOTIFY_MAIN_PID) == (pids[i].pid == 0));
                g_assert_cmpint(message.main_pid, ==, pids[i].pid);
        }
        NotifyMessage zero = parse("MAINPIDFDID=0");
        g_assert_true(notify_message_is_wrong(&zero, NOTIFY_MAIN_PIDFD_ID));
        g_assert_cmpuint(parse("MAINPIDFDID=18446744073709551615").main_pidfd_id, ==, UINT64_MAX);
}

static void test_errno(void) {
        static const struct {
                const char *text;
                int number; /* -1: wrong */
        } numbers[] = {
                { "0", 0 },        { "2", ENOENT },  { "ENOENT", ENOENT }, { "EHWPOISON", EHWPOISON },
                { "4095", 4095 },  { "4096", -1 },   { "-2", -1 },         { "EN", -1 },
                { "ENOENTX", -1 }, { "enoent", -1 }, { "", -1 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
                g_autofree char *text = g_strdup_printf("ERRNO=%s", numbers[i].text);
                NotifyMessage message = parse(text);
                bool good = numbers[i].number >= 0;
                g_assert_true(notify_message_has(&message, NOTIFY_ERRNO) == good);
                g_assert_true(notify_message_is_wrong(&message, NOTIFY_ERRNO) == !good);
                g_assert_cmpint(message.error_number, ==, good ? numbers[i].number : 0);
        }
}

static void test_access_and_watchdog(void) {
        static const char *const words[] = { "none", "main", "exec", "all" };

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
                g_autofree char *text = g_strdup_printf("NOTIFYACCESS=%s", words[i]);
                NotifyMessage message = parse(text);
                g_assert_true(notify_message_has(&message, NOTIFY_ACCESS));
                g_assert_cmpint(message.access, ==, i);
        }
        g_assert_false(parse("WATCHDOG=1").watchdog_trigger);
        g_assert_true(parse("WATCHDOG=trigger").watchdog_trigger);
        NotifyMessage empty = parse("WATCHDOG=");
        g_assert_true(notify_message_is_wrong(&empty, NOTIFY_WATCHDOG));
}

static void test_status(void) {
        static const struct {
                const char *value, *status; /* NULL: wrong */
        } statuses[] = {
                { "", "" },
                { "a=b", "a=b" },
                { " spaces stay ", " spaces stay " },
                { "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80" },
                /* a tab, an escape, DEL, and CSI as one character (U+009B) */
                { "a\tb\x1b[31mc\x7f"
                  "d\xc2\x9b"
                  "e",
                  "a?b?[31mc?d?e" },
                { "\x01\x02\x0b\x1f", "????" },
                { "\xc3", NULL },
                { "a\xff", NULL },
                { "\xc0\xaf", NULL },
                { "\xed\xa0\x80", NULL },
                { "\xf4\x90\x80\x80", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++) {
                g_autofree char *text = g_strdup_printf("STATUS=%s\nREADY=1", statuses[i].value);
                NotifyMessage message = parse(text);
                bool good = statuses[i].status;
                g_assert_true(notify_message_has(&message, NOTIFY_READY));
                g_assert_true(notify_message_has(&message, NOTIFY_STATUS) == good);
                g_assert_true(notify_message_is_wrong(&message, NOTIFY_STATUS) == !good);
                g_assert_cmpstr(message.status, ==, good ? statuses[i].status : "");
        }
        g_assert_cmpstr(parse("STATUS=first\nSTATUS=second").status, ==, "first");
}

/* Many of a character behind a few others. */
static void check_cut(const char *character, size_t offset) {
        g_autoptr(GString) text = g_string_new("STATUS=");
        size_t width = strlen(character);

        g_string_append_len(text, "oooo", (gssize) offset);
        while (text->len < 1500) {
                g_string_append(text, character);
        }
        NotifyMessage message = parse(text->str);
        size_t whole = (NOTIFY_STATUS_BYTES_MAX - offset) / width * width + offset;
        g_assert_cmpuint(strlen(message.status), ==, whole);
        g_assert_true(g_utf8_validate(message.status, -1, NULL));
        g_assert_cmpmem(message.status, whole, text->str + strlen("STATUS="), whole);
}

/* Cut where a character ends: of every width, at every offset. */
static void test_status_length(void) {
        static const char *const characters[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };

        for (size_t i = 0; i < G_N_ELEMENTS(characters); i++) {
                for (size_t offset = 0; offset < 4; offset++) {
                        check_cut(characters[i], offset);
                }
        }
        g_autofree char *fits = g_strnfill(NOTIFY_STATUS_BYTES_MAX, 's');
        g_autofree char *text = g_strdup_printf("STATUS=%s", fits);
        g_assert_cmpstr(parse(text).status, ==, fits);
}

static void test_name_length(void) {
        g_autofree char *fits = g_strnfill(NOTIFY_NAME_BYTES_MAX, 'n');
        g_autofree char *name = g_strdup_printf("FDNAME=%s", fits);
        g_autofree char *long_name = g_strdup_printf("FDNAME=%sn", fits);

        g_assert_cmpstr(parse(name).fd_name, ==, fits);
        NotifyMessage message = parse(long_name);
        g_assert_true(notify_message_is_wrong(&message, NOTIFY_FD_NAME));
        fits[1] = '.';
        g_autofree char *error = g_strdup_printf("BUSERROR=%s", fits);
        g_autofree char *long_error = g_strdup_printf("BUSERROR=%sn", fits);
        g_assert_cmpstr(parse(error).bus_error, ==, fits);
        message = parse(long_error);
        g_assert_true(notify_message_is_wrong(&message, NOTIFY_BUS_ERROR));
        g_assert_cmpstr(message.bus_error, ==, "");
}

static void test_message_length(void) {
        g_autofree char *lines = g_strnfill(NOTIFY_MESSAGE_BYTES_MAX - strlen("READY=1"), '\n');
        g_autofree char *text = g_strconcat(lines, "READY=1\n", NULL);
        NotifyMessage message;

        g_assert_cmpint(notify_message_parse(text, NOTIFY_MESSAGE_BYTES_MAX, &message), ==, 0);
        g_assert_true(notify_message_has(&message, NOTIFY_READY));
        message.given = 42;
        g_assert_cmpint(notify_message_parse(text, NOTIFY_MESSAGE_BYTES_MAX + 1, &message), ==, -EMSGSIZE);
        g_assert_cmpuint(message.given, ==, 42);
}

/* One at the end is no part of the text; anywhere else nobody knows what was meant. */
static void test_nul(void) {
        static const char text[] = "READY=1\0STATUS=x";
        NotifyMessage message;

        g_assert_cmpint(notify_message_parse("READY=1", sizeof("READY=1"), &message), ==, 0);
        g_assert_true(notify_message_has(&message, NOTIFY_READY));
        g_assert_cmpint(notify_message_parse("", 1, &message), ==, 0);
        g_assert_cmphex(message.given | message.wrong, ==, 0);
        message.given = 42;
        g_assert_cmpint(notify_message_parse(text, sizeof(text) - 1, &message), ==, -EBADMSG);
        g_assert_cmpint(notify_message_parse(text, sizeof(text), &message), ==, -EBADMSG);
        g_assert_cmpint(notify_message_parse("READY=1\0", sizeof("READY=1") + 1, &message), ==, -EBADMSG);
        g_assert_cmpint(notify_message_parse("\0READY=1", sizeof("READY=1"), &message), ==, -EBADMSG);
        g_assert_cmpuint(message.given, ==, 42);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/notify-message/cases", test_cases);
        g_test_add_func("/core/notify-message/all", test_all);
        g_test_add_func("/core/notify-message/numbers", test_numbers);
        g_test_add_func("/core/notify-message/pids", test_pids);
        g_test_add_func("/core/notify-message/errno", test_errno);
        g_test_add_func("/core/notify-message/access-and-watchdog", test_access_and_watchdog);
        g_test_add_func("/core/notify-message/status", test_status);
        g_test_add_func("/core/notify-message/status-length", test_status_length);
        g_test_add_func("/core/notify-message/name-length", test_name_length);
        g_test_add_func("/core/notify-message/message-length", test_message_length);
        g_test_add_func("/core/notify-message/nul", test_nul);
        return g_test_run();
}
