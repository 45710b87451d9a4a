/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/variant-bytes.h"

#include <stdint.h>
#include <string.h>

GBytes *variant_to_bytes(GVariant *variant) {
        g_autoptr(GVariant) owned = g_variant_ref_sink(variant);

        return g_variant_get_data_as_bytes(owned);
}

/* Of what is cut short GLib (2.74) reads a byte behind the end: there is something. */
static GBytes *copy_padded(const void *bytes, size_t size) {
        char *buffer = g_malloc0(size + sizeof(uint64_t));

        if (size > 0) {
                memcpy(buffer, bytes, size);
        }
        g_autoptr(GBytes) padded = g_bytes_new_take(buffer, size + sizeof(uint64_t));
        return g_bytes_new_from_bytes(padded, 0, size);
}

GVariant *variant_from_bytes(const void *bytes, size_t size, const char *type) {
        g_autoptr(GBytes) copy = copy_padded(bytes, size);
        g_autoptr(GVariant) raw =
                        g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(type), copy, FALSE));

        return g_variant_is_normal_form(raw) ? g_steal_pointer(&raw) : NULL;
}
