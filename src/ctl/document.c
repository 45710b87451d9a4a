/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Each document is validated before it is used: that way all that is wrong in it is told at once, with the
 * file, and the notices reach the one who wrote it. */

#include "document.h"

#include "attributes.h"
#include "i18n.h"
#include "output.h"

#include "basic/time-util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DOCUMENT_MAX (1U << 20)

bool document_is_meant(const char *word) {
        return strcmp(word, "-") == 0 || pm2_is_ecosystem_path(word);
}

bool document_is_file(const char *word) {
        return pm2_is_ecosystem_path(word) && access(word, F_OK) == 0;
}

bool document_is_among(const Arguments *arguments, unsigned first) {
        for (guint i = first; i < arguments->positional->len; i++) {
                if (document_is_meant(g_ptr_array_index(arguments->positional, i))) {
                        return true;
                }
        }
        return false;
}

/* --env without an assignment names a profile. */
static bool is_profile(const OptionValue *option) {
        return strcmp(option->spec->name, "env") == 0 && !strchr(option->value, '=');
}

int document_check_options(const Arguments *arguments, char **ret_message) {
        const char *name = arguments->behind ? "ARGS" : NULL;

        for (guint i = 0; !name && i < arguments->options->len; i++) {
                const OptionValue *option = &g_array_index(arguments->options, OptionValue, i);
                bool attribute = (option->spec->group & GROUP_ATTRIBUTES) && !is_profile(option);
                if (attribute || strcmp(option->spec->name, "force") == 0) {
                        name = option->spec->name;
                }
        }
        if (!name) {
                return 0;
        }
        *ret_message = g_strdup_printf(
                        _("%s%s cannot be given with an ecosystem file, which has it in itself"),
                        arguments->behind ? "" : "--",
                        name);
        return -EINVAL;
}

static int set_only(const char *only, pm2_options *options) {
        g_auto(GStrv) names = g_strsplit(only, ",", -1);
        g_autoptr(GPtrArray) used = g_ptr_array_new();

        for (char **name = names; *name; name++) {
                (void) g_strstrip(*name);
                if (**name) {
                        g_ptr_array_add(used, *name);
                }
        }
        g_ptr_array_add(used, NULL);
        return pm2_options_set_strv(options, "only", (const char *const *) used->pdata);
}

int document_add_options(const Arguments *arguments, pm2_options *options) {
        const char *only = arguments_get(arguments, "only");
        const char *profile = arguments_get(arguments, "env");
        int r = 0;

        if (only) {
                r = set_only(only, options);
        }
        if (r >= 0 && profile) {
                r = pm2_options_set_string(options, "env", profile);
        }
        if (r >= 0 && arguments_has(arguments, "update-env")) {
                r = pm2_options_set_bool(options, "update_env", true);
        }
        return r;
}

/* Read all of standard input. -EFBIG: it is too much. */
static int read_input(char **ret) {
        g_autoptr(GString) text = g_string_new(NULL);
        char buffer[65536];

        for (;;) {
                ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));
                if (n < 0 && errno == EINTR) {
                        continue;
                }
                if (n < 0) {
                        return -errno;
                }
                if (n == 0) {
                        *ret = strlen(text->str) == text->len ? strdup(text->str) : NULL;
                        return *ret ? 0 : -EILSEQ;
                }
                if (text->len + (gsize) n > DOCUMENT_MAX) {
                        return -EFBIG;
                }
                (void) g_string_append_len(text, buffer, n);
        }
}

int document_read(Ctl *ctl, const Arguments *arguments, const char *path, char **ret_text) {
        const char *timeout = arguments_get(arguments, "timeout");
        uint64_t usec = 0;

        if (strcmp(path, "-") == 0) {
                int r = read_input(ret_text);
                if (r < 0) {
                        print_error(_("cannot read %s: %s"), path, g_strerror(-r));
                }
                return r < 0 ? EXIT_FAILED : EXIT_OK;
        }
        if (timeout && parse_duration_usec(timeout, &usec) < 0) {
                print_error(_("\"%s\" is not a duration"), timeout);
                return EXIT_USAGE;
        }
        int r = pm2_read_ecosystem(ctl->client, path, usec, ret_text);
        return r < 0 ? print_failure(ctl, r) : EXIT_OK;
}

/* "FILE: message"; nothing is put before what came from standard input. */
static void print_about(const char *path, const char *message) {
        if (strcmp(path, "-") == 0) {
                print_error("%s", message);
        } else {
                print_error("%s: %s", path, message);
        }
}

static void print_texts(const char *path, const pm2_value *texts) {
        for (size_t i = 0; i < pm2_value_get_length(texts); i++) {
                const char *text = "";
                (void) pm2_value_get_string(pm2_value_get_item(texts, i), "", &text);
                print_about(path, text);
        }
}

int document_validate(
                Ctl *ctl, const char *path, const char *text, const pm2_options *options, pm2_value **ret) {
        int r = pm2_validate(ctl->client, text, options, ret);

        if (r == -ECONNRESET || r == -ENOTCONN) {
                return print_failure(ctl, r);
        }
        if (r < 0) {
                const char *message = pm2_last_error_message(ctl->client);
                print_about(path, message[0] ? message : g_strerror(-r));
                return EXIT_FAILED;
        }
        return EXIT_OK;
}

void document_print_notices(const Ctl *ctl, const char *path, const pm2_value *result) {
        if (!ctl->silent) {
                print_texts(path, pm2_value_get(result, "notices"));
        }
}

bool document_print_errors(const char *path, const pm2_value *result) {
        const pm2_value *errors = pm2_value_get(result, "errors");

        print_texts(path, errors);
        return pm2_value_get_length(errors) > 0;
}

bool document_start(
                Change *change, const Arguments *arguments, const char *path, const pm2_options *options) {
        pm2_value *result = NULL, *processes = NULL;
        char *text = NULL;

        int status = document_read(change->ctl, arguments, path, &text);
        if (status == EXIT_OK) {
                status = document_validate(change->ctl, path, text, options, &result);
        }
        if (status == EXIT_OK && document_print_errors(path, result)) {
                status = EXIT_FAILED;
        }
        bool go_on;
        if (status == EXIT_OK) {
                document_print_notices(change->ctl, path, result);
                int r = pm2_start_json(change->ctl->client, text, options, &processes);
                go_on = change_add(change, r, processes);
        } else {
                go_on = change_note_failure(change, status);
        }
        (void) pm2_value_free(result);
        free(text);
        return go_on;
}

int document_list_targets(Ctl *ctl, const Arguments *arguments, const char *path, char ***ret) {
        g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func(g_free);
        pm2_options *options = NULL;
        pm2_value *result = NULL;
        char *text = NULL;

        int status = document_read(ctl, arguments, path, &text);
        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = document_add_options(arguments, options);
        }
        if (r < 0) {
                print_error("%s", g_strerror(-r));
                status = EXIT_FAILED;
        }
        if (status == EXIT_OK) {
                status = document_validate(ctl, path, text, options, &result);
        }
        const pm2_value *apps = pm2_value_get(result, "apps");
        for (size_t i = 0; i < pm2_value_get_length(apps); i++) {
                const char *name = "";
                (void) pm2_value_get_string(pm2_value_get_item(apps, i), "name", &name);
                if (name[0]) {
                        g_ptr_array_add(targets, g_strconcat("name:", name, NULL));
                }
        }
        g_ptr_array_add(targets, NULL);
        (void) pm2_value_free(result);
        (void) pm2_options_free(options);
        free(text);
        if (status == EXIT_OK) {
                *ret = (char **) g_ptr_array_free(g_steal_pointer(&targets), FALSE);
        }
        return status;
}
