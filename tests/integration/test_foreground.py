#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pm2ctl start --no-daemon: the app, and a supervisor that was started for it, live as long as the command."""

import json
import os
import signal
import subprocess
import threading

import harness
from harness import wait_until

OK, FAILED, USAGE = range(3)
TALKER = '#!/bin/sh\ntrap "echo bye; exit 0" INT\necho first\necho wrong >&2\nwhile :; do sleep 0.05; done\n'


class Command:
    """A pm2ctl that stays, and what it has printed."""

    def __init__(self, daemon, *arguments):
        self.process = subprocess.Popen([harness.pm2ctl_path(), *arguments], env=daemon.environment(), cwd=daemon.apps,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        start_new_session=True)
        self.lines, self.errors = [], []
        self.threads = [threading.Thread(target=self.read, args=pair) for pair in
                        ((self.process.stdout, self.lines), (self.process.stderr, self.errors))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def read(stream, lines):
        for line in stream:
            lines.append(line.rstrip('\n'))
        stream.close()

    def wait_line(self, line):
        wait_until(lambda: line in self.lines, f'it prints "{line}", not just {self.lines} {self.errors}')

    def wait(self):
        status = self.process.wait(harness.TIMEOUT)
        for thread in self.threads:
            thread.join()
        assert not any(word in line for line in self.errors for word in harness.SANITIZER_FINDINGS), self.errors
        return status

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.wait()


class Foreground(harness.Case):
    def setUp(self):
        super().setUp()
        self.commands = []
        self.addCleanup(self.end_commands)
        self._daemon = self.new_daemon()  # its folders; none runs but where a case starts it
        self.talker = self.script('talker.sh', TALKER)

    def end_commands(self):
        for command in self.commands:
            if command.process.poll() is None:
                command.process.kill()
            command.wait()

    def run_in_foreground(self, *arguments):
        command = Command(self.daemon, 'start', *arguments, '--no-daemon')
        self.commands.append(command)
        return command

    def wait_nothing_left(self):
        wait_until(lambda: not harness.marked_processes(self.daemon.mark), 'nothing is left')

    def ctl_list(self):
        return json.loads(self.pm2ctl('list', '--json').stdout)


class Alone(Foreground):
    """No supervisor runs."""

    def test_it_ends_with_the_command(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                command = self.run_in_foreground(self.talker, '--name', 'app')
                command.wait_line('first')
                command.wait_line('wrong')
                self.assertIn('app (0) started', command.lines)
                self.assertEqual(command.end(number), OK)
                self.assertEqual(command.lines.count('first'), 1)  # nothing of the time before
                self.assertEqual(command.lines[-1], 'bye')  # it was asked to end, and heard out
                self.assertEqual(command.errors, [])
                self.wait_nothing_left()

    def test_kill(self):
        command = self.run_in_foreground(self.talker)
        command.wait_line('first')
        self.assertEqual(command.end(signal.SIGKILL), -signal.SIGKILL)
        self.wait_nothing_left()

    def test_others_may_use_it(self):
        command = self.run_in_foreground(self.talker, '--name', 'app')
        command.wait_line('first')
        self.pm2ctl('start', self.sleeper(), '--name', 'other')
        self.assertEqual([app['name'] for app in self.ctl_list()], ['app', 'other'])
        self.assertEqual(command.end(), OK)
        self.wait_nothing_left()

    def test_it_ends_when_the_app_has(self):
        once = self.script('once.sh', '#!/bin/sh\necho done\nexit 3\n')
        command = self.run_in_foreground(once, '--no-autorestart')
        self.assertEqual(command.wait(), OK)
        self.assertEqual(command.lines, ['once (0) started', 'done'])
        command = self.run_in_foreground(once, '--max-restarts', '3')
        self.assertEqual(command.wait(), FAILED)
        self.assertGreaterEqual(command.lines.count('done'), 3)
        self.wait_nothing_left()

    def test_a_restart_is_not_the_end(self):
        command = self.run_in_foreground(self.talker, '--name', 'app', '--restart-delay', '300ms')
        command.wait_line('first')
        pid = self.ctl_list()[0]['pid']
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: command.lines.count('first') == 2, 'it is there again')
        self.assertEqual(command.end(), OK)
        self.wait_nothing_left()

    def test_deleted_by_another(self):
        command = self.run_in_foreground(self.talker, '--name', 'app')
        command.wait_line('first')
        self.pm2ctl('delete', 'app')
        self.assertEqual(command.wait(), OK)
        self.wait_nothing_left()

    def test_one_that_cannot_be_started_ends_all(self):
        command = self.run_in_foreground(self.talker, self.path('nowhere.sh'))
        self.assertEqual(command.wait(), FAILED)
        self.assertTrue(any('nowhere.sh' in line for line in command.errors), command.errors)
        self.wait_nothing_left()

    def test_several(self):
        other = self.script('other.sh', TALKER.replace('first', 'second'))
        command = self.run_in_foreground(self.talker, other)
        command.wait_line('0|talker | first')
        command.wait_line('1|other  | second')
        self.assertEqual(command.end(), OK)
        self.wait_nothing_left()

    def test_an_ecosystem_file_and_json(self):
        apps = [{'name': 'a', 'script': self.talker, 'out_file': self.path('a.log'), 'error_file': self.path('a.log')}]
        document = self.script('apps.json', json.dumps({'apps': apps}), executable=False)
        command = self.run_in_foreground(document, '--json')
        wait_until(lambda: any('"first"' in line for line in command.lines), 'the log')
        self.assertEqual([app['name'] for app in json.loads(command.lines[0])], ['a'])
        line = json.loads(next(line for line in command.lines if '"first"' in line))
        self.assertEqual((line['message'], line['type'], line['app_name']), ('first', 'out', 'a'))
        self.assertEqual(command.end(), OK)
        self.wait_nothing_left()

    def test_a_log_that_was_there(self):
        log = self.script('own.log', 'old\n', executable=False)
        command = self.run_in_foreground(self.talker, '--output', log, '--set', 'merge_logs=true')
        command.wait_line('first')
        self.assertNotIn('old', command.lines)
        self.assertEqual(command.end(), OK)
        self.wait_nothing_left()

    def test_supervisor_that_ends(self):
        command = self.run_in_foreground(self.talker)
        command.wait_line('first')
        self.pm2ctl('kill')
        self.assertNotEqual(command.wait(), USAGE)
        self.wait_nothing_left()

    def test_nobody_reads(self):
        reading, writing = os.pipe()
        with subprocess.Popen([harness.pm2ctl_path(), 'start', self.talker, '--no-daemon'], env=self.daemon.environment(),
                              cwd=self.daemon.apps, stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.DEVNULL) as process:
            os.close(writing)
            self.assertIn(b'started', os.read(reading, 100))
            os.close(reading)
            process.wait(harness.TIMEOUT)
        self.wait_nothing_left()

    def test_not_of_the_system(self):
        result = self.pm2ctl('start', '--system', self.talker, '--no-daemon', status=USAGE)
        self.assertIn("nobody's own", result.stderr)


class Linked(Foreground):
    """A supervisor runs, and stays."""

    def setUp(self):
        super().setUp()
        self.daemon.start()

    def test_new_ones_are_deleted(self):
        other = self.client.start(self.sleeper(), name='other')[0]
        command = self.run_in_foreground(self.talker, '--name', 'app')
        command.wait_line('first')
        self.assertEqual(sorted(app['name'] for app in self.ctl_list()), ['app', 'other'])
        self.assertEqual(command.end(), OK)
        self.assertEqual([app['name'] for app in self.ctl_list()], ['other'])
        self.assertEqual(self.client.property(other, 'Status'), 'online')

    def test_those_that_were_there_are_stopped(self):
        path = self.client.start(self.talker, name='app')[0]
        self.client.stop('app')
        command = self.run_in_foreground('app')
        command.wait_line('first')
        self.assertEqual(command.end(), OK)
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assertEqual(command.lines.count('first'), 1)

    def test_it_outlives_a_flood_of_changes(self):
        """It does not read what its connection is told meanwhile, which is closed for that."""
        self.client.start(self.sleeper(), name='other')
        command = self.run_in_foreground(self.talker, '--name', 'app')
        command.wait_line('first')
        number = 0
        while 'messages unread: closed' not in self.daemon.log_text():
            self.assertLess(number, 50000)
            serials = [self.client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'SetProperties', 'sa{sv}', 'other',
                                             harness.options(kill_timeout=number + i)) for i in range(300)]
            for serial in serials:
                self.client.reply_to(serial)
            number += 300
            self.client.received.clear()
        self.assertIsNone(command.process.poll())
        self.assertEqual(command.end(), OK)
        self.assertEqual([app['name'] for app in self.ctl_list()], ['other'])


if __name__ == '__main__':
    harness.main()
