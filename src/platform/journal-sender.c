/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/journal-sender.h"

#include "basic/cleanup.h"
#include "basic/fault-point.h"
#include "basic/macro.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
        DATAGRAM_BYTES_MAX = 32 * 1024, /* what is larger needs much memory in one piece */
};

struct JournalSender {
        sd_event *event;
        const char *path;
        int fd; /* negative: not connected */
        sd_event_source *io;
        GByteArray *entry;
        void (*on_room)(void *userdata);
        void *userdata;
};

JournalSender *journal_sender_new(
                sd_event *event, const char *path, void (*on_room)(void *userdata), void *userdata) {
        JournalSender *sender = g_new0(JournalSender, 1);

        sender->event = sd_event_ref(event);
        sender->path = path;
        sender->fd = -EBADF;
        sender->entry = g_byte_array_new();
        sender->on_room = on_room;
        sender->userdata = userdata;
        return sender;
}

static void disconnect(JournalSender *sender) {
        sender->io = sd_event_source_disable_unref(sender->io);
        sender->fd = close_fd(sender->fd);
}

void journal_sender_free(JournalSender *sender) {
        if (sender) {
                disconnect(sender);
                (void) g_byte_array_unref(sender->entry);
                (void) sd_event_unref(sender->event);
                g_free(sender);
        }
}

static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        const JournalSender *sender = userdata;

        sender->on_room(sender->userdata);
        return 0;
}

static int connect_to_journal(JournalSender *sender) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (sender->fd >= 0) {
                return 0;
        }
        (void) g_strlcpy(address.sun_path, sender->path, sizeof(address.sun_path));
        sender->fd = RET_NERRNO(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (sender->fd < 0) {
                return sender->fd;
        }
        int r = RET_NERRNO(connect(sender->fd, (const struct sockaddr *) &address, sizeof(address)));
        if (r >= 0) {
                r = sd_event_add_io(sender->event, &sender->io, sender->fd, EPOLLOUT, on_writable, sender);
        }
        if (r >= 0) {
                r = sd_event_source_set_enabled(sender->io, SD_EVENT_OFF);
        }
        if (r < 0) {
                disconnect(sender);
        }
        return r;
}

static void append(GByteArray *entry, const void *bytes, size_t size) {
        (void) g_byte_array_append(entry, bytes, (guint) size);
}

static void make_entry(GByteArray *entry, const JournalField *fields, size_t n) {
        g_byte_array_set_size(entry, 0);
        for (size_t i = 0; i < n; i++) {
                uint64_t length = GUINT64_TO_LE((uint64_t) fields[i].length);
                append(entry, fields[i].name, strlen(fields[i].name));
                append(entry, "\n", 1);
                append(entry, &length, sizeof(length));
                append(entry, fields[i].value, fields[i].length);
                append(entry, "\n", 1);
        }
}

/* Too large for a datagram: in a memfd that can change no more. */
static int send_memfd(const JournalSender *sender) {
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = { 0 };
        const GByteArray *entry = sender->entry;

        _cleanup_close_ int fd = memfd_create("pm2d-journal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0) {
                return -errno;
        }
        if (write(fd, entry->data, entry->len) != (ssize_t) entry->len) { /* no fault point: ours alone */
                return -ENOSPC;
        }
        int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
        if (fcntl(fd, F_ADD_SEALS, seals) < 0) {
                return -errno;
        }
        struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof(control) };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(int));
        ssize_t n = CHANGE("journal-send-large", sendmsg(sender->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
        return n < 0 ? -errno : 0;
}

static int send_datagram(const JournalSender *sender) {
        const GByteArray *entry = sender->entry;
        ssize_t n =
                        CHANGE("journal-send",
                               send(sender->fd, entry->data, entry->len, MSG_NOSIGNAL | MSG_DONTWAIT));

        return n < 0 ? -errno : 0;
}

int journal_sender_send(JournalSender *sender, const JournalField *fields, size_t n) {
        int r = connect_to_journal(sender);

        if (r < 0) {
                return r;
        }
        make_entry(sender->entry, fields, n);
        r = sender->entry->len <= DATAGRAM_BYTES_MAX ? send_datagram(sender) : -EMSGSIZE;
        if (r == -EMSGSIZE || r == -ENOBUFS) {
                r = send_memfd(sender);
        }
        if (r == -EAGAIN) {
                int enabled = sd_event_source_set_enabled(sender->io, SD_EVENT_ONESHOT);
                return enabled < 0 ? enabled : r;
        }
        if (r < 0) {
                disconnect(sender); /* it may be another one by now */
        }
        return r;
}
