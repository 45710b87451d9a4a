/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any line of a Node process: what the shallow scan says of it is what a parser that builds all of it finds.
 * json-glib does not read every escape as JSON.parse() does; where it may not, our own decoder must have
 * taken the text. */

#include "fuzz.h"

#include "config/ipc-message.h"
#include "config/json-text.h"

#include <json-glib/json-glib.h>
#include <string.h>

static IpcKind kind_of(JsonNode *node) {
        if (JSON_NODE_HOLDS_OBJECT(node)) {
                return IPC_KIND_OBJECT;
        }
        if (JSON_NODE_HOLDS_ARRAY(node)) {
                return IPC_KIND_ARRAY;
        }
        if (JSON_NODE_HOLDS_NULL(node)) {
                return IPC_KIND_NULL;
        }
        GType type = json_node_get_value_type(node);
        return type == G_TYPE_STRING    ? IPC_KIND_STRING
               : type == G_TYPE_BOOLEAN ? IPC_KIND_BOOL
                                        : IPC_KIND_NUMBER;
}

static bool is_truthy(JsonNode *node) {
        switch (kind_of(node)) {
        case IPC_KIND_NULL:
                return false;
        case IPC_KIND_BOOL:
                return json_node_get_boolean(node);
        case IPC_KIND_NUMBER:
                return json_node_get_double(node) != 0;
        case IPC_KIND_STRING:
                return *json_node_get_string(node) != '\0';
        case IPC_KIND_ARRAY:
        case IPC_KIND_OBJECT:
        default:
                return true;
        }
}

static const char *string_of(JsonNode *node) {
        return node && kind_of(node) == IPC_KIND_STRING ? json_node_get_string(node) : "";
}

static JsonNode *member_of(JsonNode *root, const char *name) {
        return kind_of(root) == IPC_KIND_OBJECT ? json_object_get_member(json_node_get_object(root), name)
                                                : NULL;
}

static void check_member(JsonNode *root, const char *name, const IpcMember *member) {
        JsonNode *node = member_of(root, name);

        g_assert_true((node != NULL) == (member->json.start != NULL));
        if (node) {
                g_assert_cmpint(kind_of(node), ==, member->kind);
                g_assert_true(is_truthy(node) == member->truthy);
        }
}

/* The text is the whole one, or the beginning of it that fits. */
static void check_text(const char *whole, const char *text, size_t size) {
        g_assert_true(g_str_has_prefix(whole, text));
        g_assert_true(strlen(text) == strlen(whole) || strlen(text) + 4 >= size);
        g_assert_true(g_utf8_validate(text, -1, NULL));
}

static void check_message(JsonNode *root, const IpcMessage *message) {
        const char *cmd = string_of(member_of(root, "cmd"));

        g_assert_cmpint(kind_of(root), ==, message->kind);
        g_assert_true(message->ready == (strcmp(string_of(root), "ready") == 0));
        g_assert_true(message->internal ==
                      (g_str_has_prefix(cmd, "NODE_") && strlen(cmd) > strlen("NODE_")));
        check_text(cmd, message->cmd, sizeof(message->cmd));
        check_text(string_of(member_of(root, "type")), message->type_text, sizeof(message->type_text));
        check_member(root, "type", &message->type);
        check_member(root, "data", &message->data);
        check_member(root, "node_version", &message->node_version);
}

/* What is handed on is inside of the text, and is JSON by itself. */
static void check_span(const IpcMember *member, const char *text, size_t length) {
        const JsonSpan *json = &member->json;
        IpcMessage inner;

        if (json->start) {
                g_assert_true(json->start >= text && json->start + json->length <= text + length);
                g_assert_cmpint(ipc_message_scan(json->start, json->length, &inner, NULL), ==, 0);
                g_assert_cmpint(inner.kind, ==, member->kind);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = size > 0 ? (const char *) data : "";
        g_autoptr(Value) value = NULL;
        g_auto(Error) error = { 0 };
        IpcMessage message;

        bool strict = json_text_decode(text, size, &value, NULL) >= 0;
        int r = ipc_message_scan(text, size, &message, &error);
        if (r < 0) {
                g_assert_false(strict);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_DATA);
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
                return 0;
        }
        check_span(&message.type, text, size);
        check_span(&message.data, text, size);
        check_span(&message.node_version, text, size);
        if (strict || !memchr(text, '\\', size)) {
                g_autoptr(JsonParser) parser = json_parser_new();
                g_assert_true(json_parser_load_from_data(parser, text, (gssize) size, NULL));
                check_message(json_parser_get_root(parser), &message);
        }
        return 0;
}
