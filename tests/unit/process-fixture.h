/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/registry.h"

/* 33 bytes, different for each number. */
const char *test_unique_id(uint32_t number);

/* A process in the registry, with this name and namespace. */
Process *test_process_add(Registry *registry, const char *name, const char *namespace, uid_t owner);
