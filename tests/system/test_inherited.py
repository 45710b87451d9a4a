#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an app has from us is what the same command has under "systemd-run --user --scope"."""

import json
import os

import booted
import inherited

# What we document: PM2's variables, and the mark of the process.
OURS = {'PM2D_UNIQUE_ID', 'pm_id', 'name', 'namespace', 'NODE_APP_INSTANCE', 'instances', 'exec_mode',
        'exec_interpreter', 'pm_exec_path', 'pm_cwd', 'pm_out_log_path', 'pm_err_log_path', 'pm_pid_path', 'unique_id',
        'status', 'restart_time', 'unstable_restarts', 'pm_uptime', 'created_at', 'PM2_HOME'}
COLLECT = ['/usr/bin/python3', inherited.__file__]


class Inherited(booted.Case):
    def as_app(self, command, **attributes):
        """What a command prints as an app of ours."""
        output = self.path(f'out{len(os.listdir(self.work))}')
        path = self.client.start_one(command[0], args=command[1:], name='probe', autorestart=False, out_file=output,
                                     **{'interpreter': 'none', 'force': True, **attributes})
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.client.property(path, 'ExitCode'), 0)
        return booted.read_file(output)

    def as_scope(self, command):
        return self.tester.run('systemd-run', '--user', '--scope', '--quiet', '--collect', *command).stdout

    def test_status_limits_mounts(self):
        ours = inherited.comparable(inherited.parse_head(self.as_app(inherited.HEAD)))
        scope = inherited.comparable(inherited.parse_head(self.as_scope(inherited.HEAD)))
        self.assertEqual(ours, scope)
        for key in ('SigBlk', 'SigIgn', 'SigCgt', 'NoNewPrivs', 'Seccomp', 'CapBnd', 'Umask', 'Cpus_allowed'):
            self.assertIn(f'status {key}', ours)
        self.assertEqual(int(ours['status SigBlk'], 16), 0)
        self.assertEqual(int(ours['status SigIgn'], 16), 0)
        self.assertIn('cgroup2', ours['mountinfo'])
        self.assertIn('Max open files', ours['limits'])

    def test_the_rest(self):
        ours = json.loads(self.as_app(COLLECT))
        self.assertEqual(ours, json.loads(self.as_scope(COLLECT)))
        self.assertIn([0, 1, 2], [ours['fds'], ours['fds'][:3]])

    def test_environment(self):
        """Of a command from a shell: the shell's, and what we add."""
        caller = self.tester.environment()
        app = self.as_app(inherited.HEAD, caller_env=caller)
        scope = inherited.environment(inherited.parse_head(self.as_scope(inherited.HEAD)))
        del scope['INVOCATION_ID']  # of the scope; ours has one of its own that nobody needs to be told
        ours = inherited.environment(inherited.parse_head(app))
        self.assertEqual({key: value for key, value in ours.items() if key not in OURS}, scope)
        self.assertEqual(OURS - set(ours), set())

    def test_environment_of_the_service(self):
        """Of a command over the bus alone: the one of the user's manager, nothing of the service's own."""
        ours = inherited.environment(inherited.parse_head(self.as_app(inherited.HEAD)))
        block = self.instance.systemctl('show-environment').stdout
        for name in ('HOME', 'USER', 'LOGNAME', 'SHELL', 'PATH', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'):
            self.assertIn(f'{name}={ours[name]}\n', block)
        private = [name for name in ours if name.startswith(('NOTIFY_', 'LISTEN_', 'WATCHDOG_', 'MEMORY_PRESSURE_')) or
                   name in ('INVOCATION_ID', 'JOURNAL_STREAM', 'MAINPID', 'MANAGERPID', 'SYSTEMD_EXEC_PID', 'FDSTORE')]
        self.assertEqual(private, [])

    def test_restart_inherits_the_same(self):
        """A restart starts from the same state as the first start."""
        output = self.path('again')
        path = self.client.start_one(inherited.HEAD[0], args=inherited.HEAD[1:], name='probe', autorestart=False,
                                     interpreter='none', out_file=output)
        self.client.wait_status(path, 'stopped')
        first = inherited.comparable(inherited.parse_head(booted.read_file(output)))
        os.unlink(output)
        self.client.restart('probe')
        self.client.wait_status(path, 'stopped')
        self.assertEqual(inherited.comparable(inherited.parse_head(booted.read_file(output))), first)


class InheritedGroup(Inherited):
    """The same of children that are born in their cgroup."""

    settings = {'isolation': 'group'}


if __name__ == '__main__':
    booted.main()
