/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The machine's figures under PM2's names. Nothing is read but when somebody asks: rates are since the last
 * time that somebody did. */

#include "basic/time-util.h"
#include "manager/manager-internal.h"
#include "platform/host-figures.h"
#include "platform/host-mounts.h"

#include <string.h>

#define SAMPLE_USEC_MIN (USEC_PER_SEC / 2)
#define MEBIBYTE        ((double) (1 << 20))
#define GIBIBYTE        ((double) (1 << 30))

struct SystemSamples {
        HostSample before, now;
};

void manager_system_free(Manager *manager) {
        if (manager->system_samples) {
                host_sample_done(&manager->system_samples->before);
                host_sample_done(&manager->system_samples->now);
                g_clear_pointer(&manager->system_samples, g_free);
        }
}

/* digits: behind the point; there are few, and nobody reads more. */
static double rounded(double value, unsigned digits) {
        double scale = digits == 1 ? 10 : digits == 2 ? 100 : 1000;

        return (double) (int64_t) (value * scale + 0.5) / scale;
}

static void add(Value *figures, const char *name, Value *value, const char *unit) {
        Value *figure = value_new_map();

        value_set(figure, "value", value);
        value_set(figure, "type", value_new_string("metric"));
        value_set(figure, "unit", value_new_string(unit));
        value_set(figure, "historic", value_new_bool(true));
        value_set(figures, name, figure);
}

static void add_cpu_and_memory(Value *figures, const HostSample *before, const HostSample *now) {
        const HostMemory *memory = &now->memory;
        uint64_t busy = now->cpu.busy_ticks - MIN(before->cpu.busy_ticks, now->cpu.busy_ticks);
        uint64_t all = now->cpu.all_ticks - MIN(before->cpu.all_ticks, now->cpu.all_ticks);
        uint64_t active_bytes = memory->total_bytes - memory->available_bytes;
        double used = host_percent(active_bytes, memory->total_bytes);

        add(figures, "CPU Usage", value_new_double(rounded(host_percent(busy, all), 1)), "%");
        add(figures, "CPU Temperature", value_new_double(-1), "°C");
        add(figures, "RAM Usage", value_new_double(rounded(used, 1)), "%");
        add(figures, "RAM Total", value_new_int((int64_t) memory->total_bytes), "b");
        add(figures, "RAM Available", value_new_int((int64_t) memory->available_bytes), "b");
        add(figures, "RAM Active", value_new_int((int64_t) active_bytes), "b");
}

static Value *bytes_rate(uint64_t before, uint64_t now, uint64_t elapsed_usec) {
        return value_new_double(rounded(host_rate(before, now, elapsed_usec, USEC_PER_SEC) / MEBIBYTE, 3));
}

static void add_interface(
                Value *figures,
                const HostInterface *before,
                const HostInterface *now,
                uint64_t elapsed_usec) {
        const struct {
                const char *name;
                uint64_t before, now;
                bool bytes;
        } rows[] = {
                { "net:rx_5:", before->rx_bytes, now->rx_bytes, true },
                { "net:tx_5:", before->tx_bytes, now->tx_bytes, true },
                { "net:rx_errors_60:", before->rx_errors, now->rx_errors, false },
                { "net:tx_errors_60:", before->tx_errors, now->tx_errors, false },
                { "net:rx_dropped_60:", before->rx_dropped, now->rx_dropped, false },
                { "net:tx_dropped_60:", before->tx_dropped, now->tx_dropped, false },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                g_autofree char *name = g_strconcat(rows[i].name, now->name, NULL);
                if (rows[i].bytes) {
                        add(figures, name, bytes_rate(rows[i].before, rows[i].now, elapsed_usec), "mb/s");
                } else {
                        double rate = host_rate(
                                        rows[i].before, rows[i].now, elapsed_usec, 60 * USEC_PER_SEC);
                        add(figures, name, value_new_double(rounded(rate, 1)), "/min");
                }
        }
}

static void add_file_system(Value *figures, const HostFileSystem *file_system) {
        g_autofree char *use = g_strconcat("fs:use:", file_system->folder, NULL);
        g_autofree char *size = g_strconcat("fs:size:", file_system->folder, NULL);
        double used = host_percent(
                        file_system->used_bytes, file_system->used_bytes + file_system->free_bytes);

        add(figures, use, value_new_double(rounded(used, 1)), "%");
        add(figures, size, value_new_double(rounded((double) file_system->size_bytes / GIBIBYTE, 2)), "gb");
}

static Value *describe(const HostSample *before, const HostSample *now) {
        uint64_t elapsed_usec = now->boottime_usec - before->boottime_usec;
        Value *figures = value_new_map();

        add_cpu_and_memory(figures, before, now);
        for (guint i = 0; i < now->interfaces->len; i++) {
                const HostInterface *interface = &g_array_index(now->interfaces, HostInterface, i);
                const HostInterface *earlier = host_sample_find_interface(before, interface->name);
                bool came_later = !earlier && before->interfaces;
                const HostInterface none = { 0 };
                add_interface(figures, came_later ? interface : earlier ? earlier : &none, interface, elapsed_usec);
        }
        add(figures,
            "Disk Reads",
            bytes_rate(before->disks.read_bytes, now->disks.read_bytes, elapsed_usec),
            "mb/s");
        add(figures,
            "Disk Writes",
            bytes_rate(before->disks.written_bytes, now->disks.written_bytes, elapsed_usec),
            "mb/s");
        for (guint i = 0; i < now->file_systems->len; i++) {
                add_file_system(figures, now->file_systems->pdata[i]);
        }
        return figures;
}

/* A sample that is younger than the least time between two is used again. */
static int sample(Manager *manager) {
        struct SystemSamples *samples = manager->system_samples;
        g_auto(HostSample) now = { 0 };

        if (samples && now_boottime_usec() - samples->now.boottime_usec < SAMPLE_USEC_MIN) {
                return 0;
        }
        int r = host_sample_read(&now);
        if (r < 0) {
                return r;
        }
        if (!samples) {
                samples = manager->system_samples = g_new0(struct SystemSamples, 1);
        }
        host_sample_done(&samples->before);
        samples->before = samples->now; /* of nothing, the first time: all counters were 0 at the boot */
        samples->now = now;
        now = (HostSample){ 0 };
        return 0;
}

int manager_read_system(Manager *manager, Value **ret, Error *error) {
        int r = sample(manager);

        if (r < 0) {
                return error_set(
                                error,
                                ERROR_NOT_SUPPORTED,
                                "the figures of the machine cannot be read from /proc: %s",
                                g_strerror(-r));
        }
        *ret = describe(&manager->system_samples->before, &manager->system_samples->now);
        return 0;
}
