/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* "version" of the nearest package.json above a script, "N/A" if there is none that can be read. Freed by
 * the caller. */
char *package_version_find(const char *script_path);
