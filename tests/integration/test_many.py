#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A thousand processes: all start, each survives a crash, and when they are gone so is what they took."""

import os
import signal
import subprocess
import time

import harness

COUNT = int(os.environ.get('PM2D_TEST_COUNT', '1000'))
ENVIRONMENT_BYTES = 4096
# Starts in flight: as many as a client may have calls pending.
PENDING = 48
# A heap does not give back every page; this is less than a tenth of what the processes took.
MEMORY_TOLERANCE = 6 << 20
TIMEOUT = 600


def open_descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def memory_bytes(pid):
    for line in harness.read_file(f'/proc/{pid}/smaps_rollup').splitlines():
        if line.startswith('Pss:'):
            return int(line.split()[1]) << 10
    raise AssertionError('no Pss')


def environment_of(number):
    """Of which nothing can be shared with another one."""
    return {f'VARIABLE_{i}': f'{number:06}{i:04}' + 'x' * 230 for i in range(ENVIRONMENT_BYTES // 256)}


class Many:
    settings = 'processes_max=10000'

    def idle_program(self):
        built = os.environ.get('PM2_TEST_IDLE')
        if built:
            return built
        path = self.path('idle')
        subprocess.run(['cc', '-static', '-Os', '-o', path, os.path.join(harness.APPS, 'idle.c')], check=True,
                       stdin=subprocess.DEVNULL)
        return path

    def figures(self):
        pid = self.daemon.process.pid
        groups = len(self.daemon.inner_cgroups()) if self.daemon.cgroup else 0
        return {'fds': open_descriptors(pid), 'memory': memory_bytes(pid), 'cgroups': groups}

    def in_flight(self, member, signature, bodies):
        """Call once for each body, several at a time."""
        pending = []
        for body in bodies:
            pending.append(self.client.send_call(harness.MANAGER_PATH, harness.MANAGER, member, signature, *body))
            if len(pending) >= PENDING:
                self.client.reply_to(pending.pop(0), TIMEOUT)
        for serial in pending:
            self.client.reply_to(serial, TIMEOUT)
        self.client.received.clear()

    def timed(self, what, function, *arguments, **values):
        started = time.monotonic()
        result = function(*arguments, **values)
        print(f'# {self.isolation}: {what}: {(time.monotonic() - started) * 1000:.0f} ms', flush=True)
        return result

    def round(self, program):
        bodies = [(program, harness.options(name=f'app-{number}', interpreter='none', env=environment_of(number),
                                            kill_timeout=10000)) for number in range(COUNT)]
        self.timed(f'start {COUNT}', self.in_flight, 'Start', 'sa{sv}', bodies)
        listed = self.timed('List', self.client.list)
        self.assertEqual(len(listed), COUNT)
        self.assertEqual({item['pm2_env']['status'] for item in listed}, {'online'})
        self.assertTrue(all(harness.is_alive(item['pid']) for item in listed))
        print(f'# {self.isolation}: with {COUNT}: {self.figures()}', flush=True)

        def crash_each():
            for item in listed:
                os.kill(item['pid'], signal.SIGKILL)
            harness.wait_until(self.all_restarted, 'each has a successor', TIMEOUT)

        self.timed(f'kill -9 each of {COUNT} -> all have a successor', crash_each)
        after = self.client.list()
        self.assertEqual({item['pm2_env']['restart_time'] for item in after}, {1})
        self.assertTrue(all(harness.is_alive(item['pid']) for item in after))
        self.assertEqual({item['pid'] for item in after} & {item['pid'] for item in listed}, set())
        table = self.timed('pm2ctl list', self.pm2ctl, 'list')
        self.assertIn(f'app-{COUNT - 1}', table.stdout)
        self.timed(f'delete {COUNT}', self.client.manager_call, 'Delete', 'sa{sv}', 'all', {}, timeout=TIMEOUT)
        self.client.received.clear()
        self.assertEqual(self.client.list(), [])
        self.assert_gone(item['pid'] for item in after)

    def all_restarted(self):
        self.client.drain()
        self.client.received.clear()
        return all(item['pm2_env']['status'] == 'online' and item['pm2_env']['restart_time'] == 1
                   for item in self.client.list())

    def test_thousand(self):
        program = self.idle_program()
        # what any process costs once (pools, caches) is no leak
        self.client.start_one(program, name='first', interpreter='none')
        self.client.delete('first')
        before = self.figures()
        self.round(program)
        self.assertEqual({key: value for key, value in self.figures().items() if key != 'memory'},
                         {key: value for key, value in before.items() if key != 'memory'})
        first = self.figures()
        self.round(program)
        after = self.figures()
        print(f'# {self.isolation}: before {before}, after one round {first}, after two {after}', flush=True)
        self.assertEqual((after['fds'], after['cgroups']), (before['fds'], before['cgroups']))
        self.assertLess(after['memory'], before['memory'] + MEMORY_TOLERANCE)
        # a leak would show in each round
        self.assertLess(after['memory'], first['memory'] + MEMORY_TOLERANCE / 3)


class ManyCgroup(Many, harness.Case):
    isolation = 'cgroup'


class ManyNone(Many, harness.Case):
    isolation = 'none'


if __name__ == '__main__':
    harness.main()
