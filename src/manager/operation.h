/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/error.h"
#include "manager/request.h"

#include <systemd/sd-event.h>

/* One call of a caller over one or more processes: it is answered once, when all of them are done, when its
 * timeout is over, or at once if the caller does not want to wait. The work goes on without it. */
typedef struct Operation Operation;

/* ids: of the processes that were done, or (wait=false) taken on, in the order of the list. error: code
 * ERROR_NONE if all went well. Both are borrowed for the call. */
typedef void (*OperationHandler)(void *userdata, const Error *error, const GArray *ids);

/* Freed by itself when all is done. Held by its maker until operation_seal(). */
Operation *operation_new(sd_event *event, OperationHandler handler, void *userdata);

/* Who called, for the history of the processes; false: nobody said. */
void operation_set_caller(Operation *operation, uid_t uid);
bool operation_get_caller(const Operation *operation, uid_t *ret_uid);

/* One more process to wait for. */
void operation_expect(Operation *operation, uint32_t id);
/* The same of one that will be gone then: it is not among the ids of the answer. */
void operation_expect_removal(Operation *operation);

/* A process that was expected is done, or has failed (the error is taken over). */
void operation_finish(Operation *operation, uint32_t id, Error *error);

/* Something failed that is no process (yet): what names it in the text of several failures, NULL: the error
 * says it itself. The error is taken over. Before the operation is sealed. */
void operation_fail(Operation *operation, const char *what, Error *error);

/* Everything that belongs to it is expected: from here on it may be answered. */
void operation_seal_and_invalidate(Operation *operation, const Request *request);

/* The caller is gone: nobody is to be answered. Not after the handler was called. */
void operation_forget(Operation *operation);
