/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Two halves, of which one is active. The kernel writes behind what is there; one 64-bit word says which
 * half is active, up to where its lines were handed out, and whether a line is being skipped. Three things
 * hold at each instruction:
 *
 *   1. Behind what was received the active half is zero. Text has no NUL, so the last byte that is not zero
 *      is the end: it need not be written down, which could not happen in the same instant as receiving.
 *      NULs that a child sends are replaced at once. A kill right before that leaves them: those between
 *      other bytes are found as such, those at the very end are as if they had not been sent.
 *   2. The inactive half counts for nothing until the word names it.
 *   3. The word moves over a line after whoever it was handed to has returned.
 *
 * To begin anew at offset 0: zero what was handed out, then set the word to 0. A kill in between finds the
 * word behind zeros: nothing is there. To move a partial line: copy it to the other half, which is zero, set
 * the word to that half, zero the old one. A kill before the word finds the partial line where it was, after
 * it in its new place. A successor zeroes the half that is not active.
 *
 * The pages that the kernel is to write to have memory before: else a fatal signal could end the copy with
 * the bytes in the window and in the socket as well. */

#include "platform/channel-inbox.h"

#include "basic/fault-point.h"
#include "basic/fd-util.h"
#include "basic/macro.h"

#include <glib.h>
#include <string.h>
#include <sys/socket.h>

enum {
        READ_BYTES = 4096, /* until a read fills that */
        READ_BYTES_MAX = 32 * 1024,
        KEEP_BYTES = 64 * 1024, /* of memory, when nothing is there */
        FDS_MAX = 253,          /* that the kernel lets through at once */
        GARBAGE = 0xff,         /* stands for NUL; never in UTF-8 */

        WORD_HALF = 1,
        WORD_SKIPPING = 2,
        WORD_OFFSET_SHIFT = 2,
};

static char *half_of(const ChannelInbox *inbox, unsigned half) {
        return (char *) inbox->window->memory + CHANNEL_HALVES_AT + half * (size_t) CHANNEL_HALF_BYTES;
}

static char *active(const ChannelInbox *inbox) {
        return half_of(inbox, inbox->half);
}

static void commit_with(ChannelInbox *inbox, size_t parsed, uint64_t flags) {
        uint64_t word = (uint64_t) parsed << WORD_OFFSET_SHIFT | (inbox->skipping ? WORD_SKIPPING : 0) |
                        inbox->half | flags;

        CHANGE("channel-commit",
               atomic_store_explicit(&inbox->window->words->inbox, word, memory_order_release));
        atomic_signal_fence(memory_order_seq_cst); /* what follows must not be done earlier */
        inbox->parsed = parsed;
        inbox->searched = MAX(inbox->searched, parsed);
}

static void commit(ChannelInbox *inbox, size_t parsed) {
        commit_with(inbox, parsed, 0);
}

static int release_half(ChannelInbox *inbox, unsigned half) {
        size_t start = CHANNEL_HALVES_AT + half * (size_t) CHANNEL_HALF_BYTES;

        inbox->populated[half] = 0;
        return channel_window_release(inbox->window, start, start + CHANNEL_HALF_BYTES);
}

static void replace_nul(char *start, const char *end) {
        for (char *c = start; c < end && (c = memchr(c, '\0', (size_t) (end - c)));) {
                *c++ = (char) GARBAGE;
        }
}

int channel_inbox_init(ChannelInbox *inbox, const ChannelWindow *window, size_t line_bytes_max) {
        uint64_t word = atomic_load_explicit(&window->words->inbox, memory_order_acquire);
        uint64_t parsed = (word & ~CHANNEL_INBOX_ANSWERED) >> WORD_OFFSET_SHIFT;
        unsigned half = word & WORD_HALF;
        size_t start = CHANNEL_HALVES_AT + half * (size_t) CHANNEL_HALF_BYTES;

        if (line_bytes_max == 0 || line_bytes_max > CHANNEL_LINE_BYTES_MAX) {
                return -EINVAL;
        }
        if (parsed > CHANNEL_HALF_BYTES) {
                return -EBADMSG;
        }
        *inbox = (ChannelInbox){
                .window = window,
                .line_bytes_max = line_bytes_max,
                .half = half,
                .skipping = word & WORD_SKIPPING,
                .parsed = (size_t) parsed,
                .searched = (size_t) parsed,
                .read_bytes = READ_BYTES,
        };
        if (word & CHANNEL_INBOX_ANSWERED) {
                commit(inbox, (size_t) parsed); /* channel_outbox_init() has queued it */
        }
        int r = release_half(inbox, !half);
        if (r < 0) {
                return r;
        }
        inbox->populated[half] =
                        channel_window_end_of_data(window, start, start + CHANNEL_HALF_BYTES) - start;
        inbox->end = MAX(inbox->populated[half], inbox->parsed);
        while (inbox->end > inbox->parsed && active(inbox)[inbox->end - 1] == '\0') {
                inbox->end--;
        }
        replace_nul(active(inbox) + inbox->parsed, active(inbox) + inbox->end);
        return 0;
}

/* No newline is there. */
static ChannelItem look_at_partial(ChannelInbox *inbox) {
        bool too_long = !inbox->skipping && inbox->end - inbox->parsed > inbox->line_bytes_max;

        inbox->searched = inbox->end;
        inbox->skipping = inbox->skipping || too_long;
        if (inbox->skipping && inbox->end > inbox->parsed) {
                commit(inbox, inbox->end);
        }
        return too_long ? CHANNEL_ITEM_TOO_LONG : CHANNEL_ITEM_NONE;
}

static ChannelItem kind_of_line(const ChannelInbox *inbox, const char *line, size_t length) {
        if (length == 0) {
                return CHANNEL_ITEM_EMPTY;
        }
        if (length > inbox->line_bytes_max) {
                return CHANNEL_ITEM_TOO_LONG;
        }
        return memchr(line, GARBAGE, length) ? CHANNEL_ITEM_GARBAGE : CHANNEL_ITEM_LINE;
}

ChannelItem channel_inbox_next(ChannelInbox *inbox, const char **ret_line, size_t *ret_length) {
        char *half = active(inbox);
        const char *newline = memchr(half + inbox->searched, '\n', inbox->end - inbox->searched);

        if (newline && inbox->skipping) {
                inbox->skipping = false;
                commit(inbox, (size_t) (newline + 1 - half));
                newline = memchr(half + inbox->searched, '\n', inbox->end - inbox->searched);
        }
        if (!newline) {
                return look_at_partial(inbox);
        }
        const char *line = half + inbox->parsed;
        size_t length = (size_t) (newline - line);
        ChannelItem item = kind_of_line(inbox, line, length);
        inbox->next = inbox->parsed + length + 1;
        if (item == CHANNEL_ITEM_LINE) {
                *ret_line = line;
                *ret_length = length;
        } else {
                commit(inbox, inbox->next);
        }
        return item;
}

void channel_inbox_consume(ChannelInbox *inbox) {
        commit(inbox, inbox->next);
}

void channel_inbox_consume_answered(ChannelInbox *inbox) {
        commit_with(inbox, inbox->next, CHANNEL_INBOX_ANSWERED);
}

static size_t populated(const ChannelInbox *inbox) {
        return inbox->populated[0] + inbox->populated[1];
}

/* Zeros, from the beginning of a half to what was received. */
static void zero(ChannelInbox *inbox, unsigned half, size_t end) {
        if (populated(inbox) <= KEEP_BYTES || !inbox->quiet || release_half(inbox, half) < 0) {
                memset(half_of(inbox, half), 0, end);
        }
}

static void begin_anew(ChannelInbox *inbox) {
        if (inbox->end > 0) {
                zero(inbox, inbox->half, inbox->end);
                inbox->searched = inbox->end = 0;
                commit(inbox, 0);
        }
        if (inbox->quiet) {
                inbox->read_bytes = READ_BYTES;
                if (populated(inbox) > KEEP_BYTES) {
                        (void) release_half(inbox, 0);
                        (void) release_half(inbox, 1);
                }
        }
}

static int populate(ChannelInbox *inbox, unsigned half, size_t from, size_t to) {
        size_t start = CHANNEL_HALVES_AT + half * (size_t) CHANNEL_HALF_BYTES;

        if (to <= inbox->populated[half]) {
                return 0;
        }
        if (channel_window_populate(inbox->window, start + from, start + to) < 0) {
                return -ENOMEM;
        }
        inbox->populated[half] = to;
        return 0;
}

static void move_partial(ChannelInbox *inbox) {
        size_t length = inbox->end - inbox->parsed, old_end = inbox->end;
        unsigned old_half = inbox->half;
        const char *partial = active(inbox) + inbox->parsed;

        if (populate(inbox, !old_half, 0, length) < 0) {
                return;
        }
        memcpy(half_of(inbox, !old_half), partial, length);
        inbox->half = !old_half;
        inbox->searched = inbox->end = length;
        commit(inbox, 0);
        zero(inbox, old_half, old_end);
}

/* What was handed out is left behind early, so that a flood goes on in few pages. */
void channel_inbox_settle(ChannelInbox *inbox) {
        if (inbox->parsed == inbox->end) {
                begin_anew(inbox);
        } else if (inbox->parsed > 0 &&
                   (inbox->parsed >= READ_BYTES_MAX || CHANNEL_HALF_BYTES - inbox->end < READ_BYTES_MAX)) {
                move_partial(inbox);
        }
}

/* A socket can be told to wait when its last fd is closed: not in our loop. */
static void close_received(const struct msghdr *message) {
        static const struct linger no_linger = { 0 };
        const struct cmsghdr *control;

        for (control = CMSG_FIRSTHDR(message); control;
             control = CMSG_NXTHDR((struct msghdr *) message, (struct cmsghdr *) control)) {
                if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
                        continue;
                }
                size_t n = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < n; i++) {
                        int fd;
                        memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(int));
                        (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_linger, sizeof(no_linger));
                        (void) close_fd(fd);
                }
        }
}

/* All of it is there or nothing: the kernel does both, copying and taking out, before it lets a signal end
 * us. */
int channel_inbox_receive(ChannelInbox *inbox, int fd) {
        size_t wanted = MIN(inbox->read_bytes, CHANNEL_HALF_BYTES - inbox->end);
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
        } control;
        struct iovec space = { .iov_base = active(inbox) + inbox->end, .iov_len = wanted };
        struct msghdr message = {
                .msg_iov = &space,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };

        int r = wanted > 0 ? populate(inbox, inbox->half, inbox->end, inbox->end + wanted) : -ENOMEM;
        if (r < 0) {
                return r;
        }
        ssize_t n = CHANGE("channel-receive", recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
        inbox->quiet = n < (ssize_t) wanted;
        if (n < 0) {
                return -errno;
        }
        close_received(&message);
        replace_nul(active(inbox) + inbox->end, active(inbox) + inbox->end + n);
        inbox->end += (size_t) n;
        inbox->read_bytes = inbox->quiet ? inbox->read_bytes : READ_BYTES_MAX;
        return (int) n;
}
