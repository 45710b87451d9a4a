/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

typedef struct Rolling Rolling;

/* Each command of it has a reference. */
Rolling *rolling_new(void);
Rolling *rolling_ref(Rolling *rolling);
void rolling_unref(Rolling *rolling);

/* Have a reload that the app is at answer an operation that expects the process, own being that of the
 * operation; false: none does. */
bool rolling_join(const Manager *manager, Process *process, const Rolling *own, Operation *operation);
/* rolling: NULL, nothing. */
void rolling_add_done(Rolling *rolling, uint32_t id);
/* A process could not be replaced: what of its app waits for its turn is not tried. */
void rolling_fail(Manager *manager, const Process *culprit);
