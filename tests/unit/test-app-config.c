/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The attribute table drives its own test: every row is set in every way that its type knows. */

#include "core/app-config.h"
#include "core/attribute-value.h"

#include "fixture.h"
#include "value-fixture.h"

#include <inttypes.h>
#include <string.h>

/* What a value of each type may be written as, and how it is read back; NULL: refused. Chosen to be within
 * the range of every row of the type. */
static const struct {
        AttributeType type;
        const char *input, *output;
} samples[] = {
        { ATTRIBUTE_STRING, "s:text", "s:text" },
        { ATTRIBUTE_STRING, "s:zähl", "s:zähl" },
        { ATTRIBUTE_STRING, "s:42", "s:42" },
        { ATTRIBUTE_STRING, "i:42", NULL },
        { ATTRIBUTE_STRING, "d:1.5", NULL },
        { ATTRIBUTE_STRING, "s:", NULL },
        { ATTRIBUTE_STRING, "true", NULL },
        { ATTRIBUTE_STRING, "[]", NULL },
        { ATTRIBUTE_STRING, "a:text", NULL },
        { ATTRIBUTE_STRING, "{}", NULL },
        { ATTRIBUTE_STRING, "s:bad\xff", NULL },
        { ATTRIBUTE_CRON, "s:0 4 * * *", "s:0 4 * * *" },
        { ATTRIBUTE_CRON, "s:*/5 0 4 L JAN mon-FRI", "s:*/5 0 4 L JAN mon-FRI" },
        { ATTRIBUTE_CRON, "s:@daily", "s:@daily" },
        { ATTRIBUTE_CRON, "s:60 4 * * *", NULL },
        { ATTRIBUTE_CRON, "s:* * * *", NULL },
        { ATTRIBUTE_CRON, "s:0 0 30 2 *", NULL },
        { ATTRIBUTE_CRON, "s:0 4\t* * *", NULL },
        { ATTRIBUTE_CRON, "s:0 4 * * \xff", NULL },
        { ATTRIBUTE_CRON, "i:5", NULL },
        { ATTRIBUTE_CRON, "true", NULL },
        { ATTRIBUTE_CRON, "a:0|4|*|*|*", NULL },
        { ATTRIBUTE_CRON, "{}", NULL },
        { ATTRIBUTE_CRON, "false", "false" },
        { ATTRIBUTE_CRON, "i:0", "false" },
        { ATTRIBUTE_CRON, "s:0", "false" },
        { ATTRIBUTE_CRON, "s:", "false" },
        { ATTRIBUTE_CRON, "s:false", "false" },
        { ATTRIBUTE_WATCH, "true", "true" },
        { ATTRIBUTE_WATCH, "false", "false" },
        { ATTRIBUTE_WATCH, "s:true", "true" },
        { ATTRIBUTE_WATCH, "s:false", "false" },
        { ATTRIBUTE_WATCH, "s:", "false" },
        { ATTRIBUTE_WATCH, "s:src", "[s:src]" },
        { ATTRIBUTE_WATCH, "s:src 'my lib'", "[s:src, s:my lib]" },
        { ATTRIBUTE_WATCH, "s:'src", NULL },
        { ATTRIBUTE_WATCH, "[]", "true" }, /* of PM2: the whole folder */
        { ATTRIBUTE_WATCH, "a:src|/x", "[s:src, s:/x]" },
        { ATTRIBUTE_WATCH, "a:src|", NULL },
        { ATTRIBUTE_WATCH, "l:true", NULL },
        { ATTRIBUTE_WATCH, "i:1", NULL },
        { ATTRIBUTE_WATCH, "d:0.5", NULL },
        { ATTRIBUTE_WATCH, "{}", NULL },
        { ATTRIBUTE_WATCH, "M:paths=[]|paused=true", "{paths: [], paused: true}" },
        { ATTRIBUTE_WATCH, "M:paths=[]|paused=false", "true" },
        { ATTRIBUTE_WATCH, "M:paths=[]|other=true", NULL },
        { ATTRIBUTE_PATH, "s:/srv/x", "s:/srv/x" },
        { ATTRIBUTE_PATH, "s:x", "s:x" },
        { ATTRIBUTE_PATH, "s:", NULL },
        { ATTRIBUTE_PATH, "i:7", NULL },
        { ATTRIBUTE_PATH, "false", NULL },
        { ATTRIBUTE_PATH, "a:/x", NULL },
        { ATTRIBUTE_PATH, "{}", NULL },
        { ATTRIBUTE_PATH, "s:/a\nb", NULL },
        { ATTRIBUTE_PATH, "s:/a\177", NULL },
        { ATTRIBUTE_PATH, "s:/\xc3", NULL },
        { ATTRIBUTE_BOOL, "true", "true" },
        { ATTRIBUTE_BOOL, "false", "false" },
        { ATTRIBUTE_BOOL, "s:true", "true" },
        { ATTRIBUTE_BOOL, "s:No", "false" },
        { ATTRIBUTE_BOOL, "i:1", "true" },
        { ATTRIBUTE_BOOL, "i:0", "false" },
        { ATTRIBUTE_BOOL, "i:2", NULL },
        { ATTRIBUTE_BOOL, "d:0.5", NULL },
        { ATTRIBUTE_BOOL, "s:maybe", NULL },
        { ATTRIBUTE_BOOL, "s:", NULL },
        { ATTRIBUTE_BOOL, "[]", NULL },
        { ATTRIBUTE_BOOL, "{}", NULL },
        { ATTRIBUTE_NUMBER, "i:7", "i:7" },
        { ATTRIBUTE_NUMBER, "i:0", "i:0" },
        { ATTRIBUTE_NUMBER, "d:7", "i:7" },
        { ATTRIBUTE_NUMBER, "s:7", "i:7" },
        { ATTRIBUTE_NUMBER, "i:-1", NULL },
        { ATTRIBUTE_NUMBER, "s:-1", NULL },
        { ATTRIBUTE_NUMBER, "d:7.5", NULL },
        { ATTRIBUTE_NUMBER, "s:7.0", NULL },
        { ATTRIBUTE_NUMBER, "s:seven", NULL },
        { ATTRIBUTE_NUMBER, "s:", NULL },
        { ATTRIBUTE_NUMBER, "s:99999999999999999999", NULL },
        { ATTRIBUTE_NUMBER, "i:9223372036854775807", NULL },
        { ATTRIBUTE_NUMBER, "d:1e300", NULL },
        { ATTRIBUTE_NUMBER, "true", NULL },
        { ATTRIBUTE_NUMBER, "a:7", NULL },
        { ATTRIBUTE_NUMBER, "{}", NULL },
        { ATTRIBUTE_DURATION, "i:2500", "i:2500" },
        { ATTRIBUTE_DURATION, "s:2500", "i:2500" },
        { ATTRIBUTE_DURATION, "s:2s", "i:2000" },
        { ATTRIBUTE_DURATION, "s:1min 30s", "i:90000" },
        { ATTRIBUTE_DURATION, "d:2500", "i:2500" },
        { ATTRIBUTE_DURATION, "d:2.5", "d:2.5" },
        { ATTRIBUTE_DURATION, "s:1500us", "d:1.5" },
        { ATTRIBUTE_DURATION, "i:-1", NULL },
        { ATTRIBUTE_DURATION, "s:2 parsecs", NULL },
        { ATTRIBUTE_DURATION, "s:", NULL },
        { ATTRIBUTE_DURATION, "s:99999999999999999999", NULL },
        { ATTRIBUTE_DURATION, "i:9223372036854775807", NULL },
        { ATTRIBUTE_DURATION, "d:1e300", NULL },
        { ATTRIBUTE_DURATION, "true", NULL },
        { ATTRIBUTE_DURATION, "[]", NULL },
        { ATTRIBUTE_DURATION, "{}", NULL },
        { ATTRIBUTE_SIGNAL, "s:SIGTERM", "s:SIGTERM" },
        { ATTRIBUTE_SIGNAL, "s:term", "s:SIGTERM" },
        { ATTRIBUTE_SIGNAL, "s:15", "s:SIGTERM" },
        { ATTRIBUTE_SIGNAL, "i:15", "s:SIGTERM" },
        { ATTRIBUTE_SIGNAL, "s:SIGRTMIN+3", "s:SIGRTMIN+3" },
        { ATTRIBUTE_SIGNAL, "s:SIGFOO", NULL },
        { ATTRIBUTE_SIGNAL, "s:", NULL },
        { ATTRIBUTE_SIGNAL, "i:0", NULL },
        { ATTRIBUTE_SIGNAL, "i:32", NULL },
        { ATTRIBUTE_SIGNAL, "i:65", NULL },
        { ATTRIBUTE_SIGNAL, "i:-9", NULL },
        { ATTRIBUTE_SIGNAL, "true", NULL },
        { ATTRIBUTE_SIGNAL, "[]", NULL },
        { ATTRIBUTE_STRINGS, "a:one|two three", "[s:one, s:two three]" },
        { ATTRIBUTE_STRINGS, "l:s:x|i:5|true|d:0.5", "[s:x, s:5, s:true, s:0.5]" },
        { ATTRIBUTE_STRINGS, "s:one 'two three'", "[s:one, s:two three]" },
        { ATTRIBUTE_STRINGS, "s:", "[]" },
        { ATTRIBUTE_STRINGS, "[]", "[]" },
        { ATTRIBUTE_STRINGS, "a:\xff", "[s:\xff]" }, /* bytes, as execve(2) takes them */
        { ATTRIBUTE_STRINGS, "s:one 'two", NULL },
        { ATTRIBUTE_STRINGS, "i:5", NULL },
        { ATTRIBUTE_STRINGS, "true", NULL },
        { ATTRIBUTE_STRINGS, "{}", NULL },
        { ATTRIBUTE_STRINGS, "l:s:x|null", NULL },
        { ATTRIBUTE_STRINGS, "l:s:x|[]", NULL },
        { ATTRIBUTE_PATHS, "s:one two", "[s:one two]" },
        { ATTRIBUTE_PATHS, "a:-x|/srv/y", "[s:-x, s:/srv/y]" },
        { ATTRIBUTE_PATHS, "[]", "[]" },
        { ATTRIBUTE_PATHS, "s:", NULL },
        { ATTRIBUTE_PATHS, "s:-", NULL },
        { ATTRIBUTE_PATHS, "a:x|", NULL },
        { ATTRIBUTE_PATHS, "s:\xff", NULL },
        { ATTRIBUTE_PATHS, "s:a\nb", NULL },
        { ATTRIBUTE_PATHS, "l:s:x|i:5", NULL },
        { ATTRIBUTE_PATHS, "l:s:x|null", NULL },
        { ATTRIBUTE_PATHS, "i:5", NULL },
        { ATTRIBUTE_PATHS, "true", NULL },
        { ATTRIBUTE_PATHS, "{}", NULL },
        { ATTRIBUTE_OBJECT, "{}", "{}" },
        { ATTRIBUTE_OBJECT, "M:a=i:1|b=s:x", "{a: i:1, b: s:x}" },
        { ATTRIBUTE_OBJECT, "[]", NULL },
        { ATTRIBUTE_OBJECT, "s:{}", NULL },
        { ATTRIBUTE_CREDENTIALS, "m:key.pem=/srv/k|A_b-9=rel", "{A_b-9: s:rel, key.pem: s:/srv/k}" },
        { ATTRIBUTE_CREDENTIALS, "{}", "{}" },
        { ATTRIBUTE_CREDENTIALS, "m:=x", NULL },
        { ATTRIBUTE_CREDENTIALS, "m:.=x", NULL },
        { ATTRIBUTE_CREDENTIALS, "m:..=x", NULL },
        { ATTRIBUTE_CREDENTIALS, "m:a/b=x", NULL },
        { ATTRIBUTE_CREDENTIALS, "m:a b=x", NULL },
        { ATTRIBUTE_CREDENTIALS, "m:\xc3\xa9=x", NULL },
        { ATTRIBUTE_CREDENTIALS, "m:a=", NULL },
        { ATTRIBUTE_CREDENTIALS, "M:a=i:5", NULL },
        { ATTRIBUTE_CREDENTIALS, "M:a=null", NULL },
        { ATTRIBUTE_CREDENTIALS, "M:a=[]", NULL },
        { ATTRIBUTE_CREDENTIALS, "s:x", NULL },
        { ATTRIBUTE_CREDENTIALS, "a:x", NULL },
        { ATTRIBUTE_CREDENTIALS, "true", NULL },
        { ATTRIBUTE_SIZE, "i:0", "i:0" },
        { ATTRIBUTE_SIZE, "s:200M", "i:209715200" },
        { ATTRIBUTE_SIZE, "i:-1", NULL },
        { ATTRIBUTE_SIZE, "s:much", NULL },
        { ATTRIBUTE_SIZE, "true", NULL },
        { ATTRIBUTE_SIZE, "[]", NULL },
        { ATTRIBUTE_PERCENT, "i:0", "i:0" },
        { ATTRIBUTE_PERCENT, "i:150", "i:150" },
        { ATTRIBUTE_PERCENT, "s:150%", "i:150" },
        { ATTRIBUTE_PERCENT, "s:12.5%", "d:12.5" },
        { ATTRIBUTE_PERCENT, "d:12.5", "d:12.5" },
        { ATTRIBUTE_PERCENT, "i:1000000", "i:1000000" },
        { ATTRIBUTE_PERCENT, "i:1000001", NULL },
        { ATTRIBUTE_PERCENT, "i:-1", NULL },
        { ATTRIBUTE_PERCENT, "s:0.5%", NULL },
        { ATTRIBUTE_PERCENT, "s:1e400", NULL },
        { ATTRIBUTE_PERCENT, "s:0x10", NULL },
        { ATTRIBUTE_PERCENT, "s:nan", NULL },
        { ATTRIBUTE_PERCENT, "s:50%%", NULL },
        { ATTRIBUTE_PERCENT, "s:half", NULL },
        { ATTRIBUTE_PERCENT, "s:", NULL },
        { ATTRIBUTE_PERCENT, "true", NULL },
        { ATTRIBUTE_PERCENT, "[]", NULL },
        { ATTRIBUTE_WORD, "s:", NULL },
        { ATTRIBUTE_WORD, "s:AUTO", NULL },
        { ATTRIBUTE_WORD, "s:auto none", NULL },
        { ATTRIBUTE_WORD, "i:0", NULL },
        { ATTRIBUTE_WORD, "[]", NULL },
        { ATTRIBUTE_SCORE, "i:-1000", "i:-1000" },
        { ATTRIBUTE_SCORE, "i:0", "i:0" },
        { ATTRIBUTE_SCORE, "s:1000", "i:1000" },
        { ATTRIBUTE_SCORE, "i:1001", NULL },
        { ATTRIBUTE_SCORE, "i:-1001", NULL },
        { ATTRIBUTE_SCORE, "s:high", NULL },
        { ATTRIBUTE_SCORE, "d:1.5", NULL },
        { ATTRIBUTE_SCORE, "true", NULL },
        { ATTRIBUTE_SCORE, "[]", NULL },
        { ATTRIBUTE_COUNT, "i:4", "i:4" },
        { ATTRIBUTE_COUNT, "s:4", "i:4" },
        { ATTRIBUTE_COUNT, "s:max", "i:0" },
        { ATTRIBUTE_COUNT, "i:0", "i:0" },
        { ATTRIBUTE_COUNT, "i:-1", "i:-1" },
        { ATTRIBUTE_COUNT, "i:1024", "i:1024" },
        { ATTRIBUTE_COUNT, "i:-1024", "i:-1024" },
        { ATTRIBUTE_COUNT, "i:1025", NULL },
        { ATTRIBUTE_COUNT, "i:-1025", NULL },
        { ATTRIBUTE_COUNT, "s:MAX", NULL },
        { ATTRIBUTE_COUNT, "s:", NULL },
        { ATTRIBUTE_COUNT, "d:1.5", NULL },
        { ATTRIBUTE_COUNT, "true", NULL },
        { ATTRIBUTE_COUNT, "[]", NULL },
        { ATTRIBUTE_HEALTH, "{}", "false" },
        { ATTRIBUTE_HEALTH,
          "m:unix=/x|interval=2s",
          "{unix: s:/x, interval: i:2000, timeout: i:2000, retries: i:3, start_period: i:0, restart: "
          "false}" },
        { ATTRIBUTE_HEALTH, "m:unix=x", NULL },
        { ATTRIBUTE_LIMITS, "{}", "{}" },
        { ATTRIBUTE_LIMITS, "s:", "{}" },
        { ATTRIBUTE_LIMITS, "M:nofile=i:1024|CORE=s:infinity", "{core: s:infinity, nofile: i:1024}" },
        { ATTRIBUTE_LIMITS, "M:nofile=s:1024:4096", "{nofile: s:1024:4096}" },
        { ATTRIBUTE_LIMITS, "s:nofile=10:20, memlock=1M", "{memlock: i:1048576, nofile: s:10:20}" },
        { ATTRIBUTE_LIMITS, "s:core=0:infinity", "{core: s:0:infinity}" },
        { ATTRIBUTE_LIMITS, "s:files=1", NULL },
        { ATTRIBUTE_LIMITS, "s:nofile", NULL },
        { ATTRIBUTE_LIMITS, "s:=5", NULL },
        { ATTRIBUTE_LIMITS, "s:nofile=1K", NULL },
        { ATTRIBUTE_LIMITS, "s:nofile=20:10", NULL },
        { ATTRIBUTE_LIMITS, "s:nofile=1:2:3", NULL },
        { ATTRIBUTE_LIMITS, "s:nofile=-1", NULL },
        { ATTRIBUTE_LIMITS, "M:nofile=true", NULL },
        { ATTRIBUTE_LIMITS, "M:nofile=[]", NULL },
        { ATTRIBUTE_LIMITS, "i:5", NULL },
        { ATTRIBUTE_LIMITS, "[]", NULL },
        { ATTRIBUTE_ENVIRONMENT, "m:A=1|B=two", "{A: s:1, B: s:two}" },
        { ATTRIBUTE_ENVIRONMENT, "M:Z=i:5|Y=true|X=d:0.5|W=s:", "{W: s:, X: s:0.5, Y: s:true, Z: s:5}" },
        { ATTRIBUTE_ENVIRONMENT, "M:A=null|B=s:x", "{B: s:x}" },
        { ATTRIBUTE_ENVIRONMENT, "{}", "{}" },
        { ATTRIBUTE_ENVIRONMENT, "M:=s:x", NULL },
        { ATTRIBUTE_ENVIRONMENT, "M:A=[]", NULL },
        { ATTRIBUTE_ENVIRONMENT, "M:A={}", NULL },
        { ATTRIBUTE_ENVIRONMENT, "s:A=1", NULL },
        { ATTRIBUTE_ENVIRONMENT, "a:A=1", NULL },
        { ATTRIBUTE_ENVIRONMENT, "i:1", NULL },
        { ATTRIBUTE_ENVIRONMENT, "true", NULL },
        { ATTRIBUTE_DEPENDS, "a:db|my cache", "{db: s:ready, my cache: s:ready}" },
        { ATTRIBUTE_DEPENDS, "[]", "{}" },
        { ATTRIBUTE_DEPENDS, "{}", "{}" },
        { ATTRIBUTE_DEPENDS, "s:", "{}" },
        { ATTRIBUTE_DEPENDS, "s:a,b=started c=healthy", "{a: s:ready, b: s:started, c: s:healthy}" },
        { ATTRIBUTE_DEPENDS, "m:a=completed|b=service_healthy", "{a: s:completed, b: s:healthy}" },
        { ATTRIBUTE_DEPENDS, "m:a=service_completed_successfully", "{a: s:completed}" },
        { ATTRIBUTE_DEPENDS, "m:a=service_started", "{a: s:started}" },
        { ATTRIBUTE_DEPENDS, "m:a=up", NULL },
        { ATTRIBUTE_DEPENDS, "m:a=", NULL },
        { ATTRIBUTE_DEPENDS, "m:=ready", NULL },
        { ATTRIBUTE_DEPENDS, "M:a=true", NULL },
        { ATTRIBUTE_DEPENDS, "M:a=null", NULL },
        { ATTRIBUTE_DEPENDS, "M:a={}", NULL },
        { ATTRIBUTE_DEPENDS, "M:a=[]", NULL },
        { ATTRIBUTE_DEPENDS, "a:a|b|a", NULL },
        { ATTRIBUTE_DEPENDS, "a:a|", NULL },
        { ATTRIBUTE_DEPENDS, "l:i:5", NULL },
        { ATTRIBUTE_DEPENDS, "s:a a", NULL },
        { ATTRIBUTE_DEPENDS, "s:a=", NULL },
        { ATTRIBUTE_DEPENDS, "s:=ready", NULL },
        { ATTRIBUTE_DEPENDS, "i:5", NULL },
        { ATTRIBUTE_DEPENDS, "true", NULL },
        { ATTRIBUTE_EXIT_CODES, "i:0", "[i:0]" },
        { ATTRIBUTE_EXIT_CODES, "i:255", "[i:255]" },
        { ATTRIBUTE_EXIT_CODES, "s:143", "[i:143]" },
        { ATTRIBUTE_EXIT_CODES, "s:2 1,64", "[i:1, i:2, i:64]" },
        { ATTRIBUTE_EXIT_CODES, "s:", "[]" },
        { ATTRIBUTE_EXIT_CODES, "[]", "[]" },
        { ATTRIBUTE_EXIT_CODES, "l:i:0", "[i:0]" },
        { ATTRIBUTE_EXIT_CODES, "l:i:7|i:0|s:7|s:130", "[i:0, i:7, i:130]" },
        { ATTRIBUTE_EXIT_CODES, "i:-1", NULL },
        { ATTRIBUTE_EXIT_CODES, "i:256", NULL },
        { ATTRIBUTE_EXIT_CODES, "l:i:0|i:256", NULL },
        { ATTRIBUTE_EXIT_CODES, "s:one", NULL },
        { ATTRIBUTE_EXIT_CODES, "s:1 two", NULL },
        { ATTRIBUTE_EXIT_CODES, "d:1.5", NULL },
        { ATTRIBUTE_EXIT_CODES, "true", NULL },
        { ATTRIBUTE_EXIT_CODES, "l:true", NULL },
        { ATTRIBUTE_EXIT_CODES, "l:[]", NULL },
        { ATTRIBUTE_EXIT_CODES, "l:null", NULL },
        { ATTRIBUTE_EXIT_CODES, "{}", NULL },
        { ATTRIBUTE_FILTER, "true", "true" },
        { ATTRIBUTE_FILTER, "false", "false" },
        { ATTRIBUTE_FILTER, "s:true", "true" },
        { ATTRIBUTE_FILTER, "s:no", "false" },
        { ATTRIBUTE_FILTER, "s:", "false" },
        { ATTRIBUTE_FILTER, "[]", "false" },
        { ATTRIBUTE_FILTER, "s:SECRET", "s:SECRET" },
        { ATTRIBUTE_FILTER, "a:SECRET|TOKEN", "[s:SECRET, s:TOKEN]" },
        { ATTRIBUTE_FILTER, "s:A=B", NULL },
        { ATTRIBUTE_FILTER, "a:A|", NULL },
        { ATTRIBUTE_FILTER, "l:[]", NULL },
        { ATTRIBUTE_FILTER, "i:1", NULL },
        { ATTRIBUTE_FILTER, "d:0.5", NULL },
        { ATTRIBUTE_FILTER, "{}", NULL },
        { ATTRIBUTE_KEPT, "true", "true" },
        { ATTRIBUTE_KEPT, "i:-7", "i:-7" },
        { ATTRIBUTE_KEPT, "d:0.5", "d:0.5" },
        { ATTRIBUTE_KEPT, "s:preload", "s:preload" },
        { ATTRIBUTE_KEPT, "[]", "[]" },
        { ATTRIBUTE_KEPT, "l:true|null|{}", "[true, null, {}]" },
        { ATTRIBUTE_KEPT, "M:a=true|b=[]", "{a: true, b: []}" },
};

/* Of an attribute that is not supported: these ask for nothing, or for something. */
static const char *const off_samples[] = {
        "i:2", "d:1.5", "s:on", "s:\xff", "true", "a:x", "l:null", "m:a=b"
};

/* PM2 has these defaults. */
static const char *const defaults[][2] = {
        { "script", "null" },
        { "name", "null" },
        { "namespace", "s:default" },
        { "cwd", "null" },
        { "args", "[]" },
        { "interpreter", "null" },
        { "node_args", "[]" },
        { "env", "{}" },
        { "name_prefix", "null" },
        { "append_env_to_name", "false" },
        { "env_file", "[]" },
        { "credentials", "{}" },
        { "filter_env", "false" },
        { "port", "i:0" },
        { "instance_var", "s:NODE_APP_INSTANCE" },
        { "increment_var", "null" },
        { "instances", "i:1" },
        { "autostart", "true" },
        { "autorestart", "true" },
        { "restart_delay", "i:0" },
        { "exp_backoff_restart_delay", "i:0" },
        { "stop_exit_codes", "[]" },
        { "min_uptime", "i:1000" },
        { "max_restarts", "i:16" },
        { "kill_timeout", "i:1600" },
        { "kill_signal", "s:SIGINT" },
        { "treekill", "true" },
        { "pre_start", "null" },
        { "pre_start_timeout", "i:90000" },
        { "post_stop", "null" },
        { "post_stop_timeout", "i:90000" },
        { "wait_ready", "false" },
        { "listen_timeout", "i:3000" },
        { "ready_timeout_action", "s:fail" },
        { "reload_timeout", "i:30000" },
        { "reload_parallel", "i:1" },
        { "reload_drain", "s:http" },
        { "reload_watch", "i:0" },
        { "notify", "s:auto" },
        { "watchdog", "i:0" },
        { "shutdown_with_message", "false" },
        { "out_file", "null" },
        { "error_file", "null" },
        { "pid_file", "null" },
        { "merge_logs", "true" },
};

/* Of an attribute that is not listed above: what its row says. */
static char *default_of_row(const Attribute *attribute) {
        g_autoptr(AppConfig) config = app_config_new();
        g_autoptr(Value) fallback = attribute->fallback ? value_new_string(attribute->fallback) : NULL;

        if (fallback && attribute->type != ATTRIBUTE_OFF) {
                g_assert_cmpint(app_config_set(config, attribute, fallback, NULL), ==, 0);
        }
        g_autoptr(Value) value = app_config_get(config, attribute);
        return test_value_to_text(value);
}

static char *default_of(const Attribute *attribute) {
        for (size_t i = 0; i < G_N_ELEMENTS(defaults); i++) {
                if (strcmp(defaults[i][0], attribute->name) == 0) {
                        return g_strdup(defaults[i][1]);
                }
        }
        return default_of_row(attribute);
}

static void assert_attribute(const AppConfig *config, const Attribute *attribute, const char *expected) {
        g_autoptr(Value) value = app_config_get(config, attribute);
        g_autofree char *text = test_value_to_text(value);

        g_assert_cmpstr(text, ==, expected);
}

static void assert_default(const AppConfig *config, const Attribute *attribute) {
        g_autofree char *expected = default_of(attribute);
        assert_attribute(config, attribute, expected);
}

/* That attribute is given and no other; NULL: none is. */
static void assert_given(const AppConfig *config, const Attribute *attribute) {
        for (size_t i = 0; i < n_attributes; i++) {
                g_assert_true(app_config_is_given(config, attributes[i].name) ==
                              (&attributes[i] == attribute));
        }
}

static void test_defaults(void) {
        g_autoptr(AppConfig) config = app_config_new();

        for (size_t i = 0; i < n_attributes; i++) {
                assert_default(config, &attributes[i]);
                g_assert_false(app_config_is_given(config, attributes[i].name));
        }
        assert_given(config, NULL);
}

/* The error names the attribute and what was wrong, and nothing has changed. */
static void assert_refused(const Attribute *attribute, const Value *value) {
        g_autoptr(AppConfig) config = app_config_new();
        g_auto(Error) error = { 0 };

        g_assert_cmpint(app_config_set(config, attribute, value, &error), ==, -ECANCELED);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_CONFIG);
        g_assert_true(g_str_has_prefix(error.message, attribute->name));
        g_assert_true(g_utf8_validate(error.message, -1, NULL));
        if (value->kind == VALUE_INT) {
                g_autofree char *number = g_strdup_printf("'%" PRId64 "'", value->integer);
                test_assert_contains(error.message, number);
        } else if (value->kind == VALUE_BOOL) {
                test_assert_contains(error.message, value->boolean ? "'true'" : "'false'");
        }
        assert_default(config, attribute);
        assert_given(config, NULL);
        g_assert_cmpint(app_config_set(config, attribute, value, NULL), ==, -ECANCELED);
}

static void assert_taken(const Attribute *attribute, const Value *value, const char *expected) {
        g_autoptr(AppConfig) config = app_config_new();
        g_auto(Error) error = { 0 };

        if (app_config_set(config, attribute, value, &error) < 0) {
                g_error("%s", error.message);
        }
        assert_attribute(config, attribute, expected);
        g_assert_true(app_config_is_given(config, attribute->name));
        assert_given(config, attribute);

        /* A copy has it, and what is read can be written. */
        g_autoptr(AppConfig) copy = app_config_copy(config);
        assert_attribute(copy, attribute, expected);
        assert_given(copy, attribute);
        g_autoptr(AppConfig) again = app_config_new();
        g_autoptr(Value) read = app_config_get(config, attribute);
        g_assert_cmpint(app_config_set(again, attribute, read, NULL), ==, 0);
        assert_attribute(again, attribute, expected);

        /* null brings the default back. */
        g_autoptr(Value) null = value_new_null();
        g_assert_cmpint(app_config_set(config, attribute, null, &error), ==, 0);
        assert_default(config, attribute);
        g_assert_false(app_config_is_given(config, attribute->name));
        assert_attribute(copy, attribute, expected);
}

static void test_samples(void) {
        unsigned taken[_ATTRIBUTE_TYPE_MAX] = { 0 }, refused[_ATTRIBUTE_TYPE_MAX] = { 0 };

        for (size_t i = 0; i < n_attributes; i++) {
                for (size_t j = 0; j < G_N_ELEMENTS(samples); j++) {
                        if (samples[j].type != attributes[i].type) {
                                continue;
                        }
                        g_autoptr(Value) value = test_value(samples[j].input);
                        if (attributes[i].or_false && (value->kind != VALUE_STRING || !value->string[0])) {
                                continue; /* see test_none_values() */
                        }
                        g_autofree char *quoted = error_quote(samples[j].input);
                        g_test_message("%s <- %s", attributes[i].name, quoted);
                        bool too_small = attributes[i].type == ATTRIBUTE_NUMBER && !attributes[i].or_zero &&
                                         value->kind == VALUE_INT &&
                                         (uint64_t) value->integer < attributes[i].minimum;
                        if (samples[j].output && !too_small) {
                                assert_taken(&attributes[i], value, samples[j].output);
                                taken[samples[j].type]++;
                        } else {
                                assert_refused(&attributes[i], value);
                                refused[samples[j].type]++;
                        }
                }
        }
        for (size_t i = 0; i < n_attributes; i++) {
                AttributeType type = attributes[i].type;
                g_assert_true(taken[type] > 0 || type == ATTRIBUTE_OFF || type == ATTRIBUTE_WORD);
                g_assert_true(refused[type] > 0 || type == ATTRIBUTE_OFF || type == ATTRIBUTE_KEPT);
        }
}

/* Each of the words of a row, and no part of one; true and false where these are words. */
static void test_words(void) {
        for (size_t i = 0; i < n_attributes; i++) {
                if (attributes[i].type != ATTRIBUTE_WORD) {
                        continue;
                }
                g_auto(GStrv) words = g_strsplit(attributes[i].words, " ", -1);
                g_assert_true(g_strv_contains((const char *const *) words, attributes[i].fallback));
                int distinct = attributes[i].distinct_words;
                for (char **word = words; *word; word++) {
                        g_autoptr(Value) value = value_new_string(*word);
                        g_autoptr(Value) part = value_new_string(*word + 1);
                        bool is_bool = strcmp(*word, "true") == 0 || strcmp(*word, "false") == 0;
                        const char *told = distinct > 0 ? words[(word - words) % distinct] : *word;
                        g_autofree char *expected = g_strconcat(is_bool ? "" : "s:", told, NULL);
                        assert_taken(&attributes[i], value, expected);
                        assert_refused(&attributes[i], part);
                }
                for (int yes = 0; yes <= 1; yes++) {
                        const char *word = yes ? "true" : "false";
                        g_autoptr(Value) value = value_new_bool(yes);
                        if (g_strv_contains((const char *const *) words, word)) {
                                assert_taken(&attributes[i], value, word);
                        } else {
                                assert_refused(&attributes[i], value);
                        }
                }
        }
}

/* What asks for nothing is taken and leaves no trace; all else is refused by name and never ignored. */
static void test_not_supported(void) {
        unsigned rows = 0;

        for (size_t i = 0; i < n_attributes; i++) {
                const Attribute *attribute = &attributes[i];
                if (attribute->type != ATTRIBUTE_OFF) {
                        continue;
                }
                g_auto(GStrv) words =
                                g_strsplit(attribute->fallback ? attribute->fallback : "false 0", " ", -1);
                g_autoptr(AppConfig) config = app_config_new();
                g_autoptr(Value) nothing = value_new_string("");
                g_test_message("%s", attribute->name);
                for (char **word = words; *word; word++) {
                        g_autoptr(Value) value = value_new_string(*word);
                        g_assert_cmpint(app_config_set(config, attribute, value, NULL), ==, 0);
                }
                g_assert_cmpint(app_config_set(config, attribute, nothing, NULL), ==, 0);
                for (size_t j = 0; j < G_N_ELEMENTS(off_samples); j++) {
                        g_autoptr(Value) value = test_value(off_samples[j]);
                        g_auto(Error) error = { 0 };
                        g_assert_cmpint(app_config_set(config, attribute, value, &error), ==, -ECANCELED);
                        g_assert_cmpint(error.code, ==, ERROR_NOT_SUPPORTED);
                        g_assert_true(g_str_has_prefix(error.message, attribute->name));
                }
                assert_given(config, NULL);
                assert_attribute(config, attribute, "null");
                rows++;
        }
        g_assert_cmpuint(rows, >, 0);
}

/* What off means, by examples: as people write it, and what would mean something else. */
static void test_off_values(void) {
        static const struct {
                const char *name, *value;
                bool taken;
        } examples[] = {
                { "uid", "null", true },
                { "uid", "i:0", false },
                { "uid", "s:root", false },
                { "user", "s:root", false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(examples); i++) {
                g_autoptr(AppConfig) config = app_config_new();
                g_autoptr(Value) value = test_value(examples[i].value);
                g_test_message("%s: %s", examples[i].name, examples[i].value);
                int r = app_config_set_by_name(config, examples[i].name, value, NULL);
                g_assert_cmpint(r, ==, examples[i].taken ? 0 : -ECANCELED);
        }
}

/* A text that may be no text, and a file that may be the usual one. */
static void test_none_values(void) {
        static const struct {
                const char *name, *value, *expected; /* NULL: refused */
        } examples[] = {
                { "log_file", "false", "false" },
                { "log_file", "true", "s:true" },
                { "log", "true", "s:true" },
                { "log_file", "s:", "false" },
                { "log_file", "i:0", "false" },
                { "log_file", "i:1", NULL },
                { "log_file", "s:all.log", "s:all.log" },
                { "log_file", "[]", NULL },
                { "log_date_format", "s:", "false" },
                { "log_date_format", "false", "false" },
                { "log_date_format", "true", NULL },
                { "log_date_format", "s:YYYY", "s:YYYY" },
                { "log_date_format", "s:a\nb", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(examples); i++) {
                g_autoptr(AppConfig) config = app_config_new();
                g_autoptr(Value) value = test_value(examples[i].value), before = value_new_string("x");
                g_test_message("%s: %s", examples[i].name, examples[i].value);
                g_assert_cmpint(app_config_set_by_name(config, examples[i].name, before, NULL), ==, 0);
                int r = app_config_set_by_name(config, examples[i].name, value, NULL);
                g_assert_cmpint(r, ==, examples[i].expected ? 0 : -ECANCELED);
                const Attribute *attribute = attribute_find(examples[i].name);
                assert_attribute(config, attribute, examples[i].expected ? examples[i].expected : "s:x");
        }
}

/* What has no effect is told back as it was written, whatever it is, and can be listed. */
static void test_kept(void) {
        g_autoptr(AppConfig) config = app_config_new();
        g_autoptr(Value) deep = test_value_nested(60, true);
        g_autofree char *long_text = g_strnfill(64 * 1024, 'x');
        g_autoptr(Value) large = value_new_string(long_text);
        g_autoptr(Value) value = value_new_bool(false), null = value_new_null();
        g_auto(Error) error = { 0 };

        g_assert_null(app_config_list_kept(config));
        g_assert_cmpint(app_config_set_by_name(config, "vizion", value, NULL), ==, 0);
        g_assert_cmpint(app_config_set_by_name(config, "windowsHide", deep, NULL), ==, 0);
        g_autofree char *kept = app_config_list_kept(config);
        g_assert_cmpstr(kept, ==, "vizion, windows_hide");
        g_autoptr(AppConfig) copy = app_config_copy(config);
        g_autofree char *copied = app_config_list_kept(copy);
        g_assert_cmpstr(copied, ==, kept);
        g_assert_cmpint(app_config_set_by_name(config, "vizion", large, &error), ==, -ECANCELED);
        test_assert_contains(error.message, "vizion: is over 65536 bytes");
        assert_attribute(config, attribute_find("vizion"), "false");
        g_assert_cmpint(app_config_set_by_name(config, "vizion", null, NULL), ==, 0);
        g_autofree char *rest = app_config_list_kept(config);
        g_assert_cmpstr(rest, ==, "windows_hide");
}

/* The type of sizes, on a row of its own. */
static void test_size(void) {
        static const Attribute attribute = {
                .name = "size",
                .type = ATTRIBUTE_SIZE,
                .offset = offsetof(AppConfig, max_restarts),
                .minimum = 1024,
                .maximum = UINT64_C(1) << 40,
        };
        static const struct {
                const char *input;
                uint64_t bytes; /* 0: refused */
        } sizes[] = {
                { "i:1024", 1024 },
                { "s:1K", 1024 },
                { "s:200M", UINT64_C(200) << 20 },
                { "s:1.5G", UINT64_C(3) << 29 },
                { "s:1T", UINT64_C(1) << 40 },
                { "d:2048", 2048 },
                { "i:1023", 0 },
                { "s:1025G", 0 },
                { "s:2T", 0 },
                { "s:99999999999T", 0 },
                { "i:-1", 0 },
                { "s:200X", 0 },
                { "s:lots", 0 },
                { "s:", 0 },
                { "true", 0 },
                { "[]", 0 },
                { "{}", 0 },
                { "d:0.5", 0 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_autoptr(AppConfig) config = app_config_new();
                g_autoptr(Value) value = test_value(sizes[i].input);
                g_auto(Error) error = { 0 };
                g_test_message("%s", sizes[i].input);
                config->max_restarts = 42;
                int r = attribute_set(config, &attribute, value, &error);
                g_assert_cmpint(r, ==, sizes[i].bytes ? 0 : -ECANCELED);
                g_assert_cmpuint(config->max_restarts, ==, sizes[i].bytes ? sizes[i].bytes : 42);
                g_assert_true(sizes[i].bytes || g_str_has_prefix(error.message, "size: "));
        }
}

/* The ends of the range of every row are taken, what is beyond is not, and the message has the range. */
static void test_ranges(void) {
        for (size_t i = 0; i < n_attributes; i++) {
                const Attribute *attribute = &attributes[i];
                if (attribute->type != ATTRIBUTE_NUMBER && attribute->type != ATTRIBUTE_DURATION) {
                        continue;
                }
                uint64_t unit = attribute->type == ATTRIBUTE_DURATION ? 1000 : 1;
                int64_t most = (int64_t) (attribute->maximum / unit);
                int64_t least = (int64_t) (attribute->minimum / unit);
                g_autofree char *most_text = g_strdup_printf("i:%" PRId64, most);
                g_autofree char *least_text = g_strdup_printf("i:%" PRId64, least);
                g_autoptr(Value) most_value = value_new_int(most);
                g_autoptr(Value) least_value = value_new_int(least);
                g_autoptr(Value) over = value_new_int(most + 1);
                g_autoptr(Value) under = value_new_int(attribute->or_zero ? -1 : least - 1);
                assert_taken(attribute, most_value, most_text);
                assert_taken(attribute, least_value, least_text);
                assert_refused(attribute, over);
                assert_refused(attribute, under);

                g_autoptr(AppConfig) config = app_config_new();
                g_auto(Error) error = { 0 };
                g_assert_cmpint(app_config_set(config, attribute, over, &error), <, 0);
                test_assert_contains(error.message, most_text + 2);
        }
}

static void test_string_lengths(void) {
        for (size_t i = 0; i < n_attributes; i++) {
                const Attribute *attribute = &attributes[i];
                if (attribute->type != ATTRIBUTE_STRING && attribute->type != ATTRIBUTE_PATH) {
                        continue;
                }
                g_assert_cmpuint(attribute->minimum, ==, 1);
                g_autofree char *fits = g_strnfill(attribute->maximum, 'x');
                g_autofree char *too_long = g_strnfill(attribute->maximum + 1, 'x');
                g_autofree char *expected = g_strconcat("s:", fits, NULL);
                g_autoptr(Value) fits_value = value_new_string(fits);
                g_autoptr(Value) too_long_value = value_new_string(too_long);
                assert_taken(attribute, fits_value, expected);
                assert_refused(attribute, too_long_value);
        }
}

/* Durations that are no whole milliseconds come back to the microsecond. */
static void test_duration_round_trip(void) {
        const Attribute *attribute = attribute_find("min_uptime");

        for (uint64_t usec = 1; usec < UINT64_C(31536000000000); usec = usec * 3 / 2 + 1) {
                g_autofree char *text = g_strdup_printf("%" PRIu64 "us", usec);
                g_autoptr(Value) value = value_new_string(text);
                g_autoptr(AppConfig) config = app_config_new();
                g_assert_cmpint(app_config_set(config, attribute, value, NULL), ==, 0);
                g_assert_cmpuint(config->min_uptime_usec, ==, usec);
                g_autoptr(AppConfig) copy = app_config_copy(config);
                g_assert_cmpuint(copy->min_uptime_usec, ==, usec);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/core/app-config/defaults", test_defaults);
        g_test_add_func("/core/app-config/samples", test_samples);
        g_test_add_func("/core/app-config/words", test_words);
        g_test_add_func("/core/app-config/not-supported", test_not_supported);
        g_test_add_func("/core/app-config/none", test_none_values);
        g_test_add_func("/core/app-config/off-values", test_off_values);
        g_test_add_func("/core/app-config/kept", test_kept);
        g_test_add_func("/core/app-config/size", test_size);
        g_test_add_func("/core/app-config/ranges", test_ranges);
        g_test_add_func("/core/app-config/string-lengths", test_string_lengths);
        g_test_add_func("/core/app-config/duration-round-trip", test_duration_round_trip);
        return g_test_run();
}
