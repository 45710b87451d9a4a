/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <pm2/pm2.h>
#include <stdint.h>

/* A client of PM2's own daemon, at its request socket: one call at a time, each with a deadline. The daemon
 * may be old, broken, or something else altogether: what it answers is bounded and checked. */
typedef struct AmpClient AmpClient;

/* On failure ret_message, for g_free(), says why; so do the calls. -ENOTCONN: nobody accepts connections
 * there; -EPERM: it is another user's; -ETIMEDOUT; -ENAMETOOLONG. */
int amp_client_open(const char *path, AmpClient **ret, char **ret_message);
void amp_client_free(AmpClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AmpClient, amp_client_free)

/* Call a method with one argument (NULL: an empty object). ret gets what it returns, a null where that is
 * nothing. -EREMOTEIO: the daemon refuses, and its text is the message; -EBADMSG: its answer makes no sense;
 * -ECONNRESET: it has gone; -ETIMEDOUT: it has not answered, and may yet do what it was told. */
int amp_client_call(
                AmpClient *client,
                const char *method,
                const pm2_value *argument,
                uint64_t timeout_msec,
                pm2_value **ret,
                char **ret_message);

/* The home of PM2 that is meant: as given, else $PM2_HOME, else ~/.pm2; absolute. For g_free(). */
char *amp_home_folder(const char *given);
/* Its request socket, which $PM2_DAEMON_RPC_PORT names where no home is given. For g_free(). */
char *amp_home_socket(const char *given);
