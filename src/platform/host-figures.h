/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Figures of the machine, from /proc (proc(5)). The counters go up from the boot on; rates are made of two
 * samples. What the parsers do not find is 0 or left out. */

/* The processors that we and our children may use; 1 at least. */
unsigned host_cpu_count(void);

enum {
        HOST_INTERFACES_MAX = 64,
        HOST_INTERFACE_NAME_BYTES = 32,
};

/* Of all processors together. */
typedef struct HostCpu {
        uint64_t busy_ticks, all_ticks;
} HostCpu;

typedef struct HostMemory {
        uint64_t total_bytes, available_bytes;
} HostMemory;

typedef struct HostInterface {
        char name[HOST_INTERFACE_NAME_BYTES];
        uint64_t rx_bytes, rx_errors, rx_dropped;
        uint64_t tx_bytes, tx_errors, tx_dropped;
} HostInterface;

typedef struct HostDisks {
        uint64_t read_bytes, written_bytes;
} HostDisks;

/* Of /proc/stat and /proc/meminfo. -EBADMSG: it is none. */
int host_parse_cpu(const char *text, HostCpu *ret);
int host_parse_memory(const char *text, HostMemory *ret);
/* Of /proc/net/dev: append a HostInterface for each, HOST_INTERFACES_MAX at most. */
void host_parse_interfaces(const char *text, GArray *interfaces);
/* Of /proc/diskstats: all disks together. Partitions, and what is made of other disks or of memory (loop,
 * md, dm...), are not counted again. */
void host_parse_disks(const char *text, HostDisks *ret);

typedef struct HostSample {
        uint64_t boottime_usec; /* when it was taken */
        HostCpu cpu;
        HostMemory memory;
        GArray *interfaces; /* of HostInterface: those that are up; NULL: none */
        HostDisks disks;
        GPtrArray *file_systems; /* of HostFileSystem; NULL: none */
} HostSample;

/* Read all of it now. Negative errno where there is no /proc to tell. */
int host_sample_read(HostSample *ret);
void host_sample_done(HostSample *sample);

/* By its name, NULL: the sample has none. */
const HostInterface *host_sample_find_interface(const HostSample *sample, const char *name);

/* How fast a counter grows, in each unit of so many microseconds; 0 where it began anew. */
double host_rate(uint64_t before, uint64_t now, uint64_t elapsed_usec, uint64_t unit_usec);
/* 0 of nothing. */
double host_percent(uint64_t part, uint64_t whole);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HostSample, host_sample_done)
