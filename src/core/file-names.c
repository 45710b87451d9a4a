/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/file-names.h"

#include <string.h>

enum {
        APP_PART_BYTES_MAX = 220, /* what is put behind it still fits NAME_MAX */
        DIGEST_BYTES = 16,
};

char *file_name_of_app(const char *name) {
        GString *part = g_string_new(NULL);
        g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA1, name, -1);

        for (; *name; name++) {
                bool keep = g_ascii_isalnum(*name) || strchr(".-\\", *name);
                g_string_append_c(part, keep ? *name : '-');
        }
        if (strcmp(part->str, ".") == 0 || strcmp(part->str, "..") == 0) {
                g_string_prepend_c(part, '-');
        }
        if (part->len > APP_PART_BYTES_MAX) {
                g_string_truncate(part, APP_PART_BYTES_MAX - DIGEST_BYTES - 1);
                g_string_append_printf(part, "-%.*s", DIGEST_BYTES, digest);
        }
        return g_string_free(part, FALSE);
}

char *file_name_with_id(const char *path, const char *suffix, uint32_t id) {
        if (!g_str_has_suffix(path, suffix)) {
                return g_strdup(path);
        }
        size_t stem = strlen(path) - strlen(suffix);
        size_t digits = stem;
        while (digits > 0 && g_ascii_isdigit(path[digits - 1])) {
                digits--;
        }
        if (digits < stem && digits > 0 && path[digits - 1] == '-') {
                stem = digits - 1;
        }
        return g_strdup_printf("%.*s-%u%s", (int) stem, path, id, suffix);
}

const char *file_name_extension(const char *path) {
        const char *base = strrchr(path, '/');
        base = base ? base + 1 : path;
        const char *dot = strrchr(base, '.');
        return dot && dot != base ? dot : "";
}

char *file_name_stem(const char *path) {
        g_autofree char *base = g_path_get_basename(path);
        base[strlen(base) - strlen(file_name_extension(base))] = '\0';
        return g_steal_pointer(&base);
}

/* g_canonicalize_filename() with an absolute base does no I/O. */
char *file_name_resolve(const char *path, const char *cwd, const char *home) {
        if (path[0] == '~' && (path[1] == '/' || path[1] == '\0')) {
                g_autofree char *below_home = g_strconcat(home, path + 1, NULL);
                return g_canonicalize_filename(below_home, "/");
        }
        while (path[0] == '/' && path[1] == '/') {
                path++; /* g_canonicalize_filename() would keep two */
        }
        return g_canonicalize_filename(path, cwd);
}

bool file_name_is_null(const char *path) {
        return strcmp(path, "NULL") == 0 || strcmp(path, "/dev/null") == 0;
}
