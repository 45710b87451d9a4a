/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* trigger: have processes perform an action, and show what each returned. */

#include "attributes.h"
#include "change.h"
#include "i18n.h"
#include "output.h"
#include "process-find.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *get_text(const pm2_value *value, const char *key) {
        const char *text = "";

        (void) pm2_value_get_string(value, key, &text);
        return text;
}

/* The answer with the name of its process. */
static int add_named(pm2_value *named, const pm2_value *answer, const pm2_value *processes) {
        static const char *const keys[] = { "error", "message", "return" };
        uint32_t id = pm2_process_get_id(answer);
        const pm2_value *process = process_find(processes, id);
        pm2_value *object = NULL;

        int r = pm2_value_new_object(&object);
        if (r >= 0) {
                r = pm2_value_add_uint64(object, "pm_id", id);
        }
        if (r >= 0) {
                r = pm2_value_add_string(object, "name", get_text(process, "name"));
        }
        if (r >= 0) {
                r = pm2_value_add_string(object, "namespace", get_text(process, "pm2_env.namespace"));
        }
        for (size_t i = 0; r >= 0 && i < G_N_ELEMENTS(keys); i++) {
                const pm2_value *item = pm2_value_get(answer, keys[i]);
                pm2_value *copy = NULL;
                r = item ? pm2_value_copy(item, &copy) : 0;
                if (r >= 0 && copy) {
                        r = pm2_value_add_value(object, keys[i], copy);
                }
                if (r < 0) {
                        (void) pm2_value_free(copy);
                }
        }
        if (r >= 0) {
                r = pm2_value_add_value(named, NULL, object);
        }
        if (r < 0) {
                (void) pm2_value_free(object);
        }
        return r;
}

static int add_names(Ctl *ctl, const pm2_value *answers, pm2_value **ret) {
        pm2_value *processes = NULL, *named = NULL;

        (void) pm2_list(ctl->client, &processes); /* what was returned is worth more than names */
        int r = pm2_value_new_array(&named);
        for (size_t i = 0; r >= 0 && i < pm2_value_get_length(answers); i++) {
                r = add_named(named, pm2_value_get_item(answers, i), processes);
        }
        (void) pm2_value_free(processes);
        if (r < 0) {
                (void) pm2_value_free(named);
                return r;
        }
        *ret = named;
        return 0;
}

/* In the form of PM2: "[name:id:namespace]=value". */
static void print_answer(const Ctl *ctl, const pm2_value *answer) {
        const pm2_value *value = pm2_value_get(answer, "return");
        char *json = NULL;

        g_autofree char *who =
                        g_strdup_printf("[%s:%u:%s]",
                                        get_text(answer, "name"),
                                        pm2_process_get_id(answer),
                                        get_text(answer, "namespace"));
        g_autofree char *clean_who = text_clean(who, ctl->utf8);
        if (get_text(answer, "error")[0]) {
                print_error("%s %s", who, get_text(answer, "message"));
                return;
        }
        if (ctl->json != JSON_OFF || ctl->silent) {
                return;
        }
        if (!value || pm2_value_to_json(value, PM2_JSON_SHORT, &json) < 0) {
                (void) printf("%s %s\n", clean_who, _("was asked"));
                return;
        }
        g_autofree char *clean = text_clean(json, ctl->utf8);
        free(json);
        (void) printf("%s=%s\n", clean_who, clean);
}

/* The exit status that stands for all answers. */
static int answers_status(const pm2_value *answers) {
        int status = EXIT_OK;

        for (size_t i = 0; i < pm2_value_get_length(answers); i++) {
                const char *error = get_text(pm2_value_get_item(answers, i), "error");
                if (error[0]) {
                        bool alone = pm2_value_get_length(answers) == 1;
                        status = alone && strcmp(error, "Timeout") == 0 ? EXIT_TIMEOUT : EXIT_FAILED;
                }
        }
        return status;
}

static int report(Ctl *ctl, const pm2_value *answers) {
        pm2_value *named = NULL;

        int r = add_names(ctl, answers, &named);
        if (r < 0) {
                return change_refuse(r, NULL);
        }
        int status = answers_status(named);
        for (size_t i = 0; i < pm2_value_get_length(named); i++) {
                print_answer(ctl, pm2_value_get_item(named, i));
        }
        if (ctl->json != JSON_OFF) {
                int printed = print_json(ctl, named);
                status = status == EXIT_OK ? printed : status;
        }
        (void) pm2_value_free(named);
        return status;
}

int verb_trigger(Ctl *ctl, const Arguments *arguments) {
        const GPtrArray *words = arguments->positional;
        pm2_options *options = NULL;
        pm2_value *answers = NULL;
        char *message = NULL;

        int r = pm2_options_new(&options);
        if (r >= 0) {
                r = attributes_add_call(arguments, options, &message);
        }
        if (r < 0) {
                (void) pm2_options_free(options);
                return change_refuse(r, message);
        }
        r = pm2_trigger(ctl->client,
                        g_ptr_array_index(words, 0),
                        g_ptr_array_index(words, 1),
                        words->len > 2 ? g_ptr_array_index(words, 2) : NULL,
                        options,
                        &answers);
        (void) pm2_options_free(options);
        int status = r < 0 ? print_failure(ctl, r) : report(ctl, answers);
        (void) pm2_value_free(answers);
        return status;
}
