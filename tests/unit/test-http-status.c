/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/http-status.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

static int feed_all(const char *text, size_t at_once) {
        HttpStatus status = { 0 };
        size_t length = strlen(text);
        int r = 0;

        for (size_t i = 0; r == 0 && i < length; i += at_once) {
                r = http_status_feed(&status, text + i, MIN(at_once, length - i));
        }
        return r;
}

static void test_answers(void) {
        static const struct {
                const char *text;
                int status;
        } cases[] = {
                { "HTTP/1.1 200 OK\r\n", 200 },
                { "HTTP/1.0 404 Not Found\r\n\r\nwhatever", 404 },
                { "HTTP/1.1 204 \r\n", 204 },
                { "HTTP/1.1 204\r\n", 204 }, /* without a reason and the blank before it, as some servers */
                { "HTTP/1.1 503\n", 503 },
                { "HTTP/1.1 999 Odd\r\n", 999 },
                { "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 301 Moved\r\n", 301 },
                { "HTTP/1.1 100 Continue\n\nHTTP/1.1 102\r\n\r\nHTTP/1.1 200 OK\r\n", 200 },
                { "HTTP/1.1 103 Early Hints\r\n\r\n", 0 },
                { "HTTP/1.1 103 Early Hints\r\nHTTP/1.1 200 OK\r\n", 0 },
                { "HTTP/1.1 200", 0 },
                { "HTTP/1.1 20", 0 },
                { "", 0 },
                { "HTTP/2 200 OK\r\n", -EBADMSG },
                { "HTTP/1.x 200 OK\r\n", -EBADMSG },
                { "HTTP/1.1  200 OK\r\n", -EBADMSG },
                { "HTTP/1.1 2000 OK\r\n", -EBADMSG },
                { "HTTP/1.1 2x0 OK\r\n", -EBADMSG },
                { "HTTP/1.1 099 OK\r\n", -EBADMSG },
                { "http/1.1 200 OK\r\n", -EBADMSG },
                { "\r\nHTTP/1.1 200 OK\r\n", -EBADMSG },
                { "SSH-2.0-x\r\n", -EBADMSG },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                for (size_t at_once = 1; at_once < 100; at_once += 7) {
                        g_test_message("%s", cases[i].text);
                        g_assert_cmpint(feed_all(cases[i].text, at_once), ==, cases[i].status);
                }
        }
}

/* What never ends is left soon. */
static void test_caps(void) {
        g_autofree char *blanks = g_strnfill(100000, 'a');
        g_autofree char *line = g_strconcat("HTTP/1.1 103 ", blanks, NULL);
        g_autofree char *header = g_strconcat("HTTP/1.1 103 x\r\n", blanks, NULL);
        g_autoptr(GString) hints = g_string_new(NULL);

        g_assert_cmpint(feed_all(line, 4096), ==, -EMSGSIZE);
        g_assert_cmpint(feed_all(header, 4096), ==, -EMSGSIZE);
        for (int i = 0; i < 10000; i++) {
                g_string_append(hints, "HTTP/1.1 103 x\r\n\r\n");
        }
        g_assert_cmpint(feed_all(hints->str, 1), ==, -EMSGSIZE);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/http-status/answers", test_answers);
        g_test_add_func("/http-status/caps", test_caps);
        return g_test_run();
}
