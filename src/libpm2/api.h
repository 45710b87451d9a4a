/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the calls of the PM2 API have in common. */

#include "client.h"

/* -EINVAL, noted: the text is not UTF-8. */
int api_check_text(pm2_client *client, const char *what, const char *text);

/* How long a call with these options may take. The supervisor keeps to the "timeout" option by itself; a
 * bound of ours only guards against one that hangs. */
uint64_t api_call_timeout(const pm2_options *options);

/* A call that answers with object paths: ret_processes, unless NULL, gets their processes. list_before: they
 * will be gone afterwards. */
int api_change(pm2_client *client, const Call *call, bool list_before, pm2_value **ret_processes);
