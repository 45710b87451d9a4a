/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Introspection data through GMarkup. A fact is a line such as "method Start, argument 0 in: script s". What
 * the D-Bus specification lets out is put in, so that two texts which say the same give the same facts. */

#include "interface-fixture.h"

#include "fixture.h"

#include <stdbool.h>
#include <string.h>

#define EMITS "org.freedesktop.DBus.Property.EmitsChangedSignal"

typedef struct Parser {
        const char *wanted;
        TestInterface *interface;
        bool inside;
        char *member_kind, *member_name;
        unsigned n_in, n_out;
        GString *signature_in;
        bool has_emits;
} Parser;

static const char *attribute_of(const char **names, const char **values, const char *wanted) {
        for (size_t i = 0; names[i]; i++) {
                if (strcmp(names[i], wanted) == 0) {
                        return values[i];
                }
        }
        return "";
}

static void add_fact(Parser *parser, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add_fact(Parser *parser, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        g_ptr_array_add(parser->interface->facts, g_strdup_vprintf(format, arguments));
        va_end(arguments);
}

static void begin_member(Parser *parser, const char *kind, const char **names, const char **values) {
        parser->member_kind = g_strdup(kind);
        parser->member_name = g_strdup(attribute_of(names, values, "name"));
        parser->n_in = parser->n_out = 0;
        parser->has_emits = false;
        g_string_truncate(parser->signature_in, 0);
        if (strcmp(kind, "property") == 0) {
                const char *type = attribute_of(names, values, "type");
                add_fact(parser,
                         "property %s: %s %s",
                         parser->member_name,
                         type,
                         attribute_of(names, values, "access"));
                g_hash_table_insert(
                                parser->interface->properties,
                                g_strdup(parser->member_name),
                                g_strdup(type));
        } else {
                add_fact(parser, "%s %s", kind, parser->member_name);
        }
}

static void take_argument(Parser *parser, const char **names, const char **values) {
        bool in = strcmp(parser->member_kind, "method") == 0 &&
                  strcmp(attribute_of(names, values, "direction"), "out") != 0;
        const char *type = attribute_of(names, values, "type");
        unsigned number = in ? parser->n_in++ : parser->n_out++;

        if (in) {
                g_string_append(parser->signature_in, type);
        }
        add_fact(parser,
                 "%s %s, argument %u %s: %s %s",
                 parser->member_kind,
                 parser->member_name,
                 number,
                 in ? "in" : "out",
                 attribute_of(names, values, "name"),
                 type);
}

static void take_annotation(Parser *parser, const char **names, const char **values) {
        const char *name = attribute_of(names, values, "name");

        parser->has_emits = parser->has_emits || strcmp(name, EMITS) == 0;
        add_fact(parser,
                 "%s %s, annotation %s: %s",
                 parser->member_kind ? parser->member_kind : "interface",
                 parser->member_name ? parser->member_name : "",
                 name,
                 attribute_of(names, values, "value"));
}

static void on_start(
                GMarkupParseContext *context,
                const char *element,
                const char **names,
                const char **values,
                void *userdata,
                GError **error) {
        Parser *parser = userdata;

        if (strcmp(element, "interface") == 0) {
                parser->inside = strcmp(attribute_of(names, values, "name"), parser->wanted) == 0;
                if (parser->inside) {
                        parser->interface->name = g_strdup(parser->wanted);
                }
        } else if (!parser->inside) {
                return;
        } else if (strcmp(element, "arg") == 0) {
                take_argument(parser, names, values);
        } else if (strcmp(element, "annotation") == 0) {
                take_annotation(parser, names, values);
        } else {
                begin_member(parser, element, names, values);
        }
}

static void on_end(GMarkupParseContext *context, const char *element, void *userdata, GError **error) {
        Parser *parser = userdata;
        bool member = strcmp(element, "method") == 0 || strcmp(element, "signal") == 0 ||
                      strcmp(element, "property") == 0;

        if (strcmp(element, "interface") == 0) {
                parser->inside = false;
        } else if (parser->inside && member) {
                if (strcmp(element, "method") == 0) {
                        g_hash_table_insert(
                                        parser->interface->methods,
                                        g_strdup(parser->member_name),
                                        g_strdup(parser->signature_in->str));
                } else if (strcmp(element, "property") == 0 && !parser->has_emits) {
                        add_fact(parser, "property %s, annotation " EMITS ": true", parser->member_name);
                }
                g_clear_pointer(&parser->member_kind, g_free);
                g_clear_pointer(&parser->member_name, g_free);
        }
}

static int compare_facts(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

TestInterface *test_interface_parse(const char *xml, const char *name) {
        static const GMarkupParser functions = { .start_element = on_start, .end_element = on_end };
        TestInterface *interface = g_new0(TestInterface, 1);
        g_autoptr(GString) signature_in = g_string_new(NULL);
        Parser parser = { .wanted = name, .interface = interface, .signature_in = signature_in };
        g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&functions, 0, &parser, NULL);
        g_autoptr(GError) error = NULL;

        interface->facts = g_ptr_array_new_with_free_func(g_free);
        interface->methods = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        interface->properties = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        (void) (g_markup_parse_context_parse(context, xml, -1, &error) &&
                g_markup_parse_context_end_parse(context, &error));
        g_assert_no_error(error);
        g_assert_cmpstr(interface->name, ==, name);
        g_ptr_array_sort(interface->facts, compare_facts);
        return interface;
}

TestInterface *test_interface_read(const char *source_root, const char *name) {
        g_autofree char *path = g_strdup_printf("%s/introspection/%s.xml", source_root, name);
        g_autofree char *xml = test_file_read(path);

        return test_interface_parse(xml, name);
}

void test_interface_free(TestInterface *interface) {
        if (interface) {
                g_free(interface->name);
                g_ptr_array_unref(interface->facts);
                g_hash_table_unref(interface->methods);
                g_hash_table_unref(interface->properties);
                g_free(interface);
        }
}
