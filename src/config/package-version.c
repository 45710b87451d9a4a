/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config/package-version.h"

#include "basic/cleanup.h"
#include "config/json-text.h"

#include <fcntl.h>
#include <string.h>

enum {
        FOLDERS_MAX = 64,
        VERSION_BYTES_MAX = 64,
};

static char *version_in(const char *package_file) {
        _cleanup_free_ char *text = NULL;
        g_autoptr(Value) root = NULL;
        size_t length = 0;

        if (read_file(AT_FDCWD, package_file, JSON_BYTES_MAX, &text, &length) < 0 ||
            json_text_decode(text, length, &root, NULL) < 0 || root->kind != VALUE_MAP) {
                return NULL;
        }
        const Value *version = value_get(root, "version");
        if (!version || version->kind != VALUE_STRING || strlen(version->string) > VERSION_BYTES_MAX) {
                return NULL;
        }
        return g_strdup(version->string);
}

char *package_version_find(const char *script_path) {
        g_autofree char *folder = g_path_get_dirname(script_path);

        for (int i = 0; i < FOLDERS_MAX && folder[0] == '/'; i++) {
                g_autofree char *package_file = g_build_filename(folder, "package.json", NULL);
                if (g_file_test(package_file, G_FILE_TEST_EXISTS)) {
                        char *version = version_in(package_file);
                        return version ? version : g_strdup("N/A");
                }
                if (folder[1] == '\0') {
                        break;
                }
                char *parent = g_path_get_dirname(folder);
                g_free(folder);
                folder = parent;
        }
        return g_strdup("N/A");
}
