/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Stands in for libFuzzer: runs the target over each file of the folders that are given. */

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static void run_file(const char *path) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        size_t size = 0;

        if (!g_file_get_contents(path, &text, &size, &error)) {
                g_error("%s", error->message);
        }
        /* Of just that size, so that the sanitizers see what is read behind it. */
        g_autofree uint8_t *exact = g_memdup2(text, size);
        (void) LLVMFuzzerTestOneInput(size > 0 ? exact : (const uint8_t *) "", size);
}

static unsigned run_folder(const char *path) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GDir) folder = g_dir_open(path, 0, &error);
        unsigned count = 0;
        const char *name;

        if (!folder) {
                g_error("%s", error->message);
        }
        while ((name = g_dir_read_name(folder))) {
                g_autofree char *file = g_build_filename(path, name, NULL);
                (void) printf("%s\n", file);
                (void) fflush(stdout);
                run_file(file);
                count++;
        }
        return count;
}

int main(int argc, char **argv) {
        unsigned count = 0;

        for (int i = 1; i < argc; i++) {
                count += run_folder(argv[i]);
        }
        (void) printf("%u inputs\n", count);
        return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE; /* an empty corpus tests nothing */
}
