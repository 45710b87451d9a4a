#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A new program in the place of the running one, without systemd: the same process, children stay children."""

import os
import shutil
import signal
import subprocess

import harness
from harness import wait_until

FAMILY = '#!/bin/sh\nsleep 1001 &\nsetsid sleep 1002 &\nexec sleep 1000\n'
STUBBORN = "#!/bin/sh\ntrap '' INT\necho ready >ready\nwhile :; do sleep 0.05; done\n"
CHECK_STATE = ('--check-state=3,4',)


class Renewable:
    """For cases whose supervisor is renewed: one that runs a program of its own, which can be replaced."""

    def setUp(self):
        super().setUp()
        # A program of its own, that can be replaced.
        folder = self.new_folder()
        self.program = os.path.join(folder, 'pm2d')
        shutil.copy2(harness.pm2d_path(), self.program)

    def new_folder(self):
        folder = os.path.join(self.new_daemon().root, 'program')
        os.mkdir(folder)
        return folder

    @property
    def daemon(self):
        if self._daemon is None:
            self._daemon = self.new_daemon(program=self.program)
            self._daemon.start()
        return self._daemon

    def reexecute(self):
        self.client.manager_call('Reexecute')
        self.reconnect()

    def reconnect(self):
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')

    def replace_program(self, text=None, data=None):
        """Another file under its name, as a package manager puts it."""
        with open(self.program + '.new', 'wb') as file:
            file.write(data if data is not None else text.encode())
        os.chmod(self.program + '.new', 0o755)
        os.rename(self.program + '.new', self.program)


class Reexec(Renewable):
    def test_processes_stay_children(self):
        path = self.client.start_one(self.script('family.sh', FAMILY), name='family')
        wait_until(lambda: self.client.property(path, 'Tasks') == 3, 'the family is complete')
        before, daemon = self.client.properties(path), self.daemon.process.pid
        for _ in range(3):
            self.reexecute()
            after = self.client.properties(path)
            for name in ('Status', 'Pid', 'RestartCount', 'UniqueId', 'StartTimestamp', 'ControlGroup', 'Tasks'):
                self.assertEqual(after[name], before[name], name)
        self.assertIsNone(self.daemon.process.poll())
        self.assertIn(str(before['Pid']), harness.read_file(f'/proc/{daemon}/task/{daemon}/children').split())
        seen = len(self.client.received)
        os.kill(before['Pid'], signal.SIGTERM)
        self.client.wait_event('online', 'family', seen)
        after = self.client.properties(path)
        self.assertEqual((after['RestartCount'], after['ExitSignal']), (1, 'SIGTERM'))
        self.client.stop('family')
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')

    def test_limits_and_environment_stay(self):
        script = self.script('look.sh', '#!/bin/sh\nulimit -n >limit\nenv >env\nexec sleep 1000\n')
        self.client.start_one(script, name='before', cwd=self.daemon.apps)
        limit = harness.wait_file(self.path('limit'))
        os.unlink(self.path('limit'))
        harness.wait_file(self.path('env'))
        self.reexecute()
        os.unlink(self.path('env'))
        self.client.start_one(script, name='after', cwd=self.daemon.apps)
        self.assertEqual(harness.wait_file(self.path('limit')), limit)
        env = harness.wait_file(self.path('env'))
        for word in ('LISTEN_', 'PM2D_SOFT'):
            self.assertNotIn(word, env)

    def test_pending_stop_is_told_and_goes_on(self):
        path = self.client.start_one(self.script('stubborn.sh', STUBBORN), name='stubborn', kill_timeout=1000,
                                     cwd=self.daemon.apps)
        harness.wait_file(self.path('ready'))
        other = self.daemon.connect()
        call = other.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Stop', 'sa{sv}', 'stubborn', {})
        self.client.wait_status(path, 'stopping')
        self.client.manager_call('Reexecute')
        self.assertEqual(other.wait_reply(call).error_name, 'org.pm2.Error.Restarting')
        self.reconnect()
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.client.property(path, 'RestartCount'), 0)

    def test_broken_program_leaves_the_old_one(self):
        path = self.client.start_one(self.sleeper(), name='sleeper')
        before = self.client.properties(path)
        with open(self.program, 'rb') as file:
            good = file.read()
        self.assertIn(b'libsystemd.so.0', good)
        broken = {
            'a missing library': {'data': good.replace(b'libsystemd.so.0', b'libsystemx.so.0')},
            'it refuses the state': {'text': '#!/bin/sh\necho no >&2\nexit 1\n'},
            'it ends without a word': {'text': '#!/bin/sh\nexit 0\n'},
            'no program': {'text': 'not a program'},
            'it is empty': {'text': ''},
            'it crashes': {'text': '#!/bin/sh\nkill -SEGV $$\n'},
            'it hangs': {'text': '#!/bin/sh\nexec sleep 1000\n'},
        }
        for reason, content in broken.items():
            with self.subTest(reason):
                self.replace_program(**content)
                self.assert_dbus_error('SpawnFailed', self.client.manager_call, 'Reexecute',
                                       mentions=['nothing was changed', self.program])
                self.assertEqual(self.client.properties(path)['Pid'], before['Pid'])
        os.unlink(self.program)
        self.assert_dbus_error('SpawnFailed', self.client.manager_call, 'Reexecute')
        self.client.stop('sleeper')  # the old one still works
        self.replace_program(data=good)
        self.reexecute()
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        children = harness.read_file(f'/proc/{self.daemon.process.pid}/task/{self.daemon.process.pid}/children')
        self.assertEqual(children.split(), [])

    def test_settings_that_cannot_be_read_leave_the_old_one(self):
        self.client.start_one(self.sleeper(), name='sleeper')
        with open(os.path.join(self.daemon.config, 'pm2', 'pm2d.conf'), 'a', encoding='utf-8') as file:
            file.write('nonsense=1\n')
        self.assert_dbus_error('SpawnFailed', self.client.manager_call, 'Reexecute')
        self.assertEqual(len(self.client.list()), 1)

    def test_with_crashing_processes(self):
        paths = [self.client.start_one(self.script('crash.sh', '#!/bin/sh\nsleep 0.0$(( $$ % 9 ))\nexit 3\n'),
                                       name=f'crash{i}', min_uptime=0, max_restarts=100000) for i in range(5)]
        for _ in range(10):
            self.reexecute()
            self.assertEqual(len(self.client.list()), len(paths))
        counts = [self.client.property(path, 'RestartCount') for path in paths]
        for path, count in zip(paths, counts):
            self.client.wait_property(path, 'RestartCount', lambda value, old=count: value > old)
            self.assertIn(self.client.property(path, 'ExitCode'), (3,))
        self.client.delete('all')

    def test_by_pm2ctl(self):
        path = self.client.start_one(self.sleeper(), name='sleeper')
        pid = self.client.property(path, 'Pid')
        self.pm2ctl('daemon-reexec')
        self.reconnect()
        self.assertEqual(self.client.property(path, 'Pid'), pid)


class ReexecCgroup(Reexec, harness.Case):
    isolation = 'cgroup'


class ReexecNone(Reexec, harness.Case):
    isolation = 'none'


class CheckState(harness.Case):
    """pm2d --check-state: the question that the running supervisor asks the installed one."""

    def check(self, slots, blobs):
        def in_child():
            os.dup2(slots, 10)
            os.dup2(blobs, 11)
            os.dup2(10, 3)
            os.dup2(11, 4)

        return subprocess.run([harness.pm2d_path(), '--private', *CHECK_STATE], preexec_fn=in_child, close_fds=False,
                              env=self.new_daemon().environment(), capture_output=True, text=True, check=False)

    def test_refuses_what_is_no_state(self):
        for data in (b'', b'x' * 4096, b'\0' * 1000000):
            with self.subTest(len(data)):
                slots, blobs = os.memfd_create('slots'), os.memfd_create('blobs')
                os.write(slots, data)
                os.write(blobs, b'\0' * 65536)
                result = self.check(slots, blobs)
                self.assertNotEqual(result.returncode, 0)
                self.assertEqual(result.stdout, '')
                self.assertIn('state', result.stderr)
                os.close(slots)
                os.close(blobs)

    def test_refuses_bad_arguments(self):
        for text in ('', '3', '3,4,5', 'a,b', '-1,2'):
            result = subprocess.run([harness.pm2d_path(), f'--check-state={text}'], capture_output=True, text=True,
                                    env=self.new_daemon().environment(), check=False)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn('check-state', result.stderr)


if __name__ == '__main__':
    harness.main()
