/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/exit-status.h"

#include "basic/signal-util.h"

#include <glib.h>
#include <signal.h>

ExitStatus exit_status_from_wait(int wait_code, int wait_status) {
        if (wait_code == CLD_EXITED) {
                return (ExitStatus){ .code = wait_status, .signal = 0 };
        }
        if (wait_code == CLD_KILLED || wait_code == CLD_DUMPED) {
                return (ExitStatus){ .code = -1, .signal = wait_status };
        }
        return EXIT_STATUS_NONE;
}

char *exit_status_describe(ExitStatus status) {
        if (status.signal != 0) {
                const char *name = signal_to_name(status.signal);
                const char *why = status.oom ? ", out of memory" : "";
                return name ? g_strdup_printf("was ended by %s%s", name, why)
                            : g_strdup_printf("was ended by signal %d%s", status.signal, why);
        }
        if (status.code >= 0) {
                return g_strdup_printf("exited with code %d", status.code);
        }
        return g_strdup("exited, status unknown");
}
