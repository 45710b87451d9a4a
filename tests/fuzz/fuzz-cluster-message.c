/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any line of a worker: what is taken from it is within its bounds, and what is answered is JSON on one
 * line. */

#include "fuzz.h"

#include "cluster/cluster-message.h"
#include "config/ipc-message.h"

#include <string.h>
#include <sys/socket.h>

static void check_number(int64_t number) {
        g_assert_true(number == CLUSTER_NUMBER_NONE || number == CLUSTER_NUMBER_BAD ||
                      (number >= -CLUSTER_NUMBER_MAX && number <= CLUSTER_NUMBER_MAX));
}

static void check_text(const char *text) {
        g_assert_true(!text || (strlen(text) <= CLUSTER_TEXT_BYTES_MAX && g_utf8_validate(text, -1, NULL)));
}

static void check_line(char *line) {
        g_autofree char *owned = line;
        IpcMessage message;

        g_assert_null(strchr(owned, '\n'));
        g_assert_cmpint(ipc_message_scan(owned, strlen(owned), &message, NULL), ==, 0);
        g_assert_true(message.internal);
}

static void check_answers(const ClusterMessage *message) {
        g_auto(ListenAddress) address = { 0 };
        g_autofree char *key = NULL;
        g_autofree char *data =
                        message->data.start ? g_strndup(message->data.start, message->data.length) : NULL;

        int r = cluster_message_to_address(message, &address, &key);
        if (r < 0) {
                g_assert_null(key);
                check_line(cluster_write_answer(message->seq, r, NULL, NULL, NULL));
                return;
        }
        g_assert_true(address.family == AF_UNIX ? address.path[0] == '/' : !address.path);
        g_assert_cmpint(address.backlog, >=, 0);
        g_autofree char *answer = cluster_write_answer(message->seq, 0, key, data, NULL);
        check_line(g_strdup(answer));
        check_line(cluster_write_envelope(address.kind == LISTEN_DATAGRAM, answer));
        check_line(cluster_write_connection(key, message->seq));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *line = size > 0 ? (const char *) data : "";
        g_auto(ClusterMessage) message = { 0 };

        /* A line of a channel has none of these. */
        if (memchr(line, '\n', size) || cluster_message_parse(line, size, &message, NULL) < 0) {
                return 0;
        }
        check_number(message.seq);
        check_number(message.ack);
        check_number(message.port);
        check_number(message.accepted_count);
        check_text(message.key);
        check_text(message.address);
        g_assert_cmpuint(message.data.length, <=, CLUSTER_DATA_BYTES_MAX);
        g_assert_true(!message.data.start || (message.data.start >= line &&
                                              message.data.start + message.data.length <= line + size));
        check_answers(&message);
        return 0;
}
