/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process-find.h"

const pm2_value *process_find(const pm2_value *processes, uint32_t id) {
        for (size_t i = 0; i < pm2_value_get_length(processes); i++) {
                const pm2_value *process = pm2_value_get_item(processes, i);
                if (pm2_process_get_id(process) == id) {
                        return process;
                }
        }
        return NULL;
}
