/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The parsers on texts of real machines; the whole on this one. */

#include "platform/host-figures.h"

#include "fixture.h"
#include "platform/host-mounts.h"

#include <errno.h>
#include <string.h>

static void test_cpu(void) {
        static const char *const wrong[] = { "", "cpu", "cpu 1 2 3", "intr 1 2 3 4", "cpu0 1 2 3 4" };
        HostCpu cpu = { 0 };

        g_assert_cmpint(host_parse_cpu("cpu  4705 356 584 3699 23 23 17 11 5 1\n"
                                       "cpu0 1393 90 200 1000 5 5 5 5 0 0\nintr 199292\n",
                                       &cpu),
                        ==,
                        0);
        g_assert_cmpuint(cpu.all_ticks, ==, 4705 + 356 + 584 + 3699 + 23 + 23 + 17 + 11);
        g_assert_cmpuint(cpu.busy_ticks, ==, 4705 + 356 + 584 + 23 + 17 + 11);
        g_assert_cmpint(host_parse_cpu("cpu 1 2 3 4\n", &cpu), ==, 0); /* Linux 2.4 has no more */
        g_assert_cmpuint(cpu.all_ticks, ==, 10);
        g_assert_cmpuint(cpu.busy_ticks, ==, 6);
        for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_assert_cmpint(host_parse_cpu(wrong[i], &cpu), ==, -EBADMSG);
        }
        g_assert_cmpuint(cpu.all_ticks, ==, 10);
}

static void test_memory(void) {
        HostMemory memory = { 0 };

        g_assert_cmpint(host_parse_memory(
                                        "MemTotal:       24684084 kB\nMemFree:        23824672 kB\n"
                                        "MemAvailable:   24118176 kB\nBuffers: 2156 kB\n",
                                        &memory),
                        ==,
                        0);
        g_assert_cmpuint(memory.total_bytes, ==, UINT64_C(24684084) * 1024);
        g_assert_cmpuint(memory.available_bytes, ==, UINT64_C(24118176) * 1024);
        /* Some containers say such things. */
        g_assert_cmpint(host_parse_memory("MemTotal: 100 kB\nMemAvailable: 200 kB\n", &memory), ==, 0);
        g_assert_cmpuint(memory.available_bytes, ==, 100 * 1024);
        g_assert_cmpint(host_parse_memory("", &memory), ==, -EBADMSG);
        g_assert_cmpint(host_parse_memory("MemTotal: 100 kB\n", &memory), ==, -EBADMSG);
        g_assert_cmpint(host_parse_memory("XMemTotal: 1 kB\nMemAvailable: 1 kB\n", &memory), ==, -EBADMSG);
}

static const char net_dev[] =
                "Inter-|   Receive                                                |  Transmit\n"
                " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
                "drop "
                "fifo colls carrier compressed\n"
                "    lo: 71829802   10700    0    0    0     0          0         0 71829802   10700    0   "
                " 0   "
                " 0     0       0          0\n"
                "  eth0:1716666939   49110    1    2    3     4          5         6  3157381   33521    7  "
                "  8  "
                "  9    10      11         12\n"
                "enp0s31f6.4000: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
                "a-name-that-no-interface-can-have-so-long: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
                "short: 1 2 3\n"
                ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
                "nothing\n";

static void test_interfaces(void) {
        g_autoptr(GArray) interfaces = g_array_new(FALSE, FALSE, sizeof(HostInterface));

        host_parse_interfaces(net_dev, interfaces);
        g_assert_cmpuint(interfaces->len, ==, 3);
        const HostSample sample = { .interfaces = interfaces };
        const HostInterface *eth0 = host_sample_find_interface(&sample, "eth0");
        g_assert_nonnull(eth0);
        g_assert_cmpuint(eth0->rx_bytes, ==, 1716666939);
        g_assert_cmpuint(eth0->rx_errors, ==, 1);
        g_assert_cmpuint(eth0->rx_dropped, ==, 2);
        g_assert_cmpuint(eth0->tx_bytes, ==, 3157381);
        g_assert_cmpuint(eth0->tx_errors, ==, 7);
        g_assert_cmpuint(eth0->tx_dropped, ==, 8);
        g_assert_nonnull(host_sample_find_interface(&sample, "lo"));
        g_assert_nonnull(host_sample_find_interface(&sample, "enp0s31f6.4000"));
        g_assert_null(host_sample_find_interface(&sample, "eth"));
        g_assert_null(host_sample_find_interface(&(HostSample){ 0 }, "lo"));

        g_autoptr(GString) many = g_string_new(NULL);
        for (int i = 0; i < 1000; i++) {
                g_string_append_printf(many, "veth%d: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", i);
        }
        g_array_set_size(interfaces, 0);
        host_parse_interfaces(many->str, interfaces);
        g_assert_cmpuint(interfaces->len, ==, HOST_INTERFACES_MAX);
}

static void assert_disks(const char *text, uint64_t read_sectors, uint64_t written_sectors) {
        HostDisks disks;

        host_parse_disks(text, &disks);
        g_assert_cmpuint(disks.read_bytes, ==, read_sectors * 512);
        g_assert_cmpuint(disks.written_bytes, ==, written_sectors * 512);
}

static void test_disks(void) {
        assert_disks("", 0, 0);
        assert_disks("nonsense\n1 2\n", 0, 0);
        assert_disks("   8       0 sda 10 0 100 0 20 0 1000 0 0 0 0\n"
                     "   8       1 sda1 10 0 50 0 20 0 500 0 0 0 0 0 0 0 0\n"
                     "   8      16 sdaa 10 0 7 0 20 0 70 0 0 0 0\n"
                     " 253       0 dm-0 10 0 100 0 20 0 1000 0 0 0 0\n"
                     "   9     127 md127 10 0 100 0 20 0 1000 0 0 0 0\n"
                     "   7       0 loop0 10 0 100 0 20 0 1000 0 0 0 0\n"
                     " 253       0 zram0 10 0 100 0 20 0 1000 0 0 0 0\n",
                     107,
                     1070);
        assert_disks(" 259 0 nvme0n1 1 0 1 0 1 0 10 0\n 259 1 nvme0n1p1 1 0 2 0 1 0 20 0\n"
                     " 259 2 nvme0n10 1 0 4 0 1 0 40 0\n 259 3 nvme1n1p2 1 0 8 0 1 0 80 0\n"
                     " 179 0 mmcblk0 1 0 16 0 1 0 160 0\n 179 1 mmcblk0p12 1 0 32 0 1 0 320 0\n"
                     " 202 1 xvda1 1 0 64 0 1 0 640 0\n",
                     1 + 4 + 8 + 16 + 64,
                     10 + 40 + 80 + 160 + 640);
}

static void assert_mounts(const char *text, const char *expected) {
        g_autoptr(GPtrArray) folders = host_parse_mounts(text);
        g_autoptr(GString) joined = g_string_new(NULL);

        for (guint i = 0; i < folders->len; i++) {
                g_string_append_printf(joined, "%s%s", i > 0 ? "," : "", (const char *) folders->pdata[i]);
        }
        g_assert_cmpstr(joined->str, ==, expected);
}

#define ROOT "/dev/sda1 / ext4 rw 0 0\n"

static void test_mounts(void) {
        assert_mounts("", "");
        assert_mounts("nonsense\n\n", "");
        assert_mounts(ROOT
                      "proc /proc proc rw 0 0\ntmpfs /run tmpfs rw 0 0\n"
                      "/dev/mapper/v-home /home xfs rw 0 0\n/dev/sdb1 /mnt/two\\040words\\134 vfat rw 0 0\n",
                      "/,/home,/mnt/two words\\");
        /* A bind mount is the same again. */
        assert_mounts(ROOT "/dev/sda1 /etc/hosts ext4 rw 0 0\n", "/");
        /* What another machine or process answers for, or an automounter mounts, and all that is below. */
        assert_mounts(ROOT "/dev/sdb1 /usb fuseblk rw 0 0\n/dev/nbd0 /far ext4 rw 0 0\n/dev/sdc1 /shared "
                           "gfs2 rw 0 0\n"
                           "/dev/fuse /run/doc fuse rw 0 0\n/dev/rbd1 /ceph xfs rw 0 0\n",
                      "/");
        assert_mounts(ROOT "server:/x /net nfs4 rw 0 0\n/dev/sdb1 /net/disk ext4 rw 0 0\n"
                           "/dev/sdc1 /network ext4 rw 0 0\n",
                      "/,/network");
        assert_mounts(ROOT "systemd-1 /auto autofs rw 0 0\n/dev/sdb1 /auto ext4 rw 0 0\n", "/");
        assert_mounts("server:/root / nfs rw 0 0\n/dev/sdb1 /data ext4 rw 0 0\n", "");
        /* Of a kind that is not known. */
        assert_mounts(ROOT "/dev/sdb1 /new newfs rw 0 0\n/dev/sdc1 /new/disk ext4 rw 0 0\n", "/");
        assert_mounts("overlay / overlay rw 0 0\n/dev/vda1 /data ext4 rw 0 0\n", "/data");

        g_autoptr(GString) many = g_string_new(ROOT);
        for (int i = 0; i < 10000; i++) {
                g_string_append_printf(many, "/dev/mapper/v%d /m/%d ext4 rw 0 0\n", i, i);
        }
        g_autoptr(GPtrArray) folders = host_parse_mounts(many->str);
        g_assert_cmpuint(folders->len, ==, HOST_FILE_SYSTEMS_MAX);
}

static void test_rates(void) {
        g_assert_cmpfloat(host_rate(100, 300, 2000000, 1000000), ==, 100);
        g_assert_cmpfloat(host_rate(0, 30, 1000000, 60000000), ==, 1800);
        g_assert_cmpfloat(host_rate(300, 100, 1000000, 1000000), ==, 0);
        g_assert_cmpfloat(host_rate(100, 300, 0, 1000000), ==, 0);
        g_assert_cmpfloat(host_percent(1, 4), ==, 25);
        g_assert_cmpfloat(host_percent(9, 4), ==, 100);
        g_assert_cmpfloat(host_percent(1, 0), ==, 0);
}

static void test_this_machine(void) {
        g_auto(HostSample) sample = { 0 };

        g_assert_cmpuint(host_cpu_count(), >=, 1);
        g_assert_cmpint(host_sample_read(&sample), ==, 0);
        g_assert_cmpuint(sample.boottime_usec, >, 0);
        g_assert_cmpuint(sample.cpu.all_ticks, >, 0);
        g_assert_cmpuint(sample.memory.total_bytes, >, 1 << 20);
        for (guint i = 0; i < sample.file_systems->len; i++) {
                const HostFileSystem *file_system = sample.file_systems->pdata[i];
                g_assert_true(file_system->folder[0] == '/');
                g_assert_cmpuint(
                                file_system->used_bytes + file_system->free_bytes,
                                <=,
                                file_system->size_bytes);
        }
        host_sample_done(&sample);
        host_sample_done(&sample);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/platform/host-figures/cpu", test_cpu);
        g_test_add_func("/platform/host-figures/memory", test_memory);
        g_test_add_func("/platform/host-figures/interfaces", test_interfaces);
        g_test_add_func("/platform/host-figures/disks", test_disks);
        g_test_add_func("/platform/host-figures/mounts", test_mounts);
        g_test_add_func("/platform/host-figures/rates", test_rates);
        g_test_add_func("/platform/host-figures/this-machine", test_this_machine);
        return g_test_run();
}
