/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The events of libyaml as a graph of nodes, in which an alias points to what it stands for: what aliases
 * multiply is never made here. */

#include "yaml-internal.h"

#include "value.h"

#include <stdarg.h>
#include <string.h>

enum {
        ANCHORS_MAX = 1024,
        TEXT_SHOWN_MAX = 100,
};

#define TAG_PREFIX "tag:yaml.org,2002:"

/* How much of a text a message shows: not a part of a character. */
static int shown_length(const char *text) {
        size_t length = strnlen(text, TEXT_SHOWN_MAX);

        while (length > 0 && text[length] && ((unsigned char) text[length] & 0xc0) == 0x80) {
                length--;
        }
        return (int) length;
}

static void write_path(FILE *out, const Frame *frame) {
        if (!frame) {
                return;
        }
        write_path(out, frame->parent);
        if (frame->key) {
                (void) fprintf(out,
                               "%s%.*s",
                               frame->parent ? "." : "",
                               shown_length(frame->key),
                               frame->key);
        } else {
                (void) fprintf(out, "[%zu]", frame->index);
        }
}

int yaml_refuse(Reader *reader, const yaml_mark_t *mark, const Frame *frame, const char *format, ...) {
        size_t size = 0;

        if (reader->message) {
                return -EBADMSG;
        }
        FILE *out = open_memstream(&reader->message, &size);
        if (!out) {
                return -ENOMEM;
        }
        (void) fprintf(out, "line %zu, column %zu: ", mark->line + 1, mark->column + 1);
        if (frame) {
                write_path(out, frame);
                (void) fputs(": ", out);
        }
        va_list arguments;
        va_start(arguments, format);
        (void) vfprintf(out, format, arguments);
        va_end(arguments);
        return fclose(out) == 0 ? -EBADMSG : -ENOMEM;
}

static int node_new(
                Reader *reader, const yaml_event_t *event, const Frame *frame, NodeKind kind, Node **ret) {
        if (++reader->count > VALUES_MAX) {
                return yaml_refuse(reader, &event->start_mark, frame, "over %d values", VALUES_MAX);
        }
        Node *node = calloc(1, sizeof(*node));
        if (!node) {
                return -ENOMEM;
        }
        node->kind = kind;
        node->line = (unsigned) event->start_mark.line + 1;
        node->next = reader->nodes;
        reader->nodes = node;
        *ret = node;
        return 0;
}

/* The key is taken over, also on failure. */
static int node_add(Node *node, char *key, Node *item, unsigned line, bool merged) {
        if (node->length == node->allocated) {
                size_t allocated = node->allocated ? node->allocated * 2 : 4;
                Entry *entries = reallocarray(node->entries, allocated, sizeof(*entries));
                if (!entries) {
                        free(key);
                        return -ENOMEM;
                }
                node->entries = entries;
                node->allocated = allocated;
        }
        node->entries[node->length] = (Entry){
                .key = key,
                .node = item,
                .line = line,
                .merged = merged,
                .order = node->length,
        };
        node->length++;
        return 0;
}

void yaml_reader_done(Reader *reader) {
        while (reader->nodes) {
                Node *node = reader->nodes;
                reader->nodes = node->next;
                for (size_t i = 0; i < node->length; i++) {
                        free(node->entries[i].key);
                }
                free(node->entries);
                free(node->json);
                free(node);
        }
        for (size_t i = 0; i < reader->n_anchors; i++) {
                free(reader->anchors[i].name);
        }
        free(reader->anchors);
        yaml_parser_delete(&reader->parser);
}

static yaml_mark_t mark_of_byte(const Reader *reader, size_t offset) {
        yaml_mark_t mark = { .index = offset };

        for (size_t i = 0; i < offset; i++) {
                if (reader->text[i] == '\n') {
                        mark.line++;
                        mark.column = 0;
                } else {
                        mark.column += ((unsigned char) reader->text[i] & 0xc0) != 0x80;
                }
        }
        return mark;
}

size_t yaml_last_line(const char *text, size_t length) {
        size_t lines = 0;

        for (size_t i = 0; i < length; i++) {
                const char *c = text + i;
                size_t left = length - i;
                if (left > 1 && strncmp(c, "\r\n", 2) == 0) {
                        continue; /* counted by what comes next */
                }
                bool wide = left > 2 &&
                            (strncmp(c, "\xe2\x80\xa8", 3) == 0 || strncmp(c, "\xe2\x80\xa9", 3) == 0);
                lines += *c == '\n' || *c == '\r' || wide || (left > 1 && strncmp(c, "\xc2\x85", 2) == 0);
        }
        return lines;
}

/* To libyaml the end stands on a line of its own, even if the last line is not ended. */
static void stay_in_text(const Reader *reader, yaml_mark_t *mark) {
        if (mark->line > reader->last_line) {
                mark->line = reader->last_line;
        }
}

/* The next event, which the caller deletes. */
static int next_event(Reader *reader, yaml_event_t *event) {
        if (yaml_parser_parse(&reader->parser, event)) {
                stay_in_text(reader, &event->start_mark);
                return 0;
        }
        stay_in_text(reader, &reader->parser.problem_mark);
        const yaml_parser_t *parser = &reader->parser;
        if (parser->error == YAML_MEMORY_ERROR) {
                return -ENOMEM;
        }
        const yaml_mark_t *mark = &parser->problem_mark;
        yaml_mark_t at = { 0 };
        if (parser->error == YAML_READER_ERROR) { /* it knows the byte alone */
                at = mark_of_byte(reader, parser->problem_offset);
                mark = &at;
        }
        const char *problem = parser->problem ? parser->problem : "cannot be read";
        if (!parser->context || parser->context_mark.line == mark->line) {
                return yaml_refuse(
                                reader,
                                mark,
                                NULL,
                                "%s%s%s",
                                parser->context ? parser->context : "",
                                parser->context ? ", " : "",
                                problem);
        }
        return yaml_refuse(
                        reader,
                        mark,
                        NULL,
                        "%s that begins on line %zu, %s",
                        parser->context,
                        parser->context_mark.line + 1,
                        problem);
}

static int set_anchor(
                Reader *reader,
                const yaml_event_t *event,
                const Frame *frame,
                const yaml_char_t *name,
                Node *node) {
        if (!name) {
                return 0;
        }
        if (reader->n_anchors == ANCHORS_MAX) {
                return yaml_refuse(reader, &event->start_mark, frame, "over %d anchors", ANCHORS_MAX);
        }
        Anchor *anchors = reallocarray(reader->anchors, reader->n_anchors + 1, sizeof(*anchors));
        if (!anchors) {
                return -ENOMEM;
        }
        reader->anchors = anchors;
        char *copy = strdup((const char *) name);
        if (!copy) {
                return -ENOMEM;
        }
        anchors[reader->n_anchors++] = (Anchor){ .name = copy, .node = node };
        return 0;
}

/* The last anchor of a name counts. */
static int find_anchor(Reader *reader, const yaml_event_t *event, const Frame *frame, Node **ret) {
        const char *name = (const char *) event->data.alias.anchor;

        for (size_t i = reader->n_anchors; i > 0; i--) {
                const Anchor *anchor = &reader->anchors[i - 1];
                if (strcmp(anchor->name, name) != 0) {
                        continue;
                }
                if (!anchor->node->complete) {
                        return yaml_refuse(
                                        reader,
                                        &event->start_mark,
                                        frame,
                                        "*%.*s stands in itself",
                                        shown_length(name),
                                        name);
                }
                *ret = anchor->node;
                return 0;
        }
        return yaml_refuse(
                        reader,
                        &event->start_mark,
                        frame,
                        "there is no anchor &%.*s",
                        shown_length(name),
                        name);
}

/* Whether a tag is this one of YAML's own; no tag is any. */
static bool tag_is(const yaml_char_t *tag, const char *name) {
        const char *text = (const char *) tag;

        return !text || (strncmp(text, TAG_PREFIX, strlen(TAG_PREFIX)) == 0 &&
                         strcmp(text + strlen(TAG_PREFIX), name) == 0);
}

static int refuse_tag(
                Reader *reader, const yaml_event_t *event, const Frame *frame, const yaml_char_t *tag) {
        const char *text = (const char *) tag;

        return yaml_refuse(
                        reader,
                        &event->start_mark,
                        frame,
                        "the tag %.*s does not fit",
                        shown_length(text),
                        text);
}

static int resolve_tagged(Reader *reader, const yaml_event_t *event, const Frame *frame, char **ret_json) {
        static const char *const tags[] = {
                [YAML_SCALAR_NULL] = "null",   [YAML_SCALAR_BOOL] = "bool",  [YAML_SCALAR_INT] = "int",
                [YAML_SCALAR_FLOAT] = "float", [YAML_SCALAR_STRING] = "str", [YAML_SCALAR_RANGE] = "",
        };
        const yaml_char_t *tag = event->data.scalar.tag;
        YamlScalar kind;

        int r = yaml_scalar_resolve((const char *) event->data.scalar.value, &kind, ret_json);
        if (r < 0) {
                return r;
        }
        if (kind == YAML_SCALAR_RANGE) {
                return yaml_refuse(
                                reader,
                                &event->start_mark,
                                frame,
                                "the number is out of range; put it in quotes if it is text");
        }
        if (tag && !tag_is(tag, tags[kind]) && !(kind == YAML_SCALAR_INT && tag_is(tag, "float"))) {
                return refuse_tag(reader, event, frame, tag);
        }
        return 0;
}

/* The JSON of a scalar. */
static int read_scalar(Reader *reader, const yaml_event_t *event, const Frame *frame, char **ret_json) {
        const char *value = (const char *) event->data.scalar.value;
        size_t length = event->data.scalar.length;
        const yaml_char_t *tag = event->data.scalar.tag;

        if (memchr(value, 0, length)) {
                return yaml_refuse(reader, &event->start_mark, frame, "a NUL character in a string");
        }
        bool text = tag ? strcmp((const char *) tag, "!") == 0 || tag_is(tag, "str")
                        : event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        *ret_json = NULL;
        if (!text) {
                int r = resolve_tagged(reader, event, frame, ret_json);
                if (r < 0 || *ret_json) {
                        return r;
                }
        }
        *ret_json = yaml_string_to_json(value, length);
        return *ret_json ? 0 : -ENOMEM;
}

static int read_node(Reader *reader, const Frame *frame, const yaml_event_t *event, Node **ret);

static int read_list(Reader *reader, const Frame *parent, Node *node) {
        Frame frame = { .parent = parent, .depth = parent ? parent->depth + 1 : 1 };
        int r = 0;

        for (bool end = false; r >= 0 && !end; frame.index++) {
                yaml_event_t event;
                Node *item = NULL;
                r = next_event(reader, &event);
                if (r < 0) {
                        return r;
                }
                end = event.type == YAML_SEQUENCE_END_EVENT;
                if (!end) {
                        r = read_node(reader, &frame, &event, &item);
                }
                if (!end && r >= 0) {
                        r = node_add(node, NULL, item, (unsigned) event.start_mark.line + 1, false);
                }
                yaml_event_delete(&event);
        }
        return r;
}

/* Put the entries of a map, or of a list of maps, in where "<<" stands. */
static int merge(
                Reader *reader,
                Node *node,
                const yaml_event_t *event,
                const Frame *frame,
                const Node *source) {
        bool list = source->kind == NODE_LIST;
        unsigned line = (unsigned) event->start_mark.line + 1;
        int r = 0;

        if (!list && source->kind != NODE_MAP) {
                return yaml_refuse(reader, &event->start_mark, frame, "expected a map, or a list of maps");
        }
        for (size_t i = 0; r >= 0 && list && i < source->length; i++) {
                const Node *item = source->entries[i].node;
                r = item->kind == NODE_MAP ? merge(reader, node, event, frame, item)
                                           : yaml_refuse(reader,
                                                         &event->start_mark,
                                                         frame,
                                                         "expected a list of maps");
        }
        for (size_t i = 0; r >= 0 && !list && i < source->length; i++) {
                const Entry *entry = &source->entries[i];
                if (++reader->count > VALUES_MAX) {
                        return yaml_refuse(reader, &event->start_mark, frame, "over %d values", VALUES_MAX);
                }
                char *key = strdup(entry->key);
                r = key ? node_add(node, key, entry->node, line, true) : -ENOMEM;
        }
        return r;
}

/* By key; what the map has itself before what was merged; what came first before the rest. */
static int compare_entries(const void *a, const void *b) {
        const Entry *one = a, *other = b;
        int r = strcmp(one->key, other->key);

        if (r == 0) {
                r = (int) one->merged - (int) other->merged;
        }
        if (r == 0) {
                r = one->order < other->order ? -1 : 1;
        }
        return r;
}

static int compare_orders(const void *a, const void *b) {
        const Entry *one = a, *other = b;
        return one->order < other->order ? -1 : 1;
}

/* One entry for each key. */
static int settle_keys(Reader *reader, const Frame *parent, Node *node) {
        size_t used = 0;

        if (node->length == 0) {
                return 0;
        }
        qsort(node->entries, node->length, sizeof(*node->entries), compare_entries);
        for (size_t i = 1; i < node->length; i++) {
                Entry *entry = &node->entries[i];
                const Entry *before = &node->entries[i - 1];
                entry->dropped = strcmp(entry->key, before->key) == 0;
                if (entry->dropped && !entry->merged) {
                        const Frame frame = { .parent = parent, .key = entry->key };
                        const yaml_mark_t mark = { .line = entry->line - 1 };
                        return yaml_refuse(reader, &mark, &frame, "the key stands twice in this map");
                }
        }
        for (size_t i = 0; i < node->length; i++) {
                Entry entry = node->entries[i];
                if (entry.dropped) {
                        free(entry.key);
                } else {
                        node->entries[used++] = entry;
                }
        }
        node->length = used;
        qsort(node->entries, node->length, sizeof(*node->entries), compare_orders);
        return 0;
}

static int read_key(Reader *reader, const Frame *parent, const yaml_event_t *event, char **ret) {
        if (event->type != YAML_SCALAR_EVENT) {
                return yaml_refuse(reader, &event->start_mark, parent, "a key must be a text");
        }
        const char *value = (const char *) event->data.scalar.value;
        if (memchr(value, 0, event->data.scalar.length)) {
                return yaml_refuse(reader, &event->start_mark, parent, "a NUL character in a key");
        }
        *ret = strdup(value);
        return *ret ? 0 : -ENOMEM;
}

/* The value behind a key, which is taken over. */
static int read_member(
                Reader *reader, const Frame *parent, const yaml_event_t *key_event, char *key, Node *node) {
        Frame frame = { .parent = parent, .key = key, .depth = parent ? parent->depth + 1 : 1 };
        bool merges = strcmp(key, "<<") == 0 && key_event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        yaml_event_t event;
        Node *item = NULL;

        int r = next_event(reader, &event);
        if (r >= 0) {
                r = read_node(reader, &frame, &event, &item);
                yaml_event_delete(&event);
        }
        if (r >= 0 && merges) {
                r = merge(reader, node, key_event, &frame, item);
        }
        if (r < 0 || merges) {
                free(key);
                return r;
        }
        return node_add(node, key, item, (unsigned) key_event->start_mark.line + 1, false);
}

static int read_map(Reader *reader, const Frame *parent, Node *node) {
        for (;;) {
                yaml_event_t event;
                char *key = NULL;
                int r = next_event(reader, &event);
                if (r < 0) {
                        return r;
                }
                bool end = event.type == YAML_MAPPING_END_EVENT;
                if (!end) {
                        r = read_key(reader, parent, &event, &key);
                }
                if (key && r >= 0) {
                        r = read_member(reader, parent, &event, key, node);
                }
                yaml_event_delete(&event);
                if (r < 0 || end) {
                        return r < 0 ? r : settle_keys(reader, parent, node);
                }
        }
}

static int read_container(Reader *reader, const Frame *frame, const yaml_event_t *event, Node **ret) {
        bool list = event->type == YAML_SEQUENCE_START_EVENT;
        const yaml_char_t *tag = list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
        const yaml_char_t *anchor =
                        list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;

        if (!tag_is(tag, list ? "seq" : "map")) {
                return refuse_tag(reader, event, frame, tag);
        }
        if (frame && frame->depth >= VALUE_DEPTH_MAX) {
                return yaml_refuse(reader, &event->start_mark, NULL, "nested too deeply");
        }
        int r = node_new(reader, event, frame, list ? NODE_LIST : NODE_MAP, ret);
        if (r >= 0) {
                r = set_anchor(reader, event, frame, anchor, *ret);
        }
        if (r >= 0) {
                r = list ? read_list(reader, frame, *ret) : read_map(reader, frame, *ret);
        }
        return r;
}

/* The node that begins with this event. frame is where it stands, NULL: it is the document. */
static int read_node(Reader *reader, const Frame *frame, const yaml_event_t *event, Node **ret) {
        int r;

        switch (event->type) { /* NOLINT(clang-diagnostic-switch-enum): nothing else begins a node */
        case YAML_ALIAS_EVENT:
                return find_anchor(reader, event, frame, ret);
        case YAML_SCALAR_EVENT:
                r = node_new(reader, event, frame, NODE_SCALAR, ret);
                if (r >= 0) {
                        r = read_scalar(reader, event, frame, &(*ret)->json);
                }
                if (r >= 0) {
                        r = set_anchor(reader, event, frame, event->data.scalar.anchor, *ret);
                }
                break;
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
                r = read_container(reader, frame, event, ret);
                break;
        case YAML_NO_EVENT:
        case YAML_STREAM_START_EVENT:
        case YAML_STREAM_END_EVENT:
        case YAML_DOCUMENT_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
        default:
                return yaml_refuse(reader, &event->start_mark, frame, "expected a value");
        }
        if (r >= 0) {
                (*ret)->complete = true;
        }
        return r;
}

int yaml_read_document(Reader *reader, Node **ret) {
        for (;;) {
                yaml_event_t event;
                int r = next_event(reader, &event);
                if (r < 0) {
                        return r;
                }
                yaml_event_type_t type = event.type;
                if (type == YAML_DOCUMENT_START_EVENT && *ret) {
                        r = yaml_refuse(reader, &event.start_mark, NULL, "there is a second document");
                } else if (type == YAML_STREAM_END_EVENT && !*ret) {
                        r = yaml_refuse(reader, &event.start_mark, NULL, "the text is empty");
                } else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                           type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT) {
                        r = read_node(reader, NULL, &event, ret);
                }
                yaml_event_delete(&event);
                if (r < 0 || type == YAML_STREAM_END_EVENT) {
                        return r;
                }
        }
}
