/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager-internal.h"

/* The configuration that a process had before its reload, for as long as reload_watch says that it may come
 * back. */

/* The process of the handle has just taken the place of the other, whose configuration this may become. */
void rollback_prepare(ProcessHandle *handle, const Process *before);
/* Nothing is to come back any more. */
void rollback_forget(ProcessHandle *handle);

/* Whether it may come back now. */
bool rollback_is_due(const ProcessHandle *handle);

/* It has ended without being told to: whether its configuration is again the one before the reload. */
bool rollback_take(ProcessHandle *handle);

/* As it lies in the state. Decode: false for what is not whole. */
GBytes *rollback_encode(const ProcessHandle *handle);
bool rollback_decode(ProcessHandle *handle, const void *bytes, size_t size);
