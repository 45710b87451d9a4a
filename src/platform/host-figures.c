/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "platform/host-figures.h"

#include "basic/macro.h"
#include "basic/time-util.h"
#include "platform/host-mounts.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
        SECTOR_BYTES = 512, /* of /proc/diskstats, whatever the disk has */
        CPUS_MAX = 1 << 16,
};

unsigned host_cpu_count(void) {
        for (int size = 1024; size <= CPUS_MAX; size *= 2) {
                cpu_set_t *set = CPU_ALLOC((size_t) size);
                size_t bytes = CPU_ALLOC_SIZE((size_t) size);
                int r = set ? sched_getaffinity(0, bytes, set) : -1;
                int error = errno;
                int count = r == 0 ? CPU_COUNT_S(bytes, set) : 0;
                CPU_FREE(set);
                if (count > 0) {
                        return (unsigned) count;
                }
                if (r == 0 || error != EINVAL) { /* else the kernel knows more of them */
                        break;
                }
        }
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online > 0 ? (unsigned) online : 1;
}

int host_parse_cpu(const char *text, HostCpu *ret) {
        /* user nice system idle iowait irq softirq steal; guests are in the first two as well */
        uint64_t ticks[8] = { 0 };
        HostCpu cpu = { 0 };

        if (!g_str_has_prefix(text, "cpu ") || /* not of the first alone */
            sscanf(text,
                   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                   " %" SCNu64,
                   &ticks[0],
                   &ticks[1],
                   &ticks[2],
                   &ticks[3],
                   &ticks[4],
                   &ticks[5],
                   &ticks[6],
                   &ticks[7]) < 4) {
                return -EBADMSG;
        }
        for (size_t i = 0; i < ELEMENTS(ticks); i++) {
                bool idle = i == 3 || i == 4;
                cpu.all_ticks += ticks[i];
                cpu.busy_ticks += idle ? 0 : ticks[i];
        }
        *ret = cpu;
        return 0;
}

/* A line of /proc/meminfo; its name has the colon. */
static bool find_bytes(const char *text, const char *name, uint64_t *ret) {
        size_t length = strlen(name);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, name, length) == 0) {
                        *ret = strtoull(line + length, NULL, 10) * 1024;
                        return true;
                }
        }
        return false;
}

int host_parse_memory(const char *text, HostMemory *ret) {
        HostMemory memory;

        if (!find_bytes(text, "MemTotal:", &memory.total_bytes) ||
            !find_bytes(text, "MemAvailable:", &memory.available_bytes)) {
                return -EBADMSG;
        }
        memory.available_bytes = MIN(memory.available_bytes, memory.total_bytes);
        *ret = memory;
        return 0;
}

static bool parse_interface(const char *line, HostInterface *ret) {
        const char *colon = strchr(line, ':');
        HostInterface interface = { 0 };

        while (*line == ' ') {
                line++;
        }
        if (!colon || colon == line || (size_t) (colon - line) >= sizeof(interface.name)) {
                return false;
        }
        (void) g_strlcpy(interface.name, line, (size_t) (colon - line) + 1);
        /* Of each direction: bytes packets errs drop fifo and three more. */
        if (sscanf(colon + 1,
                   " %" SCNu64 " %*u %" SCNu64 " %" SCNu64 " %*u %*u %*u %*u %" SCNu64 " %*u %" SCNu64
                   " %" SCNu64,
                   &interface.rx_bytes,
                   &interface.rx_errors,
                   &interface.rx_dropped,
                   &interface.tx_bytes,
                   &interface.tx_errors,
                   &interface.tx_dropped) != 6) {
                return false;
        }
        *ret = interface;
        return true;
}

void host_parse_interfaces(const char *text, GArray *interfaces) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        HostInterface interface;

        for (char **line = lines; *line && interfaces->len < HOST_INTERFACES_MAX; line++) {
                if (parse_interface(*line, &interface)) {
                        g_array_append_val(interfaces, interface);
                }
        }
}

typedef struct Disk {
        char name[HOST_INTERFACE_NAME_BYTES];
        uint64_t read_sectors, written_sectors;
} Disk;

static bool is_made_of_others(const char *name) {
        static const char *const prefixes[] = {
                "loop", "ram", "zram", "dm-", "md", "sr", "fd", "zd", "drbd"
        };

        for (size_t i = 0; i < ELEMENTS(prefixes); i++) {
                if (g_str_has_prefix(name, prefixes[i])) {
                        return true;
                }
        }
        return false;
}

/* "sda1" of "sda", "nvme0n1p2" of "nvme0n1". */
static bool is_partition_of(const char *name, const char *disk) {
        size_t length = strlen(disk);

        if (strncmp(name, disk, length) != 0 || name[length] == '\0') {
                return false;
        }
        const char *number = name + length + (name[length] == 'p' && g_ascii_isdigit(disk[length - 1]));
        return *number && strspn(number, "0123456789") == strlen(number) &&
               (number > name + length || !g_ascii_isdigit(disk[length - 1]));
}

static bool is_partition(const GArray *disks, const Disk *disk) {
        for (guint i = 0; i < disks->len; i++) {
                if (is_partition_of(disk->name, g_array_index(disks, Disk, i).name)) {
                        return true;
                }
        }
        return false;
}

void host_parse_disks(const char *text, HostDisks *ret) {
        g_autoptr(GArray) disks = g_array_new(FALSE, FALSE, sizeof(Disk));
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++) {
                Disk disk;
                if (sscanf(*line,
                           " %*u %*u %31s %*u %*u %" SCNu64 " %*u %*u %*u %" SCNu64,
                           disk.name,
                           &disk.read_sectors,
                           &disk.written_sectors) == 3 &&
                    !is_made_of_others(disk.name)) {
                        g_array_append_val(disks, disk);
                }
        }
        *ret = (HostDisks){ 0 };
        for (guint i = 0; i < disks->len; i++) {
                const Disk *disk = &g_array_index(disks, Disk, i);
                if (!is_partition(disks, disk)) {
                        ret->read_bytes += disk->read_sectors * SECTOR_BYTES;
                        ret->written_bytes += disk->written_sectors * SECTOR_BYTES;
                }
        }
}

/* What cannot be asked counts as up. */
static bool is_up(const HostInterface *interface) {
        g_autofree char *path = g_strdup_printf("/sys/class/net/%s/flags", interface->name);
        g_autofree char *text = NULL;

        return !g_file_get_contents(path, &text, NULL, NULL) || strtoul(text, NULL, 16) & IFF_UP;
}

static GArray *read_interfaces(const char *text) {
        GArray *interfaces = g_array_new(FALSE, FALSE, sizeof(HostInterface));

        host_parse_interfaces(text, interfaces);
        for (guint i = interfaces->len; i > 0; i--) {
                if (!is_up(&g_array_index(interfaces, HostInterface, i - 1))) {
                        (void) g_array_remove_index(interfaces, i - 1);
                }
        }
        return interfaces;
}

static char *read_text(const char *path) {
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

int host_sample_read(HostSample *ret) {
        g_autofree char *cpu = read_text("/proc/stat"), *memory = read_text("/proc/meminfo");
        g_autofree char *network = read_text("/proc/net/dev"), *disks = read_text("/proc/diskstats");
        HostSample sample = { .boottime_usec = now_boottime_usec() };

        int r = host_parse_cpu(cpu, &sample.cpu);
        if (r >= 0) {
                r = host_parse_memory(memory, &sample.memory);
        }
        if (r < 0) {
                return r;
        }
        host_parse_disks(disks, &sample.disks);
        sample.interfaces = read_interfaces(network);
        sample.file_systems = host_file_systems_read();
        *ret = sample;
        return 0;
}

void host_sample_done(HostSample *sample) {
        g_clear_pointer(&sample->interfaces, g_array_unref);
        g_clear_pointer(&sample->file_systems, g_ptr_array_unref);
        *sample = (HostSample){ 0 };
}

const HostInterface *host_sample_find_interface(const HostSample *sample, const char *name) {
        for (guint i = 0; sample->interfaces && i < sample->interfaces->len; i++) {
                const HostInterface *interface = &g_array_index(sample->interfaces, HostInterface, i);
                if (strcmp(interface->name, name) == 0) {
                        return interface;
                }
        }
        return NULL;
}

double host_rate(uint64_t before, uint64_t now, uint64_t elapsed_usec, uint64_t unit_usec) {
        return now <= before || elapsed_usec == 0
                               ? 0
                               : (double) (now - before) / (double) elapsed_usec * (double) unit_usec;
}

double host_percent(uint64_t part, uint64_t whole) {
        return whole == 0 ? 0 : 100.0 * (double) MIN(part, whole) / (double) whole;
}
