/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config/settings.h"

#include "basic/parse-util.h"
#include "basic/time-util.h"

#include <inttypes.h>
#include <string.h>

#define SECTION "daemon"

typedef enum SettingType {
        SETTING_STRING,
        SETTING_NUMBER,
        SETTING_DURATION,
        SETTING_SIZE,
} SettingType;

typedef struct Setting {
        const char *name;
        SettingType type;
        size_t offset;
        uint64_t minimum; /* of a duration: in µs */
        uint64_t maximum;
        const char *fallback;
        const char *choices; /* of a string, separated by blanks; NULL: any */
        const char *help;
} Setting;

#define ROW(field) .offset = offsetof(Settings, field)

static const Setting table[] = {
        { .name = "log_level",
          .type = SETTING_STRING,
          ROW(log_level),
          .fallback = "info",
          .choices = "emerg alert crit err warning notice info debug",
          .help = "What the supervisor says about itself." },
        { .name = "isolation",
          .type = SETTING_STRING,
          ROW(isolation),
          .fallback = "auto",
          .choices = "auto scope group cgroup none",
          .help = "What holds the processes of an app together; auto takes the best that works." },
        { .name = "adopt",
          .type = SETTING_STRING,
          ROW(adopt),
          .fallback = "known",
          .choices = "nothing known all",
          .help = "What a supervisor goes on with that another left running: known: what the state speaks "
                  "of, and "
                  "the rest is ended; all: the rest too, as apps made of what runs; nothing: what one that "
                  "died "
                  "left is ended." },
        { .name = "cgroup_root",
          .type = SETTING_STRING,
          ROW(cgroup_root),
          .fallback = "",
          .help = "Folder of cgroup v2 for the backend \"cgroup\"; empty: below the supervisor's own." },
        { .name = "load_saved",
          .type = SETTING_STRING,
          ROW(load_saved),
          .fallback = "yes",
          .choices = "yes no",
          .help = "Whether the service loads the saved list when it starts." },
        { .name = "pm2_version",
          .type = SETTING_STRING,
          ROW(pm2_version),
          .fallback = "7.0.4",
          .help = "The version of PM2 that its clients are told: one that is not theirs makes them print a "
                  "warning." },
        { .name = "processes_max",
          .type = SETTING_NUMBER,
          ROW(processes_max),
          .minimum = 1,
          .maximum = 100000,
          .fallback = "10000",
          .help = "Processes that may be registered." },
        { .name = "start_parallel",
          .type = SETTING_NUMBER,
          ROW(start_parallel),
          .minimum = 1,
          .maximum = 10000,
          .fallback = "128",
          .help = "Starts by command that may be on their way to their program at the same time; more wait "
                  "for "
                  "their turn." },
        { .name = "peers_max",
          .type = SETTING_NUMBER,
          ROW(peers_max),
          .minimum = 1,
          .maximum = 10000,
          .fallback = "256",
          .help = "Connections to the private socket." },
        { .name = "pending_calls_max",
          .type = SETTING_NUMBER,
          ROW(pending_calls_max),
          .minimum = 1,
          .maximum = 10000,
          .fallback = "64",
          .help = "Calls of one client that may wait for their reply." },
        { .name = "message_bytes_max",
          .type = SETTING_NUMBER,
          ROW(message_bytes_max),
          .minimum = 1024,
          .maximum = UINT64_C(1024) * 1024,
          .fallback = "1048576",
          .help = "Bytes of one message that an app may send over its channel; longer ones are dropped." },
        { .name = "launch_timeout",
          .type = SETTING_DURATION,
          ROW(launch_timeout_usec),
          .minimum = 100 * USEC_PER_MSEC,
          .maximum = 3600 * USEC_PER_SEC,
          .fallback = "10s",
          .help = "Time that a start may take until the program is executed." },
        { .name = "streams_max",
          .type = SETTING_NUMBER,
          ROW(streams_max),
          .minimum = 1,
          .maximum = 1000,
          .fallback = "64",
          .help = "Streams of events that one user may have open; all users together may have four times as "
                  "many." },
        { .name = "stream_backlog_max",
          .type = SETTING_NUMBER,
          ROW(stream_backlog_max),
          .minimum = UINT64_C(64) * 1024,
          .maximum = UINT64_C(1024) * 1024 * 1024,
          .fallback = "4194304",
          .help = "Bytes that the reader of a stream of events may be behind; then it loses lines, and is "
                  "told "
                  "how many." },
        { .name = "logs_max",
          .type = SETTING_SIZE,
          ROW(logs_max_bytes),
          .maximum = UINT64_C(1) << 50,
          .fallback = "0",
          .help = "Bytes of all logs together of what runs, with the parts that log_retain keeps (\"4G\"): "
                  "above it the largest ones lose their oldest part. 0: no cap." },
};

static void *field_of(const Settings *settings, const Setting *setting) {
        return (char *) settings + setting->offset;
}

static bool is_choice(const char *choices, const char *text) {
        g_auto(GStrv) words = g_strsplit(choices, " ", -1);
        return g_strv_contains((const char *const *) words, text);
}

static int store(Settings *settings, const Setting *setting, const char *text) {
        if (setting->type == SETTING_STRING) {
                if (setting->choices && !is_choice(setting->choices, text)) {
                        return -EINVAL;
                }
                char **field = field_of(settings, setting);
                g_free(*field);
                *field = g_strdup(text);
                return 0;
        }
        uint64_t number = 0;
        int64_t integer = 0;
        int r = setting->type == SETTING_DURATION ? parse_duration_usec(text, &number)
                : setting->type == SETTING_SIZE   ? parse_size(text, &number)
                                                  : parse_int64(text, &integer);
        if (r < 0) {
                return r;
        }
        if (setting->type == SETTING_NUMBER) {
                number = integer < 0 ? UINT64_MAX : (uint64_t) integer;
        }
        if (number < setting->minimum || number > setting->maximum) {
                return -ERANGE;
        }
        *(uint64_t *) field_of(settings, setting) = number;
        return 0;
}

void settings_init(Settings *settings) {
        *settings = (Settings){ 0 };
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                (void) store(settings, &table[i], table[i].fallback);
        }
}

void settings_done(Settings *settings) {
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                if (table[i].type == SETTING_STRING) {
                        g_free(*(char **) field_of(settings, &table[i]));
                }
        }
        *settings = (Settings){ 0 };
}

static int read_key(Settings *settings, const char *path, const char *key, const char *text, Error *error) {
        g_autofree char *quoted = error_quote(text);

        for (size_t i = 0; i < ELEMENTS(table); i++) {
                const Setting *setting = &table[i];
                if (strcmp(setting->name, key) != 0) {
                        continue;
                }
                int r = store(settings, setting, text);
                if (r == -ERANGE) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s: %s: %s is out of range",
                                        path,
                                        key,
                                        quoted);
                }
                if (r < 0) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s: %s: %s is not one of: %s",
                                        path,
                                        key,
                                        quoted,
                                        setting->choices                  ? setting->choices
                                        : setting->type == SETTING_NUMBER ? "a whole number"
                                        : setting->type == SETTING_SIZE   ? "a size"
                                                                          : "a duration");
                }
                return 0;
        }
        return error_set(error, ERROR_INVALID_CONFIG, "%s: unknown setting '%s'", path, key);
}

int settings_read_file(Settings *settings, const char *path, Error *error) {
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autoptr(GError) cause = NULL;

        if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &cause)) {
                if (g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
                        return 0;
                }
                return error_set(error, ERROR_INVALID_CONFIG, "%s: %s", path, cause->message);
        }
        g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
        for (char **group = groups; *group; group++) {
                if (strcmp(*group, SECTION) != 0) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "%s: unknown section [%s]",
                                        path,
                                        *group);
                }
        }
        g_auto(GStrv) keys = g_key_file_get_keys(file, SECTION, NULL, NULL);
        for (char **key = keys; key && *key; key++) {
                g_autofree char *text = g_key_file_get_string(file, SECTION, *key, NULL);
                int r = read_key(settings, path, *key, text ? text : "", error);
                if (r < 0) {
                        return r;
                }
        }
        return 0;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

int settings_read_folder(Settings *settings, const char *folder, Error *error) {
        g_autofree char *main_file = g_build_filename(folder, "pm2d.conf", NULL);
        g_autofree char *drop_in_folder = g_build_filename(folder, "pm2d.conf.d", NULL);
        g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);

        int r = settings_read_file(settings, main_file, error);
        if (r < 0) {
                return r;
        }
        g_autoptr(GDir) listing = g_dir_open(drop_in_folder, 0, NULL);
        const char *name;
        while (listing && (name = g_dir_read_name(listing))) {
                if (name[0] != '.' && g_str_has_suffix(name, ".conf")) {
                        g_ptr_array_add(files, g_build_filename(drop_in_folder, name, NULL));
                }
        }
        g_ptr_array_sort(files, compare_names);
        for (guint i = 0; i < files->len; i++) {
                r = settings_read_file(settings, files->pdata[i], error);
                if (r < 0) {
                        return r;
                }
        }
        return 0;
}

char *settings_to_text(const Settings *settings) {
        GString *text = g_string_new("[" SECTION "]\n");

        for (size_t i = 0; i < ELEMENTS(table); i++) {
                g_string_append_printf(text, "# %s\n", table[i].help);
                if (table[i].choices) {
                        g_string_append_printf(text, "# One of: %s\n", table[i].choices);
                }
                const void *field = field_of(settings, &table[i]);
                if (table[i].type == SETTING_STRING) {
                        g_string_append_printf(text, "%s=%s\n", table[i].name, *(char *const *) field);
                } else {
                        uint64_t number = *(const uint64_t *) field;
                        uint64_t unit = table[i].type == SETTING_DURATION ? USEC_PER_MSEC : 1;
                        g_string_append_printf(text, "%s=%" PRIu64 "\n", table[i].name, number / unit);
                }
        }
        return g_string_free(text, FALSE);
}
