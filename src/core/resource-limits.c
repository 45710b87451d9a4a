/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/resource-limits.h"

#include "basic/parse-util.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct {
        const char *name;
        bool bytes;
} resources[RESOURCE_COUNT] = {
        [RESOURCE_AS] = { "as", true },           [RESOURCE_CORE] = { "core", true },
        [RESOURCE_CPU] = { "cpu", false },        [RESOURCE_DATA] = { "data", true },
        [RESOURCE_FSIZE] = { "fsize", true },     [RESOURCE_LOCKS] = { "locks", false },
        [RESOURCE_MEMLOCK] = { "memlock", true }, [RESOURCE_MSGQUEUE] = { "msgqueue", true },
        [RESOURCE_NICE] = { "nice", false },      [RESOURCE_NOFILE] = { "nofile", false },
        [RESOURCE_NPROC] = { "nproc", false },    [RESOURCE_RSS] = { "rss", true },
        [RESOURCE_RTPRIO] = { "rtprio", false },  [RESOURCE_RTTIME] = { "rttime", false },
        [RESOURCE_STACK] = { "stack", true },     [RESOURCE_SIGPENDING] = { "sigpending", false },
};

const char *resource_name(int resource) {
        return resource >= 0 && resource < RESOURCE_COUNT ? resources[resource].name : NULL;
}

int resource_from_name(const char *name) {
        for (int i = 0; i < RESOURCE_COUNT; i++) {
                if (g_ascii_strcasecmp(resources[i].name, name) == 0) {
                        return i;
                }
        }
        return -EINVAL;
}

static int parse_one(int resource, const char *text, uint64_t *ret) {
        int64_t number = 0;

        if (strcmp(text, "infinity") == 0) {
                *ret = UINT64_MAX;
                return 0;
        }
        if (resources[resource].bytes) {
                return parse_size(text, ret);
        }
        int r = parse_int64(text, &number);
        if (r >= 0 && number < 0) {
                r = -ERANGE;
        }
        if (r >= 0) {
                *ret = (uint64_t) number;
        }
        return r;
}

int resource_limit_parse(int resource, const char *text, ResourceLimit *ret) {
        g_auto(GStrv) parts = g_strsplit(text, ":", 2);
        ResourceLimit limit = { .given = true };

        int r = parts[0] ? parse_one(resource, parts[0], &limit.soft) : -EINVAL;
        limit.hard = limit.soft;
        if (r >= 0 && parts[1]) {
                r = parse_one(resource, parts[1], &limit.hard);
        }
        if (r >= 0 && limit.soft > limit.hard) {
                r = -ERANGE;
        }
        if (r >= 0) {
                *ret = limit;
        }
        return r;
}

static char *one_to_text(uint64_t number) {
        return number == UINT64_MAX ? g_strdup("infinity") : g_strdup_printf("%" PRIu64, number);
}

char *resource_limit_to_text(const ResourceLimit *limit) {
        g_autofree char *soft = one_to_text(limit->soft), *hard = one_to_text(limit->hard);

        return limit->soft == limit->hard ? g_steal_pointer(&soft) : g_strconcat(soft, ":", hard, NULL);
}

Value *resource_limits_to_value(const ResourceLimits *limits) {
        Value *map = value_new_map();

        for (int i = 0; limits && i < RESOURCE_COUNT; i++) {
                const ResourceLimit *limit = &limits->of[i];
                if (!limit->given) {
                        continue;
                }
                g_autofree char *text = resource_limit_to_text(limit);
                bool number = limit->soft == limit->hard && limit->soft <= INT64_MAX;
                value_set(map,
                          resources[i].name,
                          number ? value_new_int((int64_t) limit->soft) : value_new_string(text));
        }
        return map;
}
