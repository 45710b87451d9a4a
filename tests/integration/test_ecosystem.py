#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ecosystem files in every form that people write them, by pm2ctl: what starts, what is said of what is wrong."""

import json
import os
import pathlib
import shutil

import harness

OK, FAILED, USAGE, TIMED_OUT = 0, 1, 2, 5
# Writes its arguments and some variables next to itself, whole, and stays.
TELL = '''#!/bin/sh
{ for a; do echo "[$a]"; done; echo "A=$A B=$B MODE=$MODE"; } >"$0.$name.new"
mv "$0.$name.new" "$0.$name"
exec sleep 1000
'''


class Ecosystem(harness.Case):
    def write(self, name, text):
        path = self.path(name)
        data = text if isinstance(text, bytes) else text.encode()
        pathlib.Path(path).write_bytes(data)
        return path

    def tell(self):
        return self.script('tell.sh', TELL)

    def told(self, name):
        """What an app wrote at its last start, which is taken away."""
        path = self.path(f'tell.sh.{name}')
        text = harness.wait_file(path)
        os.remove(path)
        return text

    def listed(self):
        return {item['name']: item['pm2_env']['status'] for item in json.loads(self.pm2ctl('list', '--json').stdout)}

    def restarts(self):
        return {item['name']: item['pm2_env']['restart_time'] for item in self.client.list()}

    def validated(self, *arguments, status=OK):
        return json.loads(self.pm2ctl('validate', '--json', *arguments, status=status).stdout)

    # Forms

    def test_json_with_comments_and_trailing_commas(self):
        self.tell()
        self.write('apps.json', '''// the apps
{
  "apps": [
    /* the first */
    {
      "name": "one", "script": "./tell.sh", // fork
      "args": ["--port", "80", "two words", ""],
      "env": { "A": 1, "B": true, },
    },
    { "name": "two", "script": "./tell.sh", "args": "--port 81 'two words' \\"\\"", },
  ],
}
''')
        self.pm2ctl('start', 'apps.json')
        self.assertEqual(self.told('one'), '[--port]\n[80]\n[two words]\n[]\nA=1 B=true MODE=\n')
        self.assertEqual(self.told('two'), '[--port]\n[81]\n[two words]\n[]\nA= B= MODE=\n')
        self.assertEqual(self.listed(), {'one': 'online', 'two': 'online'})

    def test_array_and_single_app(self):
        self.tell()
        self.write('array.json', '[{"script": "tell.sh", "name": "a"}, {"exec": "./tell.sh", "name": "b"}]')
        self.write('single.json', '{"script": "./tell.sh"}')
        self.pm2ctl('start', 'array.json', 'single.json')
        self.assertEqual(self.listed(), {'a': 'online', 'b': 'online', 'tell': 'online'})

    def test_yaml(self):
        self.tell()
        text = '''# all forms
x-common: &common
  script: ./tell.sh
  kill_timeout: 300
apps:
  - <<: *common
    name: one
    args: [--port, 80, "two words"]
    env:
      A: 1
      B: yes
  - name: two
    <<: *common
    args: --port 81
    killTimeout: 2s
'''
        for name in ('apps.yaml', 'apps.yml'):
            with self.subTest(name):
                self.write(name, text.replace('    killTimeout: 2s\n', ''))
                self.pm2ctl('start', name)
                self.assertEqual(self.told('one'), '[--port]\n[80]\n[two words]\nA=1 B=yes MODE=\n')
                self.assertEqual(self.told('two'), '[--port]\n[81]\nA= B= MODE=\n')
                self.assertEqual(self.listed(), {'one': 'online', 'two': 'online'})
        # what is merged and what stands there itself are two names of one attribute
        self.write('twice.yaml', text)
        result = self.pm2ctl('start', 'twice.yaml', status=FAILED)
        self.assertIn('twice.yaml: line 13: apps[1].kill_timeout: stands there under two of its names', result.stderr)

    def test_javascript(self):
        self.tell()
        forms = {
            'ecosystem.config.js': 'module.exports = { apps: [APP] }',
            'ecosystem.config.cjs': "const path = require('path'); exports.apps = APP",
            'ecosystem.config.mjs': 'export default { apps: [APP] }',
            'named.config.mjs': 'export const apps = [APP]',
            'promise.config.js': 'module.exports = Promise.resolve([APP])',
            'function.config.js': 'module.exports = async () => [APP]',
        }
        for name, text in forms.items():
            with self.subTest(name):
                self.write(name, text.replace('APP', '{ name: "js", script: "./tell.sh", args: ["x" + 1],'
                                                     ' env: { A: process.env.OF_CALLER } }'))
                self.pm2ctl('start', name, env={'OF_CALLER': 'mine'})
                self.assertEqual(self.told('js'), '[x1]\nA=mine B= MODE=\n')
                self.pm2ctl('delete', 'js')

    def test_javascript_runs_in_the_client(self):
        """And what it prints does not get into the output of pm2ctl."""
        self.tell()
        self.write('ecosystem.config.js', '''
            console.log('printed', process.ppid);
            require('fs').writeFileSync('parent', `${process.ppid}\\n`);
            module.exports = { name: 'js', script: './tell.sh' };''')
        result = self.pm2ctl('start', 'ecosystem.config.js', '--json')
        self.assertEqual([item['name'] for item in json.loads(result.stdout)], ['js'])
        self.assertIn('printed', result.stderr)
        parent = int(pathlib.Path(self.path('parent')).read_text(encoding='utf-8'))
        self.assertNotEqual(parent, self.daemon.process.pid)

    def test_standard_input(self):
        self.tell()
        with open(self.write('in', '{"script": "./tell.sh", "name": "in",}'), encoding='utf-8') as stdin:
            self.pm2ctl('start', '-', stdin=stdin)
        self.assertEqual(self.listed(), {'in': 'online'})

    # Options

    PROFILES = '''{"apps": [
        {"name": "api", "script": "./tell.sh", "env": {"A": "base", "B": "base", "MODE": "dev"},
         "env_production": {"MODE": "prod", "B": 2}, "env_staging": {"MODE": "stage"}},
        {"name": "web", "script": "./tell.sh", "env": {"MODE": "dev"}}]}'''

    def test_profiles(self):
        self.tell()
        self.write('apps.json', self.PROFILES)
        result = self.pm2ctl('start', 'apps.json', '--env', 'production')
        self.assertEqual(self.told('api'), 'A=base B=2 MODE=prod\n')
        self.assertEqual(self.told('web'), 'A= B= MODE=dev\n')
        self.assertIn("apps.json: web: has no 'env_production'", result.stderr)
        self.assertNotIn('api', result.stderr)
        # what the other profile does not have is gone
        self.write('apps.json', self.PROFILES.replace('"B": "base", ', ''))
        self.pm2ctl('restart', 'apps.json', '--only', 'api', '--env', 'staging')
        self.assertEqual(self.told('api'), 'A=base B= MODE=stage\n')
        self.pm2ctl('start', 'apps.json', '--only', 'api')
        self.assertEqual(self.told('api'), 'A=base B= MODE=dev\n')

    def test_append_env_to_name(self):
        self.tell()
        self.write('apps.json', self.PROFILES.replace('"name":', '"append_env_to_name": true, "name":'))
        self.pm2ctl('start', 'apps.json', '--env', 'staging')
        self.pm2ctl('start', 'apps.json', '--env', 'production', '--only', 'api')
        self.assertEqual(self.told('api-production'), 'A=base B=2 MODE=prod\n')
        self.pm2ctl('restart', 'apps.json', '--env', 'production', '--only', 'api-production')
        self.assertEqual(self.restarts(), {'api-staging': 0, 'web-staging': 0, 'api-production': 1})
        result = self.pm2ctl('start', 'apps.json', '--env', 'staging', '--only', 'api-production', status=FAILED)
        self.assertIn("no app of the document is named 'api-production'", result.stderr)
        self.pm2ctl('stop', 'apps.json', '--env', 'staging', '--only', 'web')
        self.pm2ctl('delete', 'apps.json', '--env', 'production', '--only', 'api')
        self.assertEqual(self.listed(), {'api-staging': 'online', 'web-staging': 'stopped'})
        self.write('twice.json', json.dumps([{'name': 'a-x', 'script': './tell.sh'},
                                             {'name': 'a', 'script': './tell.sh', 'append_env_to_name': True}]))
        result = self.pm2ctl('validate', 'twice.json', '--env', 'x', status=FAILED)
        self.assertIn("'a-x' stands twice", result.stderr)

    def test_unused_profiles_are_checked(self):
        self.tell()
        self.write('apps.json', '{"script": "./tell.sh",\n "env_x": {"=": 1},\n "env_y": 5}')
        result = self.pm2ctl('start', 'apps.json', status=FAILED)
        self.assertIn("apps.json: line 2: env_x: '=' cannot be the name of a variable", result.stderr)
        self.assertIn('apps.json: line 3: env_y: expected an object', result.stderr)

    def test_update_env(self):
        self.tell()
        self.write('apps.json', '{"name": "app", "script": "./tell.sh"}')
        self.pm2ctl('start', 'apps.json', env={'A': '1'})
        self.assertEqual(self.told('app'), 'A=1 B= MODE=\n')
        self.pm2ctl('start', 'apps.json', env={'B': '2'})
        self.assertEqual(self.told('app'), 'A=1 B= MODE=\n')
        self.pm2ctl('start', 'apps.json', '--update-env', env={'B': '2'})
        self.assertEqual(self.told('app'), 'A= B=2 MODE=\n')
        self.pm2ctl('restart', 'apps.json', '--update-env', env={'A': '3'})
        self.assertEqual(self.told('app'), 'A=3 B= MODE=\n')

    def test_only(self):
        self.tell()
        self.write('apps.json', json.dumps([{'script': './tell.sh', 'name': name} for name in 'abcd']))
        self.pm2ctl('start', 'apps.json', '--only', 'a, c')
        self.assertEqual(self.listed(), {'a': 'online', 'c': 'online'})
        result = self.pm2ctl('start', 'apps.json', '--only', 'a,zebra', status=FAILED)
        self.assertIn("no app of the document is named 'zebra'", result.stderr)
        self.assertEqual(self.restarts(), {'a': 0, 'c': 0})
        # what is wrong with an app that is not meant does not matter
        self.write('apps.json', '[{"script": "./tell.sh", "name": "a"}, {"script": "./none", "name": "b", "oops": 1}]')
        self.pm2ctl('start', 'apps.json', '--only', 'a')
        self.assertEqual(self.restarts(), {'a': 1, 'c': 0})

    def test_restart_stop_delete_by_file(self):
        self.tell()
        self.write('two.yaml', 'apps:\n- {script: ./tell.sh, name: a}\n- {script: ./tell.sh, name: b}\n')
        self.write('three.yaml', 'apps:\n' + ''.join(f'- {{script: ./tell.sh, name: {n}}}\n' for n in 'abc'))
        self.pm2ctl('start', 'two.yaml')
        self.pm2ctl('start', self.sleeper(), '--name', 'other')
        self.pm2ctl('restart', 'three.yaml')
        self.assertEqual(self.restarts(), {'a': 1, 'b': 1, 'c': 0, 'other': 0})
        self.pm2ctl('stop', 'three.yaml', '--only', 'a,c')
        self.assertEqual(self.listed(), {'a': 'stopped', 'b': 'online', 'c': 'stopped', 'other': 'online'})
        # a file whose script is gone still names its apps
        os.remove(self.path('tell.sh'))
        self.pm2ctl('delete', 'two.yaml')
        self.assertEqual(self.listed(), {'c': 'stopped', 'other': 'online'})
        result = self.pm2ctl('delete', 'two.yaml', 'c', status=FAILED)
        self.assertIn('name:a', result.stderr)
        self.assertEqual(self.listed(), {'other': 'online'})

    def test_options_that_the_file_has(self):
        self.tell()
        self.write('apps.json', '{"script": "./tell.sh"}')
        for arguments, named in ((('--kill-timeout', '5'), '--kill-timeout'), (('--env', 'A=1'), '--env'),
                                 (('--name', 'x'), '--name'), (('--', 'x'), 'ARGS'), (('--force',), '--force')):
            with self.subTest(arguments):
                self.assertIn(f'{named} cannot be given with an ecosystem file',
                              self.pm2ctl('start', 'apps.json', *arguments, status=USAGE).stderr)
        self.assertIn('--only', self.pm2ctl('start', './tell.sh', '--only', 'a', status=USAGE).stderr)
        self.assertEqual(self.listed(), {})

    # Validate

    def test_validate(self):
        self.tell()
        text = '''[
            {"name": "same", "script": "./tell.sh"},
            {"name": "other", "script": "./tell.sh", "args": "a b", "kill_timeout": 500,
             "env": {"A": 1, "GONE": "x"}}]'''
        self.write('apps.json', text)
        self.assertEqual([(app['name'], app['action']) for app in self.validated('apps.json')['apps']],
                         [('same', 'start'), ('other', 'start')])
        self.assertEqual(self.listed(), {})
        self.pm2ctl('start', 'apps.json')
        self.write('apps.json', text.replace('500', '"2s"').replace('"a b"', '["a"]')
                   .replace('"A": 1, "GONE": "x"', '"A": 2, "NEW": 3')[:-1] + ', {"name": "new", "script": "./tell.sh"}]')
        result = self.validated('apps.json')
        self.assertTrue(result['ok'])
        self.assertEqual(result['errors'], [])
        same, other, new = result['apps']
        self.assertEqual((same['action'], same['ids'], same['changes']), ('restart', [0], []))
        self.assertEqual(new, {'name': 'new', 'index': 2, 'action': 'start', 'instances': 1})
        self.assertEqual({change.pop('attribute'): change for change in other['changes']},
                         {'args': {'old': ['a', 'b'], 'new': ['a']}, 'kill_timeout': {'old': 500, 'new': 2000},
                          'env.A': {'old': '1', 'new': '2'}, 'env.GONE': {'old': 'x'}, 'env.NEW': {'new': '3'}})
        shown = self.pm2ctl('validate', 'apps.json').stdout
        self.assertIn('    kill_timeout: 500 → 2000\n', shown)
        self.assertIn('    env.GONE: "x" → (not set)\n', shown)
        self.assertEqual(self.restarts(), {'same': 0, 'other': 0})

    def test_validate_tells_all_errors(self):
        self.tell()
        self.write('apps.yaml', '''apps:
- name: good
  script: ./tell.sh
- name: bad
  script: ./tell.sh
  kill_timeot: 5
  min_uptime: []
- script: ./missing.js
  name: gone
- name: good
  script: ./tell.sh
''')
        result = self.validated('apps.yaml', status=FAILED)
        self.assertFalse(result['ok'])
        self.assertEqual([app['action'] for app in result['apps']], ['start', 'fail', 'fail', 'fail'])
        wanted = [('line 6: apps[1]: ', "'kill_timeot': unknown attribute"), ('line 7: apps[1].min_uptime: ', 'an array'),
                  ('line 8: apps[2].script: ', 'missing.js'), ('line 10: apps[3].name: ', 'twice')]
        self.assertEqual(len(result['errors']), len(wanted), result['errors'])
        for error, (place, what) in zip(result['errors'], wanted):
            self.assertTrue(error.startswith(place), error)
            self.assertIn(what, error)
        self.assertIn('did you mean "kill_timeout"', result['errors'][0])
        stderr = self.pm2ctl('start', 'apps.yaml', status=FAILED).stderr
        for error in result['errors']:
            self.assertIn(f'pm2ctl: apps.yaml: {error}\n', stderr)
        self.assertEqual(self.listed(), {})

    def test_errors_touch_nothing(self):
        self.tell()
        self.write('apps.json', '{"name": "a", "script": "./tell.sh"}')
        self.pm2ctl('start', 'apps.json')
        pid = self.client.list()[0]['pid']
        for text in ('[{"name": "a", "script": "./tell.sh", "kill_timeout": 5}, {"name": "b", "script": "./none"}]',
                     '{"name": "a", "script": "./tell.sh", "interpreter": "no-such-interpreter"}',
                     '{"name": "a", "script": "./tell.sh", "cwd": "/no/such/folder"}',
                     '{"name": "a", "script": "./tell.sh"', '{"apps": [{"name": "a", "script": "./tell.sh"}], "aps": 1}'):
            with self.subTest(text):
                self.write('apps.json', text)
                self.pm2ctl('start', 'apps.json', status=FAILED)
                self.assertEqual((self.client.list()[0]['pid'], self.restarts()), (pid, {'a': 0}))

    def test_notices(self):
        self.tell()
        self.write('apps.json', '''{"deploy": {"production": {"host": "x"}},
            "apps": [{"script": "./tell.sh", "vizion": false, "interpreter": "none", "node_args": "--flag"}]}''')
        for verb in ('validate', 'start', 'restart'):
            with self.subTest(verb):
                stderr = self.pm2ctl(verb, 'apps.json').stderr
                self.assertIn('apps.json: deploy: deployments have no effect here', stderr)
                self.assertIn('apps.json: tell: without effect here: vizion', stderr)
                self.assertIn('apps.json: tell: node_args is not used without an interpreter', stderr)
        self.assertEqual(self.pm2ctl('start', 'apps.json', '--silent').stderr, '')
        self.assertEqual(self.pm2ctl('stop', 'apps.json').stderr, '')

    # Errors of files

    def test_syntax_errors_say_file_line_and_key(self):
        self.tell()
        for name, text, wanted in (
                ('a.json', '{"apps": [\n  {"name": \'x\'}]}', 'a.json: JSON, line 2, column 12: apps[0].name: strings'),
                ('b.json', '{"apps": [{"env": {\n"A": 1,\n"A": 2}}]}', 'b.json: JSON, line 3, column 1: apps[0].env.A: '),
                ('c.json', '', 'c.json: JSON: the text is empty'),
                ('a.yaml', 'apps:\n- name: a\n  env:\n    A: 1\n    A: 2\n', 'a.yaml: line 5, column 1: apps[0].env.A: '),
                ('b.yaml', 'apps:\n- name: [a\n', 'b.yaml: line 3'),
                ('c.yaml', 'apps: *none\n', 'c.yaml: line 1, column 7: apps: there is no anchor &none'),
                ('d.yaml', '', 'd.yaml: line 1, column 1: the text is empty'),
                ('e.json', '{"aps": []}', 'e.json: \'aps\': unknown key of the document, did you mean "apps"?'),
                ('a.config.js', 'module.exports = {\n  apps: [,\n', 'SyntaxError'),
                ('b.config.js', '\nthrow new Error("no luck today")\n', 'Error: no luck today'),
                ('c.config.mjs', 'import nothing from "./no-such-module.js"', 'no-such-module.js'),
                ('d.config.js', 'module.exports = undefined', 'exports nothing'),
                ('e.config.js', 'module.exports = { apps: [{ script: 10n }] }', 'BigInt'),
                ('f.config.js', 'process.exit(0)', 'f.config.js: node ended without an answer'),
                ('g.config.js', 'module.exports = new Promise((_, no) => no(new Error("later")))', 'Error: later'),
                ('h.config.js', 'module.exports = { apps: [{ name: "h" }] }', 'h.config.js: apps[0].script: is required'),
        ):
            with self.subTest(name):
                self.write(name, text)
                stderr = self.pm2ctl('start', name, status=FAILED).stderr
                self.assertIn(wanted, stderr)
                self.assertIn(name, stderr)
        self.assertEqual(self.listed(), {})

    def test_javascript_errors_say_the_line(self):
        self.write('a.config.js', 'const a = 1;\n\nnull.x;\n')
        self.assertIn('a.config.js:3:', self.pm2ctl('start', 'a.config.js', status=FAILED).stderr)
        self.write('b.config.js', 'const a = 1;\nmodule.exports = {{;\n')
        self.assertIn('b.config.js:2', self.pm2ctl('start', 'b.config.js', status=FAILED).stderr)

    def test_javascript_that_does_not_end(self):
        for text in ('while (true) {}', 'module.exports = new Promise(() => setInterval(() => {}, 1000))'):
            with self.subTest(text):
                self.write('slow.config.js', text)
                result = self.pm2ctl('start', 'slow.config.js', '--timeout', '500ms', status=TIMED_OUT)
                self.assertIn('slow.config.js: node did not answer in time', result.stderr)
        self.assertEqual([pid for pid in harness.marked_processes(self.daemon.mark)
                          if pid != self.daemon.process.pid], [])

    def test_javascript_without_node(self):
        self.write('ecosystem.config.js', 'module.exports = {}')
        result = self.pm2ctl('start', 'ecosystem.config.js', status=FAILED, env={'PATH': self.daemon.apps})
        self.assertIn('ecosystem.config.js: there is no node in PATH', result.stderr)

    def test_javascript_that_exports_too_much(self):
        self.write('big.config.js', 'module.exports = { script: "x".repeat(5 << 20) }')
        self.assertIn('over', self.pm2ctl('start', 'big.config.js', status=FAILED).stderr)

    def test_files_that_cannot_be_read(self):
        for name in ('none.json', 'none.yaml', 'none.config.js'):
            with self.subTest(name):
                self.assertIn(f'cannot read {name}', self.pm2ctl('start', name, status=FAILED).stderr)
        os.mkdir(self.path('folder.json'))
        self.assertIn('folder.json', self.pm2ctl('start', 'folder.json', status=FAILED).stderr)
        os.mkfifo(self.path('fifo.yaml'))
        self.assertIn('fifo.yaml', self.pm2ctl('start', 'fifo.yaml', status=FAILED).stderr)
        # a target by this name is one: there is no such file
        self.assertIn('none.json', self.pm2ctl('stop', 'none.json', status=None).stderr)

    def test_bad_bytes(self):
        deep = b'[' * 100000
        for name, data, wanted in (
                ('big.json', b'{"script": "' + b'x' * (10 << 20) + b'"}', 'over 1048576 bytes'),
                ('big.yaml', b'script: ' + b'x' * (10 << 20), 'over 1048576 bytes'),
                ('deep.json', deep, 'nested too deeply'),
                ('deep.yaml', deep, 'nested too deeply'),
                ('nul.json', b'{\n"script": "a\0b"}', 'line 2: a NUL character'),
                ('nul.yaml', b'a: 1\nscript: a\0b\n', 'line 2, column 10'),
                ('escaped.json', b'{"script": "a\\u0000b"}', 'a NUL character'),
                ('escaped.yaml', b'script: "a\\0b"', 'a NUL character'),
                ('bytes.json', b'{\n\n"script": "a\xffb"}', 'line 3: is not UTF-8'),
                ('bytes.yaml', b'a: 1\n\nscript: a\xffb\n', 'line 3, column 10'),
                ('twice.json', b'{"script": "a",\n "script": "b"}', 'line 2, column 2: script: the key stands twice'),
                ('twice.yaml', b'script: a\nscript: b\n', 'line 2, column 1: script: the key stands twice'),
                ('bomb.yaml', b'a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n' + b''.join(
                    b'a%d: &a%d [%s]\n' % (i, i, b','.join([b'*a%d' % (i - 1)] * 10)) for i in range(1, 9)),
                 'over 65536 values'),
        ):
            with self.subTest(name):
                self.write(name, data)
                result = self.pm2ctl('start', name, status=FAILED)
                self.assertIn(wanted, result.stderr)
                self.assertIn(name, result.stderr)
                self.assertLess(len(result.stderr), 2000)
        self.assertEqual(self.listed(), {})

    # The bus itself

    def test_a_path_is_never_read(self):
        self.tell()
        path = self.write('apps.json', '{"script": "./tell.sh"}')
        self.assert_dbus_error('InvalidData', self.client.start_json, path)
        self.assert_dbus_error('InvalidData', self.client.manager_call, 'Validate', 'sa{sv}', path, {})

    def test_unknown_options(self):
        self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', self.client.manager_call, 'Validate', 'sa{sv}', '{}',
                               harness.options(nonsense=1), mentions='nonsense')
        self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', self.client.start_json, '{}', env=5, mentions='env')

    def test_validate_does_not_start_with_quirks(self):
        """Every kind of value in a difference gets through the bus."""
        script = self.sleeper()
        self.client.start_json([{'script': script, 'name': 'a', 'stop_exit_codes': [1, 2], 'filter_env': ['A', 'B'],
                                 'args': ['ä', '']}])
        result = self.client.manager_call('Validate', 'sa{sv}', json.dumps(
            [{'script': script, 'name': 'a', 'filter_env': True, 'autorestart': False, 'min_uptime': 0.5}]), {})
        changes = {change['attribute']: (change.get('old'), change.get('new'))
                   for change in result['apps'][0]['changes']}
        self.assertEqual(changes, {'stop_exit_codes': ([1, 2], []), 'filter_env': (['A', 'B'], True),
                                   'args': (['ä', ''], []), 'autorestart': (True, False), 'min_uptime': (1000, 0.5)})

    def test_autostart_false_registers(self):
        self.tell()
        self.write('apps.json', '{"name": "later", "script": "./tell.sh", "autostart": false}')
        self.assertEqual(self.validated('apps.json')['apps'][0]['action'], 'register')
        self.pm2ctl('start', 'apps.json')
        self.assertEqual(self.listed(), {'later': 'stopped'})
        self.assertEqual(self.validated('apps.json')['apps'][0]['action'], 'reconfigure')
        self.pm2ctl('start', 'later')
        self.assertEqual(self.listed(), {'later': 'online'})
        self.assertEqual(self.validated('apps.json')['apps'][0]['action'], 'restart')


if __name__ == '__main__':
    if not shutil.which('node'):
        raise SystemExit('node is missing: tools/install-deps')
    harness.main()
