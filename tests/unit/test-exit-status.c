/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/exit-status.h"

#include <glib.h>
#include <signal.h>

static const struct {
        int wait_code, wait_status;
        int code, signal;
        const char *text;
} samples[] = {
        { CLD_EXITED, 0, 0, 0, "exited with code 0" },
        { CLD_EXITED, 1, 1, 0, "exited with code 1" },
        { CLD_EXITED, 255, 255, 0, "exited with code 255" },
        { CLD_KILLED, SIGKILL, -1, SIGKILL, "was ended by SIGKILL" },
        { CLD_KILLED, SIGTERM, -1, SIGTERM, "was ended by SIGTERM" },
        { CLD_DUMPED, SIGSEGV, -1, SIGSEGV, "was ended by SIGSEGV" },
        { CLD_KILLED, 32, -1, 32, "was ended by signal 32" }, /* one without a name */
        { CLD_STOPPED, SIGSTOP, -1, 0, "exited, status unknown" },
        { 0, 0, -1, 0, "exited, status unknown" }, /* reaped by somebody else */
};

static void test_samples(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                ExitStatus status = exit_status_from_wait(samples[i].wait_code, samples[i].wait_status);
                g_autofree char *text = exit_status_describe(status);
                g_assert_cmpint(status.code, ==, samples[i].code);
                g_assert_cmpint(status.signal, ==, samples[i].signal);
                g_assert_cmpstr(text, ==, samples[i].text);
        }
        g_assert_cmpint(EXIT_STATUS_NONE.code, ==, -1);
        g_assert_cmpint(EXIT_STATUS_NONE.signal, ==, 0);
}

static void test_out_of_memory(void) {
        g_autofree char *text =
                        exit_status_describe((ExitStatus){ .code = -1, .signal = SIGKILL, .oom = true });

        g_assert_cmpstr(text, ==, "was ended by SIGKILL, out of memory");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/exit-status/samples", test_samples);
        g_test_add_func("/core/exit-status/out-of-memory", test_out_of_memory);
        return g_test_run();
}
