/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Which options a verb takes. */
typedef enum OptionGroup {
        GROUP_COMMON = 1 << 0,     /* --help --system --user */
        GROUP_JSON = 1 << 1,       /* --json */
        GROUP_CALL = 1 << 2,       /* --no-wait --timeout */
        GROUP_ATTRIBUTES = 1 << 3, /* the attributes of an app */
        GROUP_START = 1 << 4,      /* --force --no-daemon */
        GROUP_RESTART = 1 << 5,    /* --update-env */
        GROUP_LOGS = 1 << 6,
        GROUP_QUIET = 1 << 7,   /* --silent */
        GROUP_SAVE = 1 << 8,    /* --force */
        GROUP_FILE = 1 << 9,    /* --only --env */
        GROUP_CHECK = 1 << 10,  /* --update-env of validate */
        GROUP_BUS = 1 << 11,    /* --event */
        GROUP_IMPORT = 1 << 12, /* --dry-run */
} OptionGroup;

typedef enum OptionKind {
        KIND_FLAG,     /* --x */
        KIND_SWITCH,   /* --x and --no-x */
        KIND_STRING,   /* --x VALUE; the last one counts */
        KIND_LIST,     /* --x VALUE, any number of times */
        KIND_OPTIONAL, /* --x and --x=VALUE */
} OptionKind;

typedef struct OptionSpec {
        const char *name;
        const char *alias; /* a second long name, or NULL */
        char letter;       /* or NUL */
        OptionKind kind;
        unsigned group;
        const char *attribute; /* the attribute of an app that it sets, or NULL */
        const char *value;     /* what its value is called in the help, or NULL */
        const char *help;
} OptionSpec;

/* Every option of every verb, ended by an entry without a name. */
extern const OptionSpec option_specs[];

typedef struct OptionValue {
        const OptionSpec *spec;
        const char *value; /* "true" or "false" for a switch, "" for a flag or where none was given */
} OptionValue;

/* A parsed command line. The texts are those of argv. */
typedef struct Arguments {
        GPtrArray *positional;
        GArray *options;           /* of OptionValue, in order */
        const char *const *behind; /* what stands behind "--", NULL without it */
} Arguments;

/* Parse what follows the verb; groups are the options that it takes. Where behind_dashes, what is behind
 * "--" is kept apart, else it is positional. -EINVAL: ret_message says what is wrong, to be freed with
 * g_free(). arguments must be ended with arguments_done() in any case. */
int arguments_parse(
                const char *const *argv,
                unsigned groups,
                bool behind_dashes,
                Arguments *arguments,
                char **ret_message);
void arguments_done(Arguments *arguments);

/* The last value of an option, NULL if it was not given. */
const char *arguments_get(const Arguments *arguments, const char *name);

bool arguments_has(const Arguments *arguments, const char *name);

/* Of --system and --user the last one counts. */
bool arguments_want_system(const Arguments *arguments);

/* The option of a long name or alias within groups, NULL if there is none. */
const OptionSpec *option_find(const char *name, unsigned groups);
