/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The rules of a zone of the time zone database ("Europe/Berlin", a name that was checked: no "..",
 * relative);
 * NULL: our own, which TZ or /etc/localtime tells. Reads one small file. -ENOENT: there is no such zone.
 * Freed by g_time_zone_unref(): what nobody holds is read anew, so a new time zone database counts. */
int time_zone_open(const char *name, GTimeZone **ret);
