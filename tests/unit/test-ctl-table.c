/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Widths, cleaned texts, figures and tables. */

#include "ctl/table.h"
#include "ctl/text.h"

#include <glib.h>
#include <locale.h>
#include <string.h>

static bool have_utf8;

static void test_width(void) {
        static const struct {
                const char *text;
                size_t utf8, ascii;
        } samples[] = {
                { "", 0, 0 },         { "api", 3, 3 },       { "zählwerk", 8, 9 },
                { "日本", 4, 6 },     { "e\xcc\x81", 1, 3 }, /* a combining accent */
                { "\xff\xfe", 2, 2 },
        };
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                if (have_utf8) {
                        g_assert_cmpuint(text_width(samples[i].text, true), ==, samples[i].utf8);
                }
                g_assert_cmpuint(text_width(samples[i].text, false), ==, samples[i].ascii);
        }
}

static void test_clean(void) {
        static const struct {
                const char *text, *utf8, *ascii;
        } samples[] = {
                { "api", "api", "api" },
                { "a\033[2Jb\n", "a�[2Jb�", "a?[2Jb?" },
                { "\xc2\x9b"
                  "31m",
                  "�31m",
                  "?31m" }, /* CSI of eight bits */
                { "zähl 日", "zähl 日", "z?hl ?" },
                { "\xff"
                  "x",
                  "�x",
                  "?x" },
                { "\177", "�", "?" },
        };
        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *utf8 = text_clean(samples[i].text, true);
                g_autofree char *ascii = text_clean(samples[i].text, false);
                if (have_utf8) {
                        g_assert_cmpstr(utf8, ==, samples[i].utf8);
                }
                g_assert_cmpstr(ascii, ==, samples[i].ascii);
        }
}

static void assert_text(char *text, const char *expected) {
        g_assert_cmpstr(text, ==, expected);
        g_free(text);
}

static void test_figures(void) {
        assert_text(format_uptime(0), "0s");
        assert_text(format_uptime(59999), "59s");
        assert_text(format_uptime(60000), "1m");
        assert_text(format_uptime(7200000), "2h");
        assert_text(format_uptime(UINT64_C(3) * 86400000), "3D");
        assert_text(format_uptime(UINT64_C(40) * 86400000), "1M");
        assert_text(format_uptime(UINT64_C(800) * 86400000), "2Y");
        assert_text(format_bytes(0), "0b");
        assert_text(format_bytes(1023), "1023b");
        assert_text(format_bytes(1024), "1.0kb");
        assert_text(format_bytes(36175872), "34.5mb");
        assert_text(format_bytes(UINT64_MAX), "16.0eb");
        g_autofree char *year = format_time(UINT64_C(1795330341395));
        g_assert_true(g_str_has_prefix(year, "2026-11-2"));
        assert_text(format_time(UINT64_MAX), "?");
}

static const TableColumn columns[] = {
        { "id", true, 0 },
        { "name", false, 0 },
        { "note", false, 2 },
        { "mem", true, 1 },
};

static Table *example(void) {
        Table *table = table_new(columns, G_N_ELEMENTS(columns));

        table_add_row(table);
        table_add_cell(table, "0", NULL);
        table_add_cell(table, "日本", "\033[32m");
        table_add_cell(table, "x", NULL);
        table_add_take(table, g_strdup("1kb"));
        table_add_cell(table, "one too many", NULL);
        table_add_row(table);
        table_add_cell(table, "10", NULL);
        table_add_row(table);
        table_add_cell(table, "11", NULL);
        table_add_cell(table, "ab\033[0m", NULL);
        return table;
}

static void test_plain(void) {
        g_autoptr(Table) table = example();

        if (!have_utf8) {
                g_test_skip("there is no UTF-8 locale");
                return;
        }
        assert_text(table_format(table, &(TableStyle){ .utf8 = true }),
                    "id  name    note  mem\n 0  日本    x     1kb\n10\n11  ab�[0m\n");
        assert_text(table_format(table, &(TableStyle){ .utf8 = false }),
                    "id  name    note  mem\n 0  ??      x     1kb\n10\n11  ab?[0m\n");
}

static void test_box(void) {
        g_autoptr(Table) table = example();

        if (!have_utf8) {
                g_test_skip("there is no UTF-8 locale");
                return;
        }
        assert_text(table_format(table, &(TableStyle){ .utf8 = true, .box = true }),
                    "┌────┬────────┬──────┬─────┐\n"
                    "│ id │ name   │ note │ mem │\n"
                    "├────┼────────┼──────┼─────┤\n"
                    "│  0 │ 日本   │ x    │ 1kb │\n"
                    "│ 10 │        │      │     │\n"
                    "│ 11 │ ab�[0m │      │     │\n"
                    "└────┴────────┴──────┴─────┘\n");
        g_autofree char *coloured =
                        table_format(table, &(TableStyle){ .utf8 = true, .box = true, .colour = true });
        g_assert_nonnull(strstr(coloured, "│ \033[32m日本\033[0m   │"));
}

/* What does not fit is left out, the most dispensable first; the rest stays however narrow it is. */
static void test_narrow(void) {
        static const struct {
                size_t width;
                const char *titles;
        } samples[] = {
                { 0, "id  name    note  mem" },
                { 80, "id  name    note  mem" },
                { 20, "id  name    mem" },
                { 14, "id  name" },
                { 3, "id  name" },
        };
        g_autoptr(Table) table = example();

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                g_autofree char *text = table_format(table, &(TableStyle){ .width = samples[i].width });
                g_autofree char *titles = g_strndup(text, strcspn(text, "\n"));
                g_assert_cmpstr(titles, ==, samples[i].titles);
        }
}

static void test_empty(void) {
        g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
        assert_text(table_format(table, &(TableStyle){ 0 }), "id  name  note  mem\n");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        have_utf8 = setlocale(LC_CTYPE, "C.UTF-8") || setlocale(LC_CTYPE, "en_US.UTF-8");
        g_test_add_func("/ctl/text/width", test_width);
        g_test_add_func("/ctl/text/clean", test_clean);
        g_test_add_func("/ctl/text/figures", test_figures);
        g_test_add_func("/ctl/table/plain", test_plain);
        g_test_add_func("/ctl/table/box", test_box);
        g_test_add_func("/ctl/table/narrow", test_narrow);
        g_test_add_func("/ctl/table/empty", test_empty);
        return g_test_run();
}
