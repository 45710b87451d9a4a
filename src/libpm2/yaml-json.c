/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* YAML to JSON in the client: the supervisor, which as the system's own runs as root, then has no parser of
 * YAML in it. The writer goes through an alias each time that it is used, under limits of what it writes. */

#include "yaml-json.h"

#include "value.h"
#include "yaml-internal.h"

#include <string.h>

enum {
        BYTES_MAX = 1024 * 1024,
};

typedef struct Writer {
        FILE *out;
        size_t count;
        unsigned line;
        const Node *failed; /* at which a limit was met */
} Writer;

/* Go to the line; what stands before it already, by an alias, stays where it is. */
static void go_to_line(Writer *writer, unsigned line) {
        for (; writer->line < line; writer->line++) {
                (void) putc_unlocked('\n', writer->out);
        }
}

static int write_node(Writer *writer, const Node *node, unsigned depth) {
        char closing = node->kind == NODE_MAP ? '}' : ']';

        if (++writer->count > VALUES_MAX || depth > VALUE_DEPTH_MAX || ftello(writer->out) > BYTES_MAX) {
                writer->failed = node;
                return -EBADMSG;
        }
        if (node->kind == NODE_SCALAR) {
                (void) fputs(node->json, writer->out);
                return 0;
        }
        (void) putc_unlocked(node->kind == NODE_MAP ? '{' : '[', writer->out);
        for (size_t i = 0; i < node->length; i++) {
                const Entry *entry = &node->entries[i];
                if (i > 0) {
                        (void) putc_unlocked(',', writer->out);
                }
                go_to_line(writer, entry->line);
                if (entry->key) {
                        _cleanup_free_ char *key = yaml_string_to_json(entry->key, strlen(entry->key));
                        if (!key) {
                                return -ENOMEM;
                        }
                        (void) fprintf(writer->out, "%s:", key);
                }
                int r = write_node(writer, entry->node, depth + 1);
                if (r < 0) {
                        return r;
                }
        }
        (void) putc_unlocked(closing, writer->out);
        return 0;
}

static int write_document(Reader *reader, const Node *root, char **ret_json) {
        _cleanup_free_ char *json = NULL;
        size_t size = 0;
        Writer writer = { .line = 1, .out = open_memstream(&json, &size) };

        if (!writer.out) {
                return -ENOMEM;
        }
        go_to_line(&writer, root->line);
        int r = write_node(&writer, root, 1);
        bool failed = ferror(writer.out);
        if (fclose(writer.out) != 0 || failed) {
                return -ENOMEM;
        }
        if (r == -EBADMSG) {
                const yaml_mark_t mark = { .line = writer.failed->line - 1 };
                return yaml_refuse(
                                reader,
                                &mark,
                                NULL,
                                "with what aliases stand for there are over %d values or %d bytes, or %d "
                                "levels",
                                VALUES_MAX,
                                BYTES_MAX,
                                VALUE_DEPTH_MAX);
        }
        if (r >= 0) {
                *ret_json = json;
                json = NULL;
        }
        return r;
}

int yaml_to_json(const char *text, size_t length, char **ret_json, char **ret_message) {
        Reader reader = { .text = text, .last_line = yaml_last_line(text, length) };
        Node *root = NULL;
        int r;

        if (length > BYTES_MAX) {
                r = asprintf(ret_message, "over %d bytes", BYTES_MAX);
                return r < 0 ? -ENOMEM : -EBADMSG;
        }
        if (!yaml_parser_initialize(&reader.parser)) {
                return -ENOMEM;
        }
        yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&reader.parser, (const unsigned char *) text, length);
        r = yaml_read_document(&reader, &root);
        if (r >= 0) {
                r = write_document(&reader, root, ret_json);
        }
        if (r == -EBADMSG) {
                *ret_message = reader.message;
                reader.message = NULL;
        }
        free(reader.message);
        yaml_reader_done(&reader);
        return r;
}
