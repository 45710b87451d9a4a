/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/self-report.h"

#include "basic/utf8.h"

#include <errno.h>
#include <string.h>

static const char *const phase_names[_SELF_REPORT_PHASE_MAX] = {
        [SELF_REPORT_NO_PHASE] = "",
        [SELF_REPORT_RELOADING] = "reloading",
        [SELF_REPORT_STOPPING] = "stopping",
};

void self_report_init(SelfReport *report) {
        *report = (SelfReport){ 0 };
}

void self_report_done(SelfReport *report) {
        g_free(report->status);
        g_free(report->node_version);
        value_free(report->actions);
        value_free(report->metrics);
        value_free(report->options);
}

void self_report_clear(SelfReport *report) {
        bool said = report->status || report->phase != SELF_REPORT_NO_PHASE || report->node_version ||
                    report->actions || report->options;
        uint64_t version = report->version + said;

        self_report_done(report);
        *report = (SelfReport){ .version = version };
}

/* One line, valid, and no longer than what a table can show. */
static char *make_line(const char *text) {
        size_t length = strnlen(text, SELF_REPORT_NAME_BYTES_MAX);

        while (length > 0 && text[length] && ((unsigned char) text[length] & 0xc0) == 0x80) {
                length--;
        }
        g_autofree char *cut = g_strndup(text, length);
        char *line = g_utf8_make_valid(cut, -1);
        for (char *p = line; *p; p++) {
                if ((unsigned char) *p < ' ' || *p == 0x7f) {
                        *p = ' ';
                }
        }
        return line;
}

bool self_report_set_status(SelfReport *report, const char *status) {
        g_autofree char *line = make_line(status);

        bool was_of_phase = report->status_is_of_phase;

        report->status_is_of_phase = report->phase != SELF_REPORT_NO_PHASE;
        if (strcmp(line, report->status ? report->status : "") == 0 &&
            report->status_is_of_phase == was_of_phase) {
                return false;
        }
        g_free(report->status);
        report->status = g_steal_pointer(&line);
        report->version++;
        return true;
}

bool self_report_set_phase(SelfReport *report, SelfReportPhase phase) {
        if (phase == report->phase) {
                return false;
        }
        report->phase = phase;
        report->status_is_of_phase = false;
        report->version++;
        return true;
}

const char *self_report_text(const SelfReport *report) {
        const char *status = report->status ? report->status : "";
        bool hidden = report->phase != SELF_REPORT_NO_PHASE && !report->status_is_of_phase;

        return status[0] && !hidden ? status : phase_names[report->phase];
}

int self_report_set_node_version(SelfReport *report, const char *version) {
        if (!version[0] || strlen(version) > SELF_REPORT_NAME_BYTES_MAX) {
                return -EINVAL;
        }
        g_free(report->node_version);
        report->node_version = make_line(version);
        report->version++;
        return 0;
}

static const char *name_of(const Value *action) {
        const Value *name = action->kind == VALUE_MAP ? value_get(action, "action_name") : NULL;
        bool is_name = name && name->kind == VALUE_STRING && name->string[0] &&
                       strlen(name->string) <= SELF_REPORT_NAME_BYTES_MAX;

        return is_name ? name->string : NULL;
}

static guint count_actions(const SelfReport *report) {
        return report->actions ? report->actions->items->len : 0;
}

static guint find_action(const SelfReport *report, const char *name) {
        guint i = 0;

        while (i < count_actions(report) && strcmp(name_of(report->actions->items->pdata[i]), name) != 0) {
                i++;
        }
        return i;
}

bool self_report_has_action(const SelfReport *report, const char *name) {
        return find_action(report, name) < count_actions(report);
}

int self_report_add_action(SelfReport *report, const Value *action) {
        const char *name = name_of(action);

        if (!name) {
                return -EINVAL;
        }
        if (!report->actions) {
                report->actions = value_new_array();
        }
        guint place = find_action(report, name);
        GPtrArray *items = report->actions->items;
        size_t before = place < items->len ? value_bytes(items->pdata[place]) : 0;
        if (place >= SELF_REPORT_ACTIONS_MAX ||
            value_bytes(report->actions) - before + value_bytes(action) > SELF_REPORT_BYTES_MAX) {
                return -E2BIG;
        }
        if (place < items->len) {
                value_free(items->pdata[place]);
                items->pdata[place] = value_copy(action);
        } else {
                value_append(report->actions, value_copy(action));
        }
        report->version++;
        return 0;
}

static int merge(Value **map, const Value *more) {
        if (more->kind != VALUE_MAP) {
                return -EINVAL;
        }
        g_autoptr(Value) merged = *map ? value_copy(*map) : value_new_map();
        for (guint i = 0; i < more->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(more->entries, ValueEntry, i);
                value_remove(merged, entry->key);
                value_set(merged, entry->key, value_copy(entry->value));
                if (value_count(merged) > SELF_REPORT_KEYS_MAX) {
                        return -E2BIG;
                }
        }
        if (value_bytes(merged) > SELF_REPORT_BYTES_MAX) {
                return -E2BIG;
        }
        value_free(*map);
        *map = g_steal_pointer(&merged);
        return 0;
}

int self_report_merge_metrics(SelfReport *report, const Value *metrics) {
        return merge(&report->metrics, metrics);
}

int self_report_merge_options(SelfReport *report, const Value *options) {
        int r = merge(&report->options, options);

        report->version += r >= 0;
        return r;
}

Value *self_report_to_value(const SelfReport *report) {
        Value *map = value_new_map();

        if (report->status) {
                value_set(map, "status", value_new_string(report->status));
        }
        if (report->phase != SELF_REPORT_NO_PHASE) {
                value_set(map, "phase", value_new_string(phase_names[report->phase]));
                value_set(map, "status_is_of_phase", value_new_bool(report->status_is_of_phase));
        }
        if (report->node_version) {
                value_set(map, "node_version", value_new_string(report->node_version));
        }
        if (report->actions) {
                value_set(map, "actions", value_copy(report->actions));
        }
        if (report->options) {
                value_set(map, "options", value_copy(report->options));
        }
        return map;
}

static SelfReportPhase phase_from_name(const char *name) {
        SelfReportPhase phase = SELF_REPORT_NO_PHASE;

        while (phase < _SELF_REPORT_PHASE_MAX && strcmp(phase_names[phase], name) != 0) {
                phase++;
        }
        return phase < _SELF_REPORT_PHASE_MAX ? phase : SELF_REPORT_NO_PHASE;
}

static const Value *member_of_kind(const Value *map, const char *key, ValueKind kind) {
        const Value *member = map->kind == VALUE_MAP ? value_get(map, key) : NULL;

        return member && member->kind == kind ? member : NULL;
}

void self_report_take_value(SelfReport *report, const Value *value) {
        const Value *status = member_of_kind(value, "status", VALUE_STRING);
        const Value *phase = member_of_kind(value, "phase", VALUE_STRING);
        const Value *of_phase = member_of_kind(value, "status_is_of_phase", VALUE_BOOL);
        const Value *version = member_of_kind(value, "node_version", VALUE_STRING);
        const Value *actions = member_of_kind(value, "actions", VALUE_ARRAY);
        const Value *options = member_of_kind(value, "options", VALUE_MAP);

        if (status) {
                (void) self_report_set_status(report, status->string);
        }
        if (phase) {
                (void) self_report_set_phase(report, phase_from_name(phase->string));
                report->status_is_of_phase =
                                report->phase != SELF_REPORT_NO_PHASE && of_phase && of_phase->boolean;
        }
        if (version) {
                (void) self_report_set_node_version(report, version->string);
        }
        for (guint i = 0; actions && i < actions->items->len; i++) {
                (void) self_report_add_action(report, actions->items->pdata[i]);
        }
        if (options) {
                (void) self_report_merge_options(report, options);
        }
}
