#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""max_memory_restart: who has more than it may is restarted, or replaced where that can be."""

import json
import os
import re

import harness
from harness import wait_until
from test_cluster import free_port

MIB = 1 << 20
# Takes so many MiB at each word that comes through the FIFO "name.fifo", or has a child take them ("child N"),
# and notes that it has.
GROWS = '''#!/usr/bin/python3
import os, subprocess, sys

name = os.environ['name']
def note(text):
    with open(name + '.notes', 'a') as file:
        file.write(text + '\\n')
CHILD = 'import sys, time; x = b"x" * (int(sys.argv[1]) << 20); print(flush=True); time.sleep(1000)'
note('run')
taken = []
while True:
    with open(name + '.fifo') as fifo:
        words = fifo.read().split()
    if words[0] == 'child':
        child = subprocess.Popen([sys.executable, '-c', CHILD, words[1]], stdout=subprocess.PIPE)
        child.stdout.readline()
    else:
        taken.append(b'x' * (int(words[0]) << 20))
    note(' '.join(words))
'''
# The same in Node, at a message.
SERVES = '''
const taken = [];
require('http').createServer((_, answer) => answer.end(String(process.pid))).listen(Number(process.env.PORT));
process.on('message', packet => {
    if (packet.type === 'take') taken.push(Buffer.alloc(packet.data << 20, 1));
});
'''


class Base:
    def start_app(self, name='app', text=GROWS, **attributes):
        fifo = self.path(name + '.fifo')
        if not os.path.exists(fifo):
            os.mkfifo(fifo)
        script = self.script('grows.py', text)
        path = self.client.start_one(script, name=name, cwd=self.daemon.apps, **attributes)
        self.wait_notes(1, name)
        return path

    def notes(self, name='app'):
        try:
            return harness.read_file(self.path(name + '.notes')).splitlines()
        except FileNotFoundError:
            return []

    def wait_notes(self, count, name='app'):
        return wait_until(lambda: len(self.notes(name)) >= count and self.notes(name), f'{name} has noted {count} things')

    def take(self, words, name='app', wait=True):
        """It has taken so much when this returns, or may have been ended for it."""
        before = len(self.notes(name))
        with open(self.path(name + '.fifo'), 'w', encoding='ascii') as file:
            file.write(str(words))
        if wait:
            self.wait_notes(before + 1, name)

    def history(self, target='app'):
        return self.client.manager_call('RecentEvents', 'su', target, 0)

    def kinds(self, target='app'):
        return [entry['event'] for entry in self.history(target)]

    def set(self, target='app', **attributes):
        self.client.manager_call('SetProperties', 'sa{sv}', target, harness.options(**attributes))

    def witness(self):
        """Some looks long: another one has been restarted."""
        if not any(entry['name'] == 'witness' for entry in self.client.list()):
            self.start_app('witness', max_memory_restart='60M')
        seen = len(self.client.received)
        runs = self.notes('witness').count('run')
        self.take(100, 'witness', wait=False)
        self.client.wait_event('restart', 'witness', seen)
        wait_until(lambda: self.notes('witness').count('run') > runs, 'it runs again')


class Memory(Base):
    def test_max_memory_restart(self):
        path = self.start_app(max_memory_restart='60M')
        pid = self.client.property(path, 'Pid')
        self.take(20)
        self.witness()
        self.assertEqual((self.client.property(path, 'Pid'), self.client.property(path, 'RestartCount')), (pid, 0))
        seen = len(self.client.received)
        self.take(60, wait=False)
        details = self.client.wait_event('memory', 'app', seen)[5]
        self.assertEqual(details['limit'], 60 * MIB)
        self.assertGreater(details['memory'], 60 * MIB)
        self.assertLess(details['memory'], 200 * MIB)
        body = self.client.wait_event('restart', 'app', seen)
        self.assertFalse(body[4], 'nobody has asked for it')
        self.client.wait_status(path, 'online')
        self.assertNotEqual(self.client.property(path, 'Pid'), pid)
        self.assertEqual(self.client.property(path, 'RestartCount'), 1)
        self.assertEqual(self.client.property(path, 'UnstableRestarts'), 0)
        reason = self.client.property(path, 'LastReason')
        self.assertRegex(reason, r'^memory [6-9]\d\.\d.MiB was over max_memory_restart, 60\.0.MiB; restarted$')
        entry = [entry for entry in self.history() if entry['event'] == 'memory'][0]
        self.assertEqual((entry['verb'], entry['reason']), ('restart', reason))
        self.assertNotIn('uid', entry)
        why = self.pm2ctl('why', 'app').stdout
        self.assertRegex(why, r'(?m)^  .* memory +restart: memory [6-9]\d\.')

    def test_its_children_count(self):
        path = self.start_app(max_memory_restart='60M')
        seen = len(self.client.received)
        self.take('child 80', wait=False)
        self.client.wait_event('memory', 'app', seen)
        self.client.wait_event('restart', 'app', seen)
        self.assertEqual(self.client.property(path, 'RestartCount'), 1)

    def test_it_can_be_changed_while_it_runs(self):
        path = self.start_app()
        pid = self.client.property(path, 'Pid')
        self.take(100)
        self.set(max_memory_restart='1G')
        self.witness()
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        seen = len(self.client.received)
        self.set(max_memory_restart='50M')
        self.client.wait_event('restart', 'app', seen)
        self.wait_notes(3)
        self.set(max_memory_restart=0)
        self.take(100)
        pid = self.client.property(path, 'Pid')
        self.witness()
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.assertEqual(self.kinds().count('memory'), 1)

    def test_all_that_it_is_told_by(self):
        for value, expected in (('200M', 200 * MIB), ('10K', 10240), ('1G', 1 << 30), (5 * MIB, 5 * MIB), ('123456', 123456)):
            with self.subTest(value):
                self.client.start(self.sleeper(), name='told', force=True, max_memory_restart=value, autostart=False)
                path = self.client.managed_objects() and self.client.manager_call('GetProcessesByName', 's', 'told')[-1]
                config = self.client.call(path, harness.PROCESS, 'GetConfig')
                self.assertEqual(config['max_memory_restart'], expected)
                self.client.delete('told')
        for value in ('a lot', '-5', 'true', '5MM'):
            with self.subTest(value):
                self.assert_dbus_error('InvalidConfig', self.client.start, self.sleeper(), name='bad',
                                       mentions='max_memory_restart', max_memory_restart=value)
        self.pm2ctl('start', self.sleeper(), '--name', 'ctl', '--max-memory-restart', '300M')
        self.assertEqual(self.client.describe('ctl')[0]['pm2_env']['max_memory_restart'], 300 * MIB)
        self.client.manager_call('Save', 'sa{sv}', '', {})
        self.client.delete('all')
        self.client.manager_call('Resurrect', 'sa{sv}', '', {})
        self.assertEqual(self.client.describe('ctl')[0]['pm2_env']['max_memory_restart'], 300 * MIB)

    def test_one_that_is_always_over_it_is_not_restarted_all_the_time(self):
        """The first at once, the next ones after longer and longer times."""
        self.start_app(max_memory_restart='1M')
        wait_until(lambda: self.kinds().count('memory') >= 3, 'it was restarted three times')
        times = [entry['at'] / 1e6 for entry in self.history() if entry['event'] == 'memory']
        self.assertGreaterEqual(times[1] - times[0], 1)
        self.assertGreaterEqual(times[2] - times[1], 2)
        self.assertEqual(self.client.describe('app')[0]['pm2_env']['unstable_restarts'], 0)
        self.client.stop('app')
        self.assertEqual(self.client.describe('app')[0]['pm2_env']['status'], 'stopped')

    def test_what_a_restart_needs_is_looked_at_first(self):
        path = self.start_app(max_memory_restart='60M')
        pid = self.client.property(path, 'Pid')
        os.unlink(self.path('grows.py'))
        self.take(80, wait=False)
        wait_until(lambda: 'failed' in self.kinds(), 'it is told')
        self.assertEqual((self.client.property(path, 'Pid'), self.client.property(path, 'Status')), (pid, 'online'))
        self.script('grows.py', GROWS)
        self.client.wait_property(path, 'RestartCount', 1)

    def test_a_stop_and_a_deletion_end_it(self):
        self.start_app(max_memory_restart='60M')
        self.client.stop('app')
        self.witness()
        self.client.delete('app')
        self.start_app('other')  # it has the same id, and none
        self.take(100, 'other')
        self.witness()
        self.assertEqual(self.client.describe('other')[0]['pm2_env']['restart_time'], 0)


class Survival(Base):
    def check(self):
        path = self.client.manager_call('GetProcessesByName', 's', 'app')[0]
        runs = self.notes().count('run')
        seen = len(self.client.received)
        self.take(80, wait=False)
        self.client.wait_event('memory', 'app', seen)
        wait_until(lambda: self.notes().count('run') > runs, 'it runs again')
        self.client.wait_status(path, 'online')

    def test_reexecution(self):
        self.start_app(max_memory_restart='60M')
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')
        self.check()

    def test_death(self):
        self.start_app(max_memory_restart='60M')
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.start()
        self._client = self.daemon.connect()
        self.check()


class Reload(Base, harness.Case):
    """What can be replaced while it serves is: one process, and not its fellows."""

    def take(self, number, megabytes):
        self.client.manager_call('SendData', 'uss', number, 'take', json.dumps(megabytes))

    def test_a_cluster(self):
        script = self.script('serves.js', SERVES, executable=False)
        paths = self.client.start(script, name='app', cwd=self.daemon.apps, exec_mode='cluster', instances=2, port=free_port(),
                                  max_memory_restart='200M')
        pids = [self.client.property(path, 'Pid') for path in paths]
        seen = len(self.client.received)
        self.take(1, 300)
        details = self.client.wait_event('memory', 'app', seen)[5]
        self.assertGreater(details['memory'], 200 * MIB)
        self.client.wait_event('reload', 'app', seen)
        self.assertEqual([event for event, _ in self.client.events('app', seen)], ['memory', 'online', 'reload'])
        self.assertEqual(self.client.property(paths[0], 'Pid'), pids[0])
        self.assertNotEqual(self.client.property(paths[1], 'Pid'), pids[1])
        self.assertEqual([self.client.property(path, 'RestartCount') for path in paths], [0, 1])
        self.assertEqual([self.client.property(path, 'Status') for path in paths], ['online'] * 2)
        self.assertTrue(re.search(r'MiB; reloaded$', self.client.property(paths[1], 'LastReason')))
        self.assert_gone([pids[1]])
        # the one in its place is looked at as well
        seen = len(self.client.received)
        self.take(1, 300)
        self.client.wait_event('reload', 'app', seen)
        self.assertEqual(self.client.property(paths[1], 'RestartCount'), 2)


class MemoryNone(Memory, harness.Case):
    pass


class MemoryCgroup(Memory, harness.Case):
    isolation = 'cgroup'

    def test_what_stands_still_is_left_alone(self):
        path = self.start_app()
        pid = self.client.property(path, 'Pid')
        self.take(100)
        self.client.manager_call('Freeze', 'sa{sv}', 'app', {})
        self.set(max_memory_restart='60M')
        self.witness()
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.client.manager_call('Thaw', 'sa{sv}', 'app', {})
        self.client.wait_property(path, 'RestartCount', 1)

    def test_no_descriptor_is_left(self):
        self.start_app(max_memory_restart='60M')
        folder = f'/proc/{self.daemon.process.pid}/fd'
        self.client.stop('app')
        self.client.list()
        before = len(os.listdir(folder))
        for _ in range(3):
            runs = self.notes().count('run')
            self.client.manager_call('Start', 'sa{sv}', 'app', {})
            wait_until(lambda: self.notes().count('run') > runs, 'it runs')  # noqa: B023
            self.take(80, wait=False)
            count = self.kinds().count('memory')
            wait_until(lambda: self.kinds().count('memory') > count, 'it is restarted')  # noqa: B023
            wait_until(lambda: self.notes().count('run') > runs + 1, 'it runs again')  # noqa: B023
            self.client.stop('app')
        self.assertEqual(len(os.listdir(folder)), before)


class SurvivalNone(Survival, harness.Case):
    pass


class SurvivalCgroup(Survival, harness.Case):
    isolation = 'cgroup'


if __name__ == '__main__':
    harness.main()
