/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Translation of what people read. Error names, JSON keys and statuses stay English. */

#if PM2D_ENABLE_NLS
#        include <libintl.h>
#        define _(text) gettext(text)
#else
#        define _(text) (text)
#endif
#define N_(text) text
