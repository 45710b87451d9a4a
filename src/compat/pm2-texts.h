/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "manager/manager.h"

#include <glib.h>

/* What PM2 tells of a process and what changes with its configuration alone, as JSON text: it is most of
 * what there is to tell, and clients ask for it again and again. Texts are kept while somebody asks. */
typedef struct Pm2Texts Pm2Texts;

/* The first members of pm2_env, without braces. */
typedef struct Pm2Text {
        GString *text;
        size_t env_start, env_length; /* the member "env" in it, with its comma */
} Pm2Text;

int pm2_texts_new(sd_event *event, Manager *manager, Pm2Texts **ret);
void pm2_texts_free(Pm2Texts *texts);

/* Borrowed until the next call. */
const Pm2Text *pm2_texts_get(Pm2Texts *texts, const Process *process);

/* It is removed. */
void pm2_texts_forget(Pm2Texts *texts, const Process *process);
