/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"

#include <systemd/sd-bus.h>

/* Put an error of the manager into one of D-Bus: org.pm2.Error.<name>, or the standard name where there is
 * one. Returns the negative errno that a method handler returns. */
int bus_error_from(const Error *error, sd_bus_error *ret);
