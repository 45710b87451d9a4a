/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct TableColumn {
        const char *title;
        bool right;        /* aligned to the right */
        unsigned dispense; /* where it does not fit, higher ones are left out first; 0 never */
} TableColumn;

typedef struct TableStyle {
        bool box;     /* drawn with lines */
        bool colour;  /* escape sequences are wanted */
        bool utf8;    /* the locale is */
        size_t width; /* of the terminal, 0 = any */
} TableStyle;

typedef struct Table Table;

/* columns must outlive the table. */
Table *table_new(const TableColumn *columns, size_t n_columns);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* Begin a row, whose cells are then added from the left: the text is copied and cleaned when it is shown;
 * colour is a static escape sequence or NULL. A cell of the number is text too. */
void table_add_row(Table *table);
void table_add_cell(Table *table, const char *text, const char *colour);
void table_add_take(Table *table, char *text);

/* The table as text, each line ended by a newline, to be freed with g_free(). */
char *table_format(const Table *table, const TableStyle *style);
