#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""GetSystemData: figures of the machine as PM2 has them, held against what the kernel says."""

import os
import socket
import time

import harness
from harness import wait_until

UNITS = {'CPU Usage': '%', 'CPU Temperature': '°C', 'RAM Usage': '%', 'RAM Total': 'b', 'RAM Available': 'b',
         'RAM Active': 'b', 'Disk Reads': 'mb/s', 'Disk Writes': 'mb/s'}
PREFIXES = {'net:rx_5:': 'mb/s', 'net:tx_5:': 'mb/s', 'net:rx_errors_60:': '/min', 'net:tx_errors_60:': '/min',
            'net:rx_dropped_60:': '/min', 'net:tx_dropped_60:': '/min', 'fs:use:': '%', 'fs:size:': 'gb'}
MEGABYTE = 1 << 20


def memory(name):
    for line in harness.read_file('/proc/meminfo').splitlines():
        if line.startswith(name + ':'):
            return int(line.split()[1]) * 1024
    return None


def is_up(interface):
    return int(harness.read_file(f'/sys/class/net/{interface}/flags'), 16) & 1


def send_over_loopback(count):
    with socket.create_server(('127.0.0.1', 0)) as server, socket.create_connection(server.getsockname()) as sender:
        receiver, _ = server.accept()
        with receiver:
            for _ in range(count):
                sender.sendall(b'x' * 65536)
                left = 65536
                while left:
                    left -= len(receiver.recv(left))


class SystemData(harness.Case):
    def read(self):
        return self.client.manager_call('GetSystemData')

    def value(self, name):
        return self.read()[name]['value']

    def test_names_and_units(self):
        figures = self.read()
        self.assertLessEqual(set(UNITS), set(figures))
        for name, figure in figures.items():
            unit = UNITS.get(name) or next(unit for prefix, unit in PREFIXES.items() if name.startswith(prefix))
            self.assertEqual({**figure, 'value': None},
                             {'value': None, 'type': 'metric', 'unit': unit, 'historic': True}, name)
            self.assertIsInstance(figure['value'], int if unit == 'b' else float, name)
            if name != 'CPU Temperature':
                self.assertGreaterEqual(figure['value'], 0, name)
            if unit == '%':
                self.assertLessEqual(figure['value'], 100, name)
        self.assertEqual(list(figures)[:6], list(UNITS)[:6])

    def test_memory(self):
        figures = self.read()
        total, available = figures['RAM Total']['value'], figures['RAM Available']['value']
        self.assertEqual(total, memory('MemTotal'))
        self.assertLess(abs(available - memory('MemAvailable')), total / 2)
        self.assertEqual(figures['RAM Active']['value'], total - available)
        self.assertAlmostEqual(figures['RAM Usage']['value'], 100 * (total - available) / total, delta=0.06)

    def test_interfaces_are_those_that_are_up(self):
        listed = {name.partition(':')[2].partition(':')[2] for name in self.read() if name.startswith('net:')}
        self.assertEqual(listed, {name for name in os.listdir('/sys/class/net') if is_up(name)})

    def test_rates_are_since_the_last_question(self):
        if not is_up('lo'):
            self.skipTest('the loopback interface is down')
        self.read()
        self.read()
        began = time.monotonic()
        send_over_loopback(320)  # 20 MiB
        wait_until(lambda: time.monotonic() - began > 0.6, 'the least time between two samples is over')
        rate = self.value('net:rx_5:lo')
        self.assertGreater(rate, 20 / (time.monotonic() - began) / 4)
        # Who asks again at once is told the same.
        self.assertEqual(self.value('net:rx_5:lo'), rate)

    def test_busy_processors_are_seen(self):
        self.read()
        began = time.monotonic()
        used = time.process_time()
        while time.monotonic() - began < 0.7:
            pass
        share = (time.process_time() - used) / (time.monotonic() - began) / os.cpu_count()
        self.assertGreater(self.value('CPU Usage'), 100 * share * 0.5)

    def test_disks_of_this_machine(self):
        figures = self.read()
        folders = {name.partition('fs:use:')[2] for name in figures if name.startswith('fs:use:')}
        mounts = [line.split()[:3] for line in harness.read_file('/proc/self/mounts').splitlines()]
        on_devices = {folder for source, folder, _ in mounts if source.startswith('/dev/')}
        self.assertLessEqual(folders, on_devices)
        for folder in folders:
            status = os.statvfs(folder)
            size = status.f_blocks * status.f_frsize / (1 << 30)
            self.assertAlmostEqual(figures[f'fs:size:{folder}']['value'], size, delta=0.01)
        root = [kind for _, folder, kind in mounts if folder == '/'][-1]
        if any(source.startswith('/dev/') and folder == '/' for source, folder, _ in mounts) and root in ('ext4', 'xfs', 'btrfs'):
            self.assertIn('/', folders)


if __name__ == '__main__':
    harness.main()
