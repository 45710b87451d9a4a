/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* What came of a question to an app. Called once, from the loop, when the probe is gone already. why: of a
 * failure, for a person, and with nothing in it that is anybody's secret; it lives for the call. */
typedef void (*ProbeHandler)(void *userdata, bool success, const char *why);
