#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pm2ctl send, message and trigger: what arrives, what is shown, and the exit statuses."""

import json
import os
import shutil
import subprocess
import unittest

import harness
from harness import read_file, wait_until

OK, FAILED, USAGE, NO_DAEMON, NO_PROCESS, TIMEOUT = range(6)

APP = '''
const fs = require('fs');
const file = fs.openSync(process.argv[2], 'a');
const answer = (name, value) => process.send({type: 'axm:reply', data: {action_name: name, return: value}});
process.on('message', (message) => {
    const name = (message && message.msg) || message;
    if (name === 'echo') answer(name, {got: message.opts || null});
    else if (name === 'bell') answer(name, '\\u001b[2J\\u0007');
    else if (name !== 'silent') fs.writeSync(file, JSON.stringify(message) + '\\n');
});
require('readline').createInterface({input: process.stdin})
    .on('line', (line) => fs.writeSync(file, 'line ' + line + '\\n'));
for (const name of ['echo', 'silent', 'bell']) process.send({type: 'axm:action', data: {action_name: name}});
process.send('ready');
'''


@unittest.skipUnless(shutil.which('node'), 'Node is not installed')
class Send(harness.Case):
    def app(self, name='app', **attributes):
        script = self.script('app.js', APP, executable=False)
        return self.client.start_one(script, name=name, args=[self.path(name)], wait_ready=True, listen_timeout=60000,
                                     **attributes)

    def assert_got(self, lines, name='app'):
        text = ''.join(line + '\n' for line in lines)
        wait_until(lambda: os.path.exists(self.path(name)) and read_file(self.path(name)) == text, f'{text!r} arrives')

    # Lines and messages

    def test_lines(self):
        self.app()
        for line in ('first', '', 'two words ünï'):
            self.assertIn('app (0) got the line', self.pm2ctl('send', 'app', line).stdout)
        self.pm2ctl('send', '--silent', '0', '--', '-x')
        self.assert_got(['line first', 'line ', 'line two words ünï', 'line -x'])

    def test_messages(self):
        self.app()
        for text in ('{"type":"process:msg","data":{"some":"data"}}', '12345678901234567890123', '"text"'):
            self.assertIn('app (0) got the message', self.pm2ctl('message', 'app', text).stdout)
        self.assert_got(['{"type":"process:msg","data":{"some":"data"}}', '1.2345678901234568e+22', '"text"'])

    def test_json_names_who_was_told(self):
        self.app()
        listed = self.client.list()[0]
        for verb in (('send', 'app', 'x'), ('message', 'app', '1')):
            (process,) = json.loads(self.pm2ctl(*verb, '--json').stdout)
            self.assertEqual(list(process), list(listed))
            self.assertEqual(list(process['pm2_env']), list(listed['pm2_env']))
        self.assertEqual(self.pm2ctl('send', 'app', 'x', '--silent').stdout, '')

    def test_several_processes(self):
        self.app('one')
        self.app('two')
        self.client.start(self.script('null.sh', '#!/bin/sh\nexec </dev/null\n>"$1"\nexec sleep 1000\n'), name='deaf',
                          args=[self.path('deaf')])
        wait_until(lambda: os.path.exists(self.path('deaf')), 'it has another standard input')
        for verb, word, told in (('send', 'x', ['one (0) got the line', 'two (1) got the line']), ('message', '1', [])):
            result = self.pm2ctl(verb, 'all', word, status=FAILED)
            self.assertIn("'deaf'", result.stderr)
            for line in told:
                self.assertIn(line, result.stdout)
        for name in ('one', 'two'):
            self.assert_got(['line x', '1'], name)

    def test_what_cannot_be_sent(self):
        self.app()
        for verb in (('send', 'nobody', 'x'), ('message', 'nobody', '1'), ('trigger', 'nobody', 'echo')):
            result = self.pm2ctl(*verb, status=NO_PROCESS)
            self.assertEqual(result.stdout, '')
            self.assertIn('nobody', result.stderr)
        for verb, words in ((('send', 'app', 'a\nb'), 'newline'), (('send', 'app', 'x' * 4096), '4095'),
                            (('message', 'app', '{'), 'message'), (('message', 'app', '{"cmd":"NODE_X"}'), 'NODE_'),
                            (('message', 'app', '\udcff'), 'UTF-8'), (('trigger', 'app', ''), 'action')):
            self.assertIn(words, self.pm2ctl(*verb, status=FAILED).stderr)
        self.client.stop('app')
        for verb in (('send', 'app', 'x'), ('message', 'app', '1'), ('trigger', 'app', 'echo')):
            self.assertIn('stopped', self.pm2ctl(*verb, status=FAILED).stderr)

    def test_usage(self):
        self.assertTrue(self.client)
        for arguments in (('send', 'app'), ('send', 'app', 'two', 'words'), ('message', 'app'), ('trigger', 'app'),
                          ('trigger', 'app', 'a', 'b', 'c'), ('send', 'app', 'x', '--timeout', '1'),
                          ('trigger', 'app', 'a', '--timeout', 'long')):
            with self.subTest(arguments):
                self.assertEqual(self.pm2ctl(*arguments, status=USAGE).stdout, '')

    # Actions

    def test_answers(self):
        self.app()
        self.assertEqual(self.pm2ctl('trigger', 'app', 'echo').stdout, '[app:0:default]={"got":null}\n')
        self.assertEqual(self.pm2ctl('trigger', '0', 'echo', 'a "b"').stdout, '[app:0:default]={"got":"a \\"b\\""}\n')
        self.assertNotIn('\x1b', self.pm2ctl('trigger', 'app', 'bell').stdout)
        self.assertEqual(self.pm2ctl('trigger', 'app', 'echo', '--no-wait').stdout, '[app:0:default] was asked\n')
        self.assertEqual(self.pm2ctl('trigger', 'app', 'echo', '--silent').stdout, '')

    def test_answers_as_json(self):
        self.app('one', namespace='shop')
        self.client.start(self.sleeper(), name='deaf')
        result = self.pm2ctl('trigger', 'all', 'echo', 'x', '--json', status=FAILED)
        first, second = sorted(json.loads(result.stdout), key=lambda answer: answer['pm_id'])
        self.assertEqual(first, {'pm_id': 0, 'name': 'one', 'namespace': 'shop', 'error': '', 'return': {'got': 'x'}})
        self.assertEqual((second['name'], second['error']), ('deaf', 'NoChannel'))
        self.assertIn(second['message'], result.stderr)
        self.assertIn('[deaf:1:default] ', result.stderr)

    def test_failures(self):
        self.app()
        result = self.pm2ctl('trigger', 'app', 'nothing', status=FAILED)
        self.assertEqual(result.stdout, '')
        self.assertIn("no action 'nothing'", result.stderr)
        result = self.pm2ctl('trigger', 'app', 'silent', '--timeout', '50', status=TIMEOUT)
        self.assertIn('[app:0:default] it did not answer in time', result.stderr)
        self.app('two')
        self.pm2ctl('trigger', 'all', 'silent', '--timeout', '50', status=FAILED)


class NoSupervisor(harness.Case):
    def test_none_is_started(self):
        daemon = self.new_daemon()
        for verb in (('send', 'app', 'x'), ('message', 'app', '1'), ('trigger', 'app', 'a')):
            command = [harness.pm2ctl_path(), *verb]
            result = subprocess.run(command, env=daemon.environment(), capture_output=True, text=True,
                                            stdin=subprocess.DEVNULL, timeout=harness.TIMEOUT, check=False)
            self.assertEqual(result.returncode, NO_DAEMON, result.stderr)
        self.assertEqual(harness.marked_processes(daemon.mark), [])


if __name__ == '__main__':
    harness.main()
