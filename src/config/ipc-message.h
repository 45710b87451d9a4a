/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/json-guard.h"

/* What one line of a Node process says, as far as the supervisor must know: it is looked at once, and its
 * payload goes on as it stands there. */

typedef enum IpcKind {
        IPC_KIND_NULL,
        IPC_KIND_BOOL,
        IPC_KIND_NUMBER,
        IPC_KIND_STRING,
        IPC_KIND_ARRAY,
        IPC_KIND_OBJECT,
} IpcKind;

enum {
        IPC_CMD_BYTES_MAX = 63,
        IPC_TYPE_BYTES_MAX = 256,
};

/* A member of the outermost object. Of several of one name the last counts, as in JSON.parse(). */
typedef struct IpcMember {
        JsonSpan json; /* in the text; start is NULL: there is none */
        IpcKind kind;
        bool truthy; /* as JavaScript has it */
} IpcMember;

typedef struct IpcMessage {
        IpcKind kind;
        bool internal; /* for Node itself: an object whose cmd begins with NODE_ and is longer */
        bool ready;    /* the string "ready" */
        IpcMember type, data, node_version;
        /* Strings, shortened at a character. Halves of surrogate pairs and NUL, which no text has, are
         * U+FFFD. Empty: there is none, or it is no string. */
        char cmd[IPC_CMD_BYTES_MAX + 1];
        char type_text[IPC_TYPE_BYTES_MAX + 1];
} IpcMessage;

/* InvalidData: it is no JSON, or not UTF-8, or too deep. The spans point into the text. */
int ipc_message_scan(const char *text, size_t length, IpcMessage *ret, Error *error);
