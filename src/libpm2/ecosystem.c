/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Ecosystem files on their way to the supervisor: it takes JSON text, and nothing else. JSON goes there as
 * it is, so that the lines that it names are those of the file; YAML is turned into JSON with the same
 * lines. */

#include "client.h"
#include "node.h"
#include "yaml-json.h"

#include "basic/utf8.h"

#include <fcntl.h>
#include <string.h>

enum {
        DOCUMENT_MAX = 1024 * 1024,
};

typedef enum FileKind {
        FILE_NONE,
        FILE_JSON,
        FILE_YAML,
        FILE_SCRIPT,
} FileKind;

static FileKind kind_of(const char *path) {
        static const struct {
                const char *suffix;
                FileKind kind;
        } suffixes[] = {
                { ".json", FILE_JSON },         { ".yaml", FILE_YAML },
                { ".yml", FILE_YAML },          { ".config.js", FILE_SCRIPT },
                { ".config.cjs", FILE_SCRIPT }, { ".config.mjs", FILE_SCRIPT },
        };
        size_t length = strlen(path);

        for (size_t i = 0; i < ELEMENTS(suffixes); i++) {
                size_t suffix = strlen(suffixes[i].suffix);
                if (length > suffix && strcmp(path + length - suffix, suffixes[i].suffix) == 0) {
                        return suffixes[i].kind;
                }
        }
        return FILE_NONE;
}

PM2_EXPORT bool pm2_is_ecosystem_path(const char *path) {
        return kind_of(path) != FILE_NONE;
}

/* JSON is sent as text of D-Bus, which has neither NUL nor bytes that are no UTF-8. */
static int check_json(pm2_client *client, const char *path, const char *text, size_t length) {
        const char *line = text, *end = text + length;

        for (unsigned number = 1; line < end; number++) {
                const char *newline = memchr(line, '\n', (size_t) (end - line));
                size_t bytes = (size_t) ((newline ? newline : end) - line);
                if (memchr(line, 0, bytes)) {
                        return client_fail(client, -EBADMSG, "%s: line %u: a NUL character", path, number);
                }
                if (!utf8_is_valid(line, bytes)) {
                        return client_fail(client, -EBADMSG, "%s: line %u: is not UTF-8", path, number);
                }
                line += bytes + 1;
        }
        return 0;
}

static int read_text(pm2_client *client, const char *path, FileKind kind, char **ret) {
        _cleanup_free_ char *text = NULL, *message = NULL;
        size_t length = 0;

        int r = read_file(AT_FDCWD, path, DOCUMENT_MAX, &text, &length);
        if (r == -EFBIG) {
                return client_fail(client, r, "%s: is over %d bytes", path, DOCUMENT_MAX);
        }
        if (r < 0) {
                return client_fail(client, r, "cannot read %s: %m", path);
        }
        if (kind == FILE_JSON) {
                r = check_json(client, path, text, length);
                if (r >= 0) {
                        *ret = text;
                        text = NULL;
                }
                return r;
        }
        r = yaml_to_json(text, length, ret, &message);
        return r < 0 ? client_fail(client, r, "%s: %s", path, message ? message : strerror(-r)) : 0;
}

PM2_EXPORT int pm2_read_ecosystem(
                pm2_client *client, const char *path, uint64_t timeout_usec, char **ret_document) {
        FileKind kind = kind_of(path);

        client_clear_error(client);
        if (kind == FILE_NONE) {
                return client_fail(client, -EINVAL, "%s: is no ecosystem file by its name", path);
        }
        return kind == FILE_SCRIPT ? node_evaluate(client, path, timeout_usec, ret_document)
                                   : read_text(client, path, kind, ret_document);
}
