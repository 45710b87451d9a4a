/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl.h"

/* Turn what the command line says into options of a call. -EINVAL: ret_message, to be freed with g_free(),
 * says what is wrong; -ENOMEM. Each adds to options. */

/* --wait and --timeout. */
int attributes_add_call(const Arguments *arguments, pm2_options *options, char **ret_message);

/* The attributes of an app, --env, --set, --update-env, --force, and the arguments behind "--". */
int attributes_add_app(const Arguments *arguments, pm2_options *options, char **ret_message);

/* One attribute as KEY=VALUE. */
int attributes_add_assignment(const char *assignment, pm2_options *options, char **ret_message);

/* The option that was given and sets something of an app, NULL if there is none: a JSON file has its own. */
const OptionSpec *attributes_find_app(const Arguments *arguments);
