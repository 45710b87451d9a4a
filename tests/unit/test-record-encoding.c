/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What blobs hold comes back as it was, and what is not whole is refused. Decoders get memory of just the
 * size, so that the sanitizers see what is read behind it. */

#include "manager/process-record.h"

#include "basic/signal-util.h"
#include "core/variant-bytes.h"
#include "value-fixture.h"

#include <string.h>

static GBytes *exact(GBytes *bytes) {
        gsize size;
        const void *data = g_bytes_get_data(bytes, &size);

        return g_bytes_new(data, size);
}

static AppConfig *decode_config(GBytes *bytes) {
        g_autoptr(GBytes) copy = exact(bytes);
        gsize size;
        const void *data = g_bytes_get_data(copy, &size);

        return record_decode_config(data, size);
}

static Environment *decode_environment(GBytes *bytes) {
        g_autoptr(GBytes) copy = exact(bytes);
        gsize size;
        const void *data = g_bytes_get_data(copy, &size);

        return record_decode_environment(data, size);
}

static bool decode_plan(GBytes *bytes, ProcessPlan *ret) {
        g_autoptr(GBytes) copy = exact(bytes);
        gsize size;
        const void *data = g_bytes_get_data(copy, &size);

        return record_decode_plan(data, size, ret);
}

static void set(AppConfig *config, const char *name, Value *value) {
        g_autoptr(Value) owned = value;
        g_auto(Error) error = { 0 };

        if (app_config_set_by_name(config, name, owned, &error) < 0) {
                g_error("%s", error.message);
        }
}

static AppConfig *new_config(void) {
        AppConfig *config = app_config_new();

        set(config, "script", value_new_string("/srv/app"));
        set(config, "name", value_new_string("app"));
        return config;
}

static void assert_same(const AppConfig *a, const AppConfig *b) {
        g_assert_cmpint(memcmp(a->given, b->given, sizeof(a->given)), ==, 0);
        for (size_t i = 0; i < n_attributes; i++) {
                const Attribute *attribute = &attributes[i];
                g_autoptr(Value) value_a = app_config_get(a, attribute);
                g_autoptr(Value) value_b = app_config_get(b, attribute);
                g_autofree char *text_a = test_value_to_text(value_a);
                g_autofree char *text_b = test_value_to_text(value_b);
                g_assert_cmpstr(text_a, ==, text_b);
                if (attribute->type == ATTRIBUTE_DURATION) { /* to the microsecond */
                        g_assert_cmpuint(
                                        *(const uint64_t *) (const void *) ((const char *) a + attribute->offset),
                                        ==,
                                        *(const uint64_t *) (const void *) ((const char *) b + attribute->offset));
                }
        }
}

static void assert_comes_back(const AppConfig *config) {
        g_autoptr(GBytes) bytes = record_encode_config(config);
        g_autoptr(AppConfig) again = decode_config(bytes);

        g_assert_nonnull(again);
        assert_same(config, again);
}

/* Values for each type, in the notation of the fixture. All attributes of the type take them. */
static const char *const samples[_ATTRIBUTE_TYPE_MAX][12] = {
        [ATTRIBUTE_STRING] = { "s:x", "s:a b/c", "s:caf\xc3\xa9 \xf0\x9f\x90\xa7", "s:=,:'\"\\$%" },
        [ATTRIBUTE_PATH] = { "s:x", "s:/srv/a b", "s:./rel/../ative", "s:NULL", "s:\xc3\xa9" },
        [ATTRIBUTE_BOOL] = { "true", "false" },
        [ATTRIBUTE_NUMBER] = { "i:0", "i:1", "i:255", "i:65536", "i:1000000000" },
        [ATTRIBUTE_DURATION] = { "i:0",
                                 "i:1",
                                 "d:0.001",
                                 "d:1.001",
                                 "d:1600.5",
                                 "s:1us",
                                 "s:1h 3us",
                                 "d:86399999.999",
                                 "i:86400000" },
        [ATTRIBUTE_WORD] = { "s:online",
                             "s:systemd",
                             "s:node",
                             "s:none",
                             "s:cluster",
                             "s:rr",
                             "s:queue",
                             "s:json",
                             "s:both" },
        [ATTRIBUTE_CRON] = { "s:@daily", "s:*/5 1-3 L JAN,7 mon-FRI" },
        [ATTRIBUTE_SIGNAL] = { "s:SIGTERM", "s:SIGRTMIN+3", "s:SIGRTMAX", "i:1" },
        [ATTRIBUTE_STRINGS] = { "[]", "a:", "a:a||b c|-x|", "a:\"|'|\\", "a:\xff\xfe|\x01\n\t" },
        [ATTRIBUTE_PATHS] = { "[]", "a:-/x y|z", "s:.env" },
        [ATTRIBUTE_CREDENTIALS] = { "{}", "m:a.b=/x y|C=z" },
        [ATTRIBUTE_HEALTH] = { "false", "m:tcp=80|interval=1s", "s:exec='a b' restart=true" },
        [ATTRIBUTE_DEPENDS] = { "[]", "a:db|a b:c", "m:db=healthy|x=completed|y=started|z=ready" },
        [ATTRIBUTE_ENVIRONMENT] = { "{}",
                                    "m:A=",
                                    "m:A==x=|B=b b",
                                    "m:B=2|A=1",
                                    "m:A=\xff\x01\n|\xc3\xa9=\xc3",
                                    "M:A=i:7|B=true" },
};

/* Whether the attribute takes that: many take what their type is not enough for. */
static bool try_set(AppConfig *config, const char *name, const char *notation) {
        g_autoptr(Value) value = test_value(notation);
        g_auto(Error) error = { 0 };

        return app_config_set_by_name(config, name, value, &error) >= 0;
}

/* What any attribute may take, if it takes nothing of its type's samples. */
static const char *const any_samples[] = {
        "false", "i:0", "[]", "i:1", "i:100", "s:x", "s:1M", "s:1", "{}"
};

/* Each attribute alone, and all of them at once. */
static void test_every_attribute(void) {
        g_autoptr(AppConfig) all = new_config();

        for (size_t i = 0; i < n_attributes; i++) {
                const char *const *notations = samples[attributes[i].type];
                unsigned accepted = 0;
                for (size_t j = 0; j < G_N_ELEMENTS(samples[0]) + G_N_ELEMENTS(any_samples); j++) {
                        bool of_type = j < G_N_ELEMENTS(samples[0]);
                        const char *notation =
                                        of_type ? notations[j] : any_samples[j - G_N_ELEMENTS(samples[0])];
                        g_autoptr(AppConfig) config = new_config();
                        if (notation && try_set(config, attributes[i].name, notation) &&
                            app_config_check(config, NULL) >= 0) {
                                accepted++;
                                g_assert_true(attributes[i].type >= ATTRIBUTE_OFF ||
                                              app_config_is_given(config, attributes[i].name));
                                assert_comes_back(config);
                                if (accepted == 1) {
                                        g_assert_true(try_set(all, attributes[i].name, notation));
                                }
                        }
                }
                if (accepted == 0 && attributes[i].type != ATTRIBUTE_OFF) {
                        g_error("%s takes none of the samples", attributes[i].name);
                }
        }
        assert_comes_back(all);
}

/* What was not said stays unsaid: a later program may have other defaults. */
static void test_defaults(void) {
        g_autoptr(AppConfig) config = new_config();
        g_autoptr(GBytes) small = record_encode_config(config);

        assert_comes_back(config);
        for (size_t i = 0; i < n_attributes; i++) {
                if (attributes[i].fallback && attributes[i].type < ATTRIBUTE_OFF) {
                        set(config, attributes[i].name, value_new_string(attributes[i].fallback));
                }
        }
        g_autoptr(GBytes) large = record_encode_config(config);
        g_assert_cmpuint(g_bytes_get_size(large), >, g_bytes_get_size(small));
        assert_comes_back(config);
}

static void test_extremes(void) {
        g_autoptr(AppConfig) config = new_config();
        Value *words = value_new_array(), *variables = value_new_map();

        for (unsigned i = 0; i < 4096; i++) {
                g_autofree char *text = g_strdup_printf("%u", i);
                value_append(words, value_new_string(text));
                value_set(variables, text, value_new_string(text));
        }
        set(config, "args", words);
        set(config, "env", variables);
        for (size_t i = 0; i < n_attributes; i++) {
                const Attribute *attribute = &attributes[i];
                if (attribute->type == ATTRIBUTE_STRING || attribute->type == ATTRIBUTE_PATH) {
                        g_autofree char *text = g_strnfill(attribute->maximum, 'x');
                        g_autofree char *notation = g_strconcat("s:", text, NULL);
                        (void) try_set(config, attribute->name, notation);
                } else if (attribute->type == ATTRIBUTE_NUMBER) {
                        set(config, attribute->name, value_new_int((int64_t) attribute->maximum));
                } else if (attribute->type == ATTRIBUTE_DURATION) {
                        set(config,
                            attribute->name,
                            value_new_double((double) (attribute->maximum - 1) / 1000));
                }
        }
        assert_comes_back(config);
}

static void test_signals(void) {
        for (int number = 1; number <= 64; number++) {
                g_autoptr(AppConfig) config = new_config();
                if (signal_to_name(number)) {
                        set(config, "kill_signal", value_new_string(signal_to_name(number)));
                        g_assert_cmpint(config->kill_signal, ==, number);
                        assert_comes_back(config);
                }
        }
}

/* Decoding of changed bytes: what is accepted is a config, and as good as any. */
static bool config_is_accepted(GBytes *bytes) {
        g_autoptr(AppConfig) config = decode_config(bytes);

        if (config) {
                g_assert_cmpint(app_config_check(config, NULL), ==, 0);
                assert_comes_back(config);
        }
        return config;
}

static void assert_environment_comes_back(const Environment *environment) {
        g_autoptr(GBytes) bytes = record_encode_environment(environment);
        g_autoptr(Environment) again = decode_environment(bytes);

        g_assert_nonnull(again);
        g_assert_true(environment_equal(environment, again));
}

static bool environment_is_accepted(GBytes *bytes) {
        g_autoptr(Environment) environment = decode_environment(bytes);

        if (environment) {
                assert_environment_comes_back(environment);
        }
        return environment;
}

typedef char *PlanTexts[9];

static void texts_of(const ProcessPlan *plan, PlanTexts ret) {
        char *texts[] = { plan->exec_path, plan->interpreter,  plan->program,
                          plan->cwd,       plan->out_log_path, plan->error_log_path,
                          plan->log_path,  plan->pid_path,     plan->version };

        memcpy(ret, texts, sizeof(texts));
}

/* A process that has this plan. */
static Process *process_with(const ProcessPlan *plan) {
        g_autoptr(AppConfig) config = new_config();
        Process *process = process_new(7, "0123456789abcdef0123456789abcdef", 0, 0, 0);
        ProcessPlan copy = {
                .exec_path = g_strdup(plan->exec_path),
                .interpreter = g_strdup(plan->interpreter),
                .program = g_strdup(plan->program),
                .shell_command = plan->shell_command,
                .cwd = g_strdup(plan->cwd),
                .out_log_path = g_strdup(plan->out_log_path),
                .error_log_path = g_strdup(plan->error_log_path),
                .log_path = g_strdup(plan->log_path),
                .pid_path = g_strdup(plan->pid_path),
                .version = g_strdup(plan->version),
        };

        process_configure(process, config, NULL, &copy);
        return process;
}

static GBytes *encode_plan(const ProcessPlan *plan) {
        Process *process = process_with(plan);
        GBytes *bytes = record_encode_plan(process);

        process_free(process);
        return bytes;
}

static void assert_plan_comes_back(const ProcessPlan *plan) {
        g_autoptr(GBytes) bytes = encode_plan(plan);
        g_auto(ProcessPlan) again = { 0 };
        PlanTexts expected, texts;

        g_assert_true(decode_plan(bytes, &again));
        texts_of(plan, expected);
        texts_of(&again, texts);
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_assert_cmpstr(texts[i], ==, expected[i]);
        }
        g_assert_true(again.shell_command == plan->shell_command);
}

static bool plan_is_accepted(GBytes *bytes) {
        g_auto(ProcessPlan) plan = { 0 };
        PlanTexts texts;

        bool accepted = decode_plan(bytes, &plan);
        texts_of(&plan, texts);
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_assert_true((texts[i] != NULL) == accepted);
        }
        if (accepted) {
                assert_plan_comes_back(&plan);
        }
        return accepted;
}

typedef bool (*IsAccepted)(GBytes *bytes);

/* From which length on an encoding is accepted when it is cut: all but the whole one must be refused. */
static void assert_cuts_refused(GBytes *bytes, size_t from, IsAccepted is_accepted) {
        for (size_t size = from; size < g_bytes_get_size(bytes); size++) {
                g_autoptr(GBytes) cut = g_bytes_new_from_bytes(bytes, 0, size);
                g_assert_false(is_accepted(cut));
        }
        g_assert_true(is_accepted(bytes));
}

/* Each byte as something else. Most are in texts, where any byte is as good; some are refused. */
static void try_flips(GBytes *bytes, IsAccepted is_accepted) {
        gsize size, refused = 0;
        const unsigned char *data = g_bytes_get_data(bytes, &size);

        for (size_t i = 0; i < size; i++) {
                const unsigned char others[] = { 0,           0xff,           data[i] ^ 1, data[i] ^ 0x80,
                                                 data[i] + 1, (unsigned) size };
                for (size_t j = 0; j < G_N_ELEMENTS(others); j++) {
                        unsigned char *changed = g_memdup2(data, size);
                        changed[i] = others[j];
                        g_autoptr(GBytes) flipped = g_bytes_new_take(changed, size);
                        refused += !is_accepted(flipped);
                }
        }
        g_assert_cmpuint(refused, >, 0);
}

static AppConfig *full_config(void) {
        AppConfig *config = new_config();

        for (size_t i = 0; i < n_attributes; i++) {
                const char *notation = samples[attributes[i].type][1];
                if (notation) {
                        (void) try_set(config, attributes[i].name, notation);
                }
        }
        set(config, "args", test_value("a:one||three words"));
        set(config, "env", test_value("m:A=1|B=\xff|C="));
        set(config, "cron_timezone", value_new_string("Europe/Berlin"));
        return config;
}

static void test_damaged_config(void) {
        g_autoptr(AppConfig) small = new_config(), full = full_config();
        g_autoptr(GBytes) small_bytes = record_encode_config(small), full_bytes = record_encode_config(full);

        assert_cuts_refused(small_bytes, 0, config_is_accepted);
        assert_cuts_refused(full_bytes, 0, config_is_accepted);
        try_flips(small_bytes, config_is_accepted);
        try_flips(full_bytes, config_is_accepted);
}

static GBytes *encode_variant(GVariant *variant) {
        g_autoptr(GVariant) owned = g_variant_ref_sink(variant);

        return g_variant_get_data_as_bytes(owned);
}

static GBytes *encode_one(const char *name, GVariant *value) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a{sv}"));
        g_variant_builder_add(&builder, "{sv}", "script", g_variant_new_bytestring("/srv/app"));
        g_variant_builder_add(&builder, "{sv}", "name", g_variant_new_bytestring("app"));
        g_variant_builder_add(&builder, "{sv}", name, value);
        return encode_variant(g_variant_builder_end(&builder));
}

static GVariant *nested(unsigned depth) {
        GVariant *value = g_variant_new_boolean(TRUE);

        for (unsigned i = 0; i < depth; i++) {
                GVariant *inner = g_variant_new_variant(value);
                value = g_variant_new_array(G_VARIANT_TYPE_VARIANT, &inner, 1);
        }
        return value;
}

/* Whole, typed, and still nothing that we wrote. */
static void test_foreign_config(void) {
        const struct {
                const char *name;
                GVariant *value;
                bool accepted;
        } cases[] = {
                { "cwd", g_variant_new_bytestring("/srv"), true },
                { "treekill", g_variant_new_boolean(FALSE), true },
                { "no_such_attribute", g_variant_new_boolean(TRUE), false },
                { "", g_variant_new_boolean(TRUE), false },
                { "treekill", g_variant_new_bytestring("perhaps"), false },
                { "cwd", g_variant_new_boolean(TRUE), false },
                { "cwd", g_variant_new_bytestring("\xff"), false },
                { "cwd", g_variant_new_bytestring(""), false },
                { "name", g_variant_new_bytestring("all"), false },
                { "name", g_variant_new_string("text"), false }, /* no type of ours: as if not said */
                { "script", g_variant_new_uint32(7), false },
                { "args", nested(3), false },
                { "args", nested(60), false },
                { "args", nested(1000), false },
                { "env", g_variant_new_boolean(TRUE), false },
                { "env", nested(70), false },
                { "kill_timeout", g_variant_new_int64(-1), false },
                { "kill_timeout", g_variant_new_int64(INT64_MAX), false },
                { "kill_timeout", g_variant_new_double(1e300), false },
                { "kill_timeout", g_variant_new_double(0.0 / 0.0), false },
                { "max_restarts", g_variant_new_int64(INT64_MIN), false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GBytes) bytes = encode_one(cases[i].name, cases[i].value);
                if (config_is_accepted(bytes) != cases[i].accepted) {
                        g_error("case %zu, %s: %s",
                                i,
                                cases[i].name,
                                cases[i].accepted ? "refused" : "accepted");
                }
        }
}

static void test_environments(void) {
        static const char *const plain[] = { "A=1", "B=2", "PATH=/bin:/usr/bin", NULL };
        static const char *const odd[] = { "A=\x01\x02\x7f\xff\xfe\n\r\t",
                                           "\xff\xfe=\xc3",
                                           "B=",
                                           "C==",
                                           "D=x=y=z",
                                           " =blank",
                                           "E with blanks= ",
                                           "\n=\n",
                                           "\xc3\xa9=\xe2\x82",
                                           NULL };
        static const char *const none[] = { NULL };
        static const char *const *const all[] = { plain, odd, none };
        g_autoptr(GPtrArray) many = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
                g_autoptr(Environment) environment = environment_new(all[i]);
                g_assert_cmpuint(environment_count(environment), ==, g_strv_length((char **) all[i]));
                assert_environment_comes_back(environment);
        }
        for (unsigned i = 0; i < 3000; i++) {
                g_ptr_array_add(many, g_strdup_printf("NAME_%u=%u", i, i));
        }
        g_autofree char *large = g_strnfill(128 * 1024 - 3, 'x');
        g_ptr_array_add(many, g_strconcat("L=", large, NULL));
        g_ptr_array_add(many, NULL);
        g_autoptr(Environment) environment = environment_new((const char *const *) many->pdata);
        g_assert_cmpuint(environment_count(environment), ==, 3001);
        assert_environment_comes_back(environment);
}

static void test_damaged_environment(void) {
        static const char *const assignments[] = { "A=1", "B=\xff\xfe", "C=", "DDDD=a longer one", NULL };
        g_autoptr(Environment) environment = environment_new(assignments);
        g_autoptr(GBytes) bytes = record_encode_environment(environment);

        g_autoptr(GBytes) nothing = g_bytes_new("", 0);
        g_assert_true(environment_is_accepted(nothing)); /* it is that of an empty one */
        assert_cuts_refused(bytes, 1, environment_is_accepted);
        try_flips(bytes, environment_is_accepted);
}

static ProcessPlan a_plan(void) {
        return (ProcessPlan){
                .exec_path = (char *) "/srv/app.js",
                .interpreter = (char *) "node",
                .program = (char *) "/usr/bin/node",
                .cwd = (char *) "/srv",
                .out_log_path = (char *) "/dev/null",
                .error_log_path = (char *) "/var/log/\xc3\xa9-error.log",
                .log_path = (char *) "/var/log/\xc3\xa9.log",
                .pid_path = (char *) "/run/app.pid",
                .version = (char *) "1.2.3",
        };
}

static void test_plans(void) {
        g_autofree char *large = g_strnfill(128 * 1024, 'x');
        ProcessPlan plan = a_plan();
        ProcessPlan empty = { .exec_path = (char *) "",
                              .interpreter = (char *) "",
                              .program = (char *) "",
                              .cwd = (char *) "",
                              .out_log_path = (char *) "",
                              .error_log_path = (char *) "",
                              .log_path = (char *) "",
                              .pid_path = (char *) "",
                              .version = (char *) "" };

        assert_plan_comes_back(&plan);
        plan.shell_command = true;
        assert_plan_comes_back(&plan);
        plan.version = plan.exec_path = large;
        assert_plan_comes_back(&plan);
        assert_plan_comes_back(&empty);
}

static void test_damaged_plan(void) {
        ProcessPlan plan = a_plan();
        g_autoptr(GBytes) bytes = encode_plan(&plan);

        assert_cuts_refused(bytes, 0, plan_is_accepted);
        try_flips(bytes, plan_is_accepted);
}

/* One for another; only an environment is any list of bytes. */
static void test_mixed_up(void) {
        static const char *const assignments[] = { "A=1", "B=2", NULL };
        g_autoptr(AppConfig) config = full_config();
        g_autoptr(Environment) environment = environment_new(assignments);
        ProcessPlan plan = a_plan();
        g_autoptr(GBytes) config_bytes = record_encode_config(config);
        g_autoptr(GBytes) environment_bytes = record_encode_environment(environment);
        g_autoptr(GBytes) plan_bytes = encode_plan(&plan);

        g_assert_false(config_is_accepted(environment_bytes));
        g_assert_false(config_is_accepted(plan_bytes));
        g_assert_false(plan_is_accepted(config_bytes));
        g_assert_false(plan_is_accepted(environment_bytes));
}

/* Of a supervisor that knew no log of both streams. */
static void test_plan_of_before(void) {
        g_autoptr(GBytes) bytes = variant_to_bytes(
                        g_variant_new("(^ay^ay^ayb^ay^ay^ay^ay^ay)",
                                      "/a",
                                      "none",
                                      "/a",
                                      TRUE,
                                      "/",
                                      "/o",
                                      "/e",
                                      "/p",
                                      "1.2"));
        gsize size;
        const void *data = g_bytes_get_data(bytes, &size);
        g_auto(ProcessPlan) plan = { 0 };

        g_assert_true(record_decode_plan(data, size, &plan));
        g_assert_cmpstr(plan.log_path, ==, "");
        g_assert_cmpstr(plan.pid_path, ==, "/p");
        g_assert_cmpstr(plan.version, ==, "1.2");
        g_assert_true(plan.shell_command);
}

/* Where the fields of a slot are: a supervisor of another version reads them there. */
static void test_layout(void) {
        g_assert_cmpuint(sizeof(ProcessRecord), <=, STATE_SLOT_BYTES);
        g_assert_cmpuint(offsetof(ProcessRecord, unique_id), ==, 12);
        g_assert_cmpuint(offsetof(ProcessRecord, state), ==, 48);
        g_assert_cmpuint(offsetof(ProcessRecord, goal), ==, 60);
        g_assert_cmpuint(offsetof(ProcessRecord, created_realtime_usec), ==, 80);
        g_assert_cmpuint(offsetof(ProcessRecord, deadline_boottime_usec), ==, 112);
        g_assert_cmpuint(offsetof(ProcessRecord, config), ==, 120);
        g_assert_cmpuint(offsetof(ProcessRecord, plan), ==, 152);
        g_assert_cmpuint(offsetof(ProcessRecord, unit), ==, 168);
        g_assert_cmpuint(offsetof(ProcessRecord, control_group), ==, 424);
        g_assert_cmpuint(offsetof(ProcessRecord, reason), ==, 1064);
        g_assert_cmpint(RECORD_GOAL_STOP, ==, 1);
        g_assert_cmpint(RECORD_GOAL_DELETE, ==, 2);
        g_assert_cmpint(RECORD_GOAL_START, ==, 3);
}

/* The last crash: a map comes back, nothing stays nothing, and what is cut or no map is refused. */
static void test_crash(void) {
        g_autoptr(Value) crash = value_new_map(), number = value_new_int(5);
        Value *curve = value_new_array(), *point = value_new_array();
        gsize size;

        value_append(point, value_new_int(1));
        value_append(point, value_new_int(INT64_MAX));
        value_append(curve, point);
        value_set(crash, "at", value_new_int(1700000000000000));
        value_set(crash, "memory_curve", curve);
        value_set(crash, "core_dumped", value_new_bool(true));
        value_set(crash, "out", value_new_string("a\nb"));
        g_autoptr(GBytes) bytes = record_encode_crash(crash);
        g_autoptr(GBytes) copy = exact(bytes);
        const void *data = g_bytes_get_data(copy, &size);
        g_autoptr(Value) again = record_decode_crash(data, size);
        g_assert_nonnull(again);
        g_autoptr(GBytes) bytes_again = record_encode_crash(again);
        g_assert_true(g_bytes_equal(bytes, bytes_again));
        g_autoptr(Value) cut = record_decode_crash(data, size - 1);
        g_assert_null(cut);
        g_autoptr(GBytes) nothing = record_encode_crash(NULL);
        g_assert_cmpuint(g_bytes_get_size(nothing), ==, 0);
        g_autoptr(GBytes) other = record_encode_crash(number);
        data = g_bytes_get_data(other, &size);
        g_autoptr(Value) refused = record_decode_crash(data, size);
        g_assert_null(refused);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/manager/record-encoding/every-attribute", test_every_attribute);
        g_test_add_func("/manager/record-encoding/defaults", test_defaults);
        g_test_add_func("/manager/record-encoding/extremes", test_extremes);
        g_test_add_func("/manager/record-encoding/signals", test_signals);
        g_test_add_func("/manager/record-encoding/damaged-config", test_damaged_config);
        g_test_add_func("/manager/record-encoding/foreign-config", test_foreign_config);
        g_test_add_func("/manager/record-encoding/environments", test_environments);
        g_test_add_func("/manager/record-encoding/damaged-environment", test_damaged_environment);
        g_test_add_func("/manager/record-encoding/plans", test_plans);
        g_test_add_func("/manager/record-encoding/damaged-plan", test_damaged_plan);
        g_test_add_func("/manager/record-encoding/mixed-up", test_mixed_up);
        g_test_add_func("/manager/record-encoding/plan-of-before", test_plan_of_before);
        g_test_add_func("/manager/record-encoding/layout", test_layout);
        g_test_add_func("/manager/record-encoding/crash", test_crash);
        return g_test_run();
}
