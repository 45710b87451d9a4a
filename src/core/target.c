/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/target.h"

#include "basic/parse-util.h"
#include "basic/utf8.h"

#include <string.h>

#define PROCESS_PATH_PREFIX "/org/pm2/Process/"

enum {
        EXPRESSION_BYTES_MAX = 256,
};

typedef bool (*Predicate)(const Process *process, const void *wanted);

static bool has_name(const Process *process, const void *wanted) {
        return strcmp(process->config->name, wanted) == 0;
}

static bool has_namespace(const Process *process, const void *wanted) {
        return strcmp(process->config->namespace, wanted) == 0;
}

static bool has_id(const Process *process, const void *wanted) {
        return process->id == *(const uint32_t *) wanted;
}

static bool has_unique_id(const Process *process, const void *wanted) {
        return strcmp(process->unique_id, wanted) == 0;
}

static bool matches_name(const Process *process, const void *wanted) {
        return g_regex_match(wanted, process->config->name, 0, NULL);
}

static bool is_any(const Process *process, const void *wanted) {
        return true;
}

static GPtrArray *select_processes(
                const Registry *registry, const Caller *caller, Predicate predicate, const void *wanted) {
        GPtrArray *selected = g_ptr_array_new();

        for (size_t i = 0; i < registry_count(registry); i++) {
                Process *process = registry_at(registry, i);
                if (caller_may_control(caller, process->owner) && predicate(process, wanted)) {
                        g_ptr_array_add(selected, process);
                }
        }
        return selected;
}

static GPtrArray *select_id(const Registry *registry, const Caller *caller, const char *text) {
        uint32_t id;

        if (parse_uint32(text, &id) < 0) {
                return g_ptr_array_new();
        }
        return select_processes(registry, caller, has_id, &id);
}

/* PCRE backtracks: the match limit keeps an expression from holding the loop. */
static int select_expression(
                const Registry *registry,
                const Caller *caller,
                const char *target,
                GPtrArray **ret,
                Error *error) {
        g_autofree char *quoted = error_quote(target);
        g_autoptr(GError) cause = NULL;
        size_t length = strlen(target) - 2;

        /* GRegex takes that for granted; PCRE crashes otherwise. */
        if (!utf8_is_valid(target, strlen(target))) {
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
        if (g_str_has_prefix(target + 1, "(*")) { /* it could lift the limit */
                return error_set(
                                error,
                                ERROR_INVALID_DATA,
                                "target: %s: options of PCRE are not taken",
                                quoted);
        }
        g_autofree char *pattern = g_strdup_printf("(*LIMIT_MATCH=10000)%.*s", (int) length, target + 1);
        g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, &cause);
        if (!regex) {
                return error_set(
                                error,
                                ERROR_INVALID_DATA,
                                "target: %s is no regular expression: %s",
                                quoted,
                                cause->message);
        }
        *ret = select_processes(registry, caller, matches_name, regex);
        return 0;
}

/* The first that matches anything: exact name, namespace, id. */
static GPtrArray *select_plain(const Registry *registry, const Caller *caller, const char *target) {
        GPtrArray *selected = select_processes(registry, caller, has_name, target);

        if (selected->len == 0) {
                g_ptr_array_unref(selected);
                selected = select_processes(registry, caller, has_namespace, target);
        }
        if (selected->len == 0) {
                g_ptr_array_unref(selected);
                selected = select_id(registry, caller, target);
        }
        return selected;
}

/* What is there and may not be commanded is refused, not denied: everybody sees it on the system bus. */
static bool exists_for_others(const Registry *registry, const Caller *caller, const char *target) {
        const Caller root = { .uid = 0, .via = caller->via };
        g_autoptr(GPtrArray) found = NULL;

        return caller->uid != 0 && target_resolve(registry, &root, target, &found, NULL) >= 0;
}

int target_resolve(
                const Registry *registry,
                const Caller *caller,
                const char *target,
                GPtrArray **ret,
                Error *error) {
        g_autoptr(GPtrArray) selected = NULL;
        size_t length = strlen(target);

        if (strcmp(target, "all") == 0) {
                *ret = select_processes(registry, caller, is_any, NULL);
                return 0;
        }
        if (g_str_has_prefix(target, PROCESS_PATH_PREFIX)) {
                selected = select_id(registry, caller, target + strlen(PROCESS_PATH_PREFIX));
        } else if (length >= 3 && target[0] == '/' && target[length - 1] == '/') {
                int r = select_expression(registry, caller, target, &selected, error);
                if (r < 0) {
                        return r;
                }
        } else if (g_str_has_prefix(target, "name:")) {
                selected = select_processes(registry, caller, has_name, target + strlen("name:"));
        } else if (g_str_has_prefix(target, "ns:")) {
                selected = select_processes(registry, caller, has_namespace, target + strlen("ns:"));
        } else if (g_str_has_prefix(target, "id:")) {
                selected = select_id(registry, caller, target + strlen("id:"));
        } else if (g_str_has_prefix(target, "uid:")) {
                selected = select_processes(registry, caller, has_unique_id, target + strlen("uid:"));
        } else {
                selected = select_plain(registry, caller, target);
        }
        if (selected->len == 0 && exists_for_others(registry, caller, target)) {
                g_autofree char *quoted = error_quote(target);
                return error_set(error, ERROR_ACCESS_DENIED, "%s belongs to another user", quoted);
        }
        if (selected->len == 0) {
                g_autofree char *quoted = error_quote(target);
                return error_set(error, ERROR_NO_SUCH_PROCESS, "no process matches %s", quoted);
        }
        *ret = g_steal_pointer(&selected);
        return 0;
}
