/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/saved-list.h"

/* An object of PM2's dump.pm2 as an entry: its attributes are taken, its facts of run time are not. The
 * entry's line is set already. Values are taken out of the object. */
int saved_list_read_pm2(Value *object, SavedEntry *ret, Error *error);
