/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Turns what a message carries into values. The sender is trusted with nothing but well-formedness, which
 * sd-bus has checked: every type is accepted wherever it may stand. */

#include "value-bus.h"

#include "basic/sd-cleanup.h"
#include "basic/utf8.h"

#include <inttypes.h>
#include <string.h>

static int read_any(sd_bus_message *message, unsigned depth, pm2_value **ret);

static int read_basic(sd_bus_message *message, char type, pm2_value **ret) {
        union {
                uint8_t y;
                int b;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                const char *s;
        } basic = { 0 };
        pm2_value scalar = { .type = PM2_VALUE_NULL };

        int r = sd_bus_message_read_basic(message, type, &basic);
        if (r < 0) {
                return r;
        }
        switch (type) {
        case SD_BUS_TYPE_BYTE:
                scalar = (pm2_value){ .type = PM2_VALUE_UINT64, .uint64 = basic.y };
                break;
        case SD_BUS_TYPE_BOOLEAN:
                scalar = (pm2_value){ .type = PM2_VALUE_BOOL, .boolean = basic.b };
                break;
        case SD_BUS_TYPE_INT16:
                scalar = (pm2_value){ .type = PM2_VALUE_INT64, .int64 = basic.n };
                break;
        case SD_BUS_TYPE_UINT16:
                scalar = (pm2_value){ .type = PM2_VALUE_UINT64, .uint64 = basic.q };
                break;
        case SD_BUS_TYPE_INT32:
                scalar = (pm2_value){ .type = PM2_VALUE_INT64, .int64 = basic.i };
                break;
        case SD_BUS_TYPE_UINT32:
                scalar = (pm2_value){ .type = PM2_VALUE_UINT64, .uint64 = basic.u };
                break;
        case SD_BUS_TYPE_INT64:
                scalar = (pm2_value){ .type = PM2_VALUE_INT64, .int64 = basic.x };
                break;
        case SD_BUS_TYPE_UINT64:
                scalar = (pm2_value){ .type = PM2_VALUE_UINT64, .uint64 = basic.t };
                break;
        case SD_BUS_TYPE_DOUBLE:
                scalar = (pm2_value){ .type = PM2_VALUE_DOUBLE, .number = basic.d };
                break;
        case SD_BUS_TYPE_STRING:
        case SD_BUS_TYPE_OBJECT_PATH:
        case SD_BUS_TYPE_SIGNATURE:
                return value_new_string(basic.s, ret);
        default:
                /* A file descriptor belongs to the message and ends with it. */
                break;
        }
        r = value_new(scalar.type, ret);
        if (r >= 0) {
                **ret = scalar;
        }
        return r;
}

/* Bytes as text: each byte that is not part of a UTF-8 sequence, and NUL, becomes U+FFFD. */
static char *bytes_to_text(const char *bytes, size_t size) {
        if (size > (SIZE_MAX - 1) / 3) {
                return NULL;
        }
        char *text = malloc(size * 3 + 1);
        size_t used = 0;

        for (size_t i = 0; text && i < size;) {
                size_t length = 1;
                while (length < 4 && i + length < size && !utf8_is_valid(bytes + i, length)) {
                        length++;
                }
                if (utf8_is_valid(bytes + i, length)) {
                        memcpy(text + used, bytes + i, length);
                        used += length;
                        i += length;
                } else {
                        memcpy(text + used, "\xef\xbf\xbd", 3);
                        used += 3;
                        i++;
                }
        }
        if (text) {
                text[used] = '\0';
        }
        return text;
}

static int read_bytes(sd_bus_message *message, pm2_value **ret) {
        const void *bytes = NULL;
        size_t size = 0;

        int r = sd_bus_message_read_array(message, SD_BUS_TYPE_BYTE, &bytes, &size);
        if (r < 0) {
                return r;
        }
        _cleanup_free_ char *text = bytes_to_text(bytes, size);
        return text ? value_new_string(text, ret) : -ENOMEM;
}

/* Dictionary keys are basic types; those that are no strings become text. */
static int key_to_text(const pm2_value *key, char **ret) {
        if (key->type == PM2_VALUE_STRING) {
                *ret = strdup(key->string);
                return *ret ? 0 : -ENOMEM;
        }
        return pm2_value_to_json(key, PM2_JSON_SHORT, ret);
}

static int read_entry(sd_bus_message *message, const char *signature, unsigned depth, pm2_value *object) {
        _cleanup_value_ pm2_value *key = NULL, *item = NULL;
        _cleanup_free_ char *name = NULL;

        int r = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, signature);
        if (r < 0) {
                return r;
        }
        r = read_any(message, depth, &key);
        if (r < 0) {
                return r;
        }
        r = key_to_text(key, &name);
        if (r < 0) {
                return r;
        }
        r = read_any(message, depth, &item);
        if (r < 0) {
                return r;
        }
        r = value_append(object, name, item);
        if (r < 0) {
                return r;
        }
        item = NULL;
        return sd_bus_message_exit_container(message);
}

static int read_items(sd_bus_message *message, unsigned depth, pm2_value *array) {
        for (;;) {
                _cleanup_value_ pm2_value *item = NULL;
                int r = sd_bus_message_at_end(message, false);
                if (r != 0) {
                        return r < 0 ? r : 0;
                }
                r = read_any(message, depth, &item);
                if (r < 0) {
                        return r;
                }
                r = value_append(array, NULL, item);
                if (r < 0) {
                        return r;
                }
                item = NULL;
        }
}

static int read_entries(sd_bus_message *message, const char *contents, unsigned depth, pm2_value *object) {
        /* contents is "{kv}": the entry's signature is what is between the braces. */
        size_t length = strlen(contents);
        if (length < 4) {
                return -EBADMSG;
        }
        _cleanup_free_ char *signature = strndup(contents + 1, length - 2);
        if (!signature) {
                return -ENOMEM;
        }
        for (;;) {
                int r = sd_bus_message_at_end(message, false);
                if (r != 0) {
                        return r < 0 ? r : 0;
                }
                r = read_entry(message, signature, depth, object);
                if (r < 0) {
                        return r;
                }
        }
}

static int read_container(
                sd_bus_message *message, char type, const char *contents, unsigned depth, pm2_value **ret) {
        bool object = type == SD_BUS_TYPE_ARRAY && contents[0] == '{';
        _cleanup_value_ pm2_value *value = NULL;
        _cleanup_free_ char *copy = strdup(contents); /* the message's may move while it is read */

        if (!copy) {
                return -ENOMEM;
        }
        int r = value_new(object ? PM2_VALUE_OBJECT : PM2_VALUE_ARRAY, &value);
        if (r < 0) {
                return r;
        }
        r = sd_bus_message_enter_container(message, type, copy);
        if (r < 0) {
                return r;
        }
        r = object ? read_entries(message, copy, depth + 1, value) : read_items(message, depth + 1, value);
        if (r < 0) {
                return r;
        }
        r = sd_bus_message_exit_container(message);
        if (r < 0) {
                return r;
        }
        *ret = value;
        value = NULL;
        return 0;
}

static int read_variant(sd_bus_message *message, const char *contents, unsigned depth, pm2_value **ret) {
        _cleanup_value_ pm2_value *value = NULL;
        _cleanup_free_ char *copy = strdup(contents);

        if (!copy) {
                return -ENOMEM;
        }
        int r = sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, copy);
        if (r < 0) {
                return r;
        }
        r = read_any(message, depth + 1, &value);
        if (r < 0) {
                return r;
        }
        r = sd_bus_message_exit_container(message);
        if (r < 0) {
                return r;
        }
        *ret = value;
        value = NULL;
        return 0;
}

static int read_any(sd_bus_message *message, unsigned depth, pm2_value **ret) {
        const char *contents = NULL;
        char type = 0;

        /* A variant around each container doubles the levels on the wire. */
        if (depth >= VALUE_DEPTH_MAX * 2) {
                return -ELOOP;
        }
        int r = sd_bus_message_peek_type(message, &type, &contents);
        if (r < 0) {
                return r;
        }
        if (r == 0) {
                return -ENXIO;
        }
        switch (type) {
        case SD_BUS_TYPE_ARRAY:
                if (strcmp(contents, "y") == 0) {
                        return read_bytes(message, ret);
                }
                return read_container(message, type, contents, depth, ret);
        case SD_BUS_TYPE_STRUCT:
        case SD_BUS_TYPE_DICT_ENTRY:
                return read_container(message, type, contents, depth, ret);
        case SD_BUS_TYPE_VARIANT:
                return read_variant(message, contents, depth, ret);
        default:
                return read_basic(message, type, ret);
        }
}

int value_read(sd_bus_message *message, pm2_value **ret) {
        return read_any(message, 0, ret);
}
