/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ctl.h"
#include "i18n.h"

#include <locale.h>
#include <stdlib.h>

int main(int argc, char **argv) {
        (void) setlocale(LC_ALL, "");
#if PM2D_ENABLE_NLS
        const char *folder = getenv("PM2D_LOCALE_DIR");
        (void) bindtextdomain("pm2d", folder && folder[0] ? folder : PM2D_LOCALE_DIR);
        (void) textdomain("pm2d");
#endif
        return ctl_run((const char *const *) argv + (argc > 0 ? 1 : 0));
}
