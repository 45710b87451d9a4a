#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What runs a script: by its extension, as declared, by its first line, of a version; and what is missing."""

import os
import pathlib

import harness


class Interpreters(harness.Case):
    def fake(self, folder, name):
        """A program that tells how it was called, and stays."""
        os.makedirs(self.path(folder), exist_ok=True)
        path = os.path.join(self.path(folder), name)
        pathlib.Path(path).write_text(
            f'#!/bin/sh\n{{ echo "{folder}/{name}"; for a; do echo "[$a]"; done; }} >"{self.path("told.new")}"\n'
            f'mv "{self.path("told.new")}" "{self.path("told")}"\nexec sleep 1000\n', encoding='utf-8')
        os.chmod(path, 0o700)
        return path

    def told(self):
        text = harness.wait_file(self.path('told'))
        os.remove(self.path('told'))
        return text.splitlines()

    def start(self, name, text='', path='bin', executable=False, **attributes):
        """Start a script with a PATH of one folder of the case, and return what its interpreter told."""
        script = self.script(name, text, executable)
        self.client.start_one(script, caller_env={'PATH': f'{self.path(path)}:/usr/bin:/bin'}, **attributes)
        return self.told()

    def refused(self, name, *mentions, text='', path='empty', executable=False, **attributes):
        script = self.script(name, text, executable)
        return self.assert_dbus_error('InvalidConfig', self.client.start, script, mentions=mentions,
                                      caller_env={'PATH': self.path(path)}, **attributes)

    def test_extensions(self):
        for extension, interpreter in (('js', 'node'), ('mjs', 'node'), ('cjs', 'node'), ('sh', 'bash'),
                                       ('py', 'python3'), ('rb', 'ruby'), ('php', 'php'), ('pl', 'perl'),
                                       ('coffee', 'coffee'), ('ls', 'lsc'), ('ts', 'bun'), ('tsx', 'bun')):
            with self.subTest(extension):
                self.fake('bin', interpreter)
                self.assertEqual(self.start(f'app-{extension}.{extension}', node_args=['--flag'], args=['x']),
                                 [f'bin/{interpreter}', '[--flag]', f'[{self.path(f"app-{extension}.{extension}")}]',
                                  '[x]'])

    def test_a_missing_one_is_named(self):
        for extension, interpreter in (('js', 'node'), ('rb', 'ruby'), ('ts', 'bun'), ('py', 'python3')):
            with self.subTest(extension):
                self.refused(f'app.{extension}', f"interpreter: '{interpreter}' is not an executable file in PATH",
                             f'extension .{extension}')
        self.refused('app.js', "interpreter: 'no-such' is not an executable file in PATH", interpreter='no-such')
        self.refused('app.js', "interpreter: '/no/such' is not an executable file", interpreter='/no/such')

    def test_python_where_there_is_no_python3(self):
        self.fake('old', 'python')
        script = self.script('app.py', '', False)
        path = self.client.start_one(script, caller_env={'PATH': self.path('old')})
        self.assertEqual(self.client.property(path, 'Interpreter'), 'python')

    def test_declared(self):
        self.fake('bin', 'mine')
        self.assertEqual(self.start('a.js', interpreter='mine')[0], 'bin/mine')
        self.assertEqual(self.start('b.js', interpreter=self.path('bin/mine'))[0], 'bin/mine')
        self.assertEqual(self.start('c.js', interpreter='./bin/mine', cwd=self.daemon.apps)[0], 'bin/mine')

    def test_none(self):
        script = f'#!/bin/sh\necho self >{self.path("told.new")}\nmv {self.path("told.new")} {self.path("told")}\n' \
                 'exec sleep 1000\n'
        self.assertEqual(self.start('a.js', script, executable=True, interpreter='none'), ['self'])
        self.refused('b.js', 'script', 'Permission denied', text=script, interpreter='none')

    def test_first_lines(self):
        self.fake('bin', 'mine')
        self.assertEqual(self.start('a', f'#!{self.path("bin/mine")} one\n', executable=True),
                         ['bin/mine', '[one]', f'[{self.path("a")}]'])
        self.assertEqual(self.start('b', '#!/usr/bin/env mine\n', executable=True)[0], 'bin/mine')
        # who may not be executed is run by what its first line names
        self.assertEqual(self.start('c', '#!/usr/bin/env mine\n'), ['bin/mine', f'[{self.path("c")}]'])
        self.assertEqual(self.start('d', f'#!{self.path("bin/mine")}\n'), ['bin/mine', f'[{self.path("d")}]'])
        self.refused('e', 'script', 'Permission denied', text=f'#!{self.path("bin/mine")} one\n')

    def test_first_lines_that_name_nothing(self):
        self.refused('a', 'script', "its first line names '/no/such/program', which is not an executable file",
                     text='#!/no/such/program\n', executable=True)
        self.refused('b', 'script', "its first line names 'no-such', which is not an executable file in PATH",
                     text='#!/usr/bin/env no-such\n', executable=True)

    def versions(self, root, *versions):
        for version in versions:
            self.fake(f'{root}/versions/node/{version}/bin', 'node')

    def test_versions(self):
        self.versions('nvm', 'v16.20.2', 'v18.9.1', 'v18.20.4', 'v20.1.0')
        os.makedirs(self.path('nvm/versions/node/v18.99.0'))  # half removed
        script = self.script('a.js', '', False)
        for number, (wanted, found) in enumerate((('18', 'v18.20.4'), ('v18', 'v18.20.4'), ('18.9', 'v18.9.1'),
                                                  ('16.20.2', 'v16.20.2'), ('20', 'v20.1.0'))):
            with self.subTest(wanted):
                self.client.start(script, name=f'v{number}', interpreter=f'node@{wanted}',
                                  caller_env={'NVM_DIR': self.path('nvm')})
                self.assertEqual(self.told()[0], f'nvm/versions/node/{found}/bin/node')
        for wanted in ('14', '18.2', '', '18.99', '../v18.20.4', 'lts/*'):
            with self.subTest(wanted):
                self.assert_dbus_error('InvalidConfig', self.client.start, script, name='x',
                                       interpreter=f'node@{wanted}', caller_env={'NVM_DIR': self.path('nvm')},
                                       mentions=[f"interpreter: 'node@{wanted}'", self.path('nvm/versions/node')])

    def test_versions_at_home(self):
        error = self.assert_dbus_error('InvalidConfig', self.client.start, self.script('a.js', '', False),
                                       interpreter='node@99', caller_env={'A': 'b'})
        self.assertIn('.nvm/versions/node', error.message)

    def test_the_running_process_is_not_touched(self):
        script = self.sleeper('a.sh')
        path = self.client.start_one(script, name='app')
        pid = self.client.property(path, 'Pid')
        for interpreter in ('no-such', '/no/such', 'node@99'):
            with self.subTest(interpreter):
                self.assert_dbus_error('InvalidConfig', self.client.restart, 'app', interpreter=interpreter,
                                       mentions=interpreter)
                self.assert_dbus_error('InvalidConfig', self.client.start_json,
                                       {'script': script, 'name': 'app', 'interpreter': interpreter})
        pathlib.Path(script).write_text('#!/no/such/program\n', encoding='utf-8')
        self.assert_dbus_error('InvalidConfig', self.client.restart, 'app', interpreter='none',
                               mentions='/no/such/program')
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.assertTrue(harness.is_alive(pid))
        self.assertEqual(self.client.property(path, 'RestartCount'), 0)


if __name__ == '__main__':
    harness.main()
