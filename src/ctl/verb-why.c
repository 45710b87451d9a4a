/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* why: what a process is and how it came to that: its last reason, and what happened before. */

#include "change.h"
#include "i18n.h"
#include "output.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

/* The events of one process, without what is the same in all of them. */
static int select_events(const pm2_value *all, uint32_t id, pm2_value **ret) {
        pm2_value *events = NULL;

        int r = pm2_value_new_array(&events);
        for (size_t i = 0; r >= 0 && i < pm2_value_get_length(all); i++) {
                const pm2_value *event = pm2_value_get_item(all, i);
                pm2_value *copy = NULL;
                uint64_t of = 0;
                if (pm2_value_get_uint64(event, "id", &of) < 0 || of != id) {
                        continue;
                }
                r = pm2_value_copy(event, &copy);
                if (r >= 0) {
                        r = pm2_value_add_value(events, NULL, copy);
                }
                if (r < 0) {
                        (void) pm2_value_free(copy);
                }
        }
        if (r < 0) {
                (void) pm2_value_free(events);
                return r;
        }
        *ret = events;
        return 0;
}

static int add_history(pm2_value *answer, const pm2_value *all) {
        pm2_value *events = NULL;
        uint64_t id = 0;

        int r = pm2_value_get_uint64(answer, "pm_id", &id);
        if (r >= 0) {
                r = select_events(all, (uint32_t) id, &events);
        }
        if (r >= 0) {
                r = pm2_value_add_value(answer, "events", events);
        }
        if (r < 0) {
                (void) pm2_value_free(events);
        }
        return r;
}

static int add_answer(pm2_value *answers, const pm2_value *process, const pm2_value *all) {
        const char *reason = "";
        pm2_value *answer = NULL;

        (void) pm2_value_get_string(process, "pm2_env.reason", &reason);
        int r = pm2_value_new_object(&answer);
        if (r >= 0) {
                r = pm2_value_add_string(answer, "name", pm2_process_get_name(process));
        }
        if (r >= 0) {
                r = pm2_value_add_uint64(answer, "pm_id", pm2_process_get_id(process));
        }
        if (r >= 0) {
                r = pm2_value_add_string(answer, "status", pm2_process_get_status(process));
        }
        if (r >= 0) {
                r = pm2_value_add_string(answer, "reason", reason);
        }
        if (r >= 0) {
                r = add_history(answer, all);
        }
        if (r >= 0) {
                r = pm2_value_add_value(answers, NULL, answer);
        }
        if (r < 0) {
                (void) pm2_value_free(answer);
        }
        return r;
}

static int ask(const Ctl *ctl, const char *target, pm2_value *answers) {
        pm2_value *processes = NULL, *events = NULL;

        int r = pm2_describe(ctl->client, target, &processes);
        if (r >= 0) {
                r = pm2_recent_events(ctl->client, target, 0, &events);
        }
        for (size_t i = 0; r >= 0 && i < pm2_value_get_length(processes); i++) {
                r = add_answer(answers, pm2_value_get_item(processes, i), events);
        }
        (void) pm2_value_free(processes);
        (void) pm2_value_free(events);
        return r;
}

/* "start, by anna: reason", with what of it there is. */
static char *event_text(const pm2_value *event) {
        const char *verb = "", *reason = "";
        uint64_t uid = 0;
        g_autofree char *who = NULL;

        (void) pm2_value_get_string(event, "verb", &verb);
        (void) pm2_value_get_string(event, "reason", &reason);
        if (pm2_value_get_uint64(event, "uid", &uid) >= 0) {
                const struct passwd *user = getpwuid((uid_t) uid);
                g_autofree char *number = g_strdup_printf("%" PRIu64, uid);
                who = g_strdup_printf(_("by %s"), user ? user->pw_name : number);
        }
        return g_strconcat(
                        verb,
                        verb[0] && who ? " " : "",
                        who ? who : "",
                        (verb[0] || who) && reason[0] ? ": " : "",
                        reason,
                        NULL);
}

#define CRASH_INDENT "             "

static void print_crash_log(const Ctl *ctl, const pm2_value *crash, const char *key, const char *title) {
        g_autofree char *note_key = g_strconcat(key, "_note", NULL);
        const char *text = "", *note = "";

        (void) pm2_value_get_string(crash, key, &text);
        (void) pm2_value_get_string(crash, note_key, &note);
        if (!text[0]) {
                return;
        }
        (void) printf(CRASH_INDENT "%s%s%s%s\n", title, note[0] ? " (" : "", note, note[0] ? "):" : ":");
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                g_autofree char *clean = text_clean(*line, ctl->utf8);
                (void) printf(CRASH_INDENT "  %s\n", clean);
        }
}

static void append_memory(GString *text, const pm2_value *crash, const char *key, const char *what) {
        uint64_t bytes = 0;

        if (pm2_value_get_uint64(crash, key, &bytes) >= 0) {
                g_autofree char *size = format_bytes(bytes);
                g_string_append_printf(text, ", %s %s", what, size);
        }
}

/* What is known of the end of a process that nobody wanted. */
static void print_crash(const Ctl *ctl, const pm2_value *crash) {
        g_autoptr(GString) text = g_string_new(NULL);
        uint64_t uptime_usec = 0, core = 0;
        bool dumped = false;

        (void) pm2_value_get_uint64(crash, "uptime", &uptime_usec);
        (void) pm2_value_get_bool(crash, "core_dumped", &dumped);
        g_autofree char *uptime = format_uptime(uptime_usec / 1000);
        g_string_append_printf(text, _("it ran for %s"), uptime);
        append_memory(text, crash, "memory", _("memory when it was last looked at"));
        append_memory(text, crash, "memory_peak", _("memory at most"));
        if (pm2_value_get_uint64(crash, "core.pid", &core) >= 0) {
                g_string_append_printf(text, _(", core: coredumpctl info %u"), (unsigned) core);
        } else if (dumped) {
                g_string_append(text, _(", core dumped"));
        }
        (void) printf(CRASH_INDENT "%s\n", text->str);
        print_crash_log(ctl, crash, "out", _("standard output"));
        print_crash_log(ctl, crash, "error", _("standard error"));
}

static void print_event(const Ctl *ctl, const pm2_value *event) {
        const char *kind = "";
        uint64_t at_usec = 0;

        (void) pm2_value_get_string(event, "event", &kind);
        (void) pm2_value_get_uint64(event, "at", &at_usec);
        g_autofree char *at = format_time(at_usec / 1000);
        g_autofree char *text = event_text(event);
        g_autofree char *clean = text_clean(text, ctl->utf8);
        (void) printf("  %s  %-*s%s%s\n", at, clean[0] ? 10 : 0, kind, clean[0] ? "  " : "", clean);
        const pm2_value *crash = pm2_value_get(event, "crash");
        if (crash) {
                print_crash(ctl, crash);
        }
}

static void print_answer(const Ctl *ctl, const pm2_value *answer) {
        const char *name = "", *status = "", *reason = "";
        uint64_t id = 0;

        (void) pm2_value_get_string(answer, "name", &name);
        (void) pm2_value_get_string(answer, "status", &status);
        (void) pm2_value_get_string(answer, "reason", &reason);
        (void) pm2_value_get_uint64(answer, "pm_id", &id);
        g_autofree char *clean_name = text_clean(name, ctl->utf8);
        g_autofree char *clean_reason = text_clean(reason, ctl->utf8);
        const char *colour = ctl->colour ? status_colour(status) : NULL;
        g_autofree char *shown = g_strconcat(colour ? colour : "", status, colour ? "\033[0m" : "", NULL);
        (void) printf(_("%s (%u) is %s"), clean_name, (unsigned) id, shown);
        (void) printf("%s%s\n", clean_reason[0] ? ": " : "", clean_reason);
        const pm2_value *events = pm2_value_get(answer, "events");
        for (size_t i = 0; i < pm2_value_get_length(events); i++) {
                print_event(ctl, pm2_value_get_item(events, i));
        }
}

int verb_why(Ctl *ctl, const Arguments *arguments) {
        pm2_value *answers = NULL;
        int status = EXIT_OK;

        int r = pm2_value_new_array(&answers);
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        for (guint i = 0; status != EXIT_NO_DAEMON && i < arguments->positional->len; i++) {
                r = ask(ctl, g_ptr_array_index(arguments->positional, i), answers);
                if (r < 0) {
                        status = print_failure(ctl, r);
                }
        }
        if (ctl->json != JSON_OFF) {
                int printed = print_json(ctl, answers);
                status = status == EXIT_OK ? printed : status;
        } else {
                for (size_t i = 0; i < pm2_value_get_length(answers); i++) {
                        print_answer(ctl, pm2_value_get_item(answers, i));
                }
        }
        (void) pm2_value_free(answers);
        return status;
}
