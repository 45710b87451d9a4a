/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"

/* Where interpreters of an app are looked for. All is borrowed. */
typedef struct InterpreterPlaces {
        const char *search_path; /* PATH of the app, NULL: the default */
        const char *cwd, *home;
        const char *nvm_dir; /* NULL: .nvm at home */
} InterpreterPlaces;

/* The program of an interpreter that is named by a path, a name in PATH, or "node@18". ret_interpreter gets
 * what it is called from then on. extension: it was chosen by that, NULL: it was declared. InvalidConfig. */
int app_interpreter_find(
                const InterpreterPlaces *places,
                const char *interpreter,
                const char *extension,
                char **ret_interpreter,
                char **ret_program,
                Error *error);

/* Of a script that is to be executed itself: whether what its first line names is there. */
int app_interpreter_check_script(
                const InterpreterPlaces *places, const char *script, bool *ret_node, Error *error);

/* What the first line of a script names, if it gives it nothing but the script; NULL: nothing that will do.
 * Freed by the caller. */
char *app_interpreter_of_script(const char *script);
