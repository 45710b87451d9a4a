/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/inspect-port.h"

#include <glib.h>

static void test_arguments(void) {
        static const struct {
                const char *argument;
                uint32_t instance;
                const char *expected;
        } cases[] = {
                { "--inspect", 0, "--inspect" },
                { "--inspect", 3, "--inspect=9232" },
                { "--inspect-brk", 1, "--inspect-brk=9230" },
                { "--inspect-wait", 1, "--inspect-wait=9230" },
                { "--inspect=5000", 2, "--inspect=5002" },
                { "--inspect=0", 2, "--inspect=0" },
                { "--inspect=65536", 2, "--inspect=65536" },
                { "--inspect=65534", 1, "--inspect=65535" },
                { "--inspect=65534", 2, "--inspect=1024" },
                { "--inspect=65535", 3, "--inspect=1026" },
                { "--inspect=host", 1, "--inspect=host:9230" },
                { "--inspect=127.0.0.1", 1, "--inspect=127.0.0.1:9230" },
                { "--inspect=127.0.0.1:80", 1, "--inspect=127.0.0.1:81" },
                { "--inspect=[::1]", 1, "--inspect=[::1]:9230" },
                { "--inspect-brk=[::1]:9000", 5, "--inspect-brk=[::1]:9005" },
                { "--inspect=", 1, "--inspect=9230" },
                { "--inspector", 1, "--inspector" },
                { "--inspect-port=80", 1, "--inspect-port=80" },
                { "--max-old-space-size=80", 1, "--max-old-space-size=80" },
                { "", 1, "" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *got = inspect_argument_of(cases[i].argument, cases[i].instance);
                g_assert_cmpstr(got, ==, cases[i].expected);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/inspect-port/arguments", test_arguments);
        return g_test_run();
}
