/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Thousands of changes in any order, and a plain model in memory beside: all that was written is there, also
 * for a successor, and nothing else is. */

#include "platform/state-store.h"

#include "store-fixture.h"

enum {
        CHANGES = 12000,
        LOOK_EVERY = 200,
        SLOTS_MAX = 300,
        BLOBS_MAX = 400,
};

typedef struct ModelSlot {
        uint32_t slot;
        bool written;
        unsigned seed;
        size_t size;
} ModelSlot;

typedef struct ModelBlob {
        StateBlob blob;
        unsigned seed;
} ModelBlob;

typedef struct Model {
        StateStore *store;
        GRand *random;
        GArray *slots; /* of ModelSlot */
        GArray *blobs; /* of ModelBlob */
        unsigned seed; /* no two contents are alike */
} Model;

static unsigned any(const Model *model, unsigned end) {
        return (unsigned) g_rand_int_range(model->random, 0, (int) end);
}

static ModelSlot *any_slot(const Model *model) {
        return model->slots->len > 0 ? &g_array_index(model->slots, ModelSlot, any(model, model->slots->len))
                                     : NULL;
}

static void take(Model *model) {
        if (model->slots->len == SLOTS_MAX) {
                return;
        }
        ModelSlot taken = { .slot = test_store_take(model->store) };
        for (guint i = 0; i < model->slots->len; i++) {
                g_assert_cmpuint(taken.slot, !=, g_array_index(model->slots, ModelSlot, i).slot);
        }
        g_array_append_val(model->slots, taken);
}

static void change(Model *model) {
        ModelSlot *slot = any_slot(model);

        if (slot) {
                slot->written = true;
                slot->seed = model->seed++;
                slot->size = any(model, STATE_SLOT_BYTES + 1);
                test_store_write(model->store, slot->slot, slot->seed, slot->size);
        }
}

static void clear(Model *model) {
        if (model->slots->len > 0) {
                guint i = any(model, model->slots->len);
                state_store_clear(model->store, g_array_index(model->slots, ModelSlot, i).slot);
                (void) g_array_remove_index_fast(model->slots, i);
        }
}

static void put(Model *model) {
        if (model->blobs->len < BLOBS_MAX) {
                ModelBlob put = { .seed = model->seed++ };
                size_t size = any(model, any(model, 20) == 0 ? 40000 : 2500);
                put.blob = test_store_put(model->store, put.seed, size);
                g_array_append_val(model->blobs, put);
        }
}

static void drop(Model *model) {
        if (model->blobs->len > 0) {
                guint i = any(model, model->blobs->len);
                state_store_drop_blob(model->store, &g_array_index(model->blobs, ModelBlob, i).blob);
                (void) g_array_remove_index_fast(model->blobs, i);
        }
}

/* A successor: what was taken and not written is free, and all blobs are claimed. */
static void renew(Model *model) {
        model->store = test_store_reopen(model->store);
        for (guint i = model->slots->len; i > 0; i--) {
                if (!g_array_index(model->slots, ModelSlot, i - 1).written) {
                        (void) g_array_remove_index_fast(model->slots, i - 1);
                }
        }
        for (guint i = 0; i < model->blobs->len; i++) {
                const ModelBlob *blob = &g_array_index(model->blobs, ModelBlob, i);
                g_assert_cmpint(state_store_claim_blob(model->store, &blob->blob), ==, 0);
        }
}

static const ModelSlot *find_slot(const Model *model, uint32_t slot) {
        for (guint i = 0; i < model->slots->len; i++) {
                const ModelSlot *known = &g_array_index(model->slots, ModelSlot, i);
                if (known->slot == slot) {
                        return known;
                }
        }
        return NULL;
}

static void look(const Model *model) {
        for (uint32_t slot = 0; slot < state_store_count(model->store); slot++) {
                const ModelSlot *known = find_slot(model, slot);
                if (known && known->written) {
                        test_store_assert(model->store, slot, known->seed, known->size);
                } else {
                        test_store_assert_unreadable(model->store, slot);
                }
        }
        for (guint i = 0; i < model->blobs->len; i++) {
                const ModelBlob *blob = &g_array_index(model->blobs, ModelBlob, i);
                test_store_assert_blob(model->store, &blob->blob, blob->seed);
        }
}

/* More comes than goes while filling, less while emptying. */
static void step(Model *model, bool filling) {
        unsigned which = any(model, 1000);

        if (which < 300) {
                change(model);
        } else if (which < 300 + (filling ? 200 : 100)) {
                take(model);
        } else if (which < 600) {
                clear(model);
        } else if (which < 600 + (filling ? 250 : 150)) {
                put(model);
        } else if (which < 997) {
                drop(model);
        } else {
                renew(model);
                look(model);
        }
}

static void test_random(const void *seed) {
        Model model = {
                .store = test_store_new(),
                .random = g_rand_new_with_seed(GPOINTER_TO_UINT(seed)),
                .slots = g_array_new(FALSE, FALSE, sizeof(ModelSlot)),
                .blobs = g_array_new(FALSE, FALSE, sizeof(ModelBlob)),
        };

        for (unsigned i = 0; i < CHANGES; i++) {
                step(&model, i / (CHANGES / 4) % 2 == 0);
                if (i % LOOK_EVERY == 0) {
                        look(&model);
                }
        }
        look(&model);
        g_assert_cmpuint(state_store_count(model.store), >, STORE_SLOTS);
        g_assert_cmpuint(test_file_bytes(state_store_blobs_fd(model.store)), >, STORE_BLOBS_FILE_BYTES);
        /* When all blobs have gone, so has their memory. (To look at a free slot takes a page for it.) */
        while (model.blobs->len > 0) {
                drop(&model);
        }
        g_assert_cmpuint(test_held_bytes(state_store_blobs_fd(model.store)), ==, 0);
        while (model.slots->len > 0) {
                clear(&model);
        }
        look(&model);
        state_store_free(model.store);
        g_rand_free(model.random);
        g_array_unref(model.slots);
        g_array_unref(model.blobs);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_data_func("/platform/state-store/random/1", GUINT_TO_POINTER(1), test_random);
        g_test_add_data_func("/platform/state-store/random/2", GUINT_TO_POINTER(2), test_random);
        g_test_add_data_func("/platform/state-store/random/3", GUINT_TO_POINTER(3), test_random);
        return g_test_run();
}
