/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/target.h"

#include "basic/parse-util.h"
#include "basic/utf8.h"

#include <string.h>

#define PROCESS_PATH_PREFIX "/org/pm2/Process/"

enum {
        EXPRESSION_BYTES_MAX = 256,
};

typedef enum TargetKind {
        TARGET_ALL,
        TARGET_NAME,
        TARGET_NAMESPACE,
        TARGET_ID,
        TARGET_UNIQUE_ID,
        TARGET_EXPRESSION,
        TARGET_WORD, /* name, namespace or id */
} TargetKind;

struct Target {
        TargetKind kind;
        char *text;
        uint32_t id;
        bool has_id; /* else the text is none */
        GRegex *regex;
};

static bool matches_as(const Target *target, TargetKind kind, const Process *process) {
        switch (kind) {
        case TARGET_ALL:
                return true;
        case TARGET_NAME:
                return strcmp(process->config->name, target->text) == 0;
        case TARGET_NAMESPACE:
                return strcmp(process->config->namespace, target->text) == 0;
        case TARGET_ID:
                return target->has_id && process->id == target->id;
        case TARGET_UNIQUE_ID:
                return strcmp(process->unique_id, target->text) == 0;
        case TARGET_EXPRESSION:
                return g_regex_match(target->regex, process->config->name, 0, NULL);
        case TARGET_WORD:
        default:
                return matches_as(target, TARGET_NAME, process) ||
                       matches_as(target, TARGET_NAMESPACE, process) ||
                       matches_as(target, TARGET_ID, process);
        }
}

bool target_matches(const Target *target, const Process *process) {
        return matches_as(target, target->kind, process);
}

/* PCRE backtracks: the match limit keeps an expression from holding the loop. */
static int compile_expression(const char *text, GRegex **ret, Error *error) {
        g_autofree char *quoted = error_quote(text);
        g_autoptr(GError) cause = NULL;
        size_t length = strlen(text) - 2;

        /* GRegex takes that for granted; PCRE crashes otherwise. */
        if (!utf8_is_valid(text, strlen(text))) {
                return error_set(error, ERROR_INVALID_DATA, "target: %s is not valid UTF-8", quoted);
        }
        if (length > EXPRESSION_BYTES_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_DATA,
                                "target: %s is over %d bytes",
                                quoted,
                                EXPRESSION_BYTES_MAX);
        }
        if (g_str_has_prefix(text + 1, "(*")) { /* it could lift the limit */
                return error_set(
                                error,
                                ERROR_INVALID_DATA,
                                "target: %s: options of PCRE are not taken",
                                quoted);
        }
        g_autofree char *pattern = g_strdup_printf("(*LIMIT_MATCH=10000)%.*s", (int) length, text + 1);
        g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, &cause);
        if (!regex) {
                return error_set(
                                error,
                                ERROR_INVALID_DATA,
                                "target: %s is no regular expression: %s",
                                quoted,
                                cause->message);
        }
        *ret = g_steal_pointer(&regex);
        return 0;
}

/* The kind of a target, and what of its text is wanted. */
static TargetKind take_apart(const char *text, const char **ret_wanted) {
        static const struct {
                const char *prefix;
                TargetKind kind;
        } prefixes[] = {
                { PROCESS_PATH_PREFIX, TARGET_ID }, { "name:", TARGET_NAME },
                { "ns:", TARGET_NAMESPACE },        { "id:", TARGET_ID },
                { "uid:", TARGET_UNIQUE_ID },
        };
        size_t length = strlen(text);

        *ret_wanted = text;
        if (strcmp(text, "all") == 0) {
                return TARGET_ALL;
        }
        for (size_t i = 0; i < ELEMENTS(prefixes); i++) {
                if (g_str_has_prefix(text, prefixes[i].prefix)) {
                        *ret_wanted = text + strlen(prefixes[i].prefix);
                        return prefixes[i].kind;
                }
        }
        return length >= 3 && text[0] == '/' && text[length - 1] == '/' ? TARGET_EXPRESSION : TARGET_WORD;
}

int target_new(const char *text, Target **ret, Error *error) {
        g_autoptr(Target) target = g_new0(Target, 1);
        const char *wanted;

        target->kind = take_apart(text, &wanted);
        target->text = g_strdup(wanted);
        target->has_id = parse_uint32(wanted, &target->id) >= 0;
        if (target->kind == TARGET_EXPRESSION) {
                int r = compile_expression(text, &target->regex, error);
                if (r < 0) {
                        return r;
                }
        }
        *ret = g_steal_pointer(&target);
        return 0;
}

void target_free(Target *target) {
        if (target) {
                g_free(target->text);
                g_clear_pointer(&target->regex, g_regex_unref);
                g_free(target);
        }
}

static GPtrArray *select_as(
                const Registry *registry, const Caller *caller, const Target *target, TargetKind kind) {
        GPtrArray *selected = g_ptr_array_new();

        for (size_t i = 0; i < registry_count(registry); i++) {
                Process *process = registry_at(registry, i);
                if (caller_may_control(caller, process->owner) && matches_as(target, kind, process)) {
                        g_ptr_array_add(selected, process);
                }
        }
        return selected;
}

/* Of a word the first that matches anything: exact name, namespace, id. */
static GPtrArray *select_processes(const Registry *registry, const Caller *caller, const Target *target) {
        static const TargetKind order[] = { TARGET_NAME, TARGET_NAMESPACE, TARGET_ID };

        if (target->kind != TARGET_WORD) {
                return select_as(registry, caller, target, target->kind);
        }
        for (size_t i = 0;; i++) {
                GPtrArray *selected = select_as(registry, caller, target, order[i]);
                if (selected->len > 0 || i + 1 == ELEMENTS(order)) {
                        return selected;
                }
                g_ptr_array_unref(selected);
        }
}

/* What is there and may not be commanded is refused, not denied: everybody sees it on the system bus. */
static bool exists_for_others(const Registry *registry, const Caller *caller, const char *text) {
        const Caller root = { .uid = 0, .via = caller->via };
        g_autoptr(GPtrArray) found = NULL;

        return caller->uid != 0 && target_resolve(registry, &root, text, &found, NULL) >= 0;
}

int target_resolve(
                const Registry *registry,
                const Caller *caller,
                const char *text,
                GPtrArray **ret,
                Error *error) {
        g_autoptr(Target) target = NULL;

        int r = target_new(text, &target, error);
        if (r < 0) {
                return r;
        }
        g_autoptr(GPtrArray) selected = select_processes(registry, caller, target);
        if (selected->len > 0 || target->kind == TARGET_ALL) {
                *ret = g_steal_pointer(&selected);
                return 0;
        }
        g_autofree char *quoted = error_quote(text);
        if (exists_for_others(registry, caller, text)) {
                return error_set(error, ERROR_ACCESS_DENIED, "%s belongs to another user", quoted);
        }
        return error_set(error, ERROR_NO_SUCH_PROCESS, "no process matches %s", quoted);
}
