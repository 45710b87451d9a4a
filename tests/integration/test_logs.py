#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Log and pid files: their names, what is in them, who opens them."""

import contextlib
import ctypes
import os
import signal
import stat
import tempfile

import harness

TALKER = '#!/bin/sh\necho to out\necho to err >&2\nexec sleep 1000\n'


class Logs(harness.Case):
    def start_talker(self, **attributes):
        script = self.script('talker.sh', TALKER)
        path = self.client.start_one(script, **attributes)
        return path, self.client.properties(path)

    def test_default_names(self):
        _, properties = self.start_talker(name='my app_x')
        self.assertEqual(properties['OutLogPath'], os.path.join(self.daemon.logs, 'my-app-x-out.log'))
        self.assertEqual(properties['ErrorLogPath'], os.path.join(self.daemon.logs, 'my-app-x-error.log'))
        self.assertEqual(os.path.basename(properties['PidPath']), 'my-app-x-0.pid')
        self.assertEqual(harness.wait_file(properties['OutLogPath']), 'to out\n')
        self.assertEqual(harness.wait_file(properties['ErrorLogPath']), 'to err\n')

    def test_number_at_the_end_of_a_name_gives_way_to_the_id(self):
        # as in PM2
        _, properties = self.start_talker(name='api-7', merge_logs=False)
        self.assertEqual(os.path.basename(properties['OutLogPath']), 'api-7-out-0.log')
        self.assertEqual(os.path.basename(properties['PidPath']), 'api-0.pid')

    def test_odd_names_stay_in_the_folder(self):
        for number, (name, stem) in enumerate((('../../up', '..-..-up'), ('a/b', 'a-b'), ('ünïcode', None),
                                               ('a.b-c', 'a.b-c'), ('..', None), ('x' * 255, None))):
            with self.subTest(name):
                _, properties = self.start_talker(name=name)
                self.assertEqual(os.path.dirname(properties['OutLogPath']), self.daemon.logs)
                if stem:
                    self.assertEqual(os.path.basename(properties['OutLogPath']), f'{stem}-out.log')
                self.assertEqual(harness.wait_file(properties['OutLogPath']), 'to out\n')
                self.assertTrue(os.path.basename(properties['PidPath']).endswith(f'-{number}.pid'))

    def test_without_merge_logs_names_have_the_id(self):
        _, properties = self.start_talker(name='api', merge_logs=False)
        self.assertEqual(os.path.basename(properties['OutLogPath']), 'api-out-0.log')
        self.assertEqual(os.path.basename(properties['ErrorLogPath']), 'api-error-0.log')

    def test_restart_appends(self):
        _, properties = self.start_talker(name='api')
        harness.wait_file(properties['OutLogPath'])
        self.client.restart('api')
        harness.wait_file(properties['OutLogPath'], lambda text: text == 'to out\nto out\n')

    def test_truncating_is_no_harm(self):
        script = self.script('loop.sh', '#!/bin/sh\nwhile :; do echo line; sleep 0.02; done\n')
        path = self.client.start_one(script, name='loop')
        out = self.client.property(path, 'OutLogPath')
        harness.wait_file(out, lambda text: text.count('line') >= 3)
        os.truncate(out, 0)
        text = harness.wait_file(out, lambda content: content.count('line') >= 3)
        self.assertNotIn('\0', text)

    def test_relative_files_start_at_cwd(self):
        os.mkdir(self.path('sub'))
        _, properties = self.start_talker(name='api', cwd=self.daemon.apps, out_file='sub/o.log', error_file='./e.log',
                                          pid_file='p.pid')
        self.assertEqual(properties['OutLogPath'], self.path('sub/o.log'))
        self.assertEqual(properties['ErrorLogPath'], self.path('e.log'))
        self.assertEqual(harness.wait_file(self.path('sub/o.log')), 'to out\n')
        self.assertEqual(harness.wait_file(self.path('e.log')), 'to err\n')
        self.assertEqual(properties['PidPath'], self.path('p-0.pid'))

    def test_nowhere(self):
        for text in ('/dev/null', 'NULL'):
            _, properties = self.start_talker(name=f'to {text}', cwd=self.daemon.apps, out_file=text)
            self.assertEqual(properties['OutLogPath'], '/dev/null')
            self.assertEqual(harness.wait_file(properties['ErrorLogPath'])[-7:], 'to err\n')
        self.assertNotIn('NULL', os.listdir(self.daemon.apps))

    def test_one_file_for_both(self):
        both = self.path('both.log')
        self.start_talker(name='api', out_file=both, error_file=both)
        harness.wait_file(both, lambda text: sorted(text.splitlines()) == ['to err', 'to out'])

    def test_missing_folder_of_a_log_file(self):
        out = self.path('new/folder/out.log')
        try:
            self.start_talker(name='api', out_file=out)
        except harness.DBusError as error:
            self.assertIn(error.name, (harness.PM2_ERROR + 'SpawnFailed', harness.PM2_ERROR + 'InvalidConfig'))
            self.assertIn(out, error.message)
            self.assertEqual(self.client.list(), [])
        else:
            self.assertEqual(harness.wait_file(out), 'to out\n')

    def test_pid_file(self):
        path, properties = self.start_talker(name='api')
        pid_file = properties['PidPath']
        self.assertEqual(harness.read_file(pid_file), str(properties['Pid']))
        self.client.restart('api')
        self.assertEqual(harness.read_file(pid_file), str(self.client.property(path, 'Pid')))
        self.client.stop('api')
        self.assertFalse(os.path.exists(pid_file))

    def test_modes_are_for_the_owner(self):
        _, properties = self.start_talker(name='api')
        for name in ('OutLogPath', 'ErrorLogPath', 'PidPath'):
            mode = stat.S_IMODE(os.stat(properties[name]).st_mode)
            self.assertEqual(mode & 0o022, 0, f'{name} {mode:o}')
        for folder in (self.daemon.runtime + '/pm2', self.daemon.state + '/pm2'):
            self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode) & 0o022, 0, folder)

    def test_output_before_a_quick_exit_is_all_there(self):
        script = self.script('quick.sh', '#!/bin/sh\ni=0\nwhile [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done\n')
        path = self.client.start(script, name='quick', autorestart=False, wait=False)[0]
        self.client.wait_status(path, 'stopped')
        text = harness.read_file(self.client.property(path, 'OutLogPath'))
        self.assertEqual(text, ''.join(f'line {number}\n' for number in range(2000)))

    def test_pm2ctl_logs(self):
        self.start_talker(name='api')
        harness.wait_file(os.path.join(self.daemon.logs, 'api-out.log'))
        harness.wait_file(os.path.join(self.daemon.logs, 'api-error.log'))
        result = self.pm2ctl('logs', 'api', '--nostream')
        self.assertIn('to out', result.stdout)
        self.assertIn('to err', result.stdout)


class Flush(harness.Case):
    def start_loop(self, name, **attributes):
        script = self.script('loop.sh', '#!/bin/sh\nwhile :; do echo line; echo wrong >&2; sleep 0.02; done\n')
        path = self.client.start_one(script, name=name, **attributes)
        files = [self.client.property(path, key) for key in ('OutLogPath', 'ErrorLogPath')]
        for file in files:
            if file != '/dev/null':
                harness.wait_file(file, lambda text: text.count('\n') >= 3)
        return path, files

    def flush(self, target, **options):
        return self.client.manager_call('Flush', 'sa{sv}', target, harness.options(**options))

    def test_files_are_empty_and_go_on(self):
        path, files = self.start_loop('running')
        stopped, stopped_files = self.start_loop('stopped')
        self.client.stop('stopped')
        before = [os.stat(file).st_ino for file in files]
        self.assertEqual(sorted(self.flush('all')), sorted([path, stopped]))
        for file in stopped_files:
            self.assertEqual(harness.read_file(file), '')
        for file in files:
            text = harness.wait_file(file, lambda content: content.count('\n') >= 3)
            self.assertNotIn('\0', text)
        self.assertEqual([os.stat(file).st_ino for file in files], before)

    def test_what_is_not_there_is_empty(self):
        path, files = self.start_loop('app', error_file='/dev/null', out_file=self.path('out.log'))
        self.client.stop('app')
        os.unlink(files[0])
        self.assertEqual(self.flush('app'), [path])
        self.assertFalse(os.path.exists(files[0]))

    def test_what_cannot_be_emptied(self):
        _, files = self.start_loop('app', out_file=self.path('out.log'))
        self.client.stop('app')
        os.unlink(files[0])
        os.symlink('/etc/hostname', files[0])
        self.assert_dbus_error('InvalidData', self.flush, 'app', mentions=(files[0], 'cannot be emptied'))
        os.unlink(files[0])
        os.mkfifo(files[0])
        self.assert_dbus_error('InvalidData', self.flush, 'app', mentions=files[0])
        self.assertNotEqual(os.path.getsize('/etc/hostname'), 0)

    def test_options_and_targets(self):
        self.assert_dbus_error('NoSuchProcess', self.flush, 'nobody')
        self.start_loop('app')
        self.assert_dbus_error('org.freedesktop.DBus.Error.InvalidArgs', self.flush, 'app', mentions='force', force=True)

    def test_pm2ctl(self):
        _, files = self.start_loop('app')
        self.client.stop('app')
        self.assertIn('app (0) has empty logs', self.pm2ctl('flush').stdout)
        self.assertEqual([os.path.getsize(file) for file in files], [0, 0])
        self.pm2ctl('reloadLogs')


class Full(harness.Case):
    """No byte is free: the app lives on, its logs can be emptied, and then it logs again."""

    def setUp(self):
        super().setUp()
        self.libc = ctypes.CDLL(None, use_errno=True)
        if os.geteuid() != 0:
            self.skipTest('a small file system takes root')

    def small_daemon(self):
        """A pm2d that sees a file system of a quarter of a megabyte at a folder, which is looked at through its eyes."""
        folder = tempfile.mkdtemp(prefix='pm2-full-')
        self.addCleanup(os.rmdir, folder)

        def mount():
            new_namespace, private = 0x20000, 0x40000 | 0x4000  # CLONE_NEWNS, MS_PRIVATE | MS_REC
            if self.libc.unshare(new_namespace) or self.libc.mount(None, b'/', None, private, None) or self.libc.mount(
                    b'none', folder.encode(), b'tmpfs', 0, b'size=256k'):
                os._exit(77)

        daemon = self.new_daemon(preexec=mount)
        try:
            daemon.start()
        except AssertionError:
            self.expected_status = 77
            self.skipTest('no mount namespace can be had here')
        return daemon, folder, f'/proc/{daemon.process.pid}/root{folder}'

    def test_flush_frees_and_logging_goes_on(self):
        daemon, folder, seen = self.small_daemon()
        client = daemon.connect()
        script = os.path.join(daemon.apps, 'loop.sh')
        with open(script, 'w', encoding='utf-8') as file:
            file.write('while :; do echo a line of some length, so that it is full soon || sleep 0.01; done\n')
        path = client.start_one(script, name='app', out_file=f'{folder}/out.log', error_file='/dev/null', interpreter='sh')
        pid = client.property(path, 'Pid')

        def free():
            status = os.statvfs(seen)
            return status.f_bfree * status.f_bsize

        for _ in range(2):
            harness.wait_until(lambda: free() == 0, 'the disk is full')
            before = os.path.getsize(f'{seen}/out.log')
            self.assertEqual(client.property(path, 'Status'), 'online')
            self.assertEqual(client.manager_call('Flush', 'sa{sv}', 'app', {}), [path])
            self.assertGreater(before, 200000)
        # the last line may be cut short by the disk, full once more
        harness.wait_file(f'{seen}/out.log', lambda text: '\n' in text)
        self.assertEqual(client.property(path, 'Pid'), pid)


class Reload(harness.Case):
    """A program that opens its log anew is heard of by ReloadLogs alone."""

    SCRIPT = '#!/bin/sh\ntrap "exec >>$1" USR1\necho first\nwhile :; do sleep 0.02; echo line; done\n'

    def reopened(self):
        """A renamed log that the program does not write to any more."""
        out = self.path('out.log')
        path = self.client.start_one(self.script('reopen.sh', self.SCRIPT), name='app', args=[out], out_file=out)
        harness.wait_file(out)
        os.rename(out, out + '.old')
        self.client.send_signal('app', 'SIGUSR1')
        harness.wait_file(out)
        return path, out

    def watched(self, file):
        """Whether pm2d holds the file."""
        folder = f'/proc/{self.daemon.process.pid}/fd'
        inode = os.stat(file).st_ino
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                if os.stat(f'{folder}/{name}').st_ino == inode:
                    return True
        return False

    def test_a_log_that_was_opened_anew(self):
        for how in ('call', 'signal', 'pm2ctl'):
            with self.subTest(how):
                _, out = self.reopened()
                self.assertTrue(self.watched(out + '.old'))
                self.assertFalse(self.watched(out))
                if how == 'call':
                    self.client.manager_call('ReloadLogs')
                elif how == 'signal':
                    os.kill(self.daemon.process.pid, signal.SIGUSR2)
                else:
                    self.pm2ctl('reload-logs')
                harness.wait_until(lambda out=out: self.watched(out), 'the new file is bounded')
                harness.wait_until(lambda out=out: not self.watched(out + '.old'), 'the old file is let go of')
                self.client.delete('app')
                os.unlink(out)

    def test_a_renamed_log_stays_what_it_is(self):
        script = self.script('loop.sh', '#!/bin/sh\nwhile :; do echo line; sleep 0.02; done\n')
        out = self.path('out.log')
        self.client.start_one(script, name='app', out_file=out)
        harness.wait_file(out)
        os.rename(out, out + '.old')
        self.client.manager_call('ReloadLogs')
        self.assertTrue(self.watched(out + '.old'))
        self.assertFalse(os.path.exists(out))


if __name__ == '__main__':
    harness.main()
