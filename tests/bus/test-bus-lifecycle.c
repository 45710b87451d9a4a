/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The life of a process as a client sees it: replies, properties, and signals in their order. */

#include "bus-fixture.h"
#include "event-fixture.h"
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANAGER "org.pm2.Manager"
#define PROCESS "org.pm2.Process"

/* What came, in the order it came. */
typedef struct Recorder {
        GPtrArray *lines; /* of char * */
        sd_bus_slot *slot;
} Recorder;

static void record_event(Recorder *recorder, sd_bus_message *message) {
        const char *path, *name, *event;
        uint32_t id;
        int manually;

        g_assert_cmpint(sd_bus_message_read(message, "oussb", &path, &id, &name, &event, &manually), >, 0);
        g_ptr_array_add(recorder->lines, g_strdup_printf("event %s%s", event, manually ? " by hand" : ""));
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Recorder *recorder = userdata;
        const char *member = sd_bus_message_get_member(message);

        if (!member) {
                g_ptr_array_add(recorder->lines, g_strdup("reply"));
        } else if (strcmp(member, "ProcessEvent") == 0) {
                record_event(recorder, message);
        } else if (strcmp(sd_bus_message_get_path(message), "/org/pm2/Process/0") == 0 ||
                   strcmp(sd_bus_message_get_path(message), OBJECTS_PATH) == 0) {
                g_ptr_array_add(recorder->lines, g_strdup(member));
        }
        return 0;
}

static void recorder_start(Recorder *recorder, sd_bus *client) {
        *recorder = (Recorder){ .lines = g_ptr_array_new_with_free_func(g_free) };
        g_assert_cmpint(sd_bus_add_filter(client, &recorder->slot, on_message, recorder), >=, 0);
}

static void recorder_end(Recorder *recorder) {
        (void) sd_bus_slot_unref(recorder->slot);
        g_ptr_array_unref(recorder->lines);
}

/* Without repetitions of the same kind, and without the changes of properties between other things. */
static char *recorder_take(Recorder *recorder) {
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < recorder->lines->len; i++) {
                const char *line = recorder->lines->pdata[i];
                bool repeated = i > 0 && strcmp(line, recorder->lines->pdata[i - 1]) == 0;
                if (!repeated) {
                        g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", line);
                }
        }
        g_ptr_array_set_size(recorder->lines, 0);
        return g_string_free(text, FALSE);
}

/* A shell command as an app, deaf to what the command traps. */
static sd_bus_message *start_shell(TestService *service, sd_bus *client, const char *command) {
        return test_call(
                        service,
                        client,
                        MANAGER_PATH,
                        MANAGER,
                        "Start",
                        "sa{sv}",
                        "/bin/sh",
                        4,
                        "name",
                        "s",
                        "app",
                        "args",
                        "as",
                        2,
                        "-c",
                        command,
                        "cwd",
                        "s",
                        service->folder,
                        "kill_timeout",
                        "u",
                        60000);
}

static sd_bus_message *call_target(TestService *service, sd_bus *client, const char *method) {
        return test_call(service, client, MANAGER_PATH, MANAGER, method, "sa{sv}", "app", 0);
}

static void assert_property(TestService *service, sd_bus *client, const char *name, const char *expected) {
        g_autofree char *text = test_property(service, client, "/org/pm2/Process/0", PROCESS, name);
        g_assert_cmpstr(text, ==, expected);
}

typedef struct Duplicate {
        bool answered;
        ErrorCode error;
        GArray *ids;
} Duplicate;

static void on_duplicate(void *userdata, const Error *error, const GArray *ids) {
        Duplicate *duplicate = userdata;

        duplicate->answered = true;
        duplicate->error = error->code;
        g_array_append_vals(duplicate->ids, ids->data, ids->len);
}

static bool is_answered(void *userdata) {
        return ((const Duplicate *) userdata)->answered;
}

/* What PM2's duplicateProcessId does: the answer has the new one alone. */
static void test_duplicate(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        g_autoptr(Value) options = value_new_map();
        Duplicate duplicate = { .ids = g_array_new(FALSE, FALSE, sizeof(uint32_t)) };
        const ManagerCall call = {
                .caller = { .uid = geteuid(), .via = "test" },
                .options = options,
                .handler = on_duplicate,
                .userdata = &duplicate,
        };
        g_auto(Error) error = { 0 };

        test_assert_return(start_shell(service, client, "exec sleep 1000"));
        g_assert_cmpint(manager_duplicate(service->manager, &call, 7, NULL, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_NO_SUCH_PROCESS);
        g_assert_false(duplicate.answered);
        g_assert_cmpint(manager_duplicate(service->manager, &call, 0, NULL, &error), ==, 0);
        test_event_wait(service->event, is_answered, &duplicate, "it is duplicated");
        g_assert_cmpint(duplicate.error, ==, ERROR_NONE);
        g_assert_cmpuint(duplicate.ids->len, ==, 1);
        g_assert_cmpuint(g_array_index(duplicate.ids, uint32_t, 0), ==, 1);
        const Process *copy = registry_get(manager_registry(service->manager), 1);
        g_assert_cmpint(copy->state, ==, PROCESS_ONLINE);
        g_assert_cmpuint(copy->instance, ==, 1);
        assert_property(service, client, "Instances", "2");
        g_array_unref(duplicate.ids);
        test_client_free(client);
        test_service_free(service);
}

static void test_life(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Recorder recorder;

        recorder_start(&recorder, client);
        test_assert_return(start_shell(service, client, "exec sleep 1000"));
        g_autofree char *started = recorder_take(&recorder);
        g_assert_cmpstr(started,
                        ==,
                        "InterfacesAdded, PropertiesChanged, event online, event start by hand, reply");
        assert_property(service, client, "Status", "online");
        assert_property(service, client, "RestartCount", "0");
        g_autofree char *first_pid = test_property(service, client, "/org/pm2/Process/0", PROCESS, "Pid");
        g_free(recorder_take(&recorder));

        test_assert_return(call_target(service, client, "Restart"));
        g_autofree char *restarted = recorder_take(&recorder);
        test_assert_contains(restarted, "event exit");
        g_assert_true(g_str_has_suffix(restarted, "event restart by hand, reply"));
        g_autofree char *second_pid = test_property(service, client, "/org/pm2/Process/0", PROCESS, "Pid");
        g_assert_cmpstr(second_pid, !=, first_pid);
        assert_property(service, client, "RestartCount", "1");
        g_free(recorder_take(&recorder));

        test_assert_return(call_target(service, client, "Stop"));
        g_autofree char *stopped = recorder_take(&recorder);
        g_assert_true(g_str_has_suffix(stopped, "event stop by hand, reply"));
        assert_property(service, client, "Status", "stopped");
        assert_property(service, client, "Pid", "0");
        assert_property(service, client, "ExitSignal", "SIGINT");
        g_free(recorder_take(&recorder));

        test_assert_return(call_target(service, client, "Delete"));
        g_autofree char *deleted = recorder_take(&recorder);
        g_assert_true(g_str_has_suffix(deleted, "event delete by hand, InterfacesRemoved, reply"));
        recorder_end(&recorder);
        test_client_free(client);
        test_service_free(service);
}

static bool is_restarted(void *userdata) {
        const TestService *service = userdata;
        const Process *process = registry_at(manager_registry(service->manager), 0);
        return process->restart_count == 1 && process->state == PROCESS_ONLINE;
}

static void test_signal_and_crash(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        Recorder recorder;

        test_assert_return(start_shell(service, client, "exec sleep 1000"));
        recorder_start(&recorder, client);
        sd_bus_message *reply = test_call(
                        service, client, MANAGER_PATH, MANAGER, "SendSignal", "ssa{sv}", "app", "kill", 0);
        test_assert_return(reply);
        test_event_wait(service->event, is_restarted, service, "the app is restarted");
        test_event_drain(service->event);
        g_autofree char *seen = recorder_take(&recorder);
        test_assert_contains(seen, "event exit");
        const char *restart = strstr(seen, "event restart"), *online = strstr(seen, "event online");
        g_assert_true(strstr(seen, "event exit") < restart && restart < online);
        assert_property(service, client, "ExitSignal", "SIGKILL");
        assert_property(service, client, "SignalNumber", "9");
        assert_property(service, client, "ExitCode", "-1");
        test_assert_error(
                        test_call(service,
                                  client,
                                  MANAGER_PATH,
                                  MANAGER,
                                  "SendSignal",
                                  "ssa{sv}",
                                  "app",
                                  "SIGFOO",
                                  0),
                        "InvalidData",
                        "'SIGFOO'");
        recorder_end(&recorder);
        test_client_free(client);
        test_service_free(service);
}

/* GetProcess and its sisters. */
static void test_lookups(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        const char *path;

        test_assert_return(start_shell(service, client, "exec sleep 1000"));
        g_autofree char *pid = test_property(service, client, "/org/pm2/Process/0", PROCESS, "Pid");
        sd_bus_message *by_pid =
                        test_call(service,
                                  client,
                                  MANAGER_PATH,
                                  MANAGER,
                                  "GetProcessByPid",
                                  "u",
                                  (uint32_t) strtoul(pid, NULL, 10));
        g_assert_cmpint(sd_bus_message_read(by_pid, "o", &path), >, 0);
        g_assert_cmpstr(path, ==, "/org/pm2/Process/0");
        test_assert_return(by_pid);
        static const uint32_t strangers[] = { 0, 1, 0x7fffffff, 0x80000000, UINT32_MAX };
        for (size_t i = 0; i < G_N_ELEMENTS(strangers); i++) {
                test_assert_error(
                                test_call(service,
                                          client,
                                          MANAGER_PATH,
                                          MANAGER,
                                          "GetProcessByPid",
                                          "u",
                                          strangers[i]),
                                "NoSuchProcess",
                                "pid");
        }
        test_assert_error(
                        test_call(service, client, MANAGER_PATH, MANAGER, "GetProcess", "u", 7),
                        "NoSuchProcess",
                        "7");
        test_assert_return(test_call(service, client, MANAGER_PATH, MANAGER, "GetProcess", "u", 0));
        test_client_free(client);
        test_service_free(service);
}

/* Named errors with the key and the value, and nothing half-registered. */
static void test_bad_starts(void) {
        static const struct {
                const char *script, *key, *value, *error, *part;
        } samples[] = {
                { "", "name", "x", "InvalidConfig", "script" },
                { "/no/such/script", "name", "x", "InvalidConfig", "/no/such/script" },
                { "no-such-program", "name", "x", "InvalidConfig", "no-such-program" },
                { "/", "name", "x", "InvalidConfig", "directory" },
                { "/dev/null", "name", "x", "InvalidConfig", "regular" },
                { "/bin/sh", "cwd", "/no/such/folder", "InvalidConfig", "cwd" },
                { "/bin/sh", "cwd", "/dev/null", "InvalidConfig", "cwd" },
                { "/bin/sh", "interpreter", "no-such-interpreter", "InvalidConfig", "no-such-interpreter" },
                { "/bin/sh", "out_file", "/", "InvalidConfig", "out_file" },
                { "/bin/sh", "error_file", "/dev/full", "InvalidConfig", "error_file" },
                { "/bin/sh", "pid_file", "/", "InvalidConfig", "pid_file" },
                { "/bin/sh", "name", "all", "InvalidConfig", "'all'" },
                { "/bin/sh", "name", "", "InvalidConfig", "name" },
                { "/bin/sh", "namespace", "/x/", "InvalidConfig", "namespace" },
                { "/bin/sh", "max_restarts", "many", "InvalidConfig", "'many'" },
                { "/bin/sh", "kill_timeout", "2 parsecs", "InvalidConfig", "'2 parsecs'" },
        };
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                sd_bus_message *reply =
                                test_call(service,
                                          client,
                                          MANAGER_PATH,
                                          MANAGER,
                                          "Start",
                                          "sa{sv}",
                                          samples[i].script,
                                          1,
                                          samples[i].key,
                                          "s",
                                          samples[i].value);
                test_assert_error(reply, samples[i].error, samples[i].part);
                g_assert_cmpuint(registry_count(manager_registry(service->manager)), ==, 0);
        }
        g_autofree char *huge = g_strnfill(1 << 20, 'x');
        test_assert_error(
                        test_call(service, client, MANAGER_PATH, MANAGER, "Start", "sa{sv}", huge, 0),
                        "InvalidConfig",
                        "script");
        test_assert_error(
                        test_call(service, client, MANAGER_PATH, MANAGER, "Stop", "sa{sv}", huge, 0),
                        "NoSuchProcess",
                        "xxx");
        test_client_free(client);
        test_service_free(service);
}

static void test_bad_documents(void) {
        static const char *const samples[][3] = {
                { "", "InvalidData", "empty" },
                { "{", "InvalidData", "JSON" },
                { "[1]", "InvalidConfig", "apps[0]" },
                { "{\"script\": \"/bin/sh\", \"nonsense\": 1}", "InvalidConfig", "nonsense" },
                { "[{\"script\": \"/bin/sh\", \"name\": \"a\"}, {\"script\": 5}]",
                  "InvalidConfig",
                  "apps[1]" },
                { "[{\"script\": \"/bin/sh\", \"name\": \"a\"}, {\"script\": \"/bin/sh\", \"name\": \"a\"}]",
                  "InvalidConfig",
                  "'a'" },
        };
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
                test_assert_error(
                                test_call(service,
                                          client,
                                          MANAGER_PATH,
                                          MANAGER,
                                          "StartJson",
                                          "sa{sv}",
                                          samples[i][0],
                                          0),
                                samples[i][1],
                                samples[i][2]);
                g_assert_cmpuint(registry_count(manager_registry(service->manager)), ==, 0);
        }
        test_client_free(client);
        test_service_free(service);
}

static Value *validate_as(TestService *service, uid_t uid, const char *document) {
        const Caller caller = { .uid = uid, .gid = getegid() };
        g_autoptr(Value) options = value_new_map();
        g_auto(Error) error = { 0 };
        Value *result = NULL;

        g_assert_cmpint(manager_validate(service->manager, &caller, document, options, &result, &error),
                        ==,
                        0);
        return result;
}

/* What another user's app of the same name has is not told. */
static void test_validate_is_ones_own(void) {
        static const char document[] =
                        "{\"script\": \"/bin/sh\", \"name\": \"app\", \"env\": {\"SECRET\": 1}}";
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);

        (void) test_register(service, client, "app");
        g_autoptr(Value) own = validate_as(service, geteuid(), document);
        g_autoptr(Value) other = validate_as(service, geteuid() + 1, document);
        const Value *own_app = value_get(own, "apps")->items->pdata[0];
        const Value *other_app = value_get(other, "apps")->items->pdata[0];
        g_assert_cmpstr(value_get(own_app, "action")->string, ==, "restart");
        g_assert_nonnull(value_get(own_app, "changes"));
        g_assert_cmpstr(value_get(other_app, "action")->string, ==, "start");
        g_assert_null(value_get(other_app, "changes"));
        g_assert_null(value_get(other_app, "ids"));
        test_client_free(client);
        test_service_free(service);
}

/* A text that cannot be read is an error, what is wrong with an app is in the reply; nothing is registered.
 */
static void test_validate(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);
        const char *key = "";
        int ok = true;

        sd_bus_message *reply =
                        test_call(service,
                                  client,
                                  MANAGER_PATH,
                                  MANAGER,
                                  "Validate",
                                  "sa{sv}",
                                  "[{\"script\": \"/bin/sh\"}, {\"script\": \"/no/such\"}]",
                                  0);
        g_assert_false(sd_bus_message_is_method_error(reply, NULL));
        g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "{sv}"), >, 0);
        g_assert_cmpint(sd_bus_message_read(reply, "{sv}", &key, "b", &ok), >, 0);
        g_assert_cmpstr(key, ==, "ok");
        g_assert_false(ok);
        (void) sd_bus_message_unref(reply);
        g_assert_cmpuint(registry_count(manager_registry(service->manager)), ==, 0);
        test_assert_error(
                        test_call(service, client, MANAGER_PATH, MANAGER, "Validate", "sa{sv}", "{", 0),
                        "InvalidData",
                        "line 1, column 2");
        test_client_free(client);
        test_service_free(service);
}

/* Nobody has installed the switch here: the calls say so, and nothing else happens. */
static void test_without_compat(void) {
        TestService *service = test_service_new(0, 0);
        sd_bus *client = test_client_new(service);

        test_assert_error(
                        test_call(service, client, MANAGER_PATH, MANAGER, "EnableCompat", "sa{sv}", "", 0),
                        "org.pm2.Error.NotSupported",
                        "sockets of PM2");
        test_assert_error(
                        test_call(service, client, MANAGER_PATH, MANAGER, "DisableCompat", "a{sv}", 0),
                        "org.pm2.Error.NotSupported",
                        "sockets of PM2");
        test_client_free(client);
        test_service_free(service);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/bus/lifecycle/duplicate", test_duplicate);
        g_test_add_func("/bus/lifecycle/life", test_life);
        g_test_add_func("/bus/lifecycle/signal-and-crash", test_signal_and_crash);
        g_test_add_func("/bus/lifecycle/lookups", test_lookups);
        g_test_add_func("/bus/lifecycle/bad-starts", test_bad_starts);
        g_test_add_func("/bus/lifecycle/bad-documents", test_bad_documents);
        g_test_add_func("/bus/lifecycle/validate", test_validate);
        g_test_add_func("/bus/lifecycle/validate-is-ones-own", test_validate_is_ones_own);
        g_test_add_func("/bus/lifecycle/without-compat", test_without_compat);
        return g_test_run();
}
