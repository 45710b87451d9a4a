/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-value.h"

#include "basic/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

typedef struct Reader {
        sd_bus_message *message;
        unsigned count;
        unsigned depth;
        char *key; /* the option that is being read, NULL: none yet */
        Error *error;
} Reader;

static int read_value(Reader *reader, Value **ret);

static int refuse(const Reader *reader, const char *what) {
        g_autofree char *quoted = error_quote(reader->key ? reader->key : "");

        return error_set(reader->error, ERROR_INVALID_ARGS, "option %s: %s", quoted, what);
}

/* Every integer type of D-Bus. */
static int read_integer(Reader *reader, char type, Value **ret) {
        union {
                uint8_t y;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
        } number = { 0 };
        int64_t value;

        int r = sd_bus_message_read_basic(reader->message, type, &number);
        if (r < 0) {
                return r;
        }
        switch (type) {
        case SD_BUS_TYPE_BYTE:
                value = number.y;
                break;
        case SD_BUS_TYPE_INT16:
                value = number.n;
                break;
        case SD_BUS_TYPE_UINT16:
                value = number.q;
                break;
        case SD_BUS_TYPE_INT32:
                value = number.i;
                break;
        case SD_BUS_TYPE_UINT32:
                value = number.u;
                break;
        case SD_BUS_TYPE_INT64:
                value = number.x;
                break;
        default:
                if (number.t > INT64_MAX) {
                        g_autofree char *what = g_strdup_printf("%" PRIu64 " is out of range", number.t);
                        return refuse(reader, what);
                }
                value = (int64_t) number.t;
                break;
        }
        *ret = value_new_int(value);
        return 0;
}

static int read_scalar(Reader *reader, char type, Value **ret) {
        const char *text;
        double real;
        int boolean, r;

        switch (type) {
        case SD_BUS_TYPE_BOOLEAN:
                r = sd_bus_message_read_basic(reader->message, type, &boolean);
                *ret = r < 0 ? NULL : value_new_bool(boolean);
                return r;
        case SD_BUS_TYPE_DOUBLE:
                r = sd_bus_message_read_basic(reader->message, type, &real);
                *ret = r < 0 ? NULL : value_new_double(real);
                return r;
        case SD_BUS_TYPE_STRING:
        case SD_BUS_TYPE_OBJECT_PATH:
        case SD_BUS_TYPE_SIGNATURE:
                r = sd_bus_message_read_basic(reader->message, type, &text);
                *ret = r < 0 ? NULL : value_new_string(text);
                return r;
        case SD_BUS_TYPE_UNIX_FD:
                return refuse(reader, "a file descriptor is no value of an option");
        default:
                return read_integer(reader, type, ret);
        }
}

static int read_bytes(Reader *reader, Value **ret) {
        const void *bytes;
        size_t size;

        int r = sd_bus_message_read_array(reader->message, SD_BUS_TYPE_BYTE, &bytes, &size);
        if (r < 0) {
                return r;
        }
        if (size > 0 && memchr(bytes, 0, size)) {
                return refuse(reader, "bytes (ay) hold a NUL");
        }
        g_autofree char *text = g_strndup(size > 0 ? bytes : "", size);
        *ret = value_new_string(text);
        return 0;
}

static int refuse_twice(const Reader *reader, const char *key) {
        g_autofree char *quoted = error_quote(key);
        g_autofree char *what = g_strdup_printf("%s stands twice", quoted);

        return reader->depth > 1 ? refuse(reader, what)
                                 : error_set(reader->error, ERROR_INVALID_ARGS, "options: %s", what);
}

static int read_entries(Reader *reader, const char *contents, Value **ret) {
        g_autoptr(Value) map = value_new_map();
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autofree char *entry = g_strndup(contents + 1, strlen(contents) - 2);
        const char *key;

        if (contents[1] != SD_BUS_TYPE_STRING) {
                return refuse(reader, "the keys of an object must be strings");
        }
        int r = sd_bus_message_enter_container(reader->message, SD_BUS_TYPE_ARRAY, contents);
        if (r < 0) {
                return r;
        }
        while ((r = sd_bus_message_enter_container(reader->message, SD_BUS_TYPE_DICT_ENTRY, entry)) > 0) {
                Value *value = NULL;
                r = sd_bus_message_read_basic(reader->message, SD_BUS_TYPE_STRING, &key);
                if (r >= 0 && reader->depth == 1) {
                        g_free(reader->key);
                        reader->key = g_strdup(key);
                }
                if (r >= 0 && !g_hash_table_add(seen, g_strdup(key))) {
                        return refuse_twice(reader, key);
                }
                if (r >= 0) {
                        r = read_value(reader, &value);
                }
                if (r < 0) {
                        return r;
                }
                value_set(map, key, value);
                r = sd_bus_message_exit_container(reader->message);
                if (r < 0) {
                        return r;
                }
        }
        if (r >= 0) {
                r = sd_bus_message_exit_container(reader->message);
        }
        if (r >= 0) {
                *ret = g_steal_pointer(&map);
        }
        return r;
}

static int read_items(Reader *reader, const char *contents, Value **ret) {
        g_autoptr(Value) items = value_new_array();

        int r = sd_bus_message_enter_container(reader->message, SD_BUS_TYPE_ARRAY, contents);
        while (r >= 0 && (r = sd_bus_message_at_end(reader->message, 0)) == 0) {
                Value *item = NULL;
                r = read_value(reader, &item);
                if (r >= 0) {
                        value_append(items, item);
                }
        }
        if (r >= 0) {
                r = sd_bus_message_exit_container(reader->message);
        }
        if (r >= 0) {
                *ret = g_steal_pointer(&items);
        }
        return r;
}

static int read_array(Reader *reader, const char *contents, Value **ret) {
        if (strcmp(contents, "y") == 0) {
                return read_bytes(reader, ret);
        }
        return contents[0] == SD_BUS_TYPE_DICT_ENTRY_BEGIN ? read_entries(reader, contents, ret)
                                                           : read_items(reader, contents, ret);
}

static int read_variant(Reader *reader, const char *contents, Value **ret) {
        g_autoptr(Value) value = NULL;

        int r = sd_bus_message_enter_container(reader->message, SD_BUS_TYPE_VARIANT, contents);
        if (r >= 0) {
                r = read_value(reader, &value);
        }
        if (r >= 0) {
                r = sd_bus_message_exit_container(reader->message);
        }
        if (r >= 0) {
                *ret = g_steal_pointer(&value);
        }
        return r;
}

static int read_value(Reader *reader, Value **ret) {
        const char *contents;
        char type;

        int r = sd_bus_message_peek_type(reader->message, &type, &contents);
        if (r < 0) {
                return r;
        }
        if (++reader->count > VALUE_COUNT_MAX) {
                return refuse(reader, "too many values");
        }
        if (type == SD_BUS_TYPE_STRUCT) {
                return refuse(reader, "a struct is no value of an option");
        }
        if (type != SD_BUS_TYPE_ARRAY && type != SD_BUS_TYPE_VARIANT) {
                return read_scalar(reader, type, ret);
        }
        if (++reader->depth > VALUE_DEPTH_MAX) {
                return refuse(reader, "nested too deeply");
        }
        r = type == SD_BUS_TYPE_ARRAY ? read_array(reader, contents, ret)
                                      : read_variant(reader, contents, ret);
        reader->depth--;
        return r;
}

int bus_value_read_map(sd_bus_message *message, Value **ret, Error *error) {
        Reader reader = { .message = message, .error = error };
        int r = read_value(&reader, ret);

        if (r < 0 && r != -ECANCELED) {
                r = refuse(&reader, g_strerror(-r));
        }
        g_free(reader.key);
        return r;
}
