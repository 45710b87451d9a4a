/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "change.h"

/* Ecosystem files, and JSON from standard input ("-"). They are read here, with the caller's rights, and
 * sent as text. */

/* Whether a word of the command line is one to be started. */
bool document_is_meant(const char *word);

/* Whether it is one that stands for the names in it: the name of an ecosystem file, and there is such a
 * file. */
bool document_is_file(const char *word);

/* Whether one of the positional arguments from first on is one to be started. */
bool document_is_among(const Arguments *arguments, unsigned first);

/* What was given and cannot be together with a document: -EINVAL with ret_message, for g_free(). */
int document_check_options(const Arguments *arguments, char **ret_message);

/* The options of StartJson and Validate but those of the call: --only, --env, --update-env. */
int document_add_options(const Arguments *arguments, pm2_options *options);

/* Read a document. Returns an exit status; on failure a message was printed. */
int document_read(Ctl *ctl, const Arguments *arguments, const char *path, char **ret_text);

/* Validate a document. Returns an exit status; on failure a message was printed. */
int document_validate(
                Ctl *ctl, const char *path, const char *text, const pm2_options *options, pm2_value **ret);

/* Print what a validated document has without effect. */
void document_print_notices(const Ctl *ctl, const char *path, const pm2_value *result);

/* Print what is wrong in a validated document. Returns whether there is something. */
bool document_print_errors(const char *path, const pm2_value *result);

/* Start what a document declares, as one step of a change. Returns false if going on makes no sense. */
bool document_start(
                Change *change, const Arguments *arguments, const char *path, const pm2_options *options);

/* The targets of what a document declares ("name:api"), NULL-ended, for g_strfreev(). Returns an exit
 * status; on failure a message was printed. */
int document_list_targets(Ctl *ctl, const Arguments *arguments, const char *path, char ***ret);
