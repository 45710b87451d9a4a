/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What introspection data say of one interface. */
typedef struct TestInterface {
        char *name;
        GPtrArray *facts;       /* of char *: one line for each argument, property and annotation, sorted */
        GHashTable *methods;    /* name -> signature of what goes in */
        GHashTable *properties; /* name -> type */
} TestInterface;

/* The interface of this name in a text; it must be there. */
TestInterface *test_interface_parse(const char *xml, const char *name);
/* That of introspection/<name>.xml below the source tree. */
TestInterface *test_interface_read(const char *source_root, const char *name);
void test_interface_free(TestInterface *interface);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TestInterface, test_interface_free)
