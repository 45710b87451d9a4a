/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A tree of typed values: what replies are turned into, so that users of the library need not know D-Bus.
 * Containers own what is in them. Objects keep the order of their keys and are searched one by one: they
 * are small, and the order is part of the documented process structure. */

#include "value.h"

#include "basic/parse-util.h"

#include <string.h>

int value_new(pm2_value_type type, pm2_value **ret) {
        pm2_value *value = calloc(1, sizeof(*value));
        if (!value) {
                return -ENOMEM;
        }
        value->type = type;
        *ret = value;
        return 0;
}

int value_new_string(const char *text, pm2_value **ret) {
        _cleanup_value_ pm2_value *value = NULL;

        int r = value_new(PM2_VALUE_STRING, &value);
        if (r < 0) {
                return r;
        }
        value->string = strdup(text);
        if (!value->string) {
                return -ENOMEM;
        }
        *ret = value;
        value = NULL;
        return 0;
}

PM2_EXPORT int pm2_value_new_array(pm2_value **ret) {
        return value_new(PM2_VALUE_ARRAY, ret);
}

PM2_EXPORT int pm2_value_new_object(pm2_value **ret) {
        return value_new(PM2_VALUE_OBJECT, ret);
}

static bool is_container(const pm2_value *value) {
        return value && (value->type == PM2_VALUE_ARRAY || value->type == PM2_VALUE_OBJECT);
}

PM2_EXPORT pm2_value *pm2_value_free(pm2_value *value) {
        if (!value) {
                return NULL;
        }
        if (value->type == PM2_VALUE_STRING) {
                free(value->string);
        } else if (is_container(value)) {
                for (size_t i = 0; i < value->length; i++) {
                        (void) pm2_value_free(value->items[i]);
                        if (value->keys) {
                                free(value->keys[i]);
                        }
                }
                free(value->items);
                free(value->keys);
        }
        free(value);
        return NULL;
}

static int grow(pm2_value *container) {
        if (container->length < container->allocated) {
                return 0;
        }
        size_t allocated = container->allocated ? container->allocated * 2 : 8;
        pm2_value **items = reallocarray(container->items, allocated, sizeof(*items));
        if (!items) {
                return -ENOMEM;
        }
        container->items = items;
        if (container->type == PM2_VALUE_OBJECT) {
                char **keys = reallocarray(container->keys, allocated, sizeof(*keys));
                if (!keys) {
                        return -ENOMEM;
                }
                container->keys = keys;
        }
        container->allocated = allocated;
        return 0;
}

/* Account for the depth that the item brings. */
static int nest(pm2_value *container, const pm2_value *item) {
        if (!is_container(item)) {
                return 0;
        }
        if (item->height + 1 >= VALUE_NESTED_MAX) {
                return -ELOOP;
        }
        if (container->height < item->height + 1) {
                container->height = item->height + 1;
        }
        return 0;
}

int value_append(pm2_value *container, const char *key, pm2_value *item) {
        if (!is_container(container) || (container->type == PM2_VALUE_OBJECT) != (key != NULL)) {
                return -EINVAL;
        }
        int r = grow(container);
        if (r < 0) {
                return r;
        }
        _cleanup_free_ char *copy = key ? strdup(key) : NULL;
        if (key && !copy) {
                return -ENOMEM;
        }
        r = nest(container, item);
        if (r < 0) {
                return r;
        }
        if (key) {
                container->keys[container->length] = copy;
                copy = NULL;
        }
        container->items[container->length++] = item;
        return 0;
}

/* Index of a key of length bytes, or the object's length. */
static size_t find_key(const pm2_value *object, const char *key, size_t length) {
        size_t i = 0;

        while (i < object->length &&
               (strncmp(object->keys[i], key, length) != 0 || object->keys[i][length] != '\0')) {
                i++;
        }
        return i;
}

PM2_EXPORT int pm2_value_add_value(pm2_value *container, const char *key, pm2_value *item) {
        if (!item || item == container) {
                return -EINVAL;
        }
        if (key && container && container->type == PM2_VALUE_OBJECT) {
                size_t i = find_key(container, key, strlen(key));
                if (i < container->length) {
                        int r = nest(container, item);
                        if (r < 0) {
                                return r;
                        }
                        (void) pm2_value_free(container->items[i]);
                        container->items[i] = item;
                        return 0;
                }
        }
        return value_append(container, key, item);
}

static int add_scalar(pm2_value *container, const char *key, const pm2_value *scalar) {
        _cleanup_value_ pm2_value *item = NULL;

        int r = value_new(scalar->type, &item);
        if (r < 0) {
                return r;
        }
        *item = *scalar;
        r = pm2_value_add_value(container, key, item);
        if (r < 0) {
                return r;
        }
        item = NULL;
        return 0;
}

static int copy_items(const pm2_value *value, pm2_value *copy) {
        for (size_t i = 0; i < value->length; i++) {
                _cleanup_value_ pm2_value *item = NULL;
                int r = pm2_value_copy(value->items[i], &item);
                if (r < 0) {
                        return r;
                }
                r = value_append(copy, value->keys ? value->keys[i] : NULL, item);
                if (r < 0) {
                        return r;
                }
                item = NULL;
        }
        return 0;
}

PM2_EXPORT int pm2_value_copy(const pm2_value *value, pm2_value **ret) {
        _cleanup_value_ pm2_value *copy = NULL;

        if (pm2_value_get_type(value) == PM2_VALUE_STRING) {
                return value_new_string(value->string, ret);
        }
        int r = value_new(pm2_value_get_type(value), &copy);
        if (r < 0) {
                return r;
        }
        if (is_container(value)) {
                r = copy_items(value, copy);
                if (r < 0) {
                        return r;
                }
        } else if (value) {
                *copy = *value;
        }
        *ret = copy;
        copy = NULL;
        return 0;
}

PM2_EXPORT int pm2_value_add_null(pm2_value *container, const char *key) {
        return add_scalar(container, key, &(pm2_value){ .type = PM2_VALUE_NULL });
}

PM2_EXPORT int pm2_value_add_bool(pm2_value *container, const char *key, bool item) {
        return add_scalar(container, key, &(pm2_value){ .type = PM2_VALUE_BOOL, .boolean = item });
}

PM2_EXPORT int pm2_value_add_int64(pm2_value *container, const char *key, int64_t item) {
        return add_scalar(container, key, &(pm2_value){ .type = PM2_VALUE_INT64, .int64 = item });
}

PM2_EXPORT int pm2_value_add_uint64(pm2_value *container, const char *key, uint64_t item) {
        return add_scalar(container, key, &(pm2_value){ .type = PM2_VALUE_UINT64, .uint64 = item });
}

PM2_EXPORT int pm2_value_add_double(pm2_value *container, const char *key, double item) {
        return add_scalar(container, key, &(pm2_value){ .type = PM2_VALUE_DOUBLE, .number = item });
}

PM2_EXPORT int pm2_value_add_string(pm2_value *container, const char *key, const char *item) {
        _cleanup_value_ pm2_value *value = NULL;

        int r = value_new_string(item, &value);
        if (r < 0) {
                return r;
        }
        r = pm2_value_add_value(container, key, value);
        if (r < 0) {
                return r;
        }
        value = NULL;
        return 0;
}

PM2_EXPORT pm2_value_type pm2_value_get_type(const pm2_value *value) {
        return value ? value->type : PM2_VALUE_NULL;
}

PM2_EXPORT size_t pm2_value_get_length(const pm2_value *value) {
        return is_container(value) ? value->length : 0;
}

PM2_EXPORT const pm2_value *pm2_value_get_item(const pm2_value *value, size_t index) {
        return index < pm2_value_get_length(value) ? value->items[index] : NULL;
}

PM2_EXPORT const char *pm2_value_get_key(const pm2_value *value, size_t index) {
        return index < pm2_value_get_length(value) && value->keys ? value->keys[index] : NULL;
}

static const pm2_value *array_item(const pm2_value *array, const char *digits, size_t length) {
        char text[16];
        uint32_t index;

        if (length >= sizeof(text)) {
                return NULL;
        }
        memcpy(text, digits, length);
        text[length] = '\0';
        return parse_uint32(text, &index) == 0 ? pm2_value_get_item(array, index) : NULL;
}

PM2_EXPORT const pm2_value *pm2_value_get(const pm2_value *value, const char *path) {
        while (*path) {
                size_t length = strcspn(path, ".");
                if (!is_container(value)) {
                        return NULL;
                }
                if (value->type == PM2_VALUE_ARRAY) {
                        value = array_item(value, path, length);
                } else {
                        size_t i = find_key(value, path, strlen(path));
                        if (i < value->length) {
                                return value->items[i];
                        }
                        i = find_key(value, path, length);
                        value = i < value->length ? value->items[i] : NULL;
                }
                if (!value) {
                        return NULL;
                }
                path += length;
                if (*path == '.') {
                        path++;
                }
        }
        return value;
}

PM2_EXPORT int pm2_value_get_bool(const pm2_value *value, const char *path, bool *ret) {
        value = pm2_value_get(value, path);
        if (!value) {
                return -ENOENT;
        }
        if (value->type != PM2_VALUE_BOOL) {
                return -EINVAL;
        }
        *ret = value->boolean;
        return 0;
}

/* 2^63 and 2^64 are exact doubles; the limits of the types themselves are not. */
static int double_to_int64(double number, int64_t *ret) {
        if (!(number >= -0x1p63 && number < 0x1p63)) {
                return -ERANGE;
        }
        int64_t whole = (int64_t) number;
        if ((double) whole != number) {
                return -EINVAL;
        }
        *ret = whole;
        return 0;
}

static int double_to_uint64(double number, uint64_t *ret) {
        if (!(number >= 0 && number < 0x1p64)) {
                return -ERANGE;
        }
        uint64_t whole = (uint64_t) number;
        if ((double) whole != number) {
                return -EINVAL;
        }
        *ret = whole;
        return 0;
}

PM2_EXPORT int pm2_value_get_int64(const pm2_value *value, const char *path, int64_t *ret) {
        value = pm2_value_get(value, path);
        if (!value) {
                return -ENOENT;
        }
        if (value->type == PM2_VALUE_DOUBLE) {
                return double_to_int64(value->number, ret);
        }
        if (value->type == PM2_VALUE_UINT64) {
                if (value->uint64 > INT64_MAX) {
                        return -ERANGE;
                }
                *ret = (int64_t) value->uint64;
                return 0;
        }
        if (value->type != PM2_VALUE_INT64) {
                return -EINVAL;
        }
        *ret = value->int64;
        return 0;
}

PM2_EXPORT int pm2_value_get_uint64(const pm2_value *value, const char *path, uint64_t *ret) {
        value = pm2_value_get(value, path);
        if (!value) {
                return -ENOENT;
        }
        if (value->type == PM2_VALUE_DOUBLE) {
                return double_to_uint64(value->number, ret);
        }
        if (value->type == PM2_VALUE_INT64) {
                if (value->int64 < 0) {
                        return -ERANGE;
                }
                *ret = (uint64_t) value->int64;
                return 0;
        }
        if (value->type != PM2_VALUE_UINT64) {
                return -EINVAL;
        }
        *ret = value->uint64;
        return 0;
}

PM2_EXPORT int pm2_value_get_double(const pm2_value *value, const char *path, double *ret) {
        value = pm2_value_get(value, path);
        if (!value) {
                return -ENOENT;
        }
        if (value->type == PM2_VALUE_INT64) {
                *ret = (double) value->int64;
        } else if (value->type == PM2_VALUE_UINT64) {
                *ret = (double) value->uint64;
        } else if (value->type == PM2_VALUE_DOUBLE) {
                *ret = value->number;
        } else {
                return -EINVAL;
        }
        return 0;
}

PM2_EXPORT int pm2_value_get_string(const pm2_value *value, const char *path, const char **ret) {
        value = pm2_value_get(value, path);
        if (!value) {
                return -ENOENT;
        }
        if (value->type != PM2_VALUE_STRING) {
                return -EINVAL;
        }
        *ret = value->string;
        return 0;
}
