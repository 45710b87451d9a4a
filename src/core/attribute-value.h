/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/app-config.h"

/* Between app-config.c and its setters. */

enum {
        USEC_PER_PERCENT = 10000, /* of a second */
};

/* Where an attribute has its field. */
void *attribute_field(const AppConfig *config, const Attribute *attribute);

/* InvalidConfig: what was expected, and what came. */
int attribute_refuse(const Attribute *attribute, const Value *value, Error *error);

/* attribute-limits.c */
int attribute_set_limits(AppConfig *config, const Attribute *attribute, const Value *value, Error *error);

/* Read a value into the field; InvalidConfig or NotSupported with the name of the attribute. What was there
 * stays on failure. The value is not null. */
int attribute_set(AppConfig *config, const Attribute *attribute, const Value *value, Error *error);
