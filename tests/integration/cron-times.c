/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The times of cron expressions, for a test that compares them with another implementation: of each line
 * "zone<TAB>seconds since 1970<TAB>count<TAB>expression" those that follow, or "error" and the reason. */

#include "core/cron.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_times(const char *const *words) {
        g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(words[0]);
        int64_t at = g_ascii_strtoll(words[1], NULL, 10);
        g_auto(Error) error = { 0 };
        Cron cron;

        if (!zone || cron_parse(words[3], &cron, &error) < 0) {
                (void) printf("error %s", zone ? error.message : "no such zone");
                return;
        }
        for (int64_t count = g_ascii_strtoll(words[2], NULL, 10); count > 0; count--) {
                if (cron_next(&cron, zone, at, &at) < 0) {
                        return;
                }
                (void) printf("%" PRId64 " ", at);
        }
}

int main(void) {
        char line[1024];

        while (fgets(line, sizeof(line), stdin)) {
                g_auto(GStrv) words = g_strsplit(g_strchomp(line), "\t", 4);
                if (g_strv_length(words) != 4) {
                        return EXIT_FAILURE;
                }
                print_times((const char *const *) words);
                (void) putchar('\n');
        }
        return EXIT_SUCCESS;
}
