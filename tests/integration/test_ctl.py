#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pm2ctl as a person and as a script sees it: exit statuses, what goes where, JSON, colours, languages."""

import json
import os
import pty
import re
import select
import subprocess

import harness

OK, FAILED, USAGE, NO_DAEMON, NO_PROCESS = range(5)
ESCAPE = '\x1b['


class Ctl(harness.Case):
    def start_api(self, *arguments, name='api'):
        return self.pm2ctl('start', self.sleeper(), '--name', name, *arguments)

    def listed(self):
        return json.loads(self.pm2ctl('list', '--json').stdout)

    # Exit statuses and streams

    def test_usage_errors(self):
        self.assertTrue(self.client)
        for arguments in (('--no-such-option',), ('no-such-verb',), ('stop',), ('start',), ('signal', 'TERM'),
                          ('list', '--json=yaml'), ('describe',)):
            with self.subTest(arguments):
                result = self.pm2ctl(*arguments, status=USAGE)
                self.assertEqual(result.stdout, '')
                self.assertTrue(result.stderr.strip())

    def test_no_daemon(self):
        daemon = self.new_daemon()
        # to end what does not run is no failure
        for arguments, status in ((('status',), NO_DAEMON), (('stop', 'api'), NO_DAEMON),
                                  (('delete', 'api'), NO_DAEMON), (('kill',), OK), (('version',), OK)):
            with self.subTest(arguments):
                result = subprocess.run([harness.pm2ctl_path(), *arguments], env=daemon.environment(),
                                        capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                        timeout=harness.TIMEOUT)
                self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(harness.marked_processes(daemon.mark), [])

    def test_no_such_process(self):
        self.assertTrue(self.client)
        for verb in ('stop', 'restart', 'delete', 'describe'):
            with self.subTest(verb):
                result = self.pm2ctl(verb, 'nobody', status=NO_PROCESS)
                self.assertEqual(result.stdout, '')
                self.assertIn('nobody', result.stderr)
        self.pm2ctl('signal', 'TERM', 'nobody', status=NO_PROCESS)

    def test_failures(self):
        self.start_api()
        result = self.pm2ctl('start', self.sleeper(), '--name', 'api', status=FAILED)
        self.assertIn('api', result.stderr)
        result = self.pm2ctl('start', self.path('missing.js'), status=FAILED)
        self.assertIn('missing.js', result.stderr)
        result = self.pm2ctl('start', self.sleeper(), '--name', 'x', '--kill-timeout', 'long', status=None)
        self.assertIn(result.returncode, (FAILED, USAGE))
        self.assertIn('long', result.stderr)

    def test_help_and_version(self):
        self.assertIn('start', self.pm2ctl('--help').stdout)
        version = self.client.get(harness.MANAGER_PATH, harness.MANAGER, 'Version')
        self.assertIn(version, self.pm2ctl('--version').stdout)
        for verb in ('start', 'stop', 'restart', 'delete', 'list', 'describe', 'signal', 'logs', 'kill', 'status'):
            self.assertIn(verb, self.pm2ctl(verb, '--help').stdout)

    # Verbs

    def test_life(self):
        self.start_api()
        self.assertEqual(self.listed()[0]['pm2_env']['status'], 'online')
        self.pm2ctl('restart', 'api')
        self.assertEqual(self.listed()[0]['pm2_env']['restart_time'], 1)
        self.pm2ctl('stop', 'api')
        self.assertEqual(self.listed()[0]['pm2_env']['status'], 'stopped')
        self.pm2ctl('start', 'api')
        self.assertEqual(self.listed()[0]['pm2_env']['status'], 'online')
        self.pm2ctl('delete', 'api')
        self.assertEqual(self.listed(), [])

    def test_relative_script_and_cwd_are_those_of_the_caller(self):
        self.sleeper()
        self.pm2ctl('start', 'sleeper.sh', '--name', 'api')
        (process,) = self.listed()
        self.assertEqual(process['pm2_env']['pm_exec_path'], self.path('sleeper.sh'))
        self.assertEqual(process['pm2_env']['pm_cwd'], self.daemon.apps)

    def test_arguments_and_environment_are_passed_on(self):
        script = self.script('args.sh', '#!/bin/sh\nfor a; do echo "[$a]"; done >got.new\n'
                                        'echo "$OF_CALLER" >>got.new\nmv got.new got\nexec sleep 1000\n')
        self.pm2ctl('start', script, '--name', 'args', '--', '--flag', 'two words', '',
                    env={'OF_CALLER': 'ünï'})
        self.assertEqual(harness.wait_file(self.path('got')), '[--flag]\n[two words]\n[]\nünï\n')

    def test_ecosystem_file(self):
        apps = {'apps': [{'script': './sleeper.sh', 'name': f'app-{number}', 'kill_timeout': 500}
                         for number in range(3)]}
        self.sleeper()
        with open(self.path('ecosystem.json'), 'w', encoding='utf-8') as file:
            json.dump(apps, file)
        self.pm2ctl('start', 'ecosystem.json')
        self.assertEqual([item['name'] for item in self.listed()], ['app-0', 'app-1', 'app-2'])
        self.pm2ctl('start', 'ecosystem.json', '--only', 'app-1')
        self.assertEqual([item['pm2_env']['restart_time'] for item in self.listed()], [0, 1, 0])

    def test_signal(self):
        script = self.script('usr1.sh', '#!/bin/bash\ntrap "echo USR1 >got" USR1\necho >ready\n'
                                        'while :; do sleep 0.05; done\n')
        self.pm2ctl('start', script, '--name', 'usr1')
        harness.wait_file(self.path('ready'))
        self.pm2ctl('signal', 'USR1', 'usr1')
        self.assertEqual(harness.wait_file(self.path('got')), 'USR1\n')

    def test_several_targets(self):
        for name in ('one', 'two', 'three'):
            self.start_api(name=name)
        self.pm2ctl('stop', 'one', 'three')
        self.assertEqual([item['pm2_env']['status'] for item in self.listed()], ['stopped', 'online', 'stopped'])
        self.pm2ctl('delete', '/^t/')
        self.assertEqual([item['name'] for item in self.listed()], ['one'])

    def test_kill(self):
        self.expected_status = harness.EXIT_KILLED
        self.start_api()
        self.pm2ctl('kill')
        self.assertEqual(self.daemon.wait_exit(), harness.EXIT_KILLED)
        self.assertFalse(os.path.exists(self.daemon.socket_path))

    # Output

    def test_json_forms(self):
        self.start_api()
        short = self.pm2ctl('list', '--json').stdout
        self.assertEqual(short.count('\n'), 1)
        self.assertEqual(json.dumps(json.loads(short), separators=(',', ':'), ensure_ascii=False) + '\n', short)
        self.assertEqual(self.pm2ctl('list', '--json=short').stdout.count('\n'), 1)
        pretty = self.pm2ctl('list', '--json=pretty').stdout
        self.assertGreater(pretty.count('\n'), 5)
        self.assertEqual(self.names(json.loads(pretty)), self.names(json.loads(short)))
        self.assertNotIn('{', self.pm2ctl('list', '--json=off').stdout)

    @staticmethod
    def names(processes):
        return [(list(process), list(process['monit']), list(process['pm2_env'])) for process in processes]

    def test_json_list_has_the_structure_of_list(self):
        self.start_api()
        self.assertEqual(self.names(self.listed()), self.names(self.client.list()))

    def test_json_of_an_empty_list(self):
        self.assertTrue(self.client)
        self.assertEqual(self.pm2ctl('list', '--json').stdout, '[]\n')

    def test_table(self):
        self.start_api()
        self.start_api(name='wörker 工作')
        table = self.pm2ctl('list').stdout
        for text in ('api', 'wörker 工作', 'online'):
            self.assertIn(text, table)
        self.assertNotIn(ESCAPE, table)

    def test_names_cannot_move_the_cursor(self):
        self.client.start(self.sleeper(), name='api', args=['\x1b[2J'])
        for verb in (('list',), ('describe', 'api')):
            self.assertNotIn('\x1b', self.pm2ctl(*verb).stdout)

    def in_terminal(self, *arguments, **environment):
        """The output of pm2ctl on a terminal of 120 columns."""
        master, slave = pty.openpty()
        subprocess.run(['stty', 'cols', '120', 'rows', '40'], stdin=slave, check=True)
        with subprocess.Popen([harness.pm2ctl_path(), *arguments], stdin=slave, stdout=slave, stderr=slave,
                              env={**self.daemon.environment(), 'TERM': 'xterm-256color', **environment}) as process:
            os.close(slave)
            output = b''
            while select.select([master], [], [], harness.TIMEOUT)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:
                    break
                if not data:
                    break
                output += data
            self.assertEqual(process.wait(harness.TIMEOUT), 0, output)
        os.close(master)
        return output.decode()

    def test_colours_on_a_terminal_unless_unwanted(self):
        self.start_api()
        self.assertIn(ESCAPE, self.in_terminal('list'))
        self.assertNotIn(ESCAPE, self.in_terminal('list', NO_COLOR='1'))
        self.assertNotIn(ESCAPE, self.in_terminal('list', TERM='dumb'))
        lines = re.sub(r'\x1b\[[0-9;]*m', '', self.in_terminal('list')).splitlines()
        self.assertLessEqual(max(map(len, lines)), 120)

    def test_german(self):
        self.assertTrue(self.client)
        build = os.path.dirname(os.path.dirname(os.path.dirname(harness.pm2ctl_path())))
        catalogues = os.environ.get('PM2D_LOCALE_DIR', os.path.join(build, 'po'))
        if not os.path.exists(f'{catalogues}/de/LC_MESSAGES/pm2d.mo'):
            self.skipTest('the German catalogue is not built')
        english = self.pm2ctl('--help').stdout
        german = self.pm2ctl('--help', env={'LANGUAGE': 'de', 'PM2D_LOCALE_DIR': catalogues}).stdout
        self.assertNotEqual(german, english)
        self.assertRegex(german, 'Prozess|Anwendung')
        # what programs read is not translated
        self.assertIn('"running":true', self.pm2ctl('status', '--json', env={
            'LANGUAGE': 'de', 'PM2D_LOCALE_DIR': catalogues}).stdout)

    # Logs

    def test_logs(self):
        script = self.script('talk.sh', '#!/bin/sh\ni=0\nwhile [ $i -lt 30 ]; do echo line $i; i=$((i+1)); done\n'
                                        'exec sleep 1000\n')
        self.pm2ctl('start', script, '--name', 'talk')
        harness.wait_file(os.path.join(self.daemon.logs, 'talk-out.log'), lambda text: 'line 29\n' in text)
        self.assertIn('line 29', self.pm2ctl('logs', 'talk', '--nostream').stdout)
        few = self.pm2ctl('logs', 'talk', '--nostream', '--lines', '3').stdout
        self.assertIn('line 27', few)
        self.assertNotIn('line 26', few)

    def test_logs_follow(self):
        script = self.script('slow.sh', '#!/bin/sh\nwhile :; do date +%s.%N; sleep 0.1; done\n')
        self.pm2ctl('start', script, '--name', 'slow')
        with subprocess.Popen([harness.pm2ctl_path(), 'logs', 'slow'], env=self.daemon.environment(), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            for _ in range(20):
                self.assertTrue(process.stdout.readline())
            process.terminate()

    def test_closed_output_is_no_crash(self):
        self.start_api()
        command = [harness.pm2ctl_path(), 'list']
        with subprocess.Popen(command, env=self.daemon.environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            process.stdout.close()
            errors = process.stderr.read()
            process.wait(harness.TIMEOUT)
        for word in harness.SANITIZER_FINDINGS:
            self.assertNotIn(word, errors)


if __name__ == '__main__':
    harness.main()
