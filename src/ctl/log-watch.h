/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "log-tail.h"

#include <glib.h>

/* Wait for changes of the files and update each, until nobody reads standard output any more. tails: of
 * LogTail. Returns 0 then; a negative errno if waiting fails. */
int log_watch(const GPtrArray *tails);
