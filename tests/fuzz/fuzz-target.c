/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text as a target, for root and for a user, over a small list. */

#include "fuzz.h"

#include "core/target.h"
#include "process-fixture.h"

static Registry *make_registry(void) {
        Registry *registry = registry_new(10);

        (void) test_process_add(registry, "api", "web", 1000);
        (void) test_process_add(registry, "api", "web", 1000);
        (void) test_process_add(registry, "1", "default", 1000);
        (void) test_process_add(registry, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "a", 1000);
        (void) test_process_add(registry, "zähl", "default", 0);
        (void) test_process_add(registry, "id:1", "ns:web", 0);
        return registry;
}

static void resolve(const Registry *registry, uid_t uid, const char *target) {
        const Caller caller = { .uid = uid, .gid = uid, .via = "fuzz" };
        g_autoptr(GPtrArray) found = NULL;
        g_auto(Error) error = { 0 };

        if (target_resolve(registry, &caller, target, &found, &error) < 0) {
                g_assert_null(found);
                g_assert_cmpint(error.code, !=, ERROR_NONE);
                g_assert_true(g_utf8_validate(error.message, -1, NULL));
                return;
        }
        g_assert_cmpuint(found->len, <=, registry_count(registry));
        for (guint i = 0; i < found->len; i++) {
                const Process *process = found->pdata[i];
                g_assert_true(caller_may_control(&caller, process->owner));
                g_assert_true(i == 0 || ((const Process *) found->pdata[i - 1])->id < process->id);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static Registry *registry;
        g_autofree char *target = fuzz_text(data, size);

        if (!registry) {
                registry = make_registry();
        }
        resolve(registry, 0, target);
        resolve(registry, 1000, target);
        return 0;
}
