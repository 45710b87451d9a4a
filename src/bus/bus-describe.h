/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager.h"

#include <systemd/sd-bus.h>

/* Append the a{sv} of one process: PM2's process structure with its documented fields, in their order. full:
 * with every attribute and fact beside in pm2_env; environment values are for the owner alone. */
int bus_describe_append(
                sd_bus_message *message,
                Manager *manager,
                Process *process,
                const Caller *caller,
                bool full);

/* Append every attribute as entries of an a{sv} that is open. */
int bus_describe_append_config(sd_bus_message *message, const AppConfig *config, bool with_environment);
