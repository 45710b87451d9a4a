/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Print the table of attributes on standard output: a line for each for persons (form NULL), or for programs
 * with its fields between tabs ("table"). -EINVAL: no such form. */
int print_attributes(const char *form);
