/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Slots: what a kill leaves, what is taken over and what is refused. A kill is played by laying together the
 * memory from before a write and from after it, and by killing a writer. */

#include "platform/state-store.h"

#include "basic/cleanup.h"
#include "store-fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The store as a supervisor would find it that is started now; the first one stays as it is. */
static StateStore *take_over(const StateStore *store) {
        int slots_fd = test_file_copy(state_store_slots_fd(store));
        int blobs_fd = test_file_copy(state_store_blobs_fd(store));
        StateStore *other = NULL;

        g_assert_cmpint(state_store_open(slots_fd, blobs_fd, &other), ==, 0);
        return other;
}

static size_t slot_offset(uint32_t slot) {
        return STORE_HEADER_BYTES + slot * (size_t) STORE_SLOT_BYTES;
}

static size_t copy_offset(uint32_t slot, unsigned copy) {
        return slot_offset(slot) + sizeof(uint64_t) + copy * (size_t) STORE_COPY_BYTES;
}

static void test_format(void) {
        StateStore *store = test_store_new();
        int fd = state_store_slots_fd(store);

        g_assert_cmpuint(test_file_bytes(fd), ==, STORE_SLOTS_FILE_BYTES);
        g_assert_cmpuint(test_file_bytes(state_store_blobs_fd(store)), ==, STORE_BLOBS_FILE_BYTES);
        g_assert_cmpuint(state_store_count(store), ==, STORE_SLOTS);
        g_assert_cmpuint(test_file_number(fd, STORE_FORMAT_AT), ==, 2);
        g_assert_cmpuint(test_file_number(fd, STORE_SLOT_BYTES_AT), ==, STORE_SLOT_BYTES);
        g_assert_cmpuint(test_store_take(store), ==, 0);
        test_store_write(store, 0, 1, 10);
        g_assert_cmpuint(test_file_number(fd, slot_offset(0)), ==, 3); /* generation 1, copy 1 */
        g_assert_cmpuint(test_file_number(fd, copy_offset(0, 1)), ==, 1);
        g_assert_cmpuint(test_file_number(fd, copy_offset(0, 1) + 16), ==, 10);
        test_store_write(store, 0, 2, 20);
        g_assert_cmpuint(test_file_number(fd, slot_offset(0)), ==, 4);
        g_assert_cmpuint(test_file_number(fd, copy_offset(0, 0)), ==, 2);
        g_assert_cmpuint(test_file_number(fd, copy_offset(0, 0) + 16), ==, 20);
        g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        g_assert_true(fcntl(state_store_blobs_fd(store), F_GETFD) & FD_CLOEXEC);
        state_store_free(store);
        state_store_free(NULL);
}

static void test_slots(void) {
        static const size_t sizes[] = { 0, 1, 63, 64, 65, STATE_SLOT_BYTES - 1, STATE_SLOT_BYTES };
        StateStore *store = test_store_new();

        for (uint32_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_assert_cmpuint(test_store_take(store), ==, i);
                test_store_assert_unreadable(store, i); /* taken is not written */
                test_store_write(store, i, i, sizes[i]);
        }
        for (uint32_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                test_store_assert(store, i, i, sizes[i]);
        }
        state_store_clear(store, 2);
        test_store_assert_unreadable(store, 2);
        test_store_assert(store, 1, 1, sizes[1]);
        test_store_assert(store, 3, 3, sizes[3]);
        g_assert_cmpuint(test_store_take(store), ==, 2); /* the lowest that is free */
        test_store_assert_unreadable(store, 2);
        test_store_write(store, 2, 9, 5); /* shorter than what was there */
        test_store_assert(store, 2, 9, 5);
        store = test_store_reopen(store);
        test_store_assert(store, 2, 9, 5);
        g_assert_cmpuint(test_store_take(store), ==, G_N_ELEMENTS(sizes));
        /* What is taken and not written is free again for a successor. */
        store = test_store_reopen(store);
        g_assert_cmpuint(test_store_take(store), ==, G_N_ELEMENTS(sizes));
        state_store_free(store);
}

/* A record that has grown, read by a supervisor that knows less of it, and the other way round. */
static void test_sizes(void) {
        StateStore *store = test_store_new();
        unsigned char small[16], large[48];

        (void) test_store_take(store);
        test_store_write(store, 0, 5, 32);
        memset(small, 0xee, sizeof(small));
        g_assert_false(state_store_read(store, 0, small, sizeof(small)));
        g_assert_cmpint(small[0], ==, 0xee);
        memset(large, 0xee, sizeof(large));
        g_assert_true(state_store_read(store, 0, large, sizeof(large)));
        for (size_t i = 32; i < sizeof(large); i++) {
                g_assert_cmpint(large[i], ==, 0);
        }
        state_store_free(store);
}

static void test_growth(void) {
        StateStore *store = test_store_new();

        for (uint32_t i = 0; i < 5 * STORE_SLOTS; i++) {
                g_assert_cmpuint(test_store_take(store), ==, i);
                test_store_write(store, i, i, i % (STATE_SLOT_BYTES + 1));
        }
        g_assert_cmpuint(state_store_count(store), ==, 8 * STORE_SLOTS);
        for (int turn = 0; turn < 2; turn++) {
                for (uint32_t i = 0; i < 5 * STORE_SLOTS; i++) {
                        test_store_assert(store, i, i, i % (STATE_SLOT_BYTES + 1));
                }
                store = test_store_reopen(store);
        }
        g_assert_cmpuint(state_store_count(store), ==, 8 * STORE_SLOTS);
        g_assert_cmpuint(test_store_take(store), ==, 5 * STORE_SLOTS);
        state_store_free(store);
}

/* The memory of a write before and after it. */
typedef struct Written {
        StateStore *store;
        uint32_t slot;
        unsigned char *before, *after;
        size_t size;
} Written;

static Written written_new(unsigned n_earlier) {
        Written written = { .store = test_store_new() };
        int fd = state_store_slots_fd(written.store);

        (void) test_store_take(written.store);
        written.slot = test_store_take(written.store);
        for (unsigned i = 0; i < n_earlier; i++) {
                test_store_write(written.store, written.slot, i, STATE_SLOT_BYTES - i);
        }
        written.before = test_file_all(fd, &written.size);
        test_store_write(written.store, written.slot, 77, STATE_SLOT_BYTES - 77);
        written.after = test_file_all(fd, &written.size);
        return written;
}

static void written_done(Written *written) {
        state_store_free(written->store);
        g_free(written->before);
        g_free(written->after);
}

static void assert_old(const StateStore *store, uint32_t slot, unsigned n_earlier) {
        if (n_earlier == 0) {
                test_store_assert_unreadable(store, slot);
        } else {
                test_store_assert(store, slot, n_earlier - 1, STATE_SLOT_BYTES - (n_earlier - 1));
        }
}

/* A successor of a torn write: reads the old content, and its own writes are as good as any. */
static void check_successor(const Written *written, unsigned n_earlier) {
        StateStore *successor = take_over(written->store);

        assert_old(successor, written->slot, n_earlier);
        if (n_earlier > 0) {
                test_store_write(successor, written->slot, 200, 100);
                test_store_assert(successor, written->slot, 200, 100);
        } else {
                (void) test_store_take(successor);
                g_assert_cmpuint(test_store_take(successor), ==, written->slot);
        }
        state_store_free(successor);
}

/* Everything but the commit is written in some order: until the commit is, the old content counts. */
static void test_kill_in_write(void) {
        g_autoptr(GRand) random = g_rand_new_with_seed(1);

        for (unsigned n_earlier = 0; n_earlier < 4; n_earlier++) {
                Written written = written_new(n_earlier);
                int fd = state_store_slots_fd(written.store);
                size_t start = slot_offset(written.slot), end = start + STORE_SLOT_BYTES;
                size_t commit_end = start + sizeof(uint64_t);

                /* It touches its slot alone. */
                g_assert_cmpint(memcmp(written.before, written.after, start), ==, 0);
                g_assert_cmpint(memcmp(written.before + end, written.after + end, written.size - end),
                                ==,
                                0);
                test_file_set(fd, 0, written.before, written.size);
                for (size_t i = commit_end; i < end; i++) {
                        test_file_set(fd, i, written.after + i, 1);
                        assert_old(written.store, written.slot, n_earlier);
                        if (i % 100 == 0) {
                                check_successor(&written, n_earlier);
                        }
                }
                test_file_set(fd, start, written.after + start, sizeof(uint64_t));
                test_store_assert(written.store, written.slot, 77, STATE_SLOT_BYTES - 77);
                test_file_set(fd, 0, written.before, written.size);
                for (unsigned turn = 0; turn < 2000; turn++) {
                        size_t at = (size_t) g_rand_int_range(random, (int) commit_end, (int) end);
                        test_file_set(fd, at, written.after + at, 1);
                        assert_old(written.store, written.slot, n_earlier);
                }
                check_successor(&written, n_earlier);
                written_done(&written);
        }
}

/* Any bytes in the copy that does not count, as a kill in the middle of a longer write leaves them. */
static void test_other_copy(void) {
        Written written = written_new(2);
        int fd = state_store_slots_fd(written.store);
        unsigned current = test_file_number(fd, slot_offset(written.slot)) & 1;
        size_t start = copy_offset(written.slot, !current);

        for (size_t i = start; i < start + STORE_COPY_BYTES; i++) {
                test_file_flip(fd, i, 0x41);
                test_store_assert(written.store, written.slot, 77, STATE_SLOT_BYTES - 77);
        }
        StateStore *successor = take_over(written.store);
        test_store_assert(successor, written.slot, 77, STATE_SLOT_BYTES - 77);
        test_store_write(successor, written.slot, 5, 300);
        test_store_assert(successor, written.slot, 5, 300);
        state_store_free(successor);
        written_done(&written);
}

/* One changed bit of the copy that counts, or of the word that says so: broken, not another content. */
static void test_broken_copy(void) {
        Written written = written_new(1);
        int fd = state_store_slots_fd(written.store);
        size_t commit = slot_offset(written.slot);
        size_t start = copy_offset(written.slot, test_file_number(fd, commit) & 1);

        for (size_t i = 0; i < STORE_COPY_HEAD_BYTES + STATE_SLOT_BYTES - 77; i++) {
                test_file_flip(fd, start + i, (unsigned char) (1U << i % 8));
                test_store_assert_unreadable(written.store, written.slot);
                test_file_flip(fd, start + i, (unsigned char) (1U << i % 8));
        }
        test_store_assert(written.store, written.slot, 77, STATE_SLOT_BYTES - 77);
        for (unsigned bit = 0; bit < 64; bit++) {
                test_file_flip(fd, commit + bit / 8, (unsigned char) (1U << bit % 8));
                test_store_assert_unreadable(written.store, written.slot);
                test_file_flip(fd, commit + bit / 8, (unsigned char) (1U << bit % 8));
        }
        test_store_assert(written.store, written.slot, 77, STATE_SLOT_BYTES - 77);
        /* Absurd sizes: nothing behind the copy is looked at. */
        static const uint64_t sizes[] = { STATE_SLOT_BYTES + 1, UINT32_MAX, UINT64_MAX };
        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                test_file_set_number(fd, start + 16, sizes[i]);
                test_store_assert_unreadable(written.store, written.slot);
        }
        /* Broken is used, until somebody clears it. */
        StateStore *successor = take_over(written.store);
        test_store_assert_unreadable(successor, written.slot);
        (void) test_store_take(successor);
        g_assert_cmpuint(test_store_take(successor), ==, written.slot + 1);
        state_store_clear(successor, written.slot);
        g_assert_cmpuint(test_store_take(successor), ==, written.slot);
        state_store_free(successor);
        written_done(&written);
}

/* Generations about numbers where something could overflow that is too narrow. */
static void test_generations(void) {
        static const uint64_t generations[] = {
                0x7e, 0xfe, 0x7ffe, 0xfffe, 0x7ffffffe, 0xfffffffe, UINT64_C(0x7ffffffffffe), INT64_MAX - 9,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(generations); i++) {
                StateStore *store = test_store_new();
                int fd = state_store_slots_fd(store);
                (void) test_store_take(store);
                test_store_write(store, 0, 1, 100);
                test_store_write(store, 0, 2, 200); /* an even generation */
                test_file_set_number(fd, copy_offset(0, 0), generations[i] & ~UINT64_C(1));
                test_file_set_number(fd, slot_offset(0), (generations[i] & ~UINT64_C(1)) * 2);
                test_store_assert(store, 0, 2, 200);
                for (unsigned turn = 0; turn < 8; turn++) {
                        size_t size;
                        g_autofree unsigned char *before = test_file_all(fd, &size);
                        test_store_write(store, 0, 10 + turn, 300 + turn);
                        test_store_assert(store, 0, 10 + turn, 300 + turn);
                        /* The earlier one was not touched. */
                        uint64_t commit;
                        memcpy(&commit, before + slot_offset(0), sizeof(commit));
                        uint64_t now = test_file_number(fd, slot_offset(0));
                        test_file_set_number(fd, slot_offset(0), commit);
                        test_store_assert(store, 0, turn == 0 ? 2 : 9 + turn, turn == 0 ? 200 : 299 + turn);
                        test_file_set_number(fd, slot_offset(0), now);
                }
                state_store_free(store);
        }
}

enum {
        TURNS_SEEN = 3, /* of the writer, before it is killed */
};

static size_t turn_size(uint32_t turn) {
        return sizeof(turn) + turn * 37 % (STATE_SLOT_BYTES - sizeof(turn) + 1);
}

static _Noreturn void write_for_ever(StateStore *store, int progress) {
        unsigned char content[STATE_SLOT_BYTES];

        for (uint32_t turn = 1;; turn++) {
                memset(content, (int) (turn % 251), sizeof(content));
                memcpy(content, &turn, sizeof(turn));
                state_store_write(store, 0, content, turn_size(turn));
                if (turn == TURNS_SEEN) {
                        (void) !write(progress, "x", 1);
                }
        }
}

/* What one turn wrote, all of it and nothing else. */
static void assert_turn(const StateStore *store) {
        unsigned char content[STATE_SLOT_BYTES];
        uint32_t turn;

        g_assert_true(state_store_read(store, 0, content, sizeof(content)));
        memcpy(&turn, content, sizeof(turn));
        g_assert_cmpuint(turn, >=, TURNS_SEEN);
        for (size_t i = sizeof(turn); i < sizeof(content); i++) {
                g_assert_cmpint(content[i], ==, i < turn_size(turn) ? turn % 251 : 0);
        }
}

/* Killed at whatever instruction it is at. */
static void test_killed_writer(void) {
        StateStore *store = test_store_new();

        (void) test_store_take(store);
        for (unsigned turn = 0; turn < 100; turn++) {
                int ends[2];
                char byte;
                g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
                pid_t pid = fork();
                g_assert_cmpint(pid, >=, 0);
                if (pid == 0) {
                        write_for_ever(store, ends[1]);
                }
                g_assert_cmpint(read(ends[0], &byte, 1), ==, 1);
                g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
                g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
                (void) close(ends[0]);
                (void) close(ends[1]);
                assert_turn(store);
        }
        state_store_free(store);
}

/* Refused, and the fds stay the caller's. */
static void assert_refused(int slots_fd, int blobs_fd, int error) {
        StateStore *store = NULL;

        g_assert_cmpint(state_store_open(slots_fd, blobs_fd, &store), ==, error);
        g_assert_null(store);
        if (error != -EBADF) {
                g_assert_cmpint(fcntl(slots_fd, F_GETFD), >=, 0);
                g_assert_cmpint(fcntl(blobs_fd, F_GETFD), >=, 0);
        }
}

static void assert_refused_with(const StateStore *store, size_t offset, unsigned char flip, int error) {
        _cleanup_close_ int slots_fd = test_file_copy(state_store_slots_fd(store));
        _cleanup_close_ int blobs_fd = test_file_copy(state_store_blobs_fd(store));

        test_file_flip(slots_fd, offset, flip);
        assert_refused(slots_fd, blobs_fd, error);
}

static void test_other_header(void) {
        StateStore *store = test_store_new();

        for (size_t i = 0; i < STORE_FORMAT_AT; i++) {
                assert_refused_with(store, i, 0x10, -EBADMSG);
        }
        for (size_t i = STORE_FORMAT_AT; i < STORE_BOOT_ID_AT; i++) { /* the version, the size of a slot */
                assert_refused_with(store, i, 0x10, -EPROTONOSUPPORT);
        }
        for (size_t i = STORE_BOOT_ID_AT; i < STORE_BOOT_ID_AT + 16; i++) {
                assert_refused_with(store, i, 0x10, -ESTALE);
        }
        state_store_free(store);
}

static void assert_refused_size(const StateStore *store, size_t slots_size, size_t blobs_size) {
        _cleanup_close_ int slots_fd = test_file_copy(state_store_slots_fd(store));
        _cleanup_close_ int blobs_fd = test_file_copy(state_store_blobs_fd(store));

        g_assert_cmpint(ftruncate(slots_fd, (off_t) slots_size), ==, 0);
        g_assert_cmpint(ftruncate(blobs_fd, (off_t) blobs_size), ==, 0);
        assert_refused(slots_fd, blobs_fd, -EBADMSG);
}

static void test_other_sizes(void) {
        static const size_t too_large = 1024UL * 1024 * 1024 + 1;
        StateStore *store = test_store_new();

        assert_refused_size(store, 0, STORE_BLOBS_FILE_BYTES);
        assert_refused_size(store, 1, STORE_BLOBS_FILE_BYTES);
        assert_refused_size(store, STORE_HEADER_BYTES + STORE_SLOT_BYTES - 1, STORE_BLOBS_FILE_BYTES);
        assert_refused_size(store, too_large, STORE_BLOBS_FILE_BYTES);
        assert_refused_size(store, STORE_SLOTS_FILE_BYTES, 0);
        assert_refused_size(store, STORE_SLOTS_FILE_BYTES, STORE_GRANULE - 1);
        assert_refused_size(store, STORE_SLOTS_FILE_BYTES, too_large);
        state_store_free(store);
}

static void test_other_files(void) {
        StateStore *store = test_store_new();
        int slots_fd = state_store_slots_fd(store), blobs_fd = state_store_blobs_fd(store);
        int ends[2];

        g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
        assert_refused(ends[0], blobs_fd, -EBADMSG);
        assert_refused(slots_fd, ends[0], -EBADMSG);
        (void) close(ends[0]);
        (void) close(ends[1]);
        assert_refused(ends[0], blobs_fd, -EBADF);
        _cleanup_close_ int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_refused(folder, blobs_fd, -EBADMSG);
        assert_refused(blobs_fd, slots_fd, -EBADMSG); /* the wrong way round */
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", slots_fd);
        _cleanup_close_ int read_only = open(path, O_RDONLY | O_CLOEXEC);
        assert_refused(read_only, blobs_fd, -EACCES);
        state_store_free(store);
}

/* Both files cut short, at no boundary of anything: what is left is there, and grows as any other. */
static void test_truncated(void) {
        StateStore *store = test_store_new();
        StateBlob first = test_store_put(store, 1, 5 * STORE_GRANULE),
                  second = test_store_put(store, 2, 5 * STORE_GRANULE);

        for (uint32_t i = 0; i < 10; i++) {
                (void) test_store_take(store);
                test_store_write(store, i, i, 400);
        }
        g_assert_cmpint(ftruncate(state_store_slots_fd(store), (off_t) slot_offset(5) - 1), ==, 0);
        g_assert_cmpint(ftruncate(state_store_blobs_fd(store), (off_t) second.offset + 3 * STORE_GRANULE),
                        ==,
                        0);
        store = test_store_reopen(store);
        g_assert_cmpuint(state_store_count(store), ==, 4);
        g_assert_null(state_store_get_blob(store, &second));
        g_assert_cmpint(state_store_claim_blob(store, &second), ==, -EBADMSG);
        g_assert_cmpint(state_store_claim_blob(store, &first), ==, 0);
        g_assert_cmpuint(test_store_take(store), ==, 4);
        test_store_write(store, 4, 50, 500);
        second = test_store_put(store, 3, 100 * STORE_GRANULE);
        for (uint32_t i = 0; i < 4; i++) {
                test_store_assert(store, i, i, 400);
        }
        test_store_assert(store, 4, 50, 500);
        test_store_assert_blob(store, &first, 1);
        test_store_assert_blob(store, &second, 3);
        state_store_free(store);
}

/* Memory goes back in whole pages, however the neighbours are used. */
static void test_memory_of_slots(void) {
        size_t page = (size_t) sysconf(_SC_PAGESIZE);
        StateStore *store = test_store_new();
        int fd = state_store_slots_fd(store);

        for (uint32_t i = 0; i < STORE_SLOTS; i++) {
                (void) test_store_take(store);
                test_store_write(store, i, i, STATE_SLOT_BYTES);
                test_store_write(store, i, i, STATE_SLOT_BYTES);
        }
        size_t full = test_held_bytes(fd);
        g_assert_cmpuint(full, >=, STORE_SLOTS_FILE_BYTES - page);
        for (uint32_t i = 1; i < STORE_SLOTS; i += 2) { /* a slot is smaller than a page: nothing goes yet */
                state_store_clear(store, i);
        }
        for (uint32_t i = 0; i < STORE_SLOTS; i += 2) {
                test_store_assert(store, i, i, STATE_SLOT_BYTES);
        }
        for (uint32_t i = 2; i < STORE_SLOTS; i += 2) {
                state_store_clear(store, i);
                test_store_assert(store, 0, 0, STATE_SLOT_BYTES);
        }
        /* What is left: pages that slot 0 lies in, and the one that ends behind the file. */
        g_assert_cmpuint(test_held_bytes(fd), <=, 3 * page);
        test_file_assert_zeros(fd, 2 * page, STORE_SLOTS_FILE_BYTES / page * page);
        for (uint32_t i = 1; i < STORE_SLOTS; i++) {
                g_assert_cmpuint(test_store_take(store), ==, i);
                test_store_assert_unreadable(store, i);
                test_store_write(store, i, i + 1, 700);
        }
        for (uint32_t i = 1; i < STORE_SLOTS; i++) {
                test_store_assert(store, i, i + 1, 700);
        }
        state_store_free(store);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/state-store/format", test_format);
        g_test_add_func("/platform/state-store/slots", test_slots);
        g_test_add_func("/platform/state-store/sizes", test_sizes);
        g_test_add_func("/platform/state-store/growth", test_growth);
        g_test_add_func("/platform/state-store/kill-in-write", test_kill_in_write);
        g_test_add_func("/platform/state-store/other-copy", test_other_copy);
        g_test_add_func("/platform/state-store/broken-copy", test_broken_copy);
        g_test_add_func("/platform/state-store/generations", test_generations);
        g_test_add_func("/platform/state-store/killed-writer", test_killed_writer);
        g_test_add_func("/platform/state-store/other-header", test_other_header);
        g_test_add_func("/platform/state-store/other-sizes", test_other_sizes);
        g_test_add_func("/platform/state-store/other-files", test_other_files);
        g_test_add_func("/platform/state-store/truncated", test_truncated);
        g_test_add_func("/platform/state-store/memory-of-slots", test_memory_of_slots);
        return g_test_run();
}
