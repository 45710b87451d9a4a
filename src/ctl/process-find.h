/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pm2/pm2.h>

/* The process of an id in an array of processes, NULL if there is none. */
const pm2_value *process_find(const pm2_value *processes, uint32_t id);
