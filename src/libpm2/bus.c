/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The message bus: a stream of lines of JSON that OpenBus gave us, each handed to whoever wants its event.
 */

#include "client.h"

#include "basic/macro.h"
#include "basic/sd-cleanup.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES     65536
#define LINE_BYTES_MAX ((size_t) 4 * 1024 * 1024) /* of a message of 1 MiB and what is said of it */

typedef struct Handler {
        char *event; /* NULL: taken away while it may be in use */
        pm2_bus_handler function;
        void *userdata;
} Handler;

struct pm2_bus {
        int fd;
        char *buffer;
        size_t length, allocated;
        size_t searched; /* of the buffer, for the end of the line */
        Handler *handlers;
        size_t n_handlers;
        bool dispatching;
};

int bus_new(int fd, pm2_bus **ret) {
        pm2_bus *bus = fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? NULL : calloc(1, sizeof(*bus));

        if (!bus) {
                int r = -errno;
                (void) close_fd(fd);
                return r;
        }
        bus->fd = fd;
        *ret = bus;
        return 0;
}

/* The descriptor of a reply, to be closed. */
static int take_fd(sd_bus_message *reply) {
        int borrowed = -EBADF;

        int r = sd_bus_message_read(reply, "h", &borrowed);
        return r < 0 ? r : RET_NERRNO(fcntl(borrowed, F_DUPFD_CLOEXEC, 3));
}

static int take_stream(sd_bus_message *reply, pm2_bus **ret) {
        int fd = take_fd(reply);

        return fd < 0 ? fd : bus_new(fd, ret);
}

PM2_EXPORT int pm2_launch_bus(pm2_client *client, const pm2_options *filter, pm2_bus **ret) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const Call call = {
                .member = "OpenBus",
                .options = filter,
                .takes_options = true,
                .reads = true,
                .timeout_usec = READ_TIMEOUT_USEC,
        };

        int r = client_call(client, &call, &reply);
        if (r < 0) {
                return r;
        }
        r = take_stream(reply, ret);
        return r < 0 ? client_fail(client, r, "cannot take the stream of events: %m") : 0;
}

PM2_EXPORT int pm2_open_logs(
                pm2_client *client, const char *target, const pm2_options *options, int *ret_fd) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const Call call = {
                .member = "OpenLogs",
                .strings = { target },
                .options = options,
                .takes_options = true,
                .reads = true,
                .timeout_usec = READ_TIMEOUT_USEC,
        };

        int r = client_call(client, &call, &reply);
        if (r < 0) {
                return r;
        }
        r = take_fd(reply);
        if (r < 0) {
                return client_fail(client, r, "cannot take the stream of logs: %m");
        }
        *ret_fd = r;
        return 0;
}

PM2_EXPORT int pm2_bus_get_fd(const pm2_bus *bus) {
        return bus->fd;
}

PM2_EXPORT pm2_bus *pm2_bus_close(pm2_bus *bus) {
        if (bus) {
                (void) close_fd(bus->fd);
                for (size_t i = 0; i < bus->n_handlers; i++) {
                        free(bus->handlers[i].event);
                }
                free(bus->handlers);
                free(bus->buffer);
                free(bus);
        }
        return NULL;
}

PM2_EXPORT int pm2_bus_on(pm2_bus *bus, const char *event, pm2_bus_handler handler, void *userdata) {
        if (!event || !event[0] || !handler) {
                return -EINVAL;
        }
        Handler *handlers = reallocarray(bus->handlers, bus->n_handlers + 1, sizeof(*handlers));
        if (!handlers) {
                return -ENOMEM;
        }
        bus->handlers = handlers;
        char *copy = strdup(event);
        if (!copy) {
                return -ENOMEM;
        }
        handlers[bus->n_handlers++] = (Handler){ .event = copy, .function = handler, .userdata = userdata };
        return 0;
}

static void remove_empty_handlers(pm2_bus *bus) {
        size_t kept = 0;

        for (size_t i = 0; i < bus->n_handlers; i++) {
                if (bus->handlers[i].event) {
                        bus->handlers[kept++] = bus->handlers[i];
                }
        }
        bus->n_handlers = kept;
}

PM2_EXPORT void pm2_bus_off(pm2_bus *bus, const char *event, pm2_bus_handler handler) {
        for (size_t i = 0; i < bus->n_handlers; i++) {
                Handler *entry = &bus->handlers[i];
                if (entry->event && (!event || strcmp(entry->event, event) == 0) &&
                    (!handler || entry->function == handler)) {
                        free(entry->event);
                        entry->event = NULL;
                }
        }
        if (!bus->dispatching) {
                remove_empty_handlers(bus);
        }
}

static bool wants(const Handler *handler, const char *event) {
        if (!handler->event) {
                return false;
        }
        size_t length = strlen(handler->event);
        return strcmp(handler->event, event) == 0 ||
               (handler->event[length - 1] == '*' && strncmp(handler->event, event, length - 1) == 0);
}

static int dispatch(pm2_bus *bus, const char *line, size_t length) {
        _cleanup_value_ pm2_value *packet = NULL;
        const char *event;

        int r = pm2_value_from_json(line, length, &packet);
        if (r < 0) {
                return r == -ENOMEM ? r : -EBADMSG;
        }
        if (pm2_value_get_string(packet, "event", &event) < 0) {
                return -EBADMSG;
        }
        size_t count = bus->n_handlers; /* those that are added meanwhile are for the next */
        bus->dispatching = true;
        for (size_t i = 0; i < count; i++) {
                const Handler handler = bus->handlers[i];
                if (wants(&handler, event)) {
                        handler.function(event, packet, handler.userdata);
                }
        }
        bus->dispatching = false;
        remove_empty_handlers(bus);
        return 0;
}

/* More of the stream into the buffer. 0: there is none; -ECONNRESET: nor will there be. */
static int read_more(pm2_bus *bus) {
        if (bus->allocated - bus->length < READ_BYTES) {
                size_t allocated = bus->length + 2 * (size_t) READ_BYTES;
                if (allocated < bus->allocated * 2) {
                        allocated = bus->allocated * 2;
                }
                char *buffer = realloc(bus->buffer, allocated);
                if (!buffer) {
                        return -ENOMEM;
                }
                bus->buffer = buffer;
                bus->allocated = allocated;
        }
        ssize_t n = read(bus->fd, bus->buffer + bus->length, READ_BYTES);
        if (n < 0) {
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        }
        if (n == 0) {
                return -ECONNRESET;
        }
        bus->length += (size_t) n;
        return 1;
}

PM2_EXPORT int pm2_bus_process(pm2_bus *bus) {
        size_t start = 0;
        int count = 0, failure = 0;

        int r = read_more(bus);
        if (r <= 0) {
                return r;
        }
        const char *end;
        while ((end = memchr(bus->buffer + bus->searched, '\n', bus->length - bus->searched))) {
                size_t length = (size_t) (end - (bus->buffer + start));
                bus->searched = start + length + 1;
                r = dispatch(bus, bus->buffer + start, length);
                failure = r < 0 ? r : failure;
                count += r >= 0;
                start = bus->searched;
        }
        bus->length -= start;
        memmove(bus->buffer, bus->buffer + start, bus->length);
        bus->searched = bus->length;
        if (bus->length > LINE_BYTES_MAX) {
                return -EMSGSIZE;
        }
        return failure < 0 ? failure : count;
}

PM2_EXPORT int pm2_bus_wait(const pm2_bus *bus, uint64_t timeout_usec) {
        struct pollfd readable = { .fd = bus->fd, .events = POLLIN };
        const struct timespec timeout = {
                .tv_sec = (time_t) (timeout_usec / 1000000),
                .tv_nsec = (long) (timeout_usec % 1000000) * 1000,
        };

        int r = ppoll(&readable, 1, timeout_usec == UINT64_MAX ? NULL : &timeout, NULL);
        return r < 0 ? -errno : r;
}
