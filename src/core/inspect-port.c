/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/inspect-port.h"

#include "basic/parse-util.h"

#include <glib.h>
#include <inttypes.h>
#include <string.h>

#define DEFAULT_PORT UINT32_C(9229)
#define PORT_MIN     UINT32_C(1024)
#define PORT_MAX     UINT32_C(65535)

/* The length of the option's name, 0: it is none of them. */
static size_t name_length(const char *argument) {
        static const char *const names[] = { "--inspect-brk", "--inspect-wait", "--inspect" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                size_t length = strlen(names[i]);
                if (strncmp(argument, names[i], length) == 0 &&
                    (argument[length] == '\0' || argument[length] == '=')) {
                        return length;
                }
        }
        return 0;
}

static uint32_t shift(uint32_t port, uint32_t instance) {
        uint64_t shifted = (uint64_t) port + instance;

        return shifted <= PORT_MAX ? (uint32_t) shifted
                                   : (uint32_t) (PORT_MIN +
                                                 (shifted - PORT_MAX - 1) % (PORT_MAX - PORT_MIN + 1));
}

char *inspect_argument_of(const char *argument, uint32_t instance) {
        size_t length = name_length(argument);
        uint32_t port;

        if (length == 0 || instance == 0) {
                return g_strdup(argument);
        }
        const char *place = argument[length] == '=' ? argument + length + 1 : "";
        const char *colon = strrchr(place, ':');
        const char *number = colon ? colon + 1 : place;
        if (parse_uint32(number, &port) >= 0) {
                return port == 0 || port > PORT_MAX ? g_strdup(argument)
                                                    : g_strdup_printf("%.*s%" PRIu32,
                                                                      (int) (number - argument),
                                                                      argument,
                                                                      shift(port, instance));
        }
        /* A host alone, an IPv6 address in brackets among them, has the usual port. */
        return g_strdup_printf(
                        "%.*s=%s%s%" PRIu32,
                        (int) length,
                        argument,
                        place,
                        place[0] ? ":" : "",
                        shift(DEFAULT_PORT, instance));
}
