/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config/json-members.h"

#include "basic/utf8.h"
#include "config/json-text.h"

#include <inttypes.h>
#include <string.h>

void json_members_begin(JsonMembers *members, GString *text) {
        *members = (JsonMembers){ .text = text };
        g_string_append_c(text, '{');
}

void json_members_end(JsonMembers *members) {
        g_string_append_c(members->text, '}');
}

static void append_string(GString *text, const char *string) {
        if (utf8_is_valid(string, strlen(string))) {
                json_text_append_string(text, string);
        } else {
                g_autofree char *valid = g_utf8_make_valid(string, -1);
                json_text_append_string(text, valid);
        }
}

void json_members_key(JsonMembers *members, const char *key) {
        if (members->any) {
                g_string_append_c(members->text, ',');
        }
        members->any = true;
        append_string(members->text, key);
        g_string_append_c(members->text, ':');
}

void json_members_string(JsonMembers *members, const char *key, const char *string) {
        json_members_key(members, key);
        append_string(members->text, string);
}

void json_members_number(JsonMembers *members, const char *key, int64_t number) {
        json_members_key(members, key);
        g_string_append_printf(members->text, "%" PRId64, number);
}

void json_members_bool(JsonMembers *members, const char *key, bool value) {
        json_members_key(members, key);
        g_string_append(members->text, value ? "true" : "false");
}

void json_members_value(JsonMembers *members, const char *key, const Value *value) {
        json_members_key(members, key);
        json_text_append_value(members->text, value);
}
