/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "basic/environment-file.h"

#include "fixture.h"

#include <string.h>

/* All variables, separated by '|', and the error behind them: "A=1|B=2|3: a quote is not closed". In memory
 * of just the size that is promised. */
static char *read_text(const char *text, size_t size) {
        g_autofree char *copy = g_malloc(size + 1);
        g_autoptr(GString) found = g_string_new(NULL);
        EnvironmentFileResult result;
        EnvironmentFile file;
        char *variable = NULL;

        memcpy(copy, text, size);
        copy[size] = 'x';
        environment_file_init(&file, copy, size);
        while ((result = environment_file_next(&file, &variable)) == ENVIRONMENT_FILE_VARIABLE) {
                g_assert_true(variable >= copy && variable + strlen(variable) <= copy + size);
                g_assert_null(environment_file_error_to_text(result));
                g_string_append_printf(found, "%s%s", found->len > 0 ? "|" : "", variable);
        }
        if (result != ENVIRONMENT_FILE_END) {
                g_string_append_printf(
                                found,
                                "%s%u: %s",
                                found->len > 0 ? "|" : "",
                                file.line,
                                environment_file_error_to_text(result));
        }
        return g_string_free(g_steal_pointer(&found), FALSE);
}

#define NO_ASSIGNMENT "is not NAME=value"
#define BAD_NAME      "what stands before the '=' cannot be the name of a variable"
#define OPEN_QUOTE    "a quote is not closed"
#define BEHIND_QUOTE  "something stands behind the closing quote"
#define NUL           "has a NUL byte"

static const struct {
        const char *text, *expected;
} cases[] = {
        { "", "" },
        { "\n\n \t\r\n", "" },
        { "# A=1", "" },
        { "  # A=1\n#\n", "" },
        { "A=1", "A=1" },
        { "A=1\n", "A=1" },
        { "A=1\nB=2\n\n# comment\nC=3", "A=1|B=2|C=3" },
        { "A=1\r\nB=2\r\n", "A=1|B=2" },
        { "A=", "A=" },
        { "A=\nB=", "A=|B=" },
        { "A==", "A==" },
        { "A=b=c", "A=b=c" },
        { "  A=1", "A=1" },
        { "A =1", "A=1" },
        { "A = 1", "A=1" },
        { "A\t=\t1\t", "A=1" },
        { "A=one two  \t\n", "A=one two" },
        { "_a.B-9=x", "_a.B-9=x" },
        { "A=\xff\xfe", "A=\xff\xfe" },
        { "A=caf\xc3\xa9", "A=caf\xc3\xa9" },
        /* comments behind values */
        { "A=1 # one", "A=1" },
        { "A=1#one", "A=1#one" },
        { "A=#one", "A=#one" },
        { "A= #one", "A=" },
        { "A= # one\nB=2", "A=|B=2" },
        { "A=1\t#", "A=1" },
        { "A=a#b #c #d", "A=a#b" },
        /* export */
        { "export A=1", "A=1" },
        { "  export\t A = 1", "A=1" },
        { "export=1", "export=1" },
        { "export =1", "export=1" },
        { "export export=1", "export=1" },
        { "exports=1", "exports=1" },
        { "exportA=1", "exportA=1" },
        { "export", "1: " NO_ASSIGNMENT },
        { "export ", "1: " NO_ASSIGNMENT },
        { "export A", "1: " NO_ASSIGNMENT },
        { "export\nA=1", "1: " NO_ASSIGNMENT },
        { "export 'A'=1", "1: " BAD_NAME },
        { "export # A", "1: " NO_ASSIGNMENT },
        /* what is literal without quotes */
        { "A=it's", "A=it's" },
        { "A=x\"y z\"", "A=x\"y z\"" },
        { "A=$HOME/${X}`x`", "A=$HOME/${X}`x`" },
        { "A=a\\nb\\", "A=a\\nb\\" },
        /* single quotes */
        { "A=''", "A=" },
        { "A='x'", "A=x" },
        { "A = ' x '", "A= x " },
        { "A=' # \\n \\' ", "A= # \\n \\" },
        { "A='a \"b\" $c'", "A=a \"b\" $c" },
        { "A='one\ntwo'\nB=3", "A=one\ntwo|B=3" },
        { "A='x' # comment", "A=x" },
        { "A='x'\r\nB='y'\t", "A=x|B=y" },
        { "A='", "1: " OPEN_QUOTE },
        { "A='x", "1: " OPEN_QUOTE },
        { "A=1\nB='x\n\n\n", "A=1|2: " OPEN_QUOTE },
        { "A='x'y", "1: " BEHIND_QUOTE },
        { "A='x' y", "1: " BEHIND_QUOTE },
        { "A='x'#y", "1: " BEHIND_QUOTE },
        { "A='x''y'", "1: " BEHIND_QUOTE },
        { "A='x\ny\n' z", "3: " BEHIND_QUOTE },
        /* double quotes */
        { "A=\"\"", "A=" },
        { "A=\"x\"", "A=x" },
        { "A=\" x \"", "A= x " },
        { "A=\"a\\nb\\tc\\\\d\\\"e\\$f\"", "A=a\nb\tc\\d\"e$f" },
        { "A=\"\\a\\ \\'\\r\"", "A=\\a\\ \\'\\r" },
        { "A=\"\\\\n\"", "A=\\n" },
        { "A=\"$HOME `x`\"", "A=$HOME `x`" },
        { "A=\"it's # no comment\"", "A=it's # no comment" },
        { "A=\"one\n two\n\"\n B=\"3\"", "A=one\n two\n|B=3" },
        { "A=\"one\\\ntwo\"", "A=one\\\ntwo" },
        { "A=\"x\"# y", "1: " BEHIND_QUOTE },
        { "A=\"x\" # y\nB=1", "A=x|B=1" },
        { "A=\"x\\\"", "1: " OPEN_QUOTE },
        { "A=\"x\\", "1: " OPEN_QUOTE },
        { "\n\nA=\"", "3: " OPEN_QUOTE },
        { "A=\"a\nb\"\nB", "A=a\nb|3: " NO_ASSIGNMENT },
        /* what is no variable */
        { "A", "1: " NO_ASSIGNMENT },
        { "A=1\n\nnonsense\nB=2", "A=1|3: " NO_ASSIGNMENT },
        { "A: 1", "1: " NO_ASSIGNMENT },
        { "A\n=1", "1: " NO_ASSIGNMENT },
        { "=", "1: " BAD_NAME },
        { "=1", "1: " BAD_NAME },
        { "1A=1", "1: " BAD_NAME },
        { "A B=1", "1: " BAD_NAME },
        { "A$=1", "1: " BAD_NAME },
        { "'A'=1", "1: " BAD_NAME },
        { "caf\xc3\xa9=1", "1: " BAD_NAME },
        { "\xef\xbb\xbf"
          "A=1",
          "1: " BAD_NAME },
        { "[section]", "1: " NO_ASSIGNMENT },
};

static void test_cases(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *found = read_text(cases[i].text, strlen(cases[i].text));
                g_test_message("%s", cases[i].text);
                g_assert_cmpstr(found, ==, cases[i].expected);
        }
}

static void test_nul(void) {
        static const struct {
                const char *text;
                size_t size;
                const char *expected;
        } texts[] = {
                { "\0", 1, "1: " NUL },
                { "A=1\0", 4, "A=1|1: " NUL },
                { "A=1\n\0B=2", 8, "A=1|2: " NUL },
                { "A\0=1", 4, "1: " NUL },
                { "A=1\n# c\0c\nB=1", 13, "A=1|2: " NUL },
                { "A='\n\0'", 6, "2: " NUL },
                { "A=\"\\\0\"", 6, "1: " NUL },
                { "export\0A=1", 10, "1: " NUL },
                { "A='x'\0", 6, "A=x|1: " NUL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autofree char *found = read_text(texts[i].text, texts[i].size);
                g_assert_cmpstr(found, ==, texts[i].expected);
        }
}

static void read_prefixes(const char *text) {
        for (size_t size = 0; size < strlen(text); size++) {
                g_autofree char *found = read_text(text, size);
                g_assert_nonnull(found);
        }
}

/* A text that is cut anywhere is read up to there, or has an error, and nothing behind it is looked at. */
static void test_every_prefix(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                read_prefixes(cases[i].text);
        }
}

static void test_too_long(void) {
        for (int over = 0; over < 2; over++) {
                g_autofree char *value =
                                g_strnfill(ENVIRONMENT_FILE_ASSIGNMENT_MAX - 2 + (size_t) over, 'x');
                g_autofree char *plain = g_strconcat("\nA=", value, NULL);
                g_autofree char *quoted = g_strconcat("\nA='", value, "'", NULL);
                const char *const texts[] = { plain, quoted };
                for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                        g_autofree char *found = read_text(texts[i], strlen(texts[i]));
                        g_autofree char *expected = g_strconcat("A=", value, NULL);
                        g_assert_cmpstr(found, ==, over ? "2: the variable is over 131071 bytes" : expected);
                }
        }
}

static void test_texts(void) {
        g_assert_null(environment_file_error_to_text(-1));
        g_assert_null(environment_file_error_to_text(ENVIRONMENT_FILE_END));
        g_assert_null(environment_file_error_to_text(_ENVIRONMENT_FILE_RESULT_MAX));
        for (int result = ENVIRONMENT_FILE_NO_ASSIGNMENT; result < _ENVIRONMENT_FILE_RESULT_MAX; result++) {
                g_assert_nonnull(environment_file_error_to_text(result));
        }
        g_autofree char *many = g_strdup_printf("over %d variables in all", ENVIRONMENT_FILE_VARIABLES_MAX);
        g_assert_cmpstr(environment_file_error_to_text(ENVIRONMENT_FILE_TOO_MANY), ==, many);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/basic/environment-file/cases", test_cases);
        g_test_add_func("/basic/environment-file/nul", test_nul);
        g_test_add_func("/basic/environment-file/every-prefix", test_every_prefix);
        g_test_add_func("/basic/environment-file/too-long", test_too_long);
        g_test_add_func("/basic/environment-file/texts", test_texts);
        return g_test_run();
}
