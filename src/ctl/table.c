/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Tables for a terminal, with lines, or plain for everything else: columns at least two blanks apart. */

#include "table.h"

#include "text.h"

#define COLOUR_TITLE "\033[1;36m"
#define COLOUR_END   "\033[0m"

typedef struct Cell {
        char *text;
        const char *colour;
} Cell;

struct Table {
        const TableColumn *columns;
        size_t n_columns;
        GArray *cells; /* of Cell, row by row */
        size_t n_rows;
};

static void cell_clear(gpointer data) {
        Cell *cell = data;
        g_free(cell->text);
}

Table *table_new(const TableColumn *columns, size_t n_columns) {
        Table *table = g_new0(Table, 1);
        table->columns = columns;
        table->n_columns = n_columns;
        table->cells = g_array_new(false, true, sizeof(Cell));
        g_array_set_clear_func(table->cells, cell_clear);
        return table;
}

void table_free(Table *table) {
        if (table) {
                g_array_unref(table->cells);
                g_free(table);
        }
}

/* Cells that were not given are empty. */
static void fill_row(Table *table) {
        g_array_set_size(table->cells, (guint) (table->n_rows * table->n_columns));
}

void table_add_row(Table *table) {
        fill_row(table);
        table->n_rows++;
}

static void add_cell(Table *table, char *text, const char *colour) {
        Cell cell = { .text = text, .colour = colour };

        if (table->cells->len < table->n_rows * table->n_columns) {
                (void) g_array_append_val(table->cells, cell);
        } else {
                g_free(text);
        }
}

void table_add_cell(Table *table, const char *text, const char *colour) {
        add_cell(table, g_strdup(text), colour);
}

void table_add_take(Table *table, char *text) {
        add_cell(table, text, NULL);
}

/* What the layout works with: the cleaned texts and widths, row 0 being the titles. */
typedef struct Layout {
        const Table *table;
        const TableStyle *style;
        char **texts;
        size_t *widths; /* of each column; 0 = left out */
} Layout;

static const Cell *get_cell(const Table *table, size_t row, size_t column) {
        size_t index = row * table->n_columns + column;
        return index < table->cells->len ? &g_array_index(table->cells, Cell, index) : NULL;
}

static void layout_measure(Layout *layout) {
        const Table *table = layout->table;

        for (size_t row = 0; row <= table->n_rows; row++) {
                for (size_t column = 0; column < table->n_columns; column++) {
                        const Cell *cell = row > 0 ? get_cell(table, row - 1, column) : NULL;
                        const char *text = row == 0 ? table->columns[column].title
                                           : cell   ? cell->text
                                                    : NULL;
                        char *clean = text_clean(text ? text : "", layout->style->utf8);
                        size_t width = text_width(clean, layout->style->utf8);
                        layout->texts[row * table->n_columns + column] = clean;
                        layout->widths[column] = MAX(MAX(layout->widths[column], width), 1);
                }
        }
}

static size_t layout_width(const Layout *layout) {
        size_t width = layout->style->box ? 1 : 0;

        for (size_t column = 0; column < layout->table->n_columns; column++) {
                if (layout->widths[column] > 0) {
                        width += layout->widths[column] + (layout->style->box ? 3 : 2);
                }
        }
        return width;
}

/* Leave out columns until the table fits. */
static void layout_shrink(Layout *layout) {
        const Table *table = layout->table;

        while (layout->style->width > 0 && layout_width(layout) > layout->style->width) {
                size_t most = table->n_columns;
                for (size_t column = 0; column < table->n_columns; column++) {
                        unsigned dispense = layout->widths[column] > 0 ? table->columns[column].dispense : 0;
                        if (dispense > 0 &&
                            (most == table->n_columns || dispense > table->columns[most].dispense)) {
                                most = column;
                        }
                }
                if (most == table->n_columns) {
                        return;
                }
                layout->widths[most] = 0;
        }
}

static void append_repeated(GString *out, const char *text, size_t times) {
        while (times-- > 0) {
                g_string_append(out, text);
        }
}

static void append_line(
                GString *out, const Layout *layout, const char *left, const char *cross, const char *right) {
        const char *separator = left;

        for (size_t column = 0; column < layout->table->n_columns; column++) {
                if (layout->widths[column] > 0) {
                        g_string_append(out, separator);
                        append_repeated(out, "─", layout->widths[column] + 2);
                        separator = cross;
                }
        }
        g_string_append(out, right);
        g_string_append_c(out, '\n');
}

static const char *cell_colour(const Layout *layout, size_t row, size_t column) {
        const Cell *cell = row > 0 ? get_cell(layout->table, row - 1, column) : NULL;

        if (!layout->style->colour) {
                return NULL;
        }
        return row == 0 ? COLOUR_TITLE : cell ? cell->colour : NULL;
}

static void append_cell(GString *out, const Layout *layout, size_t row, size_t column) {
        const char *text = layout->texts[row * layout->table->n_columns + column];
        const char *colour = cell_colour(layout, row, column);
        size_t padding = layout->widths[column] - text_width(text, layout->style->utf8);

        if (layout->table->columns[column].right) {
                append_repeated(out, " ", padding);
        }
        if (colour) {
                g_string_append(out, colour);
        }
        g_string_append(out, text);
        if (colour) {
                g_string_append(out, COLOUR_END);
        }
        if (!layout->table->columns[column].right) {
                append_repeated(out, " ", padding);
        }
}

static void append_row(GString *out, const Layout *layout, size_t row) {
        bool first = true;

        for (size_t column = 0; column < layout->table->n_columns; column++) {
                if (layout->widths[column] == 0) {
                        continue;
                }
                if (layout->style->box) {
                        g_string_append(out, "│ ");
                } else if (!first) {
                        g_string_append(out, "  ");
                }
                append_cell(out, layout, row, column);
                if (layout->style->box) {
                        g_string_append_c(out, ' ');
                }
                first = false;
        }
        if (layout->style->box) {
                g_string_append(out, "│");
        } else {
                while (out->len > 0 && out->str[out->len - 1] == ' ') {
                        g_string_truncate(out, out->len - 1);
                }
        }
        g_string_append_c(out, '\n');
}

char *table_format(const Table *table, const TableStyle *style) {
        size_t n_texts = (table->n_rows + 1) * table->n_columns;
        Layout layout = {
                .table = table,
                .style = style,
                .texts = g_new0(char *, n_texts),
                .widths = g_new0(size_t, table->n_columns),
        };
        GString *out = g_string_new(NULL);

        layout_measure(&layout);
        layout_shrink(&layout);
        if (style->box) {
                append_line(out, &layout, "┌", "┬", "┐");
        }
        append_row(out, &layout, 0);
        if (style->box) {
                append_line(out, &layout, "├", "┼", "┤");
        }
        for (size_t row = 1; row <= table->n_rows; row++) {
                append_row(out, &layout, row);
        }
        if (style->box) {
                append_line(out, &layout, "└", "┴", "┘");
        }
        for (size_t i = 0; i < n_texts; i++) {
                g_free(layout.texts[i]);
        }
        g_free(layout.texts);
        g_free(layout.widths);
        return g_string_free(out, false);
}
