/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client.h"

/* What a JavaScript module exports, as one line of JSON: evaluated by the node in the PATH of this program,
 * with its rights and environment, for at most timeout_usec (0: 30 s). What it prints goes to standard
 * error. Negative errno with the text in the client: -ENOENT: there is no node, or no such file; -ETIMEDOUT;
 * -EBADMSG: it threw, or exports nothing; -EFBIG. */
int node_evaluate(pm2_client *client, const char *path, uint64_t timeout_usec, char **ret_json);
