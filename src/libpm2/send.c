/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is sent to processes that run: messages over their channel, lines to standard input, actions. */

#include "api.h"

#include "basic/sd-cleanup.h"

#include <string.h>

/* The value as JSON that may go over the bus. */
static int write_json(pm2_client *client, const char *what, const pm2_value *value, char **ret) {
        _cleanup_free_ char *text = NULL;

        client_clear_error(client);
        int r = pm2_value_to_json(value, PM2_JSON_SHORT, &text);
        if (r < 0) {
                return client_fail(client, r, "cannot write the %s as JSON: %m", what);
        }
        r = api_check_text(client, what, text);
        if (r < 0) {
                return r;
        }
        *ret = text;
        text = NULL;
        return 0;
}

/* One process is meant, and there is nothing to answer. */
static int send_to_id(
                pm2_client *client, const char *member, uint32_t id, const char *first, const char *second) {
        _cleanup_bus_message_ sd_bus_message *reply = NULL;
        const Call call = {
                .member = member,
                .id = &id,
                .strings = { first, second },
                .timeout_usec = READ_TIMEOUT_USEC,
        };

        return client_call(client, &call, &reply);
}

PM2_EXPORT int pm2_send_data_to_process_id(
                pm2_client *client, uint32_t id, const char *type, const pm2_value *data) {
        _cleanup_free_ char *json = NULL;

        client_clear_error(client);
        int r = api_check_text(client, "type", type);
        if (r >= 0) {
                r = write_json(client, "data", data, &json);
        }
        return r < 0 ? r : send_to_id(client, "SendData", id, type, json);
}

PM2_EXPORT int pm2_send_message_json(
                pm2_client *client, const char *target, const char *json, pm2_value **ret_processes) {
        client_clear_error(client);
        int r = api_check_text(client, "target", target);
        if (r >= 0) {
                r = api_check_text(client, "message", json);
        }
        if (r < 0) {
                return r;
        }
        const Call call = {
                .member = "SendMessage",
                .strings = { target, json },
                .timeout_usec = READ_TIMEOUT_USEC,
        };
        return api_change(client, &call, false, ret_processes);
}

PM2_EXPORT int pm2_send_message(
                pm2_client *client,
                const char *target,
                const pm2_value *message,
                pm2_value **ret_processes) {
        _cleanup_free_ char *json = NULL;

        int r = write_json(client, "message", message, &json);
        return r < 0 ? r : pm2_send_message_json(client, target, json, ret_processes);
}

PM2_EXPORT int pm2_send_line(pm2_client *client, uint32_t id, const char *line) {
        client_clear_error(client);
        int r = api_check_text(client, "line", line);
        return r < 0 ? r : send_to_id(client, "SendLine", id, line, NULL);
}

static int add_failure(pm2_value *answer, const char *error, const char *message) {
        int r = pm2_value_add_string(answer, "error", error);
        return r < 0 ? r : pm2_value_add_string(answer, "message", message);
}

/* What an app returned is its own affair: what cannot be read of it is a failure of this answer alone. */
static int add_return(pm2_value *answer, const char *json) {
        _cleanup_value_ pm2_value *value = NULL;

        if (!json[0]) {
                return pm2_value_add_string(answer, "error", ""); /* nobody waited for it */
        }
        int r = pm2_value_from_json(json, strlen(json), &value);
        if (r == -ENOMEM) {
                return r;
        }
        if (r < 0) {
                return add_failure(answer, "InvalidData", "what it returned cannot be read");
        }
        r = pm2_value_add_string(answer, "error", "");
        if (r >= 0) {
                r = pm2_value_add_value(answer, "return", value);
        }
        if (r >= 0) {
                value = NULL;
        }
        return r;
}

/* (uss) as an object. */
static int add_answer(pm2_value *answers, const pm2_value *wire) {
        _cleanup_value_ pm2_value *answer = NULL;
        const char *error, *text;
        uint64_t id;

        int r = pm2_value_get_uint64(wire, "0", &id);
        if (r >= 0) {
                r = pm2_value_get_string(wire, "1", &error);
        }
        if (r >= 0) {
                r = pm2_value_get_string(wire, "2", &text);
        }
        if (r >= 0) {
                r = pm2_value_new_object(&answer);
        }
        if (r >= 0) {
                r = pm2_value_add_uint64(answer, "pm_id", id);
        }
        if (r >= 0) {
                r = error[0] ? add_failure(answer, error, text) : add_return(answer, text);
        }
        if (r >= 0) {
                r = pm2_value_add_value(answers, NULL, answer);
        }
        if (r >= 0) {
                answer = NULL;
        }
        return r;
}

static int read_answers(const pm2_value *wire, pm2_value **ret) {
        _cleanup_value_ pm2_value *answers = NULL;

        int r = pm2_value_new_array(&answers);
        for (size_t i = 0; r >= 0 && i < pm2_value_get_length(wire); i++) {
                r = add_answer(answers, pm2_value_get_item(wire, i));
        }
        if (r < 0) {
                return r;
        }
        *ret = answers;
        answers = NULL;
        return 0;
}

PM2_EXPORT int pm2_trigger(
                pm2_client *client,
                const char *target,
                const char *action,
                const char *params,
                const pm2_options *options,
                pm2_value **ret_answers) {
        _cleanup_value_ pm2_value *wire = NULL;
        const Call call = {
                .member = "Trigger",
                .strings = { target, action, params ? params : "" },
                .options = options,
                .takes_options = true,
                .timeout_usec = api_call_timeout(options),
        };
        static const char *const names[] = { "target", "action", "parameter" };
        int r = 0;

        client_clear_error(client);
        for (size_t i = 0; r >= 0 && i < ELEMENTS(names); i++) {
                r = api_check_text(client, names[i], call.strings[i]);
        }
        if (r >= 0) {
                r = client_call_value(client, &call, &wire);
        }
        if (r < 0 || !ret_answers) {
                return r;
        }
        r = read_answers(wire, ret_answers);
        return r < 0 ? client_fail(client, r, "pm2d's answer to Trigger makes no sense: %m") : 0;
}
