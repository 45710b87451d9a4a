/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/value.h"

/* Values as short texts, for tables:
 *   null  true  false  i:-5  d:1.5  s:text
 *   a:one|two      an array of strings           l:i:1|s:x      an array of any scalars
 *   m:K=v|L=w      a map of strings              M:K=i:1|L=null a map of any scalars
 *   []  {}         empty
 *   [[..]]         none of the above is nested; test_value_nested() is */
Value *test_value(const char *notation);

/* Arrays (or maps, each with the key "k") of this depth around nothing. */
Value *test_value_nested(unsigned depth, bool maps);

/* The same value always gives the same text: s:text, [s:a, i:1], {K: s:v}. */
char *test_value_to_text(const Value *value);
