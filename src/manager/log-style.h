/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/app-config.h"
#include "core/log-date.h"
#include "platform/journal-sender.h"
#include "platform/log-pump.h"

/* What the lines of a launch are made with. Lies in the window of its pump, so that a successor goes on as
 * it was begun; all texts end with a NUL. */
typedef struct PumpRecipe {
        uint32_t process_slot; /* 1 more than it is; 0: of no process any more */
        uint32_t id;
        uint32_t owner;
        int32_t pid;
        uint32_t json;
        uint32_t journal;
        char date_format[LOG_DATE_FORMAT_BYTES_MAX + 1];
        char name[256], namespace[256];
} PumpRecipe;

/* Whether the streams of an app need a pump. */
bool log_style_needs_pump(const AppConfig *config);
/* The part of a recipe that the config says. */
void log_style_fill(const AppConfig *config, PumpRecipe *recipe);
/* In case it is not ours. */
void log_style_end_texts(PumpRecipe *recipe);

PumpLines log_style_format(
                const PumpRecipe *recipe, int stream, const PumpSource *source, char *out, size_t out_size);
/* An entry for a line; "<3>" before it is its priority, as systemd has it (sd-daemon(3)), else 6, of
 * standard error 3. */
int log_style_send(
                const PumpRecipe *recipe,
                JournalSender *sender,
                int stream,
                const char *line,
                size_t length);
