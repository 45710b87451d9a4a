/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config/ipc-message.h"

#include <string.h>

#define INTERNAL_PREFIX "NODE_"

typedef struct Members {
        JsonSpan cmd, type, data, node_version;
} Members;

static bool is_escaped(const JsonSpan *string) {
        return memchr(string->start, '\\', string->length) != NULL;
}

static JsonSpan *find_member(Members *members, const char *name, size_t length) {
        const struct {
                const char *name;
                size_t length;
                JsonSpan *span;
        } known[] = {
                { "cmd", 3, &members->cmd },
                { "type", 4, &members->type },
                { "data", 4, &members->data },
                { "node_version", 12, &members->node_version },
        };

        for (size_t i = 0; i < ELEMENTS(known); i++) {
                if (length == known[i].length && memcmp(name, known[i].name, length) == 0) {
                        return known[i].span;
                }
        }
        return NULL;
}

static void on_member(void *userdata, const JsonSpan *key, const JsonSpan *value) {
        JsonSpan *member;

        if (is_escaped(key)) {
                g_autoptr(GString) name = g_string_new(NULL);
                json_guard_unescape(key, name);
                member = find_member(userdata, name->str, name->len);
        } else {
                member = find_member(userdata, key->start, key->length);
        }
        if (member) {
                *member = *value;
        }
}

static IpcKind kind_of(const JsonSpan *value) {
        switch (*value->start) {
        case 'n':
                return IPC_KIND_NULL;
        case 't':
        case 'f':
                return IPC_KIND_BOOL;
        case '"':
                return IPC_KIND_STRING;
        case '[':
                return IPC_KIND_ARRAY;
        case '{':
                return IPC_KIND_OBJECT;
        default:
                return IPC_KIND_NUMBER;
        }
}

static bool is_truthy(const JsonSpan *value, IpcKind kind) {
        switch (kind) {
        case IPC_KIND_NULL:
                return false;
        case IPC_KIND_BOOL:
                return *value->start == 't';
        case IPC_KIND_NUMBER: {
                g_autofree char *number = g_strndup(value->start, value->length);
                return g_ascii_strtod(number, NULL) != 0;
        }
        case IPC_KIND_STRING:
                return value->length > 2; /* each escape means something */
        case IPC_KIND_ARRAY:
        case IPC_KIND_OBJECT:
        default:
                return true;
        }
}

static IpcMember to_member(const JsonSpan *value) {
        IpcMember member = { .json = *value };

        if (value->start) {
                member.kind = kind_of(value);
                member.truthy = is_truthy(value, member.kind);
        }
        return member;
}

/* As much of a text as fits, and no part of a character; text of its own where that has NUL. */
static void copy_text(char *buffer, size_t size, const char *text, size_t length) {
        size_t kept = 0;

        for (size_t i = 0; i < length;) {
                const char *character = text[i] ? text + i : "\xef\xbf\xbd";
                size_t taken = text[i] ? (size_t) (g_utf8_next_char(text + i) - (text + i)) : 1;
                size_t added = text[i] ? taken : 3;
                if (kept + added >= size) {
                        break;
                }
                memcpy(buffer + kept, character, added);
                kept += added;
                i += taken;
        }
        buffer[kept] = '\0';
}

/* The content of a string value. */
static JsonSpan inside(const JsonSpan *value) {
        return (JsonSpan){ value->start + 1, value->length - 2 };
}

/* What a string value means, cut to a buffer; returns its whole length in bytes. */
static size_t string_text(const JsonSpan *value, char *buffer, size_t size) {
        JsonSpan string = inside(value);

        if (!is_escaped(&string)) {
                copy_text(buffer, size, string.start, string.length);
                return string.length;
        }
        g_autoptr(GString) text = g_string_new(NULL);
        json_guard_unescape(&string, text);
        copy_text(buffer, size, text->str, text->len);
        return text->len;
}

static bool is_ready(const JsonSpan *value) {
        char text[sizeof("ready")];

        return string_text(value, text, sizeof(text)) == strlen("ready") && strcmp(text, "ready") == 0;
}

static bool is_string(const JsonSpan *value) {
        return value->start && kind_of(value) == IPC_KIND_STRING;
}

int ipc_message_scan(const char *text, size_t length, IpcMessage *ret, Error *error) {
        Members members = { 0 };
        JsonSpan value;

        int r = json_guard_scan(text, length, &value, on_member, &members, error);
        if (r < 0) {
                return r;
        }
        ret->kind = kind_of(&value);
        ret->ready = ret->kind == IPC_KIND_STRING && is_ready(&value);
        ret->type = to_member(&members.type);
        ret->data = to_member(&members.data);
        ret->node_version = to_member(&members.node_version);
        ret->internal = false;
        ret->cmd[0] = ret->type_text[0] = '\0';
        if (is_string(&members.cmd)) {
                size_t whole = string_text(&members.cmd, ret->cmd, sizeof(ret->cmd));
                ret->internal = whole > strlen(INTERNAL_PREFIX) &&
                                g_str_has_prefix(ret->cmd, INTERNAL_PREFIX);
        }
        if (is_string(&members.type)) {
                (void) string_text(&members.type, ret->type_text, sizeof(ret->type_text));
        }
        return 0;
}
