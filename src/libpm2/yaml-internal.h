/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between yaml-json.c, yaml-graph.c and yaml-scalar.c. */

#include "basic/macro.h"

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

enum {
        VALUES_MAX = 65536,
};

typedef enum NodeKind {
        NODE_SCALAR,
        NODE_LIST,
        NODE_MAP,
} NodeKind;

typedef struct Node Node;

typedef struct Entry {
        char *key; /* NULL in lists */
        Node *node;
        unsigned line;
        bool merged; /* by "<<": gives way to what the map has itself */
        bool dropped;
        size_t order;
} Entry;

struct Node {
        NodeKind kind;
        bool complete;
        unsigned line;
        char *json; /* of a scalar */
        Entry *entries;
        size_t length, allocated;
        Node *next; /* of all nodes */
};

typedef struct Anchor {
        char *name;
        Node *node;
} Anchor;

/* An open container, up to the outermost. */
typedef struct Frame {
        const struct Frame *parent;
        const char *key; /* NULL in a list */
        size_t index;
        unsigned depth;
} Frame;

/* Starts with an initialised parser. */
typedef struct Reader {
        yaml_parser_t parser;
        const char *text;
        size_t last_line; /* of the text, from 0 */
        Node *nodes;
        size_t count;
        Anchor *anchors;
        size_t n_anchors;
        char *message;
} Reader;

/* The number of the last line of a text, from 0. */
size_t yaml_last_line(const char *text, size_t length);

/* Read the one document of the stream. -EBADMSG: message says what is wrong; -ENOMEM. */
int yaml_read_document(Reader *reader, Node **ret);
void yaml_reader_done(Reader *reader);

/* Note what is wrong, and where in the document (NULL: nowhere): the first counts. -EBADMSG. */
int yaml_refuse(Reader *reader, const yaml_mark_t *mark, const Frame *frame, const char *format, ...)
                PRINTF_LIKE(4, 5);

typedef enum YamlScalar {
        YAML_SCALAR_NULL,
        YAML_SCALAR_BOOL,
        YAML_SCALAR_INT,
        YAML_SCALAR_FLOAT,
        YAML_SCALAR_STRING,
        YAML_SCALAR_RANGE, /* a number that JSON has not, or too large */
} YamlScalar;

/* What a plain scalar is by the core schema, and the JSON of all but strings. -ENOMEM. */
int yaml_scalar_resolve(const char *text, YamlScalar *ret, char **ret_json);

/* A text as a JSON string; NULL: no memory. */
char *yaml_string_to_json(const char *text, size_t length);
