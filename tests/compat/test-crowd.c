/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "compat/crowd.h"

static void assert_chosen(const CrowdMember *members, size_t count, size_t expected) {
        g_assert_cmpuint(crowd_choose(members, count), ==, expected);
}

static void test_oldest(void) {
        const CrowdMember members[] = {
                { 1000, 7, false, 5 },
                { 1000, 7, false, 3 },
                { 1000, 7, false, 4 },
        };

        assert_chosen(members, G_N_ELEMENTS(members), 1);
}

/* The process that has the most pays, however old the others are. */
static void test_process(void) {
        const CrowdMember members[] = {
                { 1000, 1, false, 1 },
                { 1000, 2, false, 2 },
                { 1000, 3, false, 9 },
                { 1000, 3, false, 8 },
        };

        assert_chosen(members, G_N_ELEMENTS(members), 3);
}

/* And before that the user, whose processes may be as many. */
static void test_user(void) {
        const CrowdMember members[] = {
                { 1000, 1, false, 1 }, { 1000, 1, false, 2 }, { 1001, 2, false, 6 },
                { 1001, 3, false, 5 }, { 1001, 4, false, 7 },
        };

        assert_chosen(members, G_N_ELEMENTS(members), 3);
}

static void test_busy(void) {
        const CrowdMember members[] = {
                { 1000, 1, true, 1 },
                { 1000, 1, false, 3 },
                { 1000, 1, true, 2 },
        };

        assert_chosen(members, 3, 1);
        /* all are: the process has several */
        const CrowdMember all_busy[] = {
                { 1000, 2, false, 1 },
                { 1000, 1, true, 4 },
                { 1000, 1, true, 3 },
        };
        assert_chosen(all_busy, 3, 2);
}

/* One each: who waits for an answer keeps its place. */
static void test_one_each(void) {
        const CrowdMember members[] = {
                { 1000, 1, true, 1 },
                { 1000, 2, true, 2 },
                { 1000, 3, false, 4 },
                { 1000, 4, false, 3 },
        };

        assert_chosen(members, 4, 3);
        assert_chosen(members, 2, 2); /* none */
        assert_chosen(members, 0, 0);
}

static void test_odd_numbers(void) {
        const CrowdMember members[] = {
                { (uid_t) -1, 0, false, UINT64_MAX },
                { (uid_t) -1, 0, false, UINT64_MAX - 1 },
                { 0, 0, false, 0 },
        };

        assert_chosen(members, 3, 1);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/crowd/oldest", test_oldest);
        g_test_add_func("/crowd/process", test_process);
        g_test_add_func("/crowd/user", test_user);
        g_test_add_func("/crowd/busy", test_busy);
        g_test_add_func("/crowd/one-each", test_one_each);
        g_test_add_func("/crowd/odd-numbers", test_odd_numbers);
        return g_test_run();
}
