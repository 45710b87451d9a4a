/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a process tells of itself: merged, and bounded. */

#include "core/self-report.h"

#include "value-fixture.h"

#include <errno.h>
#include <string.h>

static void assert_text(const Value *value, const char *expected) {
        g_autofree char *text = test_value_to_text(value);

        g_assert_cmpstr(text, ==, expected);
}

static Value *action(const char *name) {
        Value *map = value_new_map();

        value_set(map, "action_name", value_new_string(name));
        return map;
}

static int add_action(SelfReport *report, const char *name) {
        g_autoptr(Value) map = action(name);

        return self_report_add_action(report, map);
}

static int merge(SelfReport *report, int (*function)(SelfReport *, const Value *), const char *notation) {
        g_autoptr(Value) value = test_value(notation);

        return function(report, value);
}

static void test_status(void) {
        SelfReport report;

        self_report_init(&report);
        g_assert_false(self_report_set_status(&report, ""));
        g_assert_true(self_report_set_status(&report, "up\nand\x7frunning"));
        g_assert_cmpstr(report.status, ==, "up and running");
        g_assert_false(self_report_set_status(&report, "up and running"));
        g_assert_true(self_report_set_status(&report, "bad \xff"));
        g_assert_true(g_utf8_validate(report.status, -1, NULL));
        /* Cut between characters. */
        g_autofree char *long_text = g_strnfill(SELF_REPORT_NAME_BYTES_MAX - 1, 'x');
        g_autofree char *too_long = g_strconcat(long_text, "\xc3\xa9", NULL);
        g_assert_true(self_report_set_status(&report, too_long));
        g_assert_cmpstr(report.status, ==, long_text);
        self_report_clear(&report);
        g_assert_cmpstr(report.status, ==, NULL);
        self_report_done(&report);
}

static void assert_kept(const SelfReport *report) {
        g_autoptr(Value) value = self_report_to_value(report);
        SelfReport again;

        self_report_init(&again);
        self_report_take_value(&again, value);
        g_assert_cmpint(again.phase, ==, report->phase);
        g_assert_cmpstr(self_report_text(&again), ==, self_report_text(report));
        self_report_done(&again);
}

static void test_phase(void) {
        SelfReport report;

        self_report_init(&report);
        g_assert_cmpstr(self_report_text(&report), ==, "");
        g_assert_false(self_report_set_phase(&report, SELF_REPORT_NO_PHASE));
        g_assert_true(self_report_set_phase(&report, SELF_REPORT_RELOADING));
        g_assert_cmpstr(self_report_text(&report), ==, "reloading");
        g_assert_true(self_report_set_phase(&report, SELF_REPORT_NO_PHASE));
        g_assert_true(self_report_set_status(&report, "up"));
        g_assert_true(self_report_set_phase(&report, SELF_REPORT_STOPPING));
        g_assert_cmpstr(self_report_text(&report), ==, "stopping"); /* "up" is of before */
        assert_kept(&report);
        g_assert_true(self_report_set_status(&report, "up")); /* and this is not */
        g_assert_cmpstr(self_report_text(&report), ==, "up");
        assert_kept(&report);
        g_assert_true(self_report_set_status(&report, ""));
        g_assert_cmpstr(self_report_text(&report), ==, "stopping");
        assert_kept(&report);
        uint64_t version = report.version;
        self_report_clear(&report);
        g_assert_cmpuint(report.version, >, version);
        g_assert_cmpstr(self_report_text(&report), ==, "");
        self_report_done(&report);
}

static void test_node_version(void) {
        SelfReport report;
        g_autofree char *long_text = g_strnfill(SELF_REPORT_NAME_BYTES_MAX + 1, '9');

        self_report_init(&report);
        g_assert_cmpint(self_report_set_node_version(&report, "20.20.2"), ==, 0);
        g_assert_cmpint(self_report_set_node_version(&report, ""), ==, -EINVAL);
        g_assert_cmpint(self_report_set_node_version(&report, long_text), ==, -EINVAL);
        g_assert_cmpstr(report.node_version, ==, "20.20.2");
        self_report_done(&report);
}

static void test_actions(void) {
        SelfReport report;
        g_autoptr(Value) nameless = test_value("m:x=y");
        g_autoptr(Value) text = test_value("s:x");
        g_autoptr(Value) numbered = test_value("M:action_name=i:7");

        self_report_init(&report);
        g_assert_false(self_report_has_action(&report, "gc"));
        g_assert_cmpint(add_action(&report, "gc"), ==, 0);
        g_assert_cmpint(add_action(&report, "dump"), ==, 0);
        g_assert_cmpint(add_action(&report, "gc"), ==, 0);
        g_assert_cmpuint(value_count(report.actions), ==, 2);
        g_assert_true(self_report_has_action(&report, "gc"));
        g_assert_false(self_report_has_action(&report, "g"));
        g_assert_cmpint(self_report_add_action(&report, nameless), ==, -EINVAL);
        g_assert_cmpint(self_report_add_action(&report, text), ==, -EINVAL);
        g_assert_cmpint(self_report_add_action(&report, numbered), ==, -EINVAL);
        g_assert_cmpint(add_action(&report, ""), ==, -EINVAL);
        for (unsigned i = 2; i < SELF_REPORT_ACTIONS_MAX; i++) {
                g_autofree char *name = g_strdup_printf("a%u", i);
                g_assert_cmpint(add_action(&report, name), ==, 0);
        }
        g_assert_cmpint(add_action(&report, "one too many"), ==, -E2BIG);
        g_assert_cmpint(add_action(&report, "gc"), ==, 0);
        g_assert_cmpuint(value_count(report.actions), ==, SELF_REPORT_ACTIONS_MAX);
        self_report_done(&report);
}

static void test_bytes_are_bounded(void) {
        g_autofree char *large = g_strnfill(SELF_REPORT_BYTES_MAX - 4096, 'x');
        g_autoptr(Value) first = action("large"), second = action("second");
        SelfReport report;

        self_report_init(&report);
        value_set(first, "opts", value_new_string(large));
        value_set(second, "opts", value_new_string(large));
        g_assert_cmpint(self_report_add_action(&report, first), ==, 0);
        g_assert_cmpint(self_report_add_action(&report, second), ==, -E2BIG);
        g_assert_cmpint(self_report_add_action(&report, first), ==, 0); /* in its own place */
        g_assert_cmpuint(value_count(report.actions), ==, 1);
        g_assert_cmpint(self_report_merge_metrics(&report, first), ==, 0);
        value_set(second, "more", value_new_string(large));
        g_assert_cmpint(self_report_merge_metrics(&report, second), ==, -E2BIG);
        g_assert_cmpuint(value_count(report.metrics), ==, 2);
        self_report_done(&report);
}

static void test_merging(void) {
        SelfReport report;

        self_report_init(&report);
        g_assert_cmpint(merge(&report, self_report_merge_metrics, "m:a=1|b=2"), ==, 0);
        g_assert_cmpint(merge(&report, self_report_merge_metrics, "m:a=3|c=4"), ==, 0);
        assert_text(report.metrics, "{b: s:2, a: s:3, c: s:4}");
        g_assert_cmpint(merge(&report, self_report_merge_metrics, "s:a"), ==, -EINVAL);
        g_assert_cmpint(merge(&report, self_report_merge_options, "m:x=y"), ==, 0);
        g_assert_cmpint(merge(&report, self_report_merge_options, "[]"), ==, -EINVAL);
        assert_text(report.options, "{x: s:y}");
        for (unsigned i = 3; i < SELF_REPORT_KEYS_MAX; i++) {
                g_autofree char *notation = g_strdup_printf("m:k%u=1", i);
                g_assert_cmpint(merge(&report, self_report_merge_metrics, notation), ==, 0);
        }
        g_assert_cmpint(merge(&report, self_report_merge_metrics, "m:new=1"), ==, -E2BIG);
        g_assert_cmpint(merge(&report, self_report_merge_metrics, "m:a=5"), ==, 0);
        g_assert_cmpuint(value_count(report.metrics), ==, SELF_REPORT_KEYS_MAX);
        self_report_done(&report);
}

/* What is kept comes back; what is kept wrongly is left out. */
static void test_keeping(void) {
        SelfReport report, again;

        self_report_init(&report);
        self_report_init(&again);
        uint64_t before = report.version;
        (void) self_report_set_status(&report, "well");
        (void) self_report_set_node_version(&report, "20.1.0");
        (void) add_action(&report, "gc");
        (void) merge(&report, self_report_merge_options, "m:x=y");
        g_assert_cmpuint(report.version, ==, before + 4);
        (void) merge(&report, self_report_merge_metrics, "m:a=1");
        g_assert_cmpuint(report.version, ==, before + 4);
        g_autoptr(Value) value = self_report_to_value(&report);
        self_report_take_value(&again, value);
        g_autoptr(Value) copy = self_report_to_value(&again);
        g_autofree char *text = test_value_to_text(value);
        assert_text(copy, text);
        g_assert_true(self_report_has_action(&again, "gc"));

        g_autoptr(Value) no_map = test_value("s:x"), wrong = test_value("m:status=s|actions=a|options=b");
        self_report_clear(&again);
        self_report_take_value(&again, no_map);
        self_report_take_value(&again, wrong);
        g_assert_cmpstr(again.status, ==, "s");
        g_assert_true(!again.actions && !again.options);
        uint64_t version = again.version;
        self_report_clear(&again);
        g_assert_cmpuint(again.version, >, version);
        version = again.version;
        self_report_clear(&again); /* nothing was said: nothing has changed */
        g_assert_cmpuint(again.version, ==, version);
        self_report_done(&report);
        self_report_done(&again);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/self-report/status", test_status);
        g_test_add_func("/core/self-report/phase", test_phase);
        g_test_add_func("/core/self-report/node-version", test_node_version);
        g_test_add_func("/core/self-report/actions", test_actions);
        g_test_add_func("/core/self-report/bytes-are-bounded", test_bytes_are_bounded);
        g_test_add_func("/core/self-report/merging", test_merging);
        g_test_add_func("/core/self-report/keeping", test_keeping);
        return g_test_run();
}
