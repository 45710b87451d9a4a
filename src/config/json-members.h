/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/value.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The members of a JSON object, appended one after the other. Strings need not be UTF-8. */
typedef struct JsonMembers {
        GString *text; /* borrowed */
        bool any;
} JsonMembers;

/* "{" and "}". */
void json_members_begin(JsonMembers *members, GString *text);
void json_members_end(JsonMembers *members);

/* The key alone: the value is for the caller to append. */
void json_members_key(JsonMembers *members, const char *key);
void json_members_string(JsonMembers *members, const char *key, const char *string);
void json_members_number(JsonMembers *members, const char *key, int64_t number);
void json_members_bool(JsonMembers *members, const char *key, bool value);
void json_members_value(JsonMembers *members, const char *key, const Value *value);
