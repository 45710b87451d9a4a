/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/health-check.h"

#include "basic/parse-util.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "core/command-line.h"
#include "core/value-text.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define INTERVAL_USEC     (10 * USEC_PER_SEC)
#define INTERVAL_MIN_USEC (100 * USEC_PER_MSEC)
#define TIMEOUT_USEC      (5 * USEC_PER_SEC)
#define TIMEOUT_MIN_USEC  (10 * USEC_PER_MSEC)
#define TIME_MAX_USEC     (UINT64_C(86400) * USEC_PER_SEC)

enum {
        RETRIES = 3,
        RETRIES_MAX = 1000,
        STATUS_MIN = 200,
        STATUS_MAX = 399,
        STATUS_LAST = 999,
};

const char *health_kind_to_name(HealthKind kind) {
        static const char *const names[] = {
                [HEALTH_HTTP] = "http",
                [HEALTH_TCP] = "tcp",
                [HEALTH_UNIX] = "unix",
                [HEALTH_EXEC] = "exec",
        };
        static_assert(ELEMENTS(names) == _HEALTH_KIND_MAX, "a name for every kind");
        return names[kind];
}

void health_check_free(HealthCheck *check) {
        if (check) {
                g_free(check->target);
                g_strfreev(check->words);
                g_free(check);
        }
}

HealthCheck *health_check_copy(const HealthCheck *check) {
        HealthCheck *copy = g_memdup2(check, sizeof(*check));

        copy->target = g_strdup(check->target);
        copy->words = g_strdupv(check->words);
        return copy;
}

bool health_check_equal(const HealthCheck *a, const HealthCheck *b) {
        bool same_words = a->words && b->words ? g_strv_equal((const char *const *) a->words,
                                                              (const char *const *) b->words)
                                               : a->words == b->words;

        return same_words && a->kind == b->kind && g_strcmp0(a->target, b->target) == 0 &&
               a->rules.interval_usec == b->rules.interval_usec &&
               a->rules.timeout_usec == b->rules.timeout_usec &&
               a->rules.start_period_usec == b->rules.start_period_usec &&
               a->rules.retries == b->rules.retries && a->status_min == b->status_min &&
               a->status_max == b->status_max && a->restart == b->restart;
}

/* A member that has another form than it should. */
static int refuse(const char *name, const Value *value, const char *wanted, Error *error) {
        g_autofree char *got = value_describe(value);

        return error_set(error, ERROR_INVALID_CONFIG, "health.%s: expected %s, got %s", name, wanted, got);
}

static int read_duration(
                const char *name,
                const Value *value,
                uint64_t minimum_usec,
                uint64_t maximum_usec,
                uint64_t *ret,
                Error *error) {
        g_autofree char *text = value->kind == VALUE_BOOL ? NULL : value_to_text(value);
        uint64_t usec = 0;
        int r = text ? parse_duration_usec(text, &usec) : -EINVAL;

        if (r == -EINVAL) {
                return refuse(name,
                              value,
                              "a duration (milliseconds, or a time span such as \"2s\")",
                              error);
        }
        if (r < 0 || usec < minimum_usec || usec > maximum_usec) {
                g_autofree char *got = value_describe(value);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "health.%s: %s is out of range, it must be %" PRIu64 " to %" PRIu64 " ms",
                                name,
                                got,
                                minimum_usec / USEC_PER_MSEC,
                                maximum_usec / USEC_PER_MSEC);
        }
        *ret = usec;
        return 0;
}

static int read_retries(const Value *value, uint32_t *ret, Error *error) {
        g_autofree char *text = value->kind == VALUE_BOOL ? NULL : value_to_text(value);
        uint32_t number = 0;

        if (!text || parse_uint32(text, &number) < 0 || number < 1 || number > RETRIES_MAX) {
                return refuse("retries", value, "a number from 1 to 1000", error);
        }
        *ret = number;
        return 0;
}

static int read_restart(const Value *value, bool *ret, Error *error) {
        g_autofree char *text = value_to_text(value);

        return text && parse_bool(text, ret) >= 0 ? 0 : refuse("restart", value, "a boolean", error);
}

/* 204, or "200-299" */
static int read_status(const Value *value, HealthCheck *check, Error *error) {
        g_autofree char *text = value->kind == VALUE_BOOL ? NULL : value_to_text(value);
        g_auto(GStrv) ends = g_strsplit(text ? text : "", "-", 2);
        uint32_t first = 0, last = 0;
        int r = ends[0] ? parse_uint32(ends[0], &first) : -EINVAL;

        if (r >= 0) {
                r = parse_uint32(ends[1] ? ends[1] : ends[0], &last);
        }
        if (r < 0 || first < STATUS_MIN || last > STATUS_LAST || first > last) {
                return refuse("status", value, "a status from 200 to 999, or two as \"200-299\"", error);
        }
        check->status_min = first;
        check->status_max = last;
        return 0;
}

static int check_target(const char *name, const char *text, Error *error) {
        size_t length = strlen(text);

        if (length < 1 || length > HEALTH_TARGET_BYTES_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "health.%s: must have 1 to %d bytes, got %zu",
                                name,
                                HEALTH_TARGET_BYTES_MAX,
                                length);
        }
        if (!utf8_is_valid(text, length)) {
                return error_set(error, ERROR_INVALID_CONFIG, "health.%s: is not valid UTF-8", name);
        }
        return 0;
}

static int read_words(const Value *value, HealthCheck *check, Error *error) {
        guint count = value->items->len;
        g_auto(GStrv) words = g_new0(char *, count + 1);
        size_t total = 0;

        if (count < 1 || count > HEALTH_WORDS_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "health.exec: must have 1 to %d words, got %u",
                                HEALTH_WORDS_MAX,
                                count);
        }
        for (guint i = 0; i < count; i++) {
                words[i] = value_to_text(value->items->pdata[i]);
                size_t length = words[i] ? strlen(words[i]) : 0;
                total += length + 1;
                if (!words[i] || !utf8_is_valid(words[i], length) || (i == 0 && length == 0)) {
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "health.exec[%u]: expected %s",
                                        i,
                                        i == 0 ? "a program" : "a string");
                }
        }
        if (total > HEALTH_TARGET_BYTES_MAX) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "health.exec: is over %d bytes",
                                HEALTH_TARGET_BYTES_MAX);
        }
        check->words = g_steal_pointer(&words);
        return 0;
}

static int read_target(HealthKind kind, const Value *value, HealthCheck *check, Error *error) {
        const char *name = health_kind_to_name(kind);
        bool number = value->kind == VALUE_INT && kind == HEALTH_TCP;

        if (check->target || check->words) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "health.%s: there is health.%s already, and one probe is asked for",
                                name,
                                health_kind_to_name(check->kind));
        }
        check->kind = kind;
        if (value->kind == VALUE_ARRAY && kind == HEALTH_EXEC) {
                return read_words(value, check, error);
        }
        g_autofree char *text = value->kind == VALUE_STRING || number ? value_to_text(value) : NULL;
        if (!text) {
                return refuse(name,
                              value,
                              kind == HEALTH_EXEC  ? "a command, or an array of words"
                              : kind == HEALTH_TCP ? "\"address:port\", or a port"
                                                   : "a string",
                              error);
        }
        int r = check_target(name, text, error);
        /* What variables make of it is known when it is asked. */
        if (r >= 0 && kind != HEALTH_EXEC && !strstr(text, "${")) {
                g_auto(HealthAddress) address = { 0 };
                g_auto(Error) cause = { 0 };
                if (health_address_parse(kind, text, &address, &cause) < 0) {
                        r = error_set(error, cause.code, "health.%s: %s", name, cause.message);
                }
        }
        if (r >= 0) {
                check->target = g_steal_pointer(&text);
        }
        return r;
}

static int read_member(const char *name, const Value *value, HealthCheck *check, Error *error) {
        HealthRules *rules = &check->rules;

        for (int kind = 0; kind < _HEALTH_KIND_MAX; kind++) {
                if (strcmp(name, health_kind_to_name((HealthKind) kind)) == 0) {
                        return read_target((HealthKind) kind, value, check, error);
                }
        }
        if (strcmp(name, "interval") == 0) {
                return read_duration(
                                name, value, INTERVAL_MIN_USEC, TIME_MAX_USEC, &rules->interval_usec, error);
        }
        if (strcmp(name, "timeout") == 0) {
                return read_duration(
                                name, value, TIMEOUT_MIN_USEC, TIME_MAX_USEC, &rules->timeout_usec, error);
        }
        if (strcmp(name, "start_period") == 0) {
                return read_duration(name, value, 0, TIME_MAX_USEC, &rules->start_period_usec, error);
        }
        if (strcmp(name, "retries") == 0) {
                return read_retries(value, &rules->retries, error);
        }
        if (strcmp(name, "restart") == 0) {
                return read_restart(value, &check->restart, error);
        }
        if (strcmp(name, "status") == 0) {
                return read_status(value, check, error);
        }
        g_autofree char *quoted = error_quote(name);
        return error_set(
                        error,
                        ERROR_INVALID_CONFIG,
                        "health.%s: unknown member, there are http tcp unix exec interval timeout retries "
                        "start_period restart status",
                        quoted);
}

static int finish(const Value *map, HealthCheck *check, Error *error) {
        HealthRules *rules = &check->rules;

        if (!check->target && !check->words) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "health: one of http, tcp, unix and exec is missing");
        }
        if (check->kind != HEALTH_HTTP && check->status_min > 0) {
                return error_set(error, ERROR_INVALID_CONFIG, "health.status: is of http alone");
        }
        if (check->kind == HEALTH_HTTP && check->status_min == 0) {
                check->status_min = STATUS_MIN;
                check->status_max = STATUS_MAX;
        }
        if (rules->timeout_usec == 0) {
                rules->timeout_usec = MIN(TIMEOUT_USEC, rules->interval_usec);
        }
        if (rules->timeout_usec > rules->interval_usec) {
                const Value *timeout = value_get(map, "timeout");
                g_autofree char *got = value_describe(timeout);
                g_autofree char *interval = duration_to_text(rules->interval_usec);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "health.timeout: %s is longer than the interval, which is %s",
                                got,
                                interval);
        }
        return 0;
}

static int from_map(const Value *map, HealthCheck **ret, Error *error) {
        g_autoptr(HealthCheck) check = g_new0(HealthCheck, 1);

        check->rules = (HealthRules){ .interval_usec = INTERVAL_USEC, .retries = RETRIES };
        for (guint i = 0; i < map->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(map->entries, ValueEntry, i);
                int r = entry->value->kind == VALUE_NULL
                                        ? 0
                                        : read_member(entry->key, entry->value, check, error);
                if (r < 0) {
                        return r;
                }
        }
        int r = finish(map, check, error);
        if (r >= 0) {
                *ret = g_steal_pointer(&check);
        }
        return r;
}

/* "exec='curl -f localhost' interval=5s" */
static int from_text(const char *text, HealthCheck **ret, Error *error) {
        g_auto(GStrv) words = command_line_split(text);
        g_autoptr(Value) map = value_new_map();

        if (!words) {
                return error_set(error, ERROR_INVALID_CONFIG, "health: a quote is not closed");
        }
        for (char **word = words; *word; word++) {
                char *equals = strchr(*word, '=');
                if (!equals) {
                        g_autofree char *quoted = error_quote(*word);
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "health: expected name=value, got %s",
                                        quoted);
                }
                *equals = '\0';
                if (value_get(map, *word)) {
                        g_autofree char *quoted = error_quote(*word);
                        return error_set(error, ERROR_INVALID_CONFIG, "health.%s: is there twice", quoted);
                }
                value_set(map, *word, value_new_string(equals + 1));
        }
        return from_map(map, ret, error);
}

static bool is_nothing(const Value *value) {
        static const char *const words[] = { "", "0", "false", NULL };

        if (value->kind == VALUE_MAP || value->kind == VALUE_ARRAY) {
                return value_count(value) == 0;
        }
        g_autofree char *text = value_to_text(value);
        return !text || g_strv_contains(words, text);
}

int health_check_from_value(const Value *value, HealthCheck **ret, Error *error) {
        if (is_nothing(value)) {
                *ret = NULL;
                return 0;
        }
        if (value->kind == VALUE_STRING) {
                return from_text(value->string, ret, error);
        }
        if (value->kind != VALUE_MAP) {
                g_autofree char *got = value_describe(value);
                return error_set(error, ERROR_INVALID_CONFIG, "health: expected an object, got %s", got);
        }
        return from_map(value, ret, error);
}

static Value *duration_to_value(uint64_t usec) {
        return usec % USEC_PER_MSEC == 0 ? value_new_int((int64_t) (usec / USEC_PER_MSEC))
                                         : value_new_double((double) usec / (double) USEC_PER_MSEC);
}

static Value *target_to_value(const HealthCheck *check) {
        if (!check->words) {
                return value_new_string(check->target);
        }
        Value *array = value_new_array();
        for (char *const *word = check->words; *word; word++) {
                value_append(array, value_new_string(*word));
        }
        return array;
}

Value *health_check_to_value(const HealthCheck *check) {
        Value *map = value_new_map();

        value_set(map, health_kind_to_name(check->kind), target_to_value(check));
        value_set(map, "interval", duration_to_value(check->rules.interval_usec));
        value_set(map, "timeout", duration_to_value(check->rules.timeout_usec));
        value_set(map, "retries", value_new_int(check->rules.retries));
        value_set(map, "start_period", duration_to_value(check->rules.start_period_usec));
        value_set(map, "restart", value_new_bool(check->restart));
        if (check->kind == HEALTH_HTTP) {
                g_autofree char *status = g_strdup_printf(
                                "%" PRIu64 "-%" PRIu64, check->status_min, check->status_max);
                value_set(map, "status", value_new_string(status));
        }
        return map;
}
