/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Find what runs a script, before anything is touched: a missing interpreter is an error of the call, not a
 * process that ends at once. */

#include "manager/app-interpreter.h"

#include "basic/cleanup.h"
#include "core/file-names.h"
#include "core/interpreter.h"
#include "platform/program-lookup.h"

#include <fcntl.h>
#include <string.h>

enum {
        FIRST_LINE_MAX = 512, /* the kernel takes 256 */
};

static int refuse_missing(const char *interpreter, const char *extension, Error *error) {
        g_autofree char *quoted = error_quote(interpreter);
        g_autofree char *why = extension ? g_strdup_printf(", and the script's extension %s asks for it "
                                                           "(the attribute interpreter changes that)",
                                                           extension)
                                         : g_strdup("");

        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "interpreter: %s is not an executable file%s%s",
                        quoted,
                        strchr(interpreter, '/') ? "" : " in PATH",
                        why);
}

/* The newest installed version that matches, as nvm lays them out. */
static char *find_version(const char *folder, const char *wanted) {
        g_autofree char *newest = NULL;
        const char *name;

        GDir *versions = g_dir_open(folder, 0, NULL);
        while (versions && (name = g_dir_read_name(versions))) {
                g_autofree char *program = g_build_filename(folder, name, "bin", "node", NULL);
                g_autofree char *found = NULL;
                if (interpreter_version_matches(name, wanted) &&
                    (!newest || interpreter_version_compare(name, newest) > 0) &&
                    program_find(program, NULL, &found) >= 0) {
                        g_free(newest);
                        newest = g_strdup(name);
                }
        }
        if (versions) {
                g_dir_close(versions);
        }
        return newest ? g_build_filename(folder, newest, "bin", "node", NULL) : NULL;
}

static int find_versioned(
                const InterpreterPlaces *places,
                const char *interpreter,
                const char *wanted,
                char **ret_program,
                Error *error) {
        g_autofree char *base = places->nvm_dir && places->nvm_dir[0] == '/'
                                                ? g_strdup(places->nvm_dir)
                                                : g_build_filename(places->home, ".nvm", NULL);
        g_autofree char *folder = g_build_filename(base, "versions", "node", NULL);
        bool plain = wanted[0] && !strchr(wanted, '/');
        char *program = plain ? find_version(folder, wanted) : NULL;

        if (!program) {
                g_autofree char *quoted = error_quote(interpreter);
                g_autofree char *where = error_quote(folder);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "interpreter: %s: no such version is installed in %s",
                                quoted,
                                where);
        }
        *ret_program = program;
        return 0;
}

int app_interpreter_find(
                const InterpreterPlaces *places,
                const char *interpreter,
                const char *extension,
                char **ret_interpreter,
                char **ret_program,
                Error *error) {
        const char *wanted = interpreter_wanted_version(interpreter);
        const char *instead = interpreter_instead_of(interpreter);

        if (wanted) {
                int r = find_versioned(places, interpreter, wanted, ret_program, error);
                if (r >= 0) {
                        *ret_interpreter = g_strdup(*ret_program);
                }
                return r;
        }
        g_autofree char *path = strchr(interpreter, '/')
                                                ? file_name_resolve(interpreter, places->cwd, places->home)
                                                : g_strdup(interpreter);
        int r = program_find(path, places->search_path, ret_program);
        if (r < 0 && extension && instead) {
                r = program_find(instead, places->search_path, ret_program);
                interpreter = r < 0 ? interpreter : instead;
        }
        if (r < 0) {
                return refuse_missing(interpreter, extension, error);
        }
        *ret_interpreter = g_strdup(interpreter);
        return 0;
}

static char *read_first_line(const char *script) {
        char text[FIRST_LINE_MAX];

        _cleanup_close_ int fd = open(script, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        ssize_t n = fd < 0 ? -1 : read_fd_text(fd, text, sizeof(text));
        return n < 0 ? NULL : g_strndup(text, strcspn(text, "\n"));
}

int app_interpreter_check_script(
                const InterpreterPlaces *places, const char *script, bool *ret_node, Error *error) {
        g_autofree char *line = read_first_line(script);
        bool alone;
        g_autofree char *named = line ? interpreter_of_first_line(line, &alone) : NULL;
        g_autofree char *program = NULL;

        *ret_node = named && interpreter_is_node(named);
        /* What is relative is the kernel's to find, from the folder that the app will run in. */
        if (!named || (strchr(named, '/') && named[0] != '/') ||
            program_find(named, places->search_path, &program) >= 0) {
                return 0;
        }
        g_autofree char *quoted = error_quote(named);
        g_autofree char *where = error_quote(script);
        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "script: %s: its first line names %s, which is not an executable file%s",
                        where,
                        quoted,
                        named[0] == '/' ? "" : " in PATH");
}

char *app_interpreter_of_script(const char *script) {
        g_autofree char *line = read_first_line(script);
        bool alone = false;
        char *named = line ? interpreter_of_first_line(line, &alone) : NULL;

        if (named && !alone) {
                g_clear_pointer(&named, g_free);
        }
        return named;
}
