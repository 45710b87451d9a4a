/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any bytes as JSON that a client of the library reads: it takes what the supervisor's own grammar takes,
 * and what it took is written so that it is read back as the same. */

#include "fuzz.h"

#include "config/ipc-message.h"

#include <errno.h>
#include <pm2/pm2.h>
#include <stdlib.h>
#include <string.h>

enum {
        DIGITS_OF_THE_LARGEST = 309, /* DBL_MAX */
};

/* A text of just that size, for the sanitizers to see what is read behind it. */
static int read_exact(const char *text, size_t size, pm2_value **ret) {
        char *exact = malloc(size > 0 ? size : 1);

        g_assert_nonnull(exact);
        memcpy(exact, text, size);
        int r = pm2_value_from_json(exact, size, ret);
        free(exact);
        return r;
}

static char *write_text(const pm2_value *value, pm2_json_format format) {
        char *text = NULL;

        g_assert_cmpint(pm2_value_to_json(value, format, &text), ==, 0);
        g_assert_true(g_utf8_validate(text, -1, NULL));
        return text;
}

/* What stands behind reading a text that we wrote, written again. */
static char *rewrite(const char *text) {
        pm2_value *value = NULL;

        g_assert_cmpint(read_exact(text, strlen(text), &value), ==, 0);
        char *again = write_text(value, PM2_JSON_SHORT);
        (void) pm2_value_free(value);
        return again;
}

/* -0.0 is written as "-0", which is the whole number 0: so the second text is the one that stays. */
static void check_texts(const pm2_value *value) {
        char *brief = write_text(value, PM2_JSON_SHORT), *pretty = write_text(value, PM2_JSON_PRETTY);
        char *first = rewrite(brief), *second = rewrite(first), *of_pretty = rewrite(pretty);

        g_assert_null(strchr(brief, '\n'));
        g_assert_cmpstr(second, ==, first);
        g_assert_cmpstr(of_pretty, ==, first);
        free(brief);
        free(pretty);
        free(first);
        free(second);
        free(of_pretty);
}

/* There may be a number in it that is larger than any double. */
static bool may_overflow(const uint8_t *data, size_t size) {
        return memchr(data, 'e', size) || memchr(data, 'E', size) || size >= DIGITS_OF_THE_LARGEST;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = size > 0 ? (const char *) data : "";
        g_auto(Error) error = { 0 };
        pm2_value *value = NULL;
        IpcMessage message;

        bool is_json = ipc_message_scan(text, size, &message, &error) >= 0;
        int r = read_exact(text, size, &value);
        if (r < 0) {
                g_assert_null(value);
                g_assert_true(r == -EBADMSG || r == -ELOOP);
                g_assert_true(!is_json || (r == -EBADMSG && may_overflow(data, size)));
                return 0;
        }
        /* It may be deeper by the two levels that events have about a message. */
        g_assert_true(is_json || strstr(error.message, "nested too deeply"));
        check_texts(value);
        (void) pm2_value_free(value);
        return 0;
}
