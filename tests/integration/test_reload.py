#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reload: another takes the place of a process while it serves, or nothing has happened to it."""

import errno
import os
import pathlib
import socket

import harness
import test_reexec
from harness import MANAGER, MANAGER_PATH, wait_until
from test_cluster import free_port

# What it does is in the file "mode" when it starts.
APP = '''
const fs = require('fs');
const mode = fs.readFileSync('mode', 'utf8').trim();
fs.appendFileSync('runs', process.pid + '\\n');
const ready = () => process.send('ready');
process.on('message', () => {});
setInterval(() => {}, 1000000);
if (mode === 'exit') process.exit(3);
if (mode === 'wait') {
    const timer = setInterval(() => fs.existsSync('go') && (clearInterval(timer), ready()), 5);
}
if (mode === 'stubborn') process.on('SIGINT', () => fs.appendFileSync('signals', process.pid + '\\n'));
if (mode === 'deaf') process.on('SIGINT', () => {});
if (mode === 'slow') {
    process.on('SIGINT', () => {
        const timer = setInterval(() => fs.existsSync('end') && process.exit(0), 5);
        fs.appendFileSync('signals', process.pid + '\\n');
    });
}
if (mode === 'ready' || mode === 'stubborn' || mode === 'slow') ready();
'''


class Base(harness.Case):
    """Apps that are told how to behave by a file."""

    def mode(self, word):
        pathlib.Path(self.path('mode')).write_text(word + '\n')

    def lines(self, name):
        try:
            return [int(line) for line in pathlib.Path(self.path(name)).read_text().split()]
        except FileNotFoundError:
            return []

    def runs(self, count):
        """The pids of all runs, once there are so many."""
        return wait_until(lambda: len(self.lines('runs')) >= count and self.lines('runs'), f'{count} runs')

    def app(self, mode='ready', name='app', **attributes):
        self.mode(mode)
        script = self.script(f'{name}.js', APP, executable=False)
        # a socket that is ours is what makes it one that can be replaced
        values = {'listen': [f'{self.path(name)}.socket'], 'wait_ready': True, 'listen_timeout': 60000,
                  'cwd': self.daemon.apps, **attributes}
        values['listen'] = [f'unix:{path}' for path in values['listen']]
        return self.client.start(script, name=name, **values)

    def one(self, *arguments, **attributes):
        return self.app(*arguments, **attributes)[0]

    def begin(self, verb='Reload', target='app', **values):
        """Sent, not waited for."""
        return self.client.send_call(MANAGER_PATH, MANAGER, verb, 'sa{sv}', target, harness.options(**values))

    def reload(self, target='app', **values):
        return self.client.manager_call('Reload', 'sa{sv}', target, harness.options(**values))

    def pid(self, path):
        return self.client.property(path, 'Pid')

    def facts(self, path):
        """The properties that do not change by themselves."""
        figures = ('MemoryBytes', 'CpuPercent', 'CpuUsageNSec', 'Tasks')
        return {name: value for name, value in self.client.properties(path).items() if name not in figures}

    def history(self, target='app'):
        return [entry['event'] for entry in self.client.manager_call('RecentEvents', 'su', target, 50)]

    def touch(self, name):
        pathlib.Path(self.path(name)).touch()


class Places(Base):
    """They change, or not."""

    def test_another_takes_its_place(self):
        path = self.one(pid_file=self.path('app.pid'))
        before = self.facts(path)
        self.assertEqual(self.reload(), [path])
        after = self.facts(path)
        self.assertNotEqual(after['Pid'], before['Pid'])
        for name in ('Id', 'UniqueId', 'Name', 'Instance', 'Instances', 'CreatedTimestamp', 'OutLogPath', 'UnstableRestarts'):
            self.assertEqual(after[name], before[name], name)
        self.assertEqual((after['Status'], after['RestartCount'], after['LastReason']),
                         ('online', 1, 'reloaded by command'))
        self.assertGreater(after['StartTimestamp'], before['StartTimestamp'])
        self.assertEqual(pathlib.Path(after['PidPath']).read_text(), str(after['Pid']))
        self.assert_gone([before['Pid']])
        self.assertEqual([event for event, _ in self.client.events('app')], ['online', 'start', 'online', 'reload'])
        self.assertEqual(self.history(), ['command', 'online', 'command', 'reload', 'retired'])

    def test_again_and_again(self):
        path = self.one()
        for count in range(1, 6):
            self.reload()
            self.assertEqual(self.client.property(path, 'RestartCount'), count)
        self.assertEqual(len(set(self.runs(6))), 6)
        self.client.stop('app')
        self.assert_gone(self.lines('runs'))

    def test_the_old_one_serves_until_then(self):
        path = self.one()
        old = self.pid(path)
        self.mode('wait')
        serial = self.begin()
        self.runs(2)
        self.assertEqual((self.pid(path), self.client.property(path, 'Status')), (old, 'online'))
        self.touch('go')
        self.client.reply_to(serial)
        self.assertEqual(self.pid(path), self.lines('runs')[1])

    def test_one_that_ends_changes_nothing(self):
        path = self.one(pid_file=self.path('app.pid'))
        before = self.facts(path)
        self.mode('exit')
        self.assert_dbus_error('SpawnFailed', self.reload,
                               mentions=['was not reloaded', 'exited with code 3 before it was ready'])
        after = self.facts(path)
        self.assertEqual(after, before)
        self.assertEqual(pathlib.Path(after['PidPath']).read_text(), str(after['Pid']))
        self.assertEqual([event for event, _ in self.client.events('app')], ['online', 'start'])
        self.mode('ready')
        self.reload()
        self.assertEqual(self.client.property(path, 'RestartCount'), 1)

    def test_one_that_is_not_ready_changes_nothing(self):
        path = self.one()
        before = self.facts(path)
        self.mode('never')
        self.assert_dbus_error('Timeout', self.reload, listen_timeout=200,
                               mentions='was not ready within 200 ms (listen_timeout)')
        self.assertEqual(self.facts(path), before)
        self.assert_gone(self.lines('runs')[1:])
        self.assertEqual(self.client.describe('app')[0]['pm2_env']['listen_timeout'], 60000)

    def test_one_that_need_not_say_it_has_to_live_so_long(self):
        path = self.one('never', wait_ready=False, listen_timeout=300)
        old = self.pid(path)
        self.reload()
        self.assertNotEqual(self.pid(path), old)
        self.mode('exit')
        self.assert_dbus_error('SpawnFailed', self.reload, listen_timeout=60000,
                               mentions='exited with code 3')

    def test_what_cannot_be_launched(self):
        path = self.one()
        before = self.facts(path)
        self.assert_dbus_error('SpawnFailed', self.reload, pre_start='exit 4', mentions='pre_start')
        self.assert_dbus_error('InvalidConfig', self.reload, cwd='/no/such/folder', mentions='cwd')
        self.assertEqual(self.facts(path), before)

    def test_what_changes_with_it(self):
        path = self.one(env={'A': '1'})
        self.reload(env={'A': '2'}, kill_timeout=700)
        described = self.client.describe('app')[0]['pm2_env']
        self.assertEqual(described['kill_timeout'], 700)
        environment = pathlib.Path(f'/proc/{self.pid(path)}/environ').read_bytes().split(b'\0')
        self.assertIn(b'A=2', environment)
        self.assertIn(b'restart_time=1', environment)

    def test_another_pid_file(self):
        path = self.one(pid_file=self.path('first.pid'))
        first = self.client.property(path, 'PidPath')
        self.reload(pid_file=self.path('second.pid'))
        self.assertEqual(pathlib.Path(self.client.property(path, 'PidPath')).read_text(), str(self.pid(path)))
        self.assertFalse(os.path.exists(first))
        second = self.client.property(path, 'PidPath')
        self.mode('exit')
        self.assert_dbus_error('SpawnFailed', self.reload, pid_file=self.path('third.pid'))
        self.assertEqual(pathlib.Path(second).read_text(), str(self.pid(path)))
        self.assertEqual([name for name in os.listdir(self.daemon.apps) if 'third' in name], [])

    def test_another_name(self):
        path = self.one()
        self.reload(name='other')
        self.assertEqual(self.client.property(path, 'Name'), 'other')
        self.assertEqual(self.client.manager_call('GetProcessesByName', 's', 'app'), [])

    def test_another_name_of_several(self):
        """They wait for each other, whatever they are called by then."""
        paths = self.app(instances=3)
        self.reload(name='other')
        self.assertEqual([self.client.property(path, 'Name') for path in paths], ['other'] * 3)

    def refused(self, port):
        with socket.socket() as client:
            return client.connect_ex(('127.0.0.1', port)) == errno.ECONNREFUSED

    def test_sockets_of_one_that_failed_are_closed(self):
        for instances in (1, 3):
            ports = [free_port(), free_port()]
            listen = [f'tcp:127.0.0.1:{port}' for port in ports]
            self.mode('ready')
            script = self.script('listens.js', APP, executable=False)
            self.client.start(script, name='listens', instances=instances, listen=listen[:1], wait_ready=True,
                              listen_timeout=60000, cwd=self.daemon.apps)
            self.mode('exit')
            self.assert_dbus_error(['SpawnFailed', 'PartialFailure'], self.reload, 'listens', listen=listen)
            self.assertEqual([self.refused(port) for port in ports], [False, True])
            self.client.delete('listens')

    def test_the_next_cron_run_stays(self):
        self.one(cron_restart='0 0 1 1 *')
        before = self.client.describe('app')[0]['pm2_env']['next_cron_run']
        self.assertGreater(before, 0)
        self.reload()
        self.assertEqual(self.client.describe('app')[0]['pm2_env']['next_cron_run'], before)

    def test_credentials_stay_readable(self):
        pathlib.Path(self.path('secret')).write_text('s')
        path = self.one(credentials={'key': self.path('secret')})
        self.reload()
        environment = pathlib.Path(f'/proc/{self.pid(path)}/environ').read_text().split('\0')
        folder = next(text.split('=', 1)[1] for text in environment if text.startswith('CREDENTIALS_DIRECTORY='))
        self.assertEqual((pathlib.Path(folder) / 'key').read_text(), 's')
        self.client.delete('app')
        self.assertEqual(os.listdir(os.path.dirname(folder)), [])

    def test_hooks_run_with_both(self):
        self.one(pre_start='echo 1 >>pre', post_stop='echo 1 >>post')
        self.reload()
        self.assertEqual((len(self.lines('pre')), len(self.lines('post'))), (2, 1))

    def test_what_does_not_run_is_started(self):
        path = self.one()
        self.client.stop('app')
        self.reload()
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_what_holds_its_own_sockets_is_restarted(self):
        path = self.client.start_one(self.sleeper(), name='plain')
        old = self.pid(path)
        self.reload('plain')
        self.assertNotEqual(self.pid(path), old)
        self.assertIn('restart', [event for event, _ in self.client.events('plain')])

    def test_messages_of_the_new_one_are_its_own(self):
        self.one()
        self.mode('wait')
        serial = self.begin()
        pid = self.runs(2)[1]
        self.assertEqual(self.client.manager_call('GetProcessByPid', 'u', pid), '/org/pm2/Process/0')
        self.touch('go')
        self.client.reply_to(serial)


class Ends(Base):
    """What else happens meanwhile."""

    def test_a_stop_while_it_is_launched(self):
        for verb in ('Stop', 'Delete'):
            self.one()
            self.mode('wait')
            count = len(self.lines('runs'))
            serial = self.begin()
            self.runs(count + 1)
            self.client.manager_call(verb, 'sa{sv}', 'app', {})
            self.assert_dbus_error('Cancelled', self.client.reply_to, serial)
            self.assert_gone(self.lines('runs'))
            if verb == 'Stop':
                self.assertEqual(self.client.list()[0]['pm2_env']['status'], 'stopped')
                self.client.delete('app')
        self.assertEqual(self.client.list(), [])

    def test_a_stop_while_its_hook_ends_well(self):
        hook = self.script('hook.sh', "trap '' INT\n[ ! -e hold ] || echo $$ >hook\nwhile [ -e hold ]; do sleep 0.05; done\n")
        path = self.one(pre_start=f'exec sh {hook}', kill_timeout=60000)
        self.touch('hold')
        reload = self.begin()
        harness.wait_file(self.path('hook'))
        stop = self.begin('Stop')
        self.assert_dbus_error('Cancelled', self.client.reply_to, reload)
        self.client.wait_status(path, 'stopped')
        os.unlink(self.path('hold'))
        self.client.reply_to(stop)
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assertEqual(len(self.lines('runs')), 1)

    def test_a_stop_while_the_old_one_drains(self):
        for verb in ('Stop', 'Delete'):
            path = self.one('stubborn', kill_timeout=200)
            old = self.pid(path)
            self.mode('ready')
            serial = self.begin()
            self.client.wait_property(path, 'Pid', lambda pid, old=old: pid not in (0, old))
            wait_until(lambda old=old: old in self.lines('signals'), 'it was asked to end')
            self.client.manager_call(verb, 'sa{sv}', 'app', {})
            self.assert_dbus_error('Cancelled', self.client.reply_to, serial)
            self.assert_gone(self.lines('runs'))
            if verb == 'Stop':
                self.client.delete('app')

    def test_a_scale_down_lets_the_old_one_drain(self):
        path = self.app('slow', instances=2, reload_parallel=0)[1]
        old = self.pid(path)
        self.mode('ready')
        self.begin()
        self.client.wait_property(path, 'Pid', lambda pid: pid not in (0, old))
        wait_until(lambda: old in self.lines('signals'), 'it was asked to end')
        serial = self.scale_down()
        self.client.wait_status(path, 'stopped')
        self.touch('end')
        self.client.reply_to(serial)
        self.assertEqual(self.lines('signals').count(old), 1)
        self.assert_gone([old])

    def scale_down(self):
        return self.client.send_call(MANAGER_PATH, MANAGER, 'Scale', 'ssa{sv}', 'app', '1', {})

    def test_a_stop_does_not_wait_for_a_scale_down(self):
        for verb in ('Stop', 'Delete'):
            path = self.app('stubborn', instances=2, kill_timeout=200, reload_timeout=86400000)[1]
            old = self.pid(path)
            serial = self.scale_down()
            wait_until(lambda old=old: old in self.lines('signals'), 'it was asked to end')
            self.begin(verb, str(self.client.property(path, 'Id')))
            self.client.reply_to(serial)
            self.assert_gone([old])
            self.client.delete('app')

    def test_one_that_does_not_drain_is_ended(self):
        path = self.one('stubborn', reload_timeout=300, kill_timeout=200)
        old = self.pid(path)
        self.mode('ready')
        self.reload()
        self.assertEqual(self.lines('signals'), [old, old])
        self.assert_gone([old])

    def test_the_old_one_ends_before(self):
        path = self.one()
        old = self.pid(path)
        self.mode('wait')
        serial = self.begin()
        new = self.runs(2)[1]
        os.kill(old, 9)
        self.client.wait_status(path, 'waiting-restart')
        self.assertIn('while it was being reloaded', self.client.property(path, 'LastReason'))
        self.touch('go')
        self.client.reply_to(serial)
        self.assertEqual((self.pid(path), self.client.property(path, 'Status')), (new, 'online'))
        self.assertEqual(len(self.lines('runs')), 2)

    def test_both_end(self):
        path = self.one()
        old = self.pid(path)
        self.mode('wait')
        serial = self.begin()
        new = self.runs(2)[1]
        os.kill(old, 9)
        self.client.wait_status(path, 'waiting-restart')
        self.mode('ready')
        os.kill(new, 9)
        self.assert_dbus_error('SpawnFailed', self.client.reply_to, serial)
        self.client.wait_status(path, 'online')
        self.assertEqual(self.pid(path), self.runs(3)[2])

    def test_the_new_one_ends_while_the_old_one_drains(self):
        path = self.one('slow')
        old = self.pid(path)
        self.mode('ready')
        serial = self.begin()
        new = self.client.wait_property(path, 'Pid', lambda pid: pid not in (0, old))
        os.kill(new, 9)
        self.client.wait_property(path, 'Pid', lambda pid: pid not in (0, old, new))
        self.touch('end')
        self.client.reply_to(serial)
        self.client.wait_status(path, 'online')
        self.assertEqual(self.client.property(path, 'RestartCount'), 2)


class Kill(Base):
    """So does the supervisor."""

    expected_status = 79

    def test_the_end_of_the_supervisor(self):
        self.one('stubborn', kill_timeout=200)
        self.mode('wait')
        serial = self.begin()
        self.runs(2)
        self.client.manager_call('Kill', 'a{sv}', {})
        self.assert_dbus_error(['ShuttingDown', 'Cancelled'], self.client.reply_to, serial)
        self.daemon.wait_exit()
        self.assert_gone([int(line) for line in pathlib.Path(self.daemon.apps, 'runs').read_text().split()])


class Crash(Base):
    """It is killed, and the next one goes on."""

    def crash(self):
        self.daemon.process.kill()
        self.daemon.wait_exit()

    def go_on(self):
        self.daemon.start()
        self._client = self.daemon.connect()

    def test_a_hook_ends_meanwhile(self):
        """What takes its place is launched again, once: nobody has kept the sockets, so that it fails."""
        hook = self.script('hook.sh', '[ ! -e hold ] || { echo $$ >hook; while [ -e hold ]; do sleep 0.05; done; }')
        path = self.one(pre_start=f'sh {hook}')
        old = self.pid(path)
        self.touch('hold')
        self.begin()
        hook_pid = int(harness.wait_file(self.path('hook')))
        self.crash()
        os.unlink(self.path('hold'))
        wait_until(lambda: not harness.is_alive(hook_pid), 'the hook has ended')
        self.go_on()
        wait_until(lambda: 'failed' in self.history(), 'the reload is over')
        self.assertEqual((self.pid(path), self.client.property(path, 'Status')), (old, 'online'))

    def test_a_stop_goes_on(self):
        for verb in ('Stop', 'Delete'):
            path = self.one(kill_timeout=1000)
            count = len(self.lines('runs'))
            self.mode('deaf')
            self.begin()
            pid = self.runs(count + 1)[count]
            self.begin(verb)
            self.client.wait_status(path, 'stopped')
            self.crash()
            self.go_on()
            if verb == 'Stop':
                wait_until(lambda: 'failed' in self.history(), 'the reload is over')
                self.assertEqual(self.client.property(path, 'Status'), 'stopped')
                self.client.delete('app')
            wait_until(lambda: not self.client.list(), 'it is deleted')
            self.assert_gone([pid])
            self.assertEqual(len(self.lines('runs')), count + 1)


class Several(Base):
    """Of one app."""

    def test_one_after_the_other(self):
        paths = self.app(instances=3)
        self.mode('wait')
        serial = self.begin()
        self.runs(4)
        self.assertEqual(len(self.lines('runs')), 4)
        self.touch('go')
        self.client.reply_to(serial)
        self.assertEqual([self.client.property(path, 'RestartCount') for path in paths], [1, 1, 1])
        self.assertEqual([self.client.property(path, 'Instance') for path in paths], [0, 1, 2])

    def test_all_at_once(self):
        self.app(instances=3, reload_parallel=0)
        self.mode('wait')
        serial = self.begin()
        self.runs(6)
        self.touch('go')
        self.client.reply_to(serial)

    def test_the_first_that_fails_is_the_last(self):
        paths = self.app(instances=3)
        before = [self.pid(path) for path in paths]
        self.mode('exit')
        error = self.assert_dbus_error('PartialFailure', self.reload)
        self.assertIn('process 0', error.message)
        self.assertIn('was not reloaded: process 0 of its app could not be replaced', error.message)
        self.assertEqual([self.pid(path) for path in paths], before)
        self.assertEqual(len(self.lines('runs')), 4)

    def test_concurrent_reloads_are_one(self):
        paths = self.app(instances=2)
        self.mode('wait')
        serials = [self.begin() for _ in range(3)]
        self.runs(3)
        serials += [self.begin() for _ in range(3)]
        self.touch('go')
        self.client.wait_property(paths[0], 'RestartCount', 1)
        serials += [self.begin(), self.begin(target='0')]
        for serial in serials:
            self.client.reply_to(serial)
        self.assertEqual([self.client.property(path, 'RestartCount') for path in paths], [1, 1])

    def test_one_with_changes_comes_after(self):
        path = self.one()
        self.mode('wait')
        first = self.begin()
        self.runs(2)
        second = self.begin(kill_timeout=900)
        self.touch('go')
        self.client.reply_to(first)
        self.client.reply_to(second)
        self.assertEqual(self.client.property(path, 'RestartCount'), 2)
        self.assertEqual(self.client.describe('app')[0]['pm2_env']['kill_timeout'], 900)


class WatchedBase(Base):
    """reload_watch: one that ends soon brings the configuration before it back."""

    def reload_to_b(self, **values):
        path = self.one(env={'WHICH': 'a'}, reload_watch=60000, **values)
        self.reload(env={'WHICH': 'b'})
        self.assertEqual(self.which(path), 'b')
        return path

    def which(self, path):
        environment = pathlib.Path(f'/proc/{self.pid(path)}/environ').read_bytes().split(b'\0')
        return next(text for text in environment if text.startswith(b'WHICH=')).decode()[6:]

    def end(self, path):
        pid = self.pid(path)
        os.kill(pid, 9)
        self.client.wait_property(path, 'Pid', lambda new: new not in (0, pid))
        self.client.wait_status(path, 'online')


class Watched(WatchedBase):
    def test_it_comes_back(self):
        path = self.reload_to_b()
        self.end(path)
        self.assertEqual(self.which(path), 'a')
        self.assertEqual(self.client.describe('app')[0]['pm2_env']['env'], {'WHICH': 'a'})
        self.assertIn('rollback', [event for event, _ in self.client.events('app')])
        self.assertEqual(self.client.property(path, 'LastReason'), 'was ended by SIGKILL within reload_watch; '
                         'the configuration before the reload is back')
        self.end(path)
        self.assertEqual(self.which(path), 'a')

    def test_only_so_long(self):
        path = self.one(env={'WHICH': 'a'}, reload_watch=1)
        self.reload(env={'WHICH': 'b'})
        self.end(path)
        self.assertEqual(self.which(path), 'b')

    def test_not_after_a_command(self):
        path = self.reload_to_b()
        self.client.restart('app')
        self.end(path)
        self.assertEqual(self.which(path), 'b')

    def test_the_rest_of_the_app_is_not_reloaded(self):
        paths = self.app('slow', env={'WHICH': 'a'}, reload_watch=60000, instances=2)
        self.mode('ready')
        serial = self.begin(env={'WHICH': 'b'})
        self.client.wait_property(paths[0], 'RestartCount', 1)
        self.end(paths[0])
        self.touch('end')
        self.assert_dbus_error('PartialFailure', self.client.reply_to, serial)
        self.assertEqual([self.which(path) for path in paths], ['a', 'a'])


class WatchedOverRenewal(test_reexec.Renewable, WatchedBase):
    def test_it_comes_back(self):
        path = self.reload_to_b()
        self.reexecute()
        self.end(path)
        self.assertEqual(self.which(path), 'a')


class Renewal(test_reexec.Renewable, Base):
    """The supervisor is renewed in the middle."""

    def test_while_it_is_launched(self):
        path = self.one()
        self.mode('wait')
        serial = self.begin()
        old, new = self.runs(2)
        self.reexecute()
        self.assertEqual((self.pid(path), self.client.property(path, 'Status')), (old, 'online'))
        self.touch('go')
        self.client.wait_property(path, 'Pid', new)
        wait_until(lambda: not harness.is_alive(old), 'the old one has ended')
        self.assertEqual(self.client.property(path, 'RestartCount'), 1)
        del serial

    def test_while_the_old_one_drains(self):
        path = self.one('slow')
        old = self.pid(path)
        self.mode('ready')
        self.begin()
        new = self.client.wait_property(path, 'Pid', lambda pid: pid not in (0, old))
        wait_until(lambda: self.lines('signals'), 'it was asked to end')
        self.reexecute()
        self.assertEqual(self.pid(path), new)
        self.assertTrue(harness.is_alive(old))
        serial = self.begin()
        self.touch('end')
        self.client.reply_to(serial)
        self.assertEqual(self.lines('signals'), [old])
        self.assertEqual(self.client.property(path, 'RestartCount'), 2)
        self.assert_gone([old, new])


class InGroups(Places):
    isolation = 'cgroup'


class EndsInGroups(Ends):
    isolation = 'cgroup'


class RenewalInGroups(Renewal):
    isolation = 'cgroup'


if __name__ == '__main__':
    harness.main()
