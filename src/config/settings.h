/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"

#include <stdint.h>

/* Settings of the supervisor: pm2d.conf, section [daemon]. One table in settings.c, as for attributes. */
typedef struct Settings {
        char *log_level;
        char *isolation;
        char *adopt;
        char *cgroup_root; /* "": below the cgroup of the supervisor */
        char *load_saved;  /* "yes" or "no" */
        char *pm2_version; /* that PM2's clients are told */
        uint64_t processes_max;
        uint64_t start_parallel; /* launches at a time */
        uint64_t peers_max;
        uint64_t pending_calls_max;
        uint64_t message_bytes_max;
        uint64_t launch_timeout_usec;
        uint64_t streams_max;        /* of one user */
        uint64_t stream_backlog_max; /* bytes */
        uint64_t logs_max_bytes;     /* 0: no cap */
} Settings;

void settings_init(Settings *settings);
void settings_done(Settings *settings);

/* Read one file over what is there; a missing file is none. InvalidConfig names file, key and value. */
int settings_read_file(Settings *settings, const char *path, Error *error);

/* <folder>/pm2d.conf, then <folder>/pm2d.conf.d/?*.conf by name. */
int settings_read_folder(Settings *settings, const char *folder, Error *error);

/* The table as it is printed by "pm2d --print-settings": key = value, with the help as comments. */
char *settings_to_text(const Settings *settings);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Settings, settings_done)
