/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"
#include "core/value.h"

/* The apps that a JSON document declares: one app, an array of apps, or {"apps": [...]}. An array of maps in
 * the order of the document. InvalidData for bad JSON, InvalidConfig for another shape. */
int ecosystem_decode(const char *document, Value **ret, Error *error);

enum {
        ECOSYSTEM_APPS_MAX = 10000,
};
