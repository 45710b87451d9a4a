/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/log-bounds.h"

enum {
        PARTS = 6, /* of log_max_size each: as if one were written to and five were kept */
        LEAST_BYTES = 65536,
};

LogLimits log_limits_of(const AppConfig *config) {
        uint64_t size = config->log_max_size_bytes;
        bool separate = app_config_is_given(config, "log_retain") ||
                        app_config_is_given(config, "log_compress");

        return (LogLimits){
                .bound_bytes = separate ? size : size * PARTS,
                .part_bytes = size,
                .separate = separate && size > 0,
                .retain = config->log_retain,
                .compression = (LogCompression) config->log_compress,
        };
}

LogLimits log_limits_join(LogLimits one, LogLimits other) {
        if (one.bound_bytes == 0 || other.bound_bytes == 0) {
                return one.bound_bytes == 0 ? one : other;
        }
        if (one.separate != other.separate) {
                return one.separate ? one : other;
        }
        LogLimits *larger = one.bound_bytes > other.bound_bytes ? &one : &other;
        larger->retain = MAX(one.retain, other.retain);
        return *larger;
}

uint64_t log_interval_usec(
                uint64_t size_bytes, uint64_t bound_bytes, uint64_t grown_bytes, uint64_t elapsed_usec) {
        if (size_bytes >= bound_bytes) {
                return LOG_INTERVAL_MIN_USEC;
        }
        /* In floating point: nothing overflows, and nobody counts the microseconds. */
        double rate = (double) grown_bytes / (double) MAX(elapsed_usec, 1);
        double usec = (double) (bound_bytes - size_bytes) / 2 / MAX(rate, 1e-9);

        return (uint64_t) CLAMP(usec, (double) LOG_INTERVAL_MIN_USEC, (double) LOG_INTERVAL_MAX_USEC);
}

bool log_limits_squeeze(LogLimits *limits, const LogUse *use, uint64_t wanted_bytes) {
        if (limits->separate) {
                if (use->kept_files < 2) {
                        return false;
                }
                uint64_t mean_bytes = MAX(use->kept_bytes / use->kept_files, 1);
                uint64_t files = MIN(wanted_bytes / mean_bytes + 1, use->kept_files - 1);
                limits->retain = use->kept_files - files;
                return true;
        }
        if (use->size_bytes < UINT64_C(2) * LEAST_BYTES) {
                return false;
        }
        limits->bound_bytes = use->size_bytes - 1;
        limits->part_bytes = MIN(wanted_bytes, limits->bound_bytes - LEAST_BYTES);
        return true;
}
