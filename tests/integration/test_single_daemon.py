#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""One supervisor per user and instance, however many are started."""

import os
import signal
import stat
import subprocess
import time

import harness


class SingleDaemon(harness.Case):
    def second(self):
        """Try to start another one with the same folders."""
        return self.run_command(harness.pm2d_path(), '--private')

    @staticmethod
    def run_alone(daemon, **environment):
        """A pm2d of which we expect that it ends by itself."""
        return subprocess.run([harness.pm2d_path(), '--private'], env={**daemon.environment(), **environment},
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=harness.TIMEOUT)

    def daemons(self, daemon):
        return [pid for pid in harness.marked_processes(daemon.mark)
                if harness.read_file(f'/proc/{pid}/comm').strip() == 'pm2d']

    def test_second_says_who_is_there(self):
        first = self.daemon.process.pid
        started = time.monotonic()
        result = self.second()
        self.assertEqual(result.returncode, harness.EXIT_RUNS_ALREADY, result.stderr)
        self.assertIn(str(first), result.stderr)
        self.assertIn(self.daemon.socket_path, result.stderr)
        self.assertLess(time.monotonic() - started, 30)
        self.assertEqual(self.client.list(), [])

    def test_second_takes_over_when_the_first_ends_meanwhile(self):
        first = self.daemon
        command = [harness.pm2d_path(), '--private']
        with subprocess.Popen(command, env=first.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as other:
            first.terminate()
            harness.wait_until(lambda: os.path.exists(first.socket_path), 'the second listens')
            client = first.connect()
            self.assertEqual(client.list(), [])
            other.send_signal(signal.SIGTERM)
            _, errors = other.communicate(timeout=harness.TIMEOUT)
            self.assertEqual(other.returncode, 0, errors)

    def test_starts_after_a_kill_9_left_its_socket(self):
        first = self.daemon
        first.process.kill()
        first.wait_exit()
        self.assertTrue(os.path.exists(first.socket_path))
        first.start()
        self.assertEqual(first.connect().list(), [])

    def test_end_leaves_no_socket(self):
        path = self.daemon.socket_path
        self.daemon.terminate()
        self.assertFalse(os.path.exists(path))

    def test_children_do_not_hold_the_lock(self):
        pid = self.client.property(self.client.start_one(self.sleeper(), name='api'), 'Pid')
        self.daemon.process.kill()
        self.daemon.wait_exit()
        try:
            self.daemon.start()
        finally:
            if harness.is_alive(pid):
                os.kill(pid, signal.SIGKILL)
            harness.wait_until(lambda: not harness.is_alive(pid), 'its process is gone')

    def test_two_pm2ctl_at_once_start_one_daemon(self):
        daemon = self.new_daemon()
        command = [harness.pm2ctl_path(), 'start', '--name']
        script = os.path.join(daemon.apps, 'sleeper.sh')
        with open(script, 'w', encoding='ascii') as file:
            file.write('#!/bin/sh\nexec sleep 1000\n')
        os.chmod(script, 0o755)
        starters = [subprocess.Popen([*command, f'app-{number}', script], env=daemon.environment(), cwd=daemon.apps,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     text=True)
                    for number in range(4)]
        for starter in starters:
            output, _ = starter.communicate(timeout=harness.TIMEOUT)
            self.assertEqual(starter.returncode, 0, output)
        self.assertEqual(len(self.daemons(daemon)), 1)
        with daemon.connect() as client:
            self.assertEqual(sorted(item['name'] for item in client.list()), [f'app-{number}' for number in range(4)])
            client.manager_call('Kill', 'a{sv}', {})
        harness.wait_until(lambda: not harness.marked_processes(daemon.mark), 'the daemon is gone')

    def test_runtime_folder_that_others_may_write_is_refused(self):
        daemon = self.new_daemon()
        os.mkdir(os.path.join(daemon.runtime, 'pm2'), 0o700)
        os.chmod(os.path.join(daemon.runtime, 'pm2'), 0o777)
        result = self.run_alone(daemon)
        self.assertNotIn(result.returncode, (0, harness.EXIT_RUNS_ALREADY))
        self.assertIn(os.path.join(daemon.runtime, 'pm2'), result.stderr)

    def test_socket_is_for_the_owner(self):
        mode = os.stat(self.daemon.socket_path).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        folder = stat.S_IMODE(os.stat(os.path.dirname(self.daemon.socket_path)).st_mode)
        self.assertTrue(stat.S_IMODE(mode) & 0o077 == 0 or folder & 0o077 == 0)

    def test_path_that_no_socket_address_can_hold(self):
        daemon = self.new_daemon()
        deep = os.path.join(daemon.root, 'x' * 120)
        result = self.run_alone(daemon, XDG_RUNTIME_DIR=deep)
        self.assertNotEqual(result.returncode, 0)
        self.assertTrue(result.stderr.strip())

    def test_without_runtime_folder_the_socket_is_in_the_state(self):
        daemon = self.new_daemon()
        environment = daemon.environment()
        del environment['XDG_RUNTIME_DIR']
        path = os.path.join(daemon.state, 'pm2', 'run', 'bus')
        with subprocess.Popen([harness.pm2d_path(), '--private'], env=environment, stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            harness.wait_until(lambda: os.path.exists(path), 'it listens')
            with harness.Client(path) as client:
                self.assertEqual(client.list(), [])
            self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) & 0o022, 0)
            process.terminate()
            self.assertEqual(process.wait(harness.TIMEOUT), 0)

    def test_help_and_version(self):
        for option in ('--help', '--version'):
            result = self.run_command(harness.pm2d_path(), option)
            self.assertEqual((result.returncode, result.stderr), (0, ''))
            self.assertTrue(result.stdout.strip())
        result = self.run_command(harness.pm2d_path(), '--no-such-option')
        self.assertNotEqual(result.returncode, 0)
        self.assertIn('no-such-option', result.stderr)

    def test_settings_that_are_wrong_are_named(self):
        daemon = self.new_daemon(settings='no_such_key=1')
        result = self.run_alone(daemon)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn('no_such_key', result.stderr)


if __name__ == '__main__':
    harness.main()
