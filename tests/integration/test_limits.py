#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits of an app, what can be changed while it runs, and standing still."""

import contextlib
import os
import resource
import signal

import harness
from harness import V, wait_until

CONTROLLERS = {'memory_max': 'memory', 'memory_high': 'memory', 'cpu_quota': 'cpu', 'cpu_weight': 'cpu',
               'io_weight': 'io', 'tasks_max': 'pids'}
# Of each: what is asked for, and what the file of the cgroup holds then.
FILES = {'memory_max': ('64M', 'memory.max', str(64 << 20)), 'memory_high': ('32M', 'memory.high', str(32 << 20)),
         'cpu_quota': ('150%', 'cpu.max', '150000 100000'), 'cpu_weight': (50, 'cpu.weight', '50'),
         'io_weight': (200, 'io.weight', 'default 200'), 'tasks_max': (30, 'pids.max', '30')}
COUNTER = "#!/bin/sh\ntrap 'echo end >>ended; exit 0' INT\necho $$ >me\ni=0\nwhile :; do i=$((i+1)); echo $i >count; sleep 0.01; done\n"


def capability(number):
    """Whether we have it."""
    for line in harness.read_file('/proc/self/status').splitlines():
        if line.startswith('CapEff:'):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def give_up_resources():
    """In a daemon to be: without CAP_SYS_RESOURCE a hard limit cannot be raised."""
    if capability(24):
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        data = (ctypes.c_uint32 * 6)()
        libc.capget(header, data)
        for i in range(3):
            data[i] &= ~(1 << 24)
        libc.prctl(24, 24, 0, 0, 0)  # PR_CAPBSET_DROP: execve() as root would bring it back
        if libc.capset(header, data) != 0:
            os._exit(99)


class Limits:
    """What needs a controller."""

    def has_controller(self, name):
        """Whether pm2d could get it for its groups: it has tried by now."""
        folder = next(name for name in os.listdir(self.daemon.cgroup) if name.startswith('pm2d-'))
        return name in harness.read_file(f'{self.daemon.cgroup}/{folder}/cgroup.subtree_control').split()

    def folder(self, path):
        return harness.cgroup2_mount() + self.client.property(path, 'ControlGroup')

    def limit(self, name):
        """With the controller the file has the value, at the start and when it changes; without, nothing starts."""
        value, file, expected = FILES[name]
        path = self.client.start_one(self.sleeper(), name='plain')
        with contextlib.suppress(harness.DBusError):
            self.set_properties('plain', **{name: value})
        if self.has_controller(CONTROLLERS[name]):
            other = self.client.start_one(self.sleeper(), name='app', **{name: value})
            for limited in (path, other):
                self.assertEqual(harness.read_file(f'{self.folder(limited)}/{file}').strip(), expected)
            return
        pid = self.client.property(path, 'Pid')
        told = (f'{name}: ', f'"{CONTROLLERS[name]}"', f'"{self.isolation}"')
        self.assert_dbus_error('NotSupported', self.client.start, self.sleeper(), name='app', **{name: value},
                               mentions=told)
        for call in (self.client.restart, self.set_properties):
            self.assert_dbus_error('NotSupported', call, 'plain', **{name: value}, mentions=told)
        self.assertEqual(len(self.client.list()), 1)
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig')[name], 0)

    def set_properties(self, target, **values):
        return self.client.manager_call('SetProperties', 'sa{sv}', target, harness.options(**values))

    def test_memory_max(self):
        self.limit('memory_max')

    def test_memory_high(self):
        self.limit('memory_high')

    def test_cpu_quota(self):
        self.limit('cpu_quota')

    def test_cpu_weight(self):
        self.limit('cpu_weight')

    def test_io_weight(self):
        self.limit('io_weight')

    def test_tasks_max(self):
        self.limit('tasks_max')


class LimitsNone(Limits, harness.Case):
    isolation = 'none'

    def has_controller(self, name):
        return False


class LimitsCgroup(Limits, harness.Case):
    isolation = 'cgroup'


class Each(harness.Case):
    """Limits of each process, which need no cgroup."""

    def start_app(self, **attributes):
        return self.client.start_one(self.sleeper(), name='app', **attributes)

    def test_oom_score_adjust(self):
        path = self.start_app(oom_score_adjust=777)
        self.assertEqual(harness.read_file(f'/proc/{self.client.property(path, "Pid")}/oom_score_adj'), '777\n')
        for value in (1001, -1001, 'much'):
            self.assert_dbus_error('InvalidConfig', self.client.restart, 'app', oom_score_adjust=value,
                                   mentions='oom_score_adjust: ')

    def test_limits(self):
        limits = V('a{sv}', {'nofile': V('s', '123:456'), 'core': V('i', 0), 'memlock': V('s', '32K')})
        path = self.start_app(limits=limits)
        text = harness.read_file(f'/proc/{self.client.property(path, "Pid")}/limits')
        for line in (r'Max open files +123 +456 ', r'Max core file size +0 +0 ', r'Max locked memory +32768 +32768 '):
            self.assertRegex(text, line)
        config = self.client.call(path, harness.PROCESS, 'GetConfig')
        self.assertEqual(config['limits'], {'nofile': '123:456', 'core': 0, 'memlock': 32768})
        self.assertRegex(self.pm2ctl('restart', 'app', '--set', 'limits=nofile=99 core=infinity').stdout, 'restarted')
        text = harness.read_file(f'/proc/{self.client.property(path, "Pid")}/limits')
        self.assertRegex(text, r'Max open files +99 +99 ')
        self.assertNotRegex(text, r'Max locked memory +32768 +32768 ')

    def test_what_we_may_not_have_is_named(self):
        self._daemon = self.new_daemon(preexec=give_up_resources)
        self._daemon.start()
        hard = resource.prlimit(self._daemon.process.pid, resource.RLIMIT_NOFILE)[1]
        self.assert_dbus_error('SpawnFailed', self.start_app, limits=V('a{sv}', {'nofile': V('t', hard + 1)}),
                               mentions=('limits.nofile: ', str(hard + 1), 'Operation not permitted'))
        if int(harness.read_file('/proc/self/oom_score_adj')) > -1000:
            self.assert_dbus_error('SpawnFailed', self.start_app, oom_score_adjust=-1000,
                                   mentions=('oom_score_adjust: -1000: ', 'Permission denied'))
        self.assertEqual(self.client.list(), [])


class Changes(harness.Case):
    """SetProperties: of what needs no restart."""

    def set_properties(self, target, **values):
        return self.client.manager_call('SetProperties', 'sa{sv}', target, harness.options(**values))

    def config(self, path):
        return self.client.call(path, harness.PROCESS, 'GetConfig')

    def test_takes_effect_without_a_restart_and_is_kept(self):
        stubborn = self.script('stubborn.sh', "#!/bin/sh\ntrap 'echo int >>heard' INT\ntrap 'echo usr >>heard; exit' "
                               "USR1\necho ready >ready\nwhile :; do sleep 0.05; done\n")
        path = self.client.start_one(stubborn, name='app', cwd=self.daemon.apps, kill_timeout=100_000)
        harness.wait_file(self.path('ready'))
        pid = self.client.property(path, 'Pid')
        self.assertEqual(self.set_properties('app', kill_signal='SIGUSR1', autorestart=False, kill_timeout='90s'),
                         [path])
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.client.restart('app')
        self.assertEqual(harness.read_file(self.path('heard')), 'usr\n')
        self.assertEqual(self.config(path)['kill_signal'], 'SIGUSR1')
        # autorestart is looked at when it ends
        os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)
        self.client.wait_status(path, 'stopped')
        self.pm2ctl('save')
        self.client.delete('app')
        self.pm2ctl('resurrect')
        config = self.config(self.client.manager_call('GetProcessesByName', 's', 'app')[0])
        self.assertEqual((config['kill_signal'], config['kill_timeout'], config['autorestart']),
                         ('SIGUSR1', 90_000, False))

    def test_what_takes_a_restart_is_refused_and_nothing_changes(self):
        path = self.client.start_one(self.sleeper(), name='app')
        for name, value in (('script', '/bin/true'), ('env', V('a{ss}', {'A': 'b'})), ('oom_score_adjust', 5)):
            self.assert_dbus_error('NotSupported', self.set_properties, 'app', restart_delay=5, **{name: value},
                                   mentions=(f'{name}: ', 'Restart'))
        self.assert_dbus_error('InvalidConfig', self.set_properties, 'app', restart_delay=5, min_uptime='long',
                               mentions='min_uptime: ')
        self.assert_dbus_error('InvalidConfig', self.set_properties, 'app', restart_dely=5,
                               mentions='did you mean "restart_delay"')
        self.assert_dbus_error('NoSuchProcess', self.set_properties, 'nobody', restart_delay=5)
        self.assertEqual(self.config(path)['restart_delay'], 0)

    def test_a_restart_under_way_keeps_it(self):
        stubborn = self.script('stubborn.sh', "#!/bin/sh\ntrap '' INT\necho ready >ready\n"
                               'while [ ! -e go ]; do sleep 0.02; done\n')
        path = self.client.start_one(stubborn, name='app', cwd=self.daemon.apps, kill_timeout=100_000)
        harness.wait_file(self.path('ready'))
        self.client.restart('app', wait=False, max_restarts=77)
        self.client.wait_status(path, 'stopping')
        self.set_properties('app', restart_delay=1234)
        seen = len(self.client.received)
        with open(self.path('go'), 'w', encoding='ascii'):
            pass
        self.client.wait_event('restart', 'app', seen)
        config = self.config(path)
        self.assertEqual((config['restart_delay'], config['max_restarts']), (1234, 77))

    def test_pm2ctl_set(self):
        path = self.client.start_one(self.sleeper(), name='app')
        self.assertIn('app (0) changed', self.pm2ctl('set', 'app', 'restart-delay=2s', 'min_uptime=5000').stdout)
        self.assertEqual((self.config(path)['restart_delay'], self.config(path)['min_uptime']), (2000, 5000))
        self.assertIn('use Restart', self.pm2ctl('set', 'app', 'script=x', status=1).stderr)
        self.assertIn('KEY=VALUE', self.pm2ctl('set', 'app', 'script', status=2).stderr)
        self.assertIn('set', self.pm2ctl('why', 'app').stdout)


class FreezeNone(harness.Case):
    def test_is_not_supported(self):
        self.client.start_one(self.sleeper(), name='app')
        for member in ('Freeze', 'Thaw'):
            self.assert_dbus_error('NotSupported', self.client.manager_call, member, 'sa{sv}', 'app', {},
                                   mentions=("'app'", '"none"'))


class Freeze(harness.Case):
    isolation = 'cgroup'

    def start_counter(self):
        path = self.client.start_one(self.script('counter.sh', COUNTER), name='app', cwd=self.daemon.apps)
        harness.wait_file(self.path('count'))
        return path

    def call_freeze(self, member='Freeze'):
        return self.client.manager_call(member, 'sa{sv}', 'app', {})

    def events(self, path):
        file = f'{harness.cgroup2_mount()}{self.client.property(path, "ControlGroup")}/cgroup.events'
        return harness.read_file(file).split('\n')

    def assert_stands_still(self, path):
        self.assertEqual(self.client.property(path, 'StatusText'), 'frozen')
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        wait_until(lambda: 'frozen 1' in self.events(path), 'the kernel has frozen it')

    def count(self):
        return int(harness.wait_file(self.path('count')))

    def test_stands_still_and_goes_on(self):
        path = self.start_counter()
        self.assertEqual(self.call_freeze(), [path])
        self.assert_stands_still(path)
        before = harness.read_file(self.path('count'))
        os.kill(self.client.property(path, 'Pid'), signal.SIGINT)  # it does not hear it
        self.assertEqual(harness.read_file(self.path('count')), before)
        self.assertFalse(os.path.exists(self.path('ended')))
        self.assertEqual(self.call_freeze(), [path])  # once more is nothing
        seen = len(self.client.received)
        self.call_freeze('Thaw')
        self.client.wait_event('online', 'app', seen)  # now it did, and was restarted
        self.assertEqual(self.client.property(path, 'StatusText'), '')
        self.assertEqual(harness.read_file(self.path('ended')), 'end\n')

    def test_is_signalled(self):
        path = self.start_counter()
        for member, text in (('Freeze', 'frozen'), ('Thaw', '')):
            self.call_freeze(member)
            self.client.wait_property(path, 'StatusText', lambda value, text=text: value == text)
        events = [event.get('verb') for event in self.client.manager_call('RecentEvents', 'su', 'app', 2)]
        self.assertEqual(events, ['freeze', 'thaw'])

    def wait_until_it_counts(self, path):
        """Its successor, not what was left by the one before."""
        pid = f'{self.client.property(path, "Pid")}\n'
        harness.wait_file(self.path('me'), lambda text: text == pid)
        harness.wait_file(self.path('count'))

    def test_stop_and_restart_and_delete_thaw(self):
        path = self.start_counter()
        for number, call in enumerate((self.client.restart, self.client.stop), 1):
            self.call_freeze()
            self.assert_stands_still(path)
            os.unlink(self.path('count'))
            call('app')
            if call == self.client.restart:
                self.wait_until_it_counts(path)
            self.assertEqual(harness.read_file(self.path('ended')), 'end\n' * number)
            self.assertEqual(self.client.property(path, 'StatusText'), '')
        self.assert_dbus_error('NotOnline', self.call_freeze, mentions="'app' is stopped")
        self.client.start('app')
        self.wait_until_it_counts(path)
        self.call_freeze()
        self.assert_stands_still(path)
        self.client.delete('app')
        self.assertEqual(harness.read_file(self.path('ended')), 'end\n' * 3)

    def test_kill_9_of_a_frozen_process(self):
        path = self.start_counter()
        self.call_freeze()
        self.assert_stands_still(path)
        seen = len(self.client.received)
        os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)
        self.client.wait_event('online', 'app', seen)
        self.assertEqual(self.client.property(path, 'StatusText'), '')

    def test_survives_the_supervisor(self):
        path = self.start_counter()
        self.call_freeze()
        self.assert_stands_still(path)
        pid = self.client.property(path, 'Pid')
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')
        self.assert_stands_still(path)
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.call_freeze('Thaw')
        before = self.count()
        wait_until(lambda: self.count() > before, 'it counts')

    def test_pm2ctl(self):
        path = self.start_counter()
        self.assertIn('app (0) frozen', self.pm2ctl('freeze', 'app').stdout)
        self.assert_stands_still(path)
        self.assertIn('app (0) thawed', self.pm2ctl('thaw', 'app').stdout)
        self.assertEqual(self.client.property(path, 'StatusText'), '')


if __name__ == '__main__':
    harness.main()
