/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The message bus, where it begins: what children say goes to whoever observes. */

#include "manager/publish.h"

#include "basic/utf8.h"
#include "config/json-text.h"
#include "manager/manager-internal.h"
#include "manager/observers.h"

#include <string.h>

/* Names of events that are the supervisor's own, here or with PM2. */
static bool is_reserved(const char *type) {
        static const char *const names[] = { "process:event", "lost" };
        static const char *const prefixes[] = { "pm2:", "log:" };

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                if (strcmp(type, names[i]) == 0) {
                        return true;
                }
        }
        for (size_t i = 0; i < ELEMENTS(prefixes); i++) {
                if (g_str_has_prefix(type, prefixes[i])) {
                        return true;
                }
        }
        return false;
}

/* type NULL: it has no name. */
static void tell(Manager *manager, Process *process, const char *type, const char *data, size_t length) {
        manager_notify_changes(manager, process);
        observers_tell_message(
                        manager, process, type ? type : MESSAGE_TYPE_PLAIN, data, length, type == NULL);
}

static void tell_as_plain(
                Manager *manager, Process *process, const char *type, const char *data, size_t length) {
        g_autoptr(GString) message = g_string_new("{\"type\":");

        json_text_append_string(message, type);
        g_string_append(message, ",\"data\":");
        g_string_append_len(message, data, (gssize) length);
        g_string_append_c(message, '}');
        tell(manager, process, NULL, message->str, message->len);
}

int manager_publish(
                Manager *manager, Process *process, const char *type, const char *data, size_t data_length) {
        size_t type_length = type ? strlen(type) : 0;

        if (type_length > MESSAGE_TYPE_BYTES_MAX || data_length > MESSAGE_DATA_BYTES_MAX) {
                return -EMSGSIZE;
        }
        if (!observers_want_messages(manager)) {
                return 0;
        }
        if ((type && (type_length == 0 || !utf8_is_valid(type, type_length))) || data_length == 0 ||
            memchr(data, '\n', data_length) || !utf8_is_valid(data, data_length)) {
                return -EINVAL;
        }
        if (type && is_reserved(type)) {
                tell_as_plain(manager, process, type, data, data_length);
        } else {
                tell(manager, process, type, data, data_length);
        }
        return 0;
}
