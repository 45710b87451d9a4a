/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* help: made from the tables of verbs and options. */

#include "i18n.h"
#include "output.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

#define COLUMN 32

static void print_two(const char *left, const char *right) {
        bool utf8 = g_get_charset(NULL);
        size_t width = text_width(left, utf8);

        if (width + 2 > COLUMN) {
                (void) printf("  %s\n%*s%s\n", left, COLUMN + 2, "", right);
        } else {
                (void) printf("  %s%*s%s\n", left, (int) (COLUMN - width), "", right);
        }
}

static char *option_text(const OptionSpec *spec) {
        GString *text = g_string_new(NULL);

        if (spec->letter) {
                g_string_append_printf(text, "-%c, ", spec->letter);
        }
        g_string_append_printf(text, "--%s%s", spec->kind == KIND_SWITCH ? "[no-]" : "", spec->name);
        if (spec->kind == KIND_OPTIONAL) {
                g_string_append_printf(text, "[=%s]", _(spec->value));
        } else if (spec->value) {
                g_string_append_printf(text, " %s", _(spec->value));
        }
        return g_string_free(text, false);
}

static void print_options(unsigned groups) {
        (void) printf("\n%s\n", _("Options:"));
        for (const OptionSpec *spec = option_specs; spec->name; spec++) {
                if (spec->group & groups) {
                        g_autofree char *text = option_text(spec);
                        print_two(text, _(spec->help));
                }
        }
}

static void print_aliases(const Verb *verb) {
        const char *separator = "";

        for (const VerbAlias *alias = verb_aliases; alias->name; alias++) {
                if (strcmp(alias->verb, verb->name) == 0 && alias->name[0] != '-') {
                        (void) printf("%s%s", separator[0] ? separator : _("Also: "), alias->name);
                        separator = ", ";
                }
        }
        if (separator[0]) {
                (void) puts("");
        }
}

static void print_verb(const Verb *verb) {
        const char *usage = verb->usage[0] ? _(verb->usage) : "";

        (void) printf("%s pm2ctl %s %s %s\n\n%s\n",
                      _("Usage:"),
                      verb->name,
                      _("[OPTIONS]"),
                      usage,
                      _(verb->summary));
        print_aliases(verb);
        print_options(verb->options | GROUP_COMMON);
}

static void print_all(void) {
        (void) printf("%s pm2ctl %s\n\n%s\n",
                      _("Usage:"),
                      _("COMMAND [OPTIONS] [ARGUMENTS]"),
                      _("Keep programs running: the command line of pm2d."));
        (void) printf("\n%s\n", _("Commands:"));
        for (const Verb *verb = verbs; verb->name; verb++) {
                g_autofree char *text =
                                g_strdup_printf("%s %s", verb->name, verb->usage[0] ? _(verb->usage) : "");
                print_two(g_strchomp(text), _(verb->summary));
        }
        print_options(GROUP_COMMON);
        (void) printf("\n%s\n",
                      _("TARGET is a name, a namespace, an id, \"all\" or /REGEX/; name:X, ns:X and id:N "
                        "force the kind."));
        (void) printf("%s\n",
                      _("\"pm2ctl help COMMAND\" tells the options of a command; see also pm2ctl(1)."));
}

int verb_help(Ctl *ctl, const Arguments *arguments) {
        const char *option = NULL;

        (void) ctl;
        if (arguments->positional->len == 0) {
                print_all();
                return EXIT_OK;
        }
        const char *name = g_ptr_array_index(arguments->positional, 0);
        const Verb *verb = verb_find(name, &option);
        if (!verb) {
                print_error(_("unknown command \"%s\""), name);
                return EXIT_USAGE;
        }
        print_verb(verb);
        return EXIT_OK;
}
