/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The client object and what it remembers of its last failure. */

#include "client.h"

#include "basic/sd-cleanup.h"

#include <stdarg.h>
#include <string.h>

static const struct {
        const char *name;
        int error;
} error_names[] = {
        { ERROR_PREFIX "NoSuchProcess", ESRCH },
        { ERROR_PREFIX "AlreadyExists", EEXIST },
        { ERROR_PREFIX "AlreadyRunning", EALREADY },
        { ERROR_PREFIX "InvalidConfig", EINVAL },
        { ERROR_PREFIX "SpawnFailed", ENOEXEC },
        { ERROR_PREFIX "NotOnline", EHOSTDOWN },
        { ERROR_PREFIX "NotReady", EAGAIN },
        { ERROR_PREFIX "NoChannel", ENOSTR },
        { ERROR_PREFIX "NoSuchAction", ENOSYS },
        { ERROR_PREFIX "Timeout", ETIMEDOUT },
        { ERROR_PREFIX "Cancelled", ECANCELED },
        { ERROR_PREFIX "PartialFailure", EREMOTEIO },
        { ERROR_PREFIX "LimitExceeded", EDQUOT },
        { ERROR_PREFIX "Restarting", ERESTART },
        { ERROR_PREFIX "ShuttingDown", ESHUTDOWN },
        { ERROR_PREFIX "InvalidData", EBADMSG },
        { ERROR_PREFIX "NotSupported", EOPNOTSUPP },
        { ERROR_PREFIX "Busy", EBUSY },
        { SD_BUS_ERROR_ACCESS_DENIED, EACCES },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, EACCES },
        { SD_BUS_ERROR_INVALID_ARGS, EINVAL },
        { SD_BUS_ERROR_INVALID_SIGNATURE, EINVAL },
        { SD_BUS_ERROR_UNKNOWN_METHOD, EOPNOTSUPP },
        { SD_BUS_ERROR_UNKNOWN_INTERFACE, EOPNOTSUPP },
        { SD_BUS_ERROR_UNKNOWN_OBJECT, ESRCH },
        { SD_BUS_ERROR_NOT_SUPPORTED, EOPNOTSUPP },
        { SD_BUS_ERROR_NO_MEMORY, ENOMEM },
        { SD_BUS_ERROR_TIMEOUT, ETIMEDOUT },
        { SD_BUS_ERROR_LIMITS_EXCEEDED, EDQUOT },
};

int error_name_to_errno(const char *name) {
        for (size_t i = 0; i < ELEMENTS(error_names); i++) {
                if (strcmp(error_names[i].name, name) == 0) {
                        return -error_names[i].error;
                }
        }
        return -EREMOTEIO;
}

bool error_is_disconnect(int error, const char *name) {
        static const char *const names[] = {
                SD_BUS_ERROR_DISCONNECTED,
                SD_BUS_ERROR_NO_REPLY,
                SD_BUS_ERROR_SERVICE_UNKNOWN,
                SD_BUS_ERROR_NAME_HAS_NO_OWNER,
        };
        static const int errors[] = { ECONNRESET, ENOTCONN, EPIPE, ECONNABORTED };

        for (size_t i = 0; name && i < ELEMENTS(names); i++) {
                if (strcmp(names[i], name) == 0) {
                        return true;
                }
        }
        for (size_t i = 0; i < ELEMENTS(errors); i++) {
                if (error == -errors[i]) {
                        return true;
                }
        }
        return false;
}

void client_clear_error(pm2_client *client) {
        free(client->error_name);
        free(client->error_message);
        client->error_name = NULL;
        client->error_message = NULL;
}

int client_fail(pm2_client *client, int error, const char *format, ...) {
        va_list arguments;
        char *message = NULL;

        client_clear_error(client);
        errno = -error;
        va_start(arguments, format);
        if (vasprintf(&message, format, arguments) >= 0) {
                client->error_message = message;
        }
        va_end(arguments);
        return error;
}

int client_fail_call(pm2_client *client, int error, const sd_bus_error *bus_error) {
        const char *name = bus_error ? bus_error->name : NULL;

        if (error_is_disconnect(error, name)) {
                (void) client_fail(client, -ECONNRESET, "the connection to pm2d was lost");
                client->error_name = strdup(SD_BUS_ERROR_DISCONNECTED);
                return -ECONNRESET;
        }
        if (!name) {
                return client_fail(client, error, "cannot call pm2d: %m");
        }
        (void) client_fail(
                        client,
                        error,
                        "%s",
                        bus_error->message && bus_error->message[0] ? bus_error->message : name);
        client->error_name = strdup(name);
        int mapped = error_name_to_errno(name);
        return mapped == -EREMOTEIO && strncmp(name, "System.Error.", 13) == 0 ? error : mapped;
}

PM2_EXPORT const char *pm2_last_error_name(const pm2_client *client) {
        return client->error_name ? client->error_name : "";
}

PM2_EXPORT const char *pm2_last_error_message(const pm2_client *client) {
        return client->error_message ? client->error_message : "";
}

PM2_EXPORT int pm2_client_new(pm2_client **ret) {
        pm2_client *client = calloc(1, sizeof(*client));
        if (!client) {
                return -ENOMEM;
        }
        client->lifeline_fd = -EBADF;
        *ret = client;
        return 0;
}

PM2_EXPORT pm2_client *pm2_client_free(pm2_client *client) {
        if (client) {
                pm2_disconnect(client);
                client_clear_error(client);
                free(client);
        }
        return NULL;
}

void client_close_connection(pm2_client *client) {
        client->bus = sd_bus_flush_close_unref(client->bus);
        free(client->address);
        client->address = NULL;
        client->peer = false;
}

PM2_EXPORT void pm2_disconnect(pm2_client *client) {
        client_close_connection(client);
        client->lifeline_fd = close_fd(client->lifeline_fd);
}

PM2_EXPORT const char *pm2_get_address(const pm2_client *client) {
        return client->address;
}

PM2_EXPORT const char *pm2_library_version(void) {
        return PM2D_VERSION;
}
