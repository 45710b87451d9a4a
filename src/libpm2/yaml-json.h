/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* Turn a YAML document into JSON text on whose lines everything stands where it does in the YAML, so that
 * whoever reads the JSON can say lines of the YAML. Plain scalars are those of YAML 1.2's core schema;
 * aliases and merge keys ("<<") are put in. Refused beside bad syntax: over 1 MiB, deeper than
 * VALUE_DEPTH_MAX, over 65536 values after aliases are put in, duplicate keys, keys that are no scalars,
 * tags of applications, .inf and .nan, a second document. -EBADMSG: ret_message, to be ended with free(),
 * says what is wrong on which line; -ENOMEM. */
int yaml_to_json(const char *text, size_t length, char **ret_json, char **ret_message);
