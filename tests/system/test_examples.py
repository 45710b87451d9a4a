#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The example clients of docs/examples, as their page says to run them."""

import importlib.util
import os
import re
import shutil
import subprocess
import unittest

import booted
from booted import wait_until

EXAMPLES = os.path.join(booted.TOP, 'docs', 'examples')
HAS_GI = importlib.util.find_spec('gi') is not None


class Examples(booted.Case):
    def setUp(self):
        super().setUp()
        # they are read from the tree and may write beside themselves: not into it
        self.folder = shutil.copytree(EXAMPLES, self.path('examples'))

    def run_example(self, *words):
        result = self.tester.run('sh', '-c', 'cd "$0" && exec "$@"', self.folder, *words)
        self.assertNotIn('CRITICAL', result.stderr)
        self.assertNotIn('Traceback', result.stderr)
        return result.stdout

    def assert_nothing_left(self):
        self.assertEqual(self.client.list(), [])
        self.assert_clean()

    def follow(self, *words):
        """An example that prints what happens: a function that gives its output so far, and one that waits for its
        end."""
        path = self.path('followed')
        with open(path, 'wb') as output:
            process = self.tester.popen('sh', '-c', 'cd "$0" && exec "$@"', self.folder, *words, stdout=output,
                                        stderr=subprocess.STDOUT)

        def end():
            process.kill()
            process.wait(booted.TIMEOUT)

        self.addCleanup(end)
        return (lambda: booted.read_file(path)), lambda: process.wait(booted.TIMEOUT)

    def check_follower(self, command):
        """It tells of a start, a crash, a stop and a deletion, by itself and in time."""
        self.client.start('/usr/bin/sleep', args=['1000'], name='seen-before')
        heard, wait = self.follow(*command, '--events=15')
        wait_until(lambda: 'seen-before' in heard(), 'the list is printed')
        self.client.start('/usr/bin/sleep', args=['1000'], name='followed')
        wait_until(lambda: re.search(r'followed.* online', heard()), 'the start is told')
        self.client.send_signal('followed', 'KILL')
        wait_until(lambda: re.search(r'followed.* exit.*SIGKILL', heard()), 'the crash is told')
        self.client.wait_event('restart', 'followed')
        self.client.stop('followed')
        self.client.delete('followed')
        for _ in range(3):
            self.client.restart('seen-before')
        self.assertEqual(wait(), 0, heard())
        self.assertRegex(heard(), r'followed.* restart')

    def test_busctl(self):
        output = self.run_example('./busctl.sh')
        for words in ('"online"', '"stopped"', 'app-pm2-example'):
            self.assertIn(words, output)
        self.assert_nothing_left()

    def test_gdbus(self):
        output = self.run_example('./gdbus.sh')
        for words in ("'online'", "'SIGKILL'", "'restart'", "'stop'", "'delete'"):
            self.assertIn(words, output)
        self.assert_nothing_left()

    @unittest.skipUnless(shutil.which('gjs'), 'gjs is not installed')
    def test_gjs(self):
        self.client.start('/usr/bin/sleep', args=['1000'], name='listed')
        self.assertRegex(self.run_example('gjs', '-m', 'list.js', '--once'), r'1 processes\n0 .*listed.*online')
        self.client.delete('all')

    @unittest.skipUnless(shutil.which('gjs'), 'gjs is not installed')
    def test_gjs_follows(self):
        self.check_follower(['gjs', '-m', 'list.js'])

    @unittest.skipUnless(HAS_GI, 'python3-gi is not installed')
    def test_python(self):
        self.client.start('/usr/bin/sleep', args=['1000'], name='listed')
        for option in ([], ['--socket']):
            self.assertRegex(self.run_example('./list.py', '--once', *option), r'1 processes\n0 .*listed.*online')

    @unittest.skipUnless(HAS_GI, 'python3-gi is not installed')
    def test_python_follows(self):
        self.check_follower(['./list.py'])

    @unittest.skipUnless(HAS_GI, 'python3-gi is not installed')
    def test_python_follows_on_the_socket(self):
        self.check_follower(['./list.py', '--socket'])

    def compile_example(self, name):
        # the library of a build with sanitizers wants their runtime in the program
        sanitize = '-fsanitize=address,undefined' if booted.SANITIZED else ''
        self.run_example('sh', '-c', f'cc -Wall -Werror {sanitize} {name}.c -o {name} '
                         '$(pkg-config --cflags --libs libpm2)')

    @unittest.skipUnless(shutil.which('node'), 'Node is not installed')
    def test_c(self):
        self.compile_example('control')
        output = self.run_example('./control')
        self.assertRegex(output, r'0 +api +online +pid \d+, 0 restarts\n0 +api +online +pid \d+, 1 restarts')
        self.tester.run('pm2ctl', 'delete', 'api')
        self.assert_nothing_left()

    def check_sender(self, *command):
        """It prints what the action returned, and the app has got its message."""
        path, = self.client.start(os.path.join(self.folder, 'pm2-app.js'), wait_ready=True, listen_timeout=60000)
        pid = self.client.property(path, 'Pid')
        output = self.run_example(*command)
        self.assertRegex(output, rf'\bpong\W+{pid}\b')
        log = self.client.property(path, 'OutLogPath')
        wait_until(lambda: re.search(r'got .*"some":"data".*\ngot "ping"\n', booted.read_file(log)), 'it has got both')
        self.client.delete('all')
        self.assert_nothing_left()
        return output

    @unittest.skipUnless(shutil.which('node'), 'Node is not installed')
    def test_c_sends(self):
        self.compile_example('send')
        self.assertRegex(self.check_sender('./send', '0'), r'process:msg .*"data":\{"success":true\}')

    @unittest.skipUnless(HAS_GI and shutil.which('node'), 'python3-gi or Node is not installed')
    def test_python_sends(self):
        self.check_sender('./send.py', 'pm2-app')

    @unittest.skipUnless(shutil.which('gjs') and shutil.which('node'), 'gjs or Node is not installed')
    def test_gjs_sends(self):
        self.check_sender('gjs', '-m', 'send.js', 'pm2-app')


if __name__ == '__main__':
    booted.main()
