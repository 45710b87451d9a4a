/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon/print-attributes.h"

#include "core/app-config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *or_empty(const char *text) {
        return text ? text : "";
}

/* Name, aliases, type, default, what it means. */
static void print_line(const Attribute *attribute) {
        /* Of what is not supported the first of the words that are taken. */
        int length = attribute->fallback ? (int) strcspn(attribute->fallback, " ") : 0;
        g_autofree char *values = attribute_values_to_text(attribute);

        (void) printf("%s%s%s%s (%s%s%.*s): %s\n",
                      attribute->name,
                      attribute->aliases ? " [" : "",
                      or_empty(attribute->aliases),
                      attribute->aliases ? "]" : "",
                      values,
                      length > 0 ? ", default " : "",
                      length,
                      or_empty(attribute->fallback),
                      attribute->help);
}

static void print_row(const Attribute *attribute) {
        g_autofree char *values = attribute_values_to_text(attribute);

        (void) printf("%s\t%s\t%s\t%s\t%s\t%" PRIu64 "\t%" PRIu64 "\t%s\n",
                      attribute->name,
                      or_empty(attribute->aliases),
                      values,
                      attribute_type_to_name(attribute->type),
                      or_empty(attribute->fallback),
                      attribute->minimum,
                      attribute->maximum,
                      attribute->help);
}

int print_attributes(const char *form) {
        if (form && strcmp(form, "table") != 0) {
                return -EINVAL;
        }
        for (size_t i = 0; i < n_attributes; i++) {
                if (form) {
                        print_row(&attributes[i]);
                } else {
                        print_line(&attributes[i]);
                }
        }
        return 0;
}
