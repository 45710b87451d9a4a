/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* "SIGKILL" for 9, "SIGRTMIN+3" for real-time signals; NULL if it is no signal. The text is static or in
 * a static buffer that the next call may overwrite. */
const char *signal_to_name(int number);

/* A name with or without "SIG", in any case, or a number; -EINVAL if it is none. */
int signal_from_text(const char *text);
