/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of verbs, and what is common to them: parsing, connecting, dispatch. */

#include "ctl.h"

#include "i18n.h"
#include "output.h"

#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANGE (GROUP_CALL | GROUP_JSON | GROUP_QUIET)
#define MANY   G_MAXUINT

const Verb verbs[] = {
        { "start",
          CHANGE | GROUP_ATTRIBUTES | GROUP_START | GROUP_RESTART | GROUP_FILE,
          1,
          MANY,
          true,
          CONNECT_SPAWN,
          N_("SCRIPT|NAME|FILE|- ... [-- ARGS...]"),
          N_("start an app, or what is stopped"),
          verb_start },
        { "stop",
          CHANGE | GROUP_FILE,
          1,
          MANY,
          false,
          CONNECT_ONLY,
          N_("TARGET|FILE..."),
          N_("stop processes"),
          verb_stop },
        { "restart",
          CHANGE | GROUP_ATTRIBUTES | GROUP_RESTART | GROUP_FILE,
          1,
          MANY,
          true,
          CONNECT_SPAWN,
          N_("TARGET|FILE... [-- ARGS...]"),
          N_("stop processes and start them again"),
          verb_restart },
        { "reload",
          CHANGE | GROUP_ATTRIBUTES | GROUP_RESTART | GROUP_FILE,
          1,
          MANY,
          true,
          CONNECT_SPAWN,
          N_("TARGET|FILE... [-- ARGS...]"),
          N_("put new processes in the place of these"),
          verb_reload },
        { "scale",
          CHANGE,
          2,
          2,
          false,
          CONNECT_ONLY,
          N_("TARGET NUMBER|+NUMBER|-NUMBER"),
          N_("change the number of processes of an app"),
          verb_scale },
        { "reset",
          CHANGE | GROUP_FILE,
          1,
          MANY,
          false,
          CONNECT_ONLY,
          N_("TARGET|FILE..."),
          N_("count restarts from 0 again"),
          verb_reset },
        { "delete",
          CHANGE | GROUP_FILE,
          1,
          MANY,
          false,
          CONNECT_ONLY,
          N_("TARGET|FILE..."),
          N_("stop processes and forget them"),
          verb_delete },
        { "validate",
          GROUP_FILE | GROUP_CHECK | GROUP_JSON | GROUP_QUIET,
          1,
          MANY,
          false,
          CONNECT_SPAWN,
          N_("FILE|- ..."),
          N_("tell what starting an ecosystem file would do"),
          verb_validate },
        { "list", GROUP_JSON, 0, 0, false, CONNECT_SPAWN, "", N_("list the processes"), verb_list },
        { "describe",
          GROUP_JSON,
          1,
          MANY,
          false,
          CONNECT_SPAWN,
          N_("TARGET..."),
          N_("show all there is to know of processes"),
          verb_describe },
        { "why",
          GROUP_JSON,
          1,
          MANY,
          false,
          CONNECT_SPAWN,
          N_("TARGET..."),
          N_("tell why processes are what they are"),
          verb_why },
        { "signal",
          CHANGE,
          2,
          MANY,
          false,
          CONNECT_SPAWN,
          N_("SIGNAL TARGET..."),
          N_("send a signal to processes"),
          verb_signal },
        { "send",
          GROUP_JSON | GROUP_QUIET,
          2,
          2,
          false,
          CONNECT_ONLY,
          N_("TARGET LINE"),
          N_("write a line to the standard input of processes"),
          verb_send },
        { "message",
          GROUP_JSON | GROUP_QUIET,
          2,
          2,
          false,
          CONNECT_ONLY,
          N_("TARGET JSON"),
          N_("send a message to processes, as process.send() of Node does"),
          verb_message },
        { "trigger",
          CHANGE,
          2,
          3,
          false,
          CONNECT_ONLY,
          N_("TARGET ACTION [PARAMETER]"),
          N_("have processes perform an action and show what it returns"),
          verb_trigger },
        { "set",
          CHANGE,
          2,
          MANY,
          false,
          CONNECT_SPAWN,
          N_("TARGET KEY=VALUE..."),
          N_("change attributes while processes run"),
          verb_set },
        { "freeze",
          CHANGE | GROUP_FILE,
          1,
          MANY,
          false,
          CONNECT_ONLY,
          N_("TARGET|FILE..."),
          N_("let processes stand still"),
          verb_freeze },
        { "thaw",
          CHANGE | GROUP_FILE,
          1,
          MANY,
          false,
          CONNECT_ONLY,
          N_("TARGET|FILE..."),
          N_("let frozen processes go on"),
          verb_thaw },
        { "logs",
          GROUP_LOGS | GROUP_JSON,
          0,
          MANY,
          false,
          CONNECT_SPAWN,
          N_("[TARGET...]"),
          N_("show the logs of processes and follow them"),
          verb_logs },
        { "flush",
          CHANGE | GROUP_FILE,
          0,
          MANY,
          false,
          CONNECT_ONLY,
          N_("[TARGET|FILE...]"),
          N_("empty the logs of processes"),
          verb_flush },
        { "reload-logs",
          0,
          0,
          0,
          false,
          CONNECT_ONLY,
          "",
          N_("look anew at which files processes log to"),
          verb_reload_logs },
        { "bus",
          GROUP_BUS | GROUP_JSON,
          0,
          1,
          false,
          CONNECT_SPAWN,
          N_("[TARGET]"),
          N_("show what happens to processes and what they say"),
          verb_bus },
        { "save",
          CHANGE | GROUP_SAVE,
          0,
          1,
          false,
          CONNECT_SPAWN,
          N_("[FILE]"),
          N_("save the list of processes"),
          verb_save },
        { "resurrect",
          CHANGE,
          0,
          1,
          false,
          CONNECT_SPAWN,
          N_("[FILE]"),
          N_("bring back the processes of a saved list"),
          verb_resurrect },
        { "import",
          GROUP_IMPORT | GROUP_JSON | GROUP_QUIET,
          0,
          1,
          false,
          CONNECT_NOT,
          N_("[HOME]"),
          N_("take the processes of a running PM2 over"),
          verb_import },
        { "compat",
          GROUP_JSON | GROUP_QUIET,
          1,
          1,
          false,
          CONNECT_NOT,
          N_("enable|disable|status"),
          N_("serve the clients of npm's pm2, or not"),
          verb_compat },
        { "daemon-reexec",
          0,
          0,
          0,
          false,
          CONNECT_ONLY,
          "",
          N_("put the installed pm2d in the place of the running one"),
          verb_daemon_reexec },
        { "kill", CHANGE, 0, 0, false, CONNECT_NOT, "", N_("stop every process and end pm2d"), verb_kill },
        { "status", GROUP_JSON, 0, 0, false, CONNECT_NOT, "", N_("tell whether pm2d runs"), verb_status },
        { "version",
          GROUP_JSON,
          0,
          0,
          false,
          CONNECT_NOT,
          "",
          N_("show the versions of pm2ctl and pm2d"),
          verb_version },
        { "help",
          0,
          0,
          1,
          false,
          CONNECT_NOT,
          N_("[COMMAND]"),
          N_("show this help, or that of a command"),
          verb_help },
        { .name = NULL },
};

const VerbAlias verb_aliases[] = {
        { "ls", "list", NULL },
        { "l", "list", NULL },
        { "ps", "list", NULL },
        { "jlist", "list", "--json=short" },
        { "prettylist", "list", "--json=pretty" },
        { "info", "describe", NULL },
        { "show", "describe", NULL },
        { "desc", "describe", NULL },
        { "del", "delete", NULL },
        { "reloadLogs", "reload-logs", NULL },
        { "sendSignal", "signal", NULL },
        { "dump", "save", NULL },
        { "-h", "help", NULL },
        { "--help", "help", NULL },
        { "-v", "version", NULL },
        { "--version", "version", NULL },
        { .name = NULL },
};

const Verb *verb_find(const char *name, const char **ret_option) {
        *ret_option = NULL;
        for (const VerbAlias *alias = verb_aliases; alias->name; alias++) {
                if (strcmp(alias->name, name) == 0) {
                        name = alias->verb;
                        *ret_option = alias->option;
                        break;
                }
        }
        for (const Verb *verb = verbs; verb->name; verb++) {
                if (strcmp(verb->name, name) == 0) {
                        return verb;
                }
        }
        return NULL;
}

static int usage_error(const char *verb, const char *message) {
        print_error("%s", message);
        if (verb) {
                print_error(_("see \"pm2ctl help %s\""), verb);
        } else {
                print_error(_("see \"pm2ctl help\""));
        }
        return EXIT_USAGE;
}

static int check_arguments(const Verb *verb, const Arguments *arguments) {
        unsigned count = arguments->positional->len;

        if (count < verb->arguments_min) {
                g_autofree char *message = g_strdup_printf(_("%s needs: %s"), verb->name, _(verb->usage));
                return usage_error(verb->name, message);
        }
        if (count > verb->arguments_max) {
                const char *extra = g_ptr_array_index(arguments->positional, verb->arguments_max);
                g_autofree char *message =
                                g_strdup_printf(_("%s takes no argument \"%s\""), verb->name, extra);
                return usage_error(verb->name, message);
        }
        return EXIT_OK;
}

static int ctl_connect(Ctl *ctl, const Verb *verb) {
        int r = pm2_client_new(&ctl->client);
        if (r < 0) {
                print_error("%s", g_strerror(-r));
                return EXIT_FAILED;
        }
        if (verb->connect == CONNECT_NOT) {
                return EXIT_OK;
        }
        uint64_t flags = ctl->instance_flags | (verb->connect == CONNECT_SPAWN ? 0 : PM2_CONNECT_NO_SPAWN) |
                         (ctl->no_daemon ? PM2_CONNECT_NO_DAEMON : 0);
        r = pm2_connect(ctl->client, flags);
        if (r < 0) {
                (void) print_failure(ctl, r);
                return EXIT_NO_DAEMON;
        }
        return EXIT_OK;
}

static void ctl_probe_terminal(Ctl *ctl) {
        const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

        ctl->terminal = isatty(STDOUT_FILENO);
        ctl->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
        ctl->colour = ctl->terminal && !(no_colour && no_colour[0]) &&
                      !(terminal && strcmp(terminal, "dumb") == 0);
}

static int ctl_run_verb(const Verb *verb, const Arguments *arguments) {
        Ctl ctl = {
                .silent = arguments_has(arguments, "silent"),
                .instance_flags = arguments_want_system(arguments) ? PM2_CONNECT_SYSTEM : 0,
                .no_daemon = arguments_has(arguments, "no-daemon"),
        };
        const char *json = arguments_get(arguments, "json");

        if (arguments_has(arguments, "help")) {
                g_ptr_array_set_size(arguments->positional, 0);
                g_ptr_array_add(arguments->positional, (gpointer) verb->name);
                return verb_help(&ctl, arguments);
        }
        int status = check_arguments(verb, arguments);
        if (status != EXIT_OK) {
                return status;
        }
        if (json && json_mode_from_string(json, &ctl.json) < 0) {
                g_autofree char *message = g_strdup_printf(_("unknown format --json=%s"), json);
                return usage_error(verb->name, message);
        }
        if (ctl.no_daemon && ctl.instance_flags & PM2_CONNECT_SYSTEM) {
                return usage_error(verb->name, _("--no-daemon: the pm2d of the system is nobody's own"));
        }
        ctl_probe_terminal(&ctl);
        status = ctl_connect(&ctl, verb);
        if (status == EXIT_OK) {
                status = verb->run(&ctl, arguments);
        }
        (void) pm2_client_free(ctl.client);
        if (fflush(stdout) != 0 && status == EXIT_OK) {
                print_error(_("cannot write the output: %s"), g_strerror(errno));
                status = EXIT_FAILED;
        }
        return status;
}

static bool is_instance_option(const char *word) {
        return strcmp(word, "--system") == 0 || strcmp(word, "--user") == 0;
}

int ctl_run(const char *const *argv) {
        /* The instance may stand before the verb, as with other tools that have one of the system. */
        g_autoptr(GPtrArray) words = g_ptr_array_new();
        g_autofree char *message = NULL;
        const char *option = NULL;
        Arguments arguments;
        Ctl plain = { 0 };

        for (; argv[0] && is_instance_option(argv[0]); argv++) {
                g_ptr_array_add(words, (gpointer) argv[0]);
        }
        if (!argv[0]) {
                (void) arguments_parse(argv, 0, false, &arguments, &message);
                (void) verb_help(&plain, &arguments);
                arguments_done(&arguments);
                return EXIT_USAGE;
        }
        const Verb *verb = verb_find(argv[0], &option);
        if (!verb) {
                message = g_strdup_printf(_("unknown command \"%s\""), argv[0]);
                return usage_error(NULL, message);
        }
        if (option) {
                g_ptr_array_add(words, (gpointer) option);
        }
        for (const char *const *word = argv + 1; *word; word++) {
                g_ptr_array_add(words, (gpointer) *word);
        }
        g_ptr_array_add(words, NULL);
        int r =
                        arguments_parse((const char *const *) words->pdata,
                                        verb->options | GROUP_COMMON,
                                        verb->behind_dashes,
                                        &arguments,
                                        &message);
        int status = r < 0 ? usage_error(verb->name, message) : ctl_run_verb(verb, &arguments);
        arguments_done(&arguments);
        return status;
}
