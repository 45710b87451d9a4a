/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/host-mounts.h"

#include "basic/macro.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
        MOUNTS_MAX = 4096,
        FIELDS = 3, /* source, folder, type */
};

/* What never waits for anything but a disk of this machine. Whatever else there is may. */
static const char *const local_types[] = {
        "bcachefs", "btrfs",    "erofs",   "exfat", "ext2",  "ext3",  "ext4",     "f2fs",
        "hfs",      "hfsplus",  "iso9660", "jfs",   "minix", "msdos", "nilfs2",   "ntfs3",
        "reiserfs", "squashfs", "udf",     "ufs",   "vfat",  "xfs",   "devtmpfs", "overlay",
        "proc",     "ramfs",    "rootfs",  "sysfs", "tmpfs",
};

/* Block devices that are another machine's. */
static const char *const remote_devices[] = { "/dev/nbd", "/dev/rbd", "/dev/drbd" };

typedef struct Mount {
        char *source, *folder;
        bool local;
} Mount;

static void clear_mount(void *item) {
        Mount *mount = item;
        g_free(mount->source);
        g_free(mount->folder);
}

static void free_file_system(void *item) {
        HostFileSystem *file_system = item;
        g_free(file_system->folder);
        g_free(file_system);
}

/* Blanks and backslashes are written as octal numbers. */
static char *unescape(const char *text) {
        GString *plain = g_string_new(NULL);

        for (; *text; text++) {
                bool octal = text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
                             text[2] <= '7' && text[3] >= '0' && text[3] <= '7';
                if (octal) {
                        int byte = (text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0');
                        g_string_append_c(plain, (char) byte);
                        text += 3;
                } else {
                        g_string_append_c(plain, *text);
                }
        }
        return g_string_free(plain, FALSE);
}

static bool is_one_of(const char *word, const char *const *words, size_t count) {
        for (size_t i = 0; i < count; i++) {
                if (strcmp(word, words[i]) == 0) {
                        return true;
                }
        }
        return false;
}

static bool is_remote_device(const char *source) {
        for (size_t i = 0; i < ELEMENTS(remote_devices); i++) {
                if (g_str_has_prefix(source, remote_devices[i])) {
                        return true;
                }
        }
        return false;
}

static GArray *parse_all(const char *text) {
        GArray *mounts = g_array_new(FALSE, FALSE, sizeof(Mount));
        g_auto(GStrv) lines = g_strsplit(text, "\n", MOUNTS_MAX);

        g_array_set_clear_func(mounts, clear_mount);
        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, " ", FIELDS + 1);
                if (g_strv_length(fields) < FIELDS) {
                        continue;
                }
                Mount mount = { .source = unescape(fields[0]), .folder = unescape(fields[1]) };
                mount.local = is_one_of(fields[2], local_types, ELEMENTS(local_types)) &&
                              !is_remote_device(mount.source);
                g_array_append_val(mounts, mount);
        }
        return mounts;
}

/* Whether a path is the folder or below it. */
static bool is_within(const char *path, const char *folder) {
        size_t length = strlen(folder);

        if (length > 0 && folder[length - 1] == '/') {
                length--; /* the root */
        }
        return strncmp(path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static bool can_be_asked(const GArray *mounts, const Mount *wanted) {
        if (!g_str_has_prefix(wanted->source, "/dev/")) {
                return false;
        }
        for (guint i = 0; i < mounts->len; i++) {
                const Mount *mount = &g_array_index(mounts, Mount, i);
                if (!mount->local && is_within(wanted->folder, mount->folder)) {
                        return false;
                }
        }
        return true;
}

GPtrArray *host_parse_mounts(const char *text) {
        g_autoptr(GArray) mounts = parse_all(text);
        g_autoptr(GHashTable) sources = g_hash_table_new(g_str_hash, g_str_equal);
        GPtrArray *folders = g_ptr_array_new_with_free_func(g_free);

        for (guint i = 0; i < mounts->len && folders->len < HOST_FILE_SYSTEMS_MAX; i++) {
                const Mount *mount = &g_array_index(mounts, Mount, i);
                if (can_be_asked(mounts, mount) && g_hash_table_add(sources, mount->source)) {
                        g_ptr_array_add(folders, g_strdup(mount->folder));
                }
        }
        return folders;
}

static HostFileSystem *read_one(const char *folder) {
        struct statvfs status;

        if (statvfs(folder, &status) < 0 || status.f_blocks == 0) {
                return NULL;
        }
        HostFileSystem *file_system = g_new(HostFileSystem, 1);
        *file_system = (HostFileSystem){
                .folder = g_strdup(folder),
                .size_bytes = (uint64_t) status.f_blocks * status.f_frsize,
                .used_bytes = (uint64_t) (status.f_blocks - status.f_bfree) * status.f_frsize,
                .free_bytes = (uint64_t) status.f_bavail * status.f_frsize,
        };
        return file_system;
}

GPtrArray *host_file_systems_read(void) {
        GPtrArray *file_systems = g_ptr_array_new_with_free_func(free_file_system);
        g_autofree char *text = NULL;

        if (!g_file_get_contents("/proc/self/mounts", &text, NULL, NULL)) {
                return file_systems;
        }
        g_autoptr(GPtrArray) folders = host_parse_mounts(text);
        for (guint i = 0; i < folders->len; i++) {
                HostFileSystem *file_system = read_one(folders->pdata[i]);
                if (file_system) {
                        g_ptr_array_add(file_systems, file_system);
                }
        }
        return file_systems;
}
