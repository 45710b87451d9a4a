/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* All patterns become regular expressions of PCRE, globs by translation. A match limit keeps any of them
 * from holding the loop; what exceeds it counts as no match. Paths are bytes. */

#include "core/watch-rules.h"

#include <string.h>

#define DEFAULT_PATTERN "/[\\/\\\\]\\.|node_modules/"
#define MATCH_LIMIT     "(*LIMIT_MATCH=10000)"

enum {
        BRACES_DEPTH_MAX = 8,
        MATCHES_MAX = 64, /* that are looked at in one path */
};

typedef struct Rule {
        GRegex *regex;
        bool anywhere; /* an expression of the user's: else of the whole path */
        bool except;   /* what it matches is not ignored */
} Rule;

struct WatchRules {
        GArray *rules;
};

static void clear_rule(void *item) {
        g_regex_unref(((Rule *) item)->regex);
}

static void append_literal(GString *text, char c) {
        if (!g_ascii_isalnum(c) && (guchar) c < 0x80) {
                g_string_append_c(text, '\\');
        }
        g_string_append_c(text, c);
}

/* Behind the class that begins here; NULL: it does not end, and is none. */
static const char *end_of_class(const char *class, const char *end) {
        const char *p = class + 1;

        if (p < end && (*p == '!' || *p == '^')) {
                p++;
        }
        if (p < end && *p == ']') {
                p++;
        }
        for (; p < end && *p != '/'; p++) {
                if (*p == ']') {
                        return p + 1;
                }
        }
        return NULL;
}

static const char *append_class(GString *text, const char *class, const char *end) {
        const char *p = class + 1;

        g_string_append(text, "(?!/)[");
        if (*p == '!' || *p == '^') {
                g_string_append_c(text, '^');
                p++;
        }
        for (; p < end - 1; p++) {
                if (*p == '-') {
                        g_string_append_c(text, '-');
                } else {
                        append_literal(text, *p);
                }
        }
        g_string_append_c(text, ']');
        return end;
}

/* The brace that closes the one here; NULL: there is none, or nothing to choose from. */
static const char *end_of_braces(const char *brace, const char *end) {
        unsigned depth = 0;
        bool choice = false;

        for (const char *p = brace; p < end; p++) {
                if (*p == '\\' && p + 1 < end) {
                        p++;
                } else if (*p == '{') {
                        depth++;
                } else if (*p == ',' && depth == 1) {
                        choice = true;
                } else if (*p == '}' && --depth == 0) {
                        return choice ? p : NULL;
                }
        }
        return NULL;
}

static void append_glob(GString *text, const char *glob, const char *end, unsigned depth);

static void append_choice(GString *text, const char *begin, const char *end, unsigned depth) {
        const char *item = begin;
        unsigned inner = 0;

        g_string_append(text, "(?:");
        for (const char *p = begin; p < end; p++) {
                if (*p == '\\' && p + 1 < end) {
                        p++;
                } else if (*p == '{') {
                        inner++;
                } else if (*p == '}' && inner > 0) {
                        inner--;
                } else if (*p == ',' && inner == 0) {
                        append_glob(text, item, p, depth + 1);
                        g_string_append_c(text, '|');
                        item = p + 1;
                }
        }
        append_glob(text, item, end, depth + 1);
        g_string_append_c(text, ')');
}

/* Of stars: "**" between slashes, or at the end, stands for folders; any other row of them for one. */
static const char *append_stars(GString *text, const char *glob, const char *begin, const char *end) {
        const char *p = begin;

        while (p < end && *p == '*') {
                p++;
        }
        bool whole = p - begin == 2 && begin > glob && begin[-1] == '/';
        if (whole && p == end && g_str_has_suffix(text->str, "\\/")) {
                g_string_truncate(text, text->len - 2);
                g_string_append(text, "(?:\\/.*)?");
        } else if (whole && p == end) {
                g_string_append(text, ".*"); /* behind another "**" and its slash */
        } else if (whole && *p == '/') {
                g_string_append(text, "(?:.*\\/)?");
                p++;
        } else {
                g_string_append(text, "[^\\/]*");
        }
        return p;
}

static void append_glob(GString *text, const char *glob, const char *end, unsigned depth) {
        const char *p = glob, *stop;

        while (p < end) {
                if (*p == '\\' && p + 1 < end) {
                        append_literal(text, p[1]);
                        p += 2;
                } else if (*p == '*') {
                        p = append_stars(text, glob, p, end);
                } else if (*p == '?') {
                        g_string_append(text, "[^\\/]");
                        p++;
                } else if (*p == '[' && (stop = end_of_class(p, end))) {
                        p = append_class(text, p, stop);
                } else if (*p == '{' && depth < BRACES_DEPTH_MAX && (stop = end_of_braces(p, end))) {
                        append_choice(text, p + 1, stop, depth);
                        p = stop + 1;
                } else {
                        append_literal(text, *p);
                        p++;
                }
        }
}

static char *escape_glob(const char *path) {
        GString *text = g_string_new(NULL);

        for (; *path; path++) {
                if (strchr("\\*?[]{},", *path)) {
                        g_string_append_c(text, '\\');
                }
                g_string_append_c(text, *path);
        }
        return g_string_free(text, FALSE);
}

static GRegex *compile_glob(const char *cwd, const char *glob, GError **error) {
        g_autofree char *base = escape_glob(cwd);
        g_autofree char *path = g_canonicalize_filename(glob, base);
        g_autoptr(GString) text = g_string_new(MATCH_LIMIT "\\A");

        append_glob(text, path, path + strlen(path), 0);
        g_string_append(text, "(?:\\/|\\z)");
        return g_regex_new(text->str, G_REGEX_RAW | G_REGEX_DOTALL, 0, error);
}

/* The flags of "/expression/flags", as JavaScript writes it: a slash within is escaped, or in a class. NULL:
 * it is none, but a path. */
static const char *find_flags(const char *pattern) {
        bool class = false;
        const char *p = pattern;

        if (*p != '/' || p[1] == '/') {
                return NULL;
        }
        for (p++; *p && (class || *p != '/'); p++) {
                if (*p == '\\' && p[1]) {
                        p++;
                } else if (*p == '[' || *p == ']') {
                        class = *p == '[';
                }
        }
        return *p == '/' && strspn(p + 1, "dgimsuvy") == strlen(p + 1) ? p + 1 : NULL;
}

static GRegex *compile_expression(const char *pattern, const char *flags, GError **error) {
        GRegexCompileFlags options = G_REGEX_RAW;

        options |= strchr(flags, 'i') ? G_REGEX_CASELESS : 0;
        options |= strchr(flags, 'm') ? G_REGEX_MULTILINE : 0;
        options |= strchr(flags, 's') ? G_REGEX_DOTALL : 0;
        if (g_str_has_prefix(pattern + 1, "(*")) { /* it could lift the limit */
                g_set_error_literal(error, G_REGEX_ERROR, 0, "options of PCRE are not taken");
                return NULL;
        }
        g_autofree char *text =
                        g_strdup_printf(MATCH_LIMIT "%.*s", (int) (flags - pattern - 2), pattern + 1);
        return g_regex_new(text, options, 0, error);
}

static int add(WatchRules *rules, const char *cwd, const char *pattern, char **ret_why) {
        g_autoptr(GError) error = NULL;
        Rule rule = { .except = pattern[0] == '!' };
        const char *text = pattern + rule.except, *flags = find_flags(text);

        if (strlen(pattern) > WATCH_PATTERN_BYTES_MAX) {
                *ret_why = g_strdup_printf("is over %d bytes", WATCH_PATTERN_BYTES_MAX);
                return -ECANCELED;
        }
        if (!text[0]) {
                return 0;
        }
        rule.anywhere = flags != NULL;
        rule.regex = flags ? compile_expression(text, flags, &error) : compile_glob(cwd, text, &error);
        if (!rule.regex) {
                /* What is before it in the message of GRegex has the whole expression, as it was made here.
                 */
                const char *reason = g_strrstr(error->message, ": ");
                *ret_why =
                                g_strdup_printf("is no %s: %s",
                                                flags ? "regular expression" : "pattern",
                                                reason ? reason + 2 : error->message);
                return -ECANCELED;
        }
        (void) g_array_append_val(rules->rules, rule);
        return 0;
}

static unsigned count_expressions(const WatchRules *rules) {
        unsigned count = 0;

        for (guint i = 0; i < rules->rules->len; i++) {
                count += g_array_index(rules->rules, Rule, i).anywhere;
        }
        return count;
}

int watch_rules_new(const char *cwd, char *const *patterns, WatchRules **ret, Error *error) {
        static char by_default[] = DEFAULT_PATTERN;
        static char *const defaults[] = { by_default, NULL };
        g_autoptr(WatchRules) rules = g_new0(WatchRules, 1);

        rules->rules = g_array_new(FALSE, FALSE, sizeof(Rule));
        g_array_set_clear_func(rules->rules, clear_rule);
        patterns = patterns ? patterns : defaults;
        for (unsigned i = 0; patterns[i]; i++) {
                g_autofree char *why = NULL;
                if (i >= WATCH_PATTERNS_MAX) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "ignore_watch: over %d patterns",
                                        WATCH_PATTERNS_MAX);
                }
                if (add(rules, cwd, patterns[i], &why) < 0) {
                        g_autofree char *quoted = error_quote(patterns[i]);
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "ignore_watch[%u]: %s %s",
                                        i,
                                        quoted,
                                        why);
                }
        }
        if (count_expressions(rules) > WATCH_EXPRESSIONS_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "ignore_watch: over %d regular expressions",
                                WATCH_EXPRESSIONS_MAX);
        }
        *ret = g_steal_pointer(&rules);
        return 0;
}

void watch_rules_free(WatchRules *rules) {
        if (rules) {
                (void) g_array_unref(rules->rules);
                g_free(rules);
        }
}

/* Something of it is below the watched folder. */
static bool finds_below(const GRegex *regex, const char *path, size_t root_bytes) {
        GMatchInfo *info = NULL;
        bool found = false;
        int start, end;

        bool any = g_regex_match(regex, path, 0, &info);
        for (unsigned i = 0; any && !found && i < MATCHES_MAX; i++) {
                found = g_match_info_fetch_pos(info, 0, &start, &end) && (size_t) end > root_bytes;
                any = !found && g_match_info_next(info, NULL);
        }
        g_match_info_free(info);
        return found;
}

static bool matches(const Rule *rule, const char *path, size_t root_bytes) {
        return rule->anywhere ? finds_below(rule->regex, path, root_bytes)
                              : g_regex_match(rule->regex, path, 0, NULL);
}

bool watch_rules_ignore(const WatchRules *rules, const char *path, size_t root_bytes) {
        bool ignored = false;

        for (guint i = 0; i < rules->rules->len; i++) {
                const Rule *rule = &g_array_index(rules->rules, Rule, i);
                if ((rule->except || !ignored) && matches(rule, path, root_bytes)) {
                        if (rule->except) {
                                return false;
                        }
                        ignored = true;
                }
        }
        return ignored;
}
