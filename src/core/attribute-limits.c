/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/attribute-value.h"
#include "core/value-text.h"

#include <errno.h>
#include <string.h>

static int add_limit(
                const Attribute *attribute,
                const char *name,
                const char *text,
                ResourceLimits *limits,
                Error *error) {
        int resource = resource_from_name(name);

        if (resource < 0) {
                g_autofree char *quoted = error_quote(name);
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: %s is no resource (nofile, nproc, core, memlock, as, stack...)",
                                attribute->name,
                                quoted);
        }
        int r = text ? resource_limit_parse(resource, text, &limits->of[resource]) : -EINVAL;
        if (r < 0) {
                g_autofree char *quoted = text ? error_quote(text) : g_strdup("this value");
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s.%s: %s %s",
                                attribute->name,
                                resource_name(resource),
                                quoted,
                                r == -ERANGE ? "is out of range, or its soft limit is over the hard one"
                                             : "is no limit: expected a number, \"infinity\" or "
                                               "\"soft:hard\"");
        }
        return 0;
}

int attribute_set_limits(AppConfig *config, const Attribute *attribute, const Value *value, Error *error) {
        ResourceLimits limits = { 0 };
        int r = 0;

        if (value->kind == VALUE_STRING) { /* as command lines have it */
                g_auto(GStrv) words = g_strsplit_set(value->string, " ,", -1);
                for (char **word = words; r >= 0 && *word; word++) {
                        char *equals = strchr(*word, '=');
                        if (equals) {
                                *equals = '\0';
                        }
                        r = **word || equals ? add_limit(attribute,
                                                         *word,
                                                         equals ? equals + 1 : NULL,
                                                         &limits,
                                                         error)
                                             : 0;
                }
        } else if (value->kind == VALUE_MAP) {
                for (guint i = 0; r >= 0 && i < value->entries->len; i++) {
                        const ValueEntry *entry = &g_array_index(value->entries, ValueEntry, i);
                        bool scalar = entry->value->kind != VALUE_BOOL;
                        g_autofree char *text = scalar ? value_to_text(entry->value) : NULL;
                        r = add_limit(attribute, entry->key, text, &limits, error);
                }
        } else {
                r = attribute_refuse(attribute, value, error);
        }
        if (r >= 0) {
                ResourceLimits **field = attribute_field(config, attribute);
                g_free(*field);
                *field = g_memdup2(&limits, sizeof(limits));
        }
        return r;
}
