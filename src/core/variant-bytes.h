/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A GVariant as it is written down, and back. */

/* Takes a floating one. */
GBytes *variant_to_bytes(GVariant *variant);
/* NULL: the bytes are not those of a variant of that type. They are copied, for they may lie in a mapping
 * that moves. */
GVariant *variant_from_bytes(const void *bytes, size_t size, const char *type);
