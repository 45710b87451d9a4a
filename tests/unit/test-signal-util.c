/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/signal-util.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>

static void test_names(void) {
        static const struct {
                int number;
                const char *name;
        } known[] = {
                { SIGHUP, "SIGHUP" },   { SIGINT, "SIGINT" },   { SIGQUIT, "SIGQUIT" },
                { SIGKILL, "SIGKILL" }, { SIGUSR1, "SIGUSR1" }, { SIGUSR2, "SIGUSR2" },
                { SIGTERM, "SIGTERM" }, { SIGCHLD, "SIGCHLD" }, { SIGSEGV, "SIGSEGV" },
                { SIGSYS, "SIGSYS" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
                g_assert_cmpstr(signal_to_name(known[i].number), ==, known[i].name);
        }
        g_assert_cmpstr(signal_to_name(SIGRTMIN), ==, "SIGRTMIN+0");
        g_assert_cmpstr(signal_to_name(SIGRTMIN + 3), ==, "SIGRTMIN+3");
        g_assert_null(signal_to_name(0));
        g_assert_null(signal_to_name(-1));
        g_assert_null(signal_to_name(SIGRTMAX + 1));
        g_assert_null(signal_to_name(INT_MAX));
        g_assert_null(signal_to_name(INT_MIN));
}

/* What is a signal has a name, and the name, in all its forms, is that signal. */
static void test_round_trip(void) {
        unsigned count = 0;

        for (int number = -2; number <= SIGRTMAX + 2; number++) {
                g_autofree char *digits = g_strdup_printf("%d", number);
                g_autofree char *name = g_strdup(signal_to_name(number));
                if (!name) {
                        g_assert_cmpint(signal_from_text(digits), ==, -EINVAL);
                        continue;
                }
                g_autofree char *lower = g_ascii_strdown(name, -1);
                count++;
                g_assert_cmpint(signal_from_text(digits), ==, number);
                g_assert_cmpint(signal_from_text(name), ==, number);
                g_assert_cmpint(signal_from_text(name + 3), ==, number);
                g_assert_cmpint(signal_from_text(lower), ==, number);
                g_assert_cmpint(signal_from_text(lower + 3), ==, number);
        }
        /* 32 and 33 belong to the C library. */
        g_assert_cmpuint(count, ==, (unsigned) (31 + SIGRTMAX - SIGRTMIN + 1));
}

static void test_real_time(void) {
        g_assert_cmpint(signal_from_text("SIGRTMIN"), ==, SIGRTMIN);
        g_assert_cmpint(signal_from_text("RTMIN"), ==, SIGRTMIN);
        g_assert_cmpint(signal_from_text("rtmin+1"), ==, SIGRTMIN + 1);
        g_assert_cmpint(signal_from_text("SIGRTMAX"), ==, SIGRTMAX);
        g_assert_cmpint(signal_from_text("SIGRTMAX-1"), ==, SIGRTMAX - 1);
        g_assert_cmpint(signal_from_text("SIGRTMIN+30"), ==, SIGRTMAX);
        g_assert_cmpint(signal_from_text("SIGRTMAX-30"), ==, SIGRTMIN);
}

static void test_refused(void) {
        static const char *const texts[] = {
                "",
                "SIG",
                "SIGSIGINT",
                "INT ",
                " INT",
                "SIGINTX",
                "SIGFOO",
                "0",
                "-2",
                "32",
                "33",
                "65",
                "9.0",
                "4294967305", /* 9 in 32 bits */
                "18446744073709551625",
                "SIGRTMIN+31",
                "SIGRTMIN-1",
                "SIGRTMAX+1",
                "SIGRTMAX-31",
                "SIGRTMIN+",
                "SIGRTMIN+x",
                "SIGRTMIN+4294967296",
                "SIGRTMINX",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_test_message("'%s'", texts[i]);
                g_assert_cmpint(signal_from_text(texts[i]), ==, -EINVAL);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/basic/signal-util/names", test_names);
        g_test_add_func("/basic/signal-util/round-trip", test_round_trip);
        g_test_add_func("/basic/signal-util/real-time", test_real_time);
        g_test_add_func("/basic/signal-util/refused", test_refused);
        return g_test_run();
}
