/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The interpreter for a script by its extension ("python3" for ".py"), NULL if the extension says nothing.
 * The map is PM2's (7.0.4), with .mjs and .cjs beside .js. */
const char *interpreter_for_extension(const char *extension);
