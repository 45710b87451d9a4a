#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pmx=preload: what PM2's wrapper adds inside a Node process, without a wrapper, and unseen by the app."""

import json
import os

import harness
from harness import wait_file, wait_until
from test_message_bus import BusCase, kinds

STAYS = "setInterval(() => {}, 1000);\n"
# What an app can see of it.
SEEN = 'JSON.stringify({args: process.execArgv, variable: process.env.PM2D_PRELOAD === undefined})'
LATENCIES = {f'Event Loop Latency{percent}' for percent in ('', ' p95')}
METRICS = {'Heap Size', 'Heap Usage', 'Used Heap Size', 'Active requests', 'Active handles', *LATENCIES}
# (file, text): each ends with exit code 1 by itself.
FATAL = (
    ('error.js', 'throw new TypeError("of a script");'),
    ('coded.js', 'throw Object.assign(new RangeError("with more \\n to it"), {code: "E_CODE", inner: {a: [1]}});'),
    ('rejection.js', 'Promise.reject(new SyntaxError("of a promise"));'),
    ('later.js', 'setTimeout(() => { throw new Error("of a timer"); }, 10);'),
    ('string.js', 'throw "a string \\ud800";'),
    ('nothing.js', 'throw undefined;'),
    ('unreadable.js', 'throw {get message() { throw 1; }};'),
    ('large.js', 'throw new Error("x".repeat(1 << 20));'),
    ('module.mjs', 'import fs from "fs"; throw new EvalError("of a module");'),
    ('missing.mjs', 'import "./nowhere.mjs";'),
    ('esm/entry.js', 'import fs from "fs"; throw new URIError("of type module");'),
    ('syntax.js', 'let let = {;'),
)
MESSAGES = {'error': 'of a script', 'string': 'a string \ufffd', 'nothing': '', 'large': 'x' * 4096,
            'unreadable': 'an error that cannot be read', 'entry': 'of type module'}
CHILDREN = f'''
const {{fork, spawnSync}} = require('child_process');
const cluster = require('cluster');
const {{Worker, isMainThread, parentPort}} = require('worker_threads');
if (!isMainThread) {{
    parentPort.postMessage({SEEN});
}} else if (process.argv[2] === 'child' || cluster.isWorker) {{
    process.send({SEEN});
    setTimeout(() => process.exit(), 1500); // metrics would come in that time
}} else {{
    const told = {{own: [{SEEN}], fork: [], cluster: [], thread: [], spawn: []}};
    const done = new Set();
    const end = (name) => {{
        done.add(name);
        if (done.size === 3) console.log(JSON.stringify(told));
    }};
    told.spawn.push(spawnSync(process.execPath, [...process.execArgv, '-p', {json.dumps(SEEN)}]).stdout.toString().trim());
    fork(__filename, ['child']).on('message', (m) => told.fork.push(m)).on('exit', () => end('fork'));
    cluster.fork().on('message', (m) => told.cluster.push(m)).on('exit', () => end('cluster'));
    new Worker(__filename).on('message', (m) => told.thread.push(m)).on('exit', () => end('thread'));
    setInterval(() => {{}}, 1000);
}}
'''
# Whatever the preload uses is broken, in each of its ways to fail.
BROKEN = '''
const fail = () => { throw new Error('broken by the app'); };
for (const name of ['_getActiveHandles', '_getActiveRequests', 'cpuUsage']) process[name] = fail;
require('v8').getHeapStatistics = fail;
Object.defineProperty(process, 'connected', {get: fail});
setTimeout(() => console.log('lives'), 2000);
setInterval(() => {}, 1000);
'''
BLOCKS = '''
setInterval(() => { const end = Date.now() + 40; while (Date.now() < end); }, 60);
'''


class Preload(BusCase):
    def app(self, text, file='app.js', **attributes):
        os.makedirs(os.path.dirname(self.path(file)), exist_ok=True)
        script = self.script(file, text, executable=False)
        return self.client.start_one(script, **{'name': 'app', 'pmx': 'preload', **attributes})

    def told(self, key, name='app'):
        return self.client.describe(name)[0]['pm2_env'][key]

    def wait_version(self):
        version = self.run_command('node', '--version').stdout.strip()
        wait_until(lambda: f'v{self.told("node_version")}' == version, 'the version is told')

    def output(self, name='app', stream='out'):
        return os.path.join(self.daemon.logs, f'{name}-{stream}.log')

    def seen(self):
        """What the app printed of it."""
        return json.loads(wait_file(self.output()))

    def test_node_version(self):
        path = self.app(f'console.log({SEEN}); {STAYS}', pmx='preload', node_args=['--no-warnings'], args=['a', 'b'])
        self.wait_version()
        command = harness.read_file(f'/proc/{self.client.property(path, "Pid")}/cmdline').split('\0')
        self.assertEqual(command[1:-1], ['--no-warnings', '--require', os.path.join(harness.PRELOADS, 'preload.cjs'), self.path('app.js'), 'a', 'b'])
        self.assertEqual(self.seen(), {'args': ['--no-warnings'], 'variable': True})
        self.client.restart('app')
        self.wait_version()
        self.assertEqual(self.client.property(path, 'StatusText'), '')
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig')['pmx'], 'preload')

    def test_of_a_document(self):
        self.client.start_json([{'name': 'app', 'script': self.script('app.js', STAYS), 'pmx': 'preload'}])
        self.wait_version()

    def test_nothing_unless_asked_for(self):
        """It would speak first."""
        for number, given in enumerate(({}, {'pmx': True}, {'pmx': False}, {'pmx': 'true'}, {'pmx': None})):
            with self.subTest(given):
                name = f'app-{number}'
                script = self.script(f'{name}.js', f'console.log({SEEN}); process.send("ready"); {STAYS}')
                given = {key: value for key, value in given.items() if value is not None}
                path = self.client.start_one(script, name=name, wait_ready=True, **given)
                self.assertEqual(self.told('node_version', name), '')
                self.assertEqual(json.loads(wait_file(self.output(name))), {'args': [], 'variable': True})
                self.assertIs(self.client.call(path, harness.PROCESS, 'GetConfig').get('pmx', False),
                              given.get('pmx') in (True, 'true'))
        self.assert_dbus_error('InvalidConfig', self.app, STAYS, mentions=('pmx', 'false, true, preload'), pmx='yes')

    def test_only_where_node_runs_a_script(self):
        says = 'env | grep PM2D_PRELOAD= ; echo done; exec sleep 1000\n'
        cases = (
            (self.script('shell.sh', '#!/bin/sh\n' + says), {}),
            (self.script('alone', f'#!/usr/bin/env node\nconsole.log({SEEN}); {STAYS}'), {'interpreter': 'none'}),
            (self.script('deaf.js', f'console.log({SEEN}); {STAYS}'), {'notify': 'none'}),
            ('node -p 1 && ' + says.strip(), {}),
        )
        for number, (script, values) in enumerate(cases):
            with self.subTest(script):
                name = f'app-{number}'
                path = self.client.start_one(script, name=name, pmx='preload', **values)
                printed = wait_file(self.output(name), complete=lambda text: 'done' in text or 'true' in text)
                self.assertNotIn('preload', printed)
                self.assertEqual(self.client.property(path, 'StatusText'), '')

    def run_to_its_end(self, file, text, **attributes):
        """Its exit code, what it wrote to standard error, and the exceptions told."""
        name = f'{os.path.basename(file).split(".")[0]}-{attributes.get("pmx", "preload")}'
        stream = self.open_bus()
        path = self.app(text, file, name=name, autorestart=False, wait=False, **attributes)
        events = stream.wait_event('exit', name)
        told = [event['data'] for event in events if event['event'] == 'process:exception']
        return self.client.property(path, 'ExitCode'), harness.read_file(self.output(name, 'error')), told

    def test_exceptions(self):
        """They are told, and nothing else is as it would not be."""
        os.mkdir(self.path('esm'))
        self.script('esm/package.json', '{"type": "module"}')
        for file, text in FATAL:
            with self.subTest(file):
                code, written, told = self.run_to_its_end(file, text)
                plain = self.run_to_its_end(file, text, pmx='false')
                self.assertEqual((code, written), plain[:2])
                self.assertEqual((code, len(told), plain[2]), (1, 1, []))
                self.assertEqual(set(told[0]), {'name', 'message', 'stack'})
                self.assertIn(MESSAGES.get(os.path.basename(file).split('.')[0], told[0]['message']), told[0]['message'])
                self.assertLess(len(told[0]['stack']), 16385)
        self.assertIn('error.js:1:7', self.run_to_its_end(*FATAL[0])[2][0]['stack'])

    def test_an_exception_that_the_app_takes(self):
        stream = self.open_bus(events=['process:exception'])
        path = self.app('''
            process.on('uncaughtException', (error) => console.log(error.message));
            setTimeout(() => { throw new Error('taken'); }, 1);''' + STAYS)
        event = stream.next()
        self.assertEqual((event['process']['name'], event['data']['message']), ('app', 'taken'))
        self.assertEqual(wait_file(self.output()), 'taken\n')
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_exceptions_of_a_loop_of_crashes(self):
        """Each arrives, though the process ends at once."""
        stream = self.open_bus(events=['process:exception'])
        self.app('throw new Error(process.pid);', max_restarts=5, wait=False, min_uptime=60000)
        self.assertEqual(len({stream.next()['data']['message'] for _ in range(5)}), 5)

    def test_metrics(self):
        path = self.app('require("net").createServer().listen(0);' + STAYS)
        wait_until(lambda: METRICS <= set(self.told('axm_monitor')), 'all metrics')
        metrics = self.told('axm_monitor')
        self.assertEqual(set(metrics), METRICS)
        kind = 'internal/libuv/latency/p'
        self.assertEqual({metrics[f'Event Loop Latency{name}']['type'] for name in ('', ' p95')}, {kind + '50', kind + '95'})
        self.assertEqual({name: metrics['Used Heap Size'][name] for name in ('unit', 'type', 'historic')},
                         {'unit': 'MiB', 'type': 'internal/v8/heap/used', 'historic': True})
        used, size, usage = (metrics[name]['value'] for name in ('Used Heap Size', 'Heap Size', 'Heap Usage'))
        self.assertTrue(1 < float(used) < float(size) < 100, metrics)
        self.assertAlmostEqual(usage, 100 * float(used) / float(size), delta=1)
        self.assertTrue(metrics['Active handles']['value'] >= 1 and metrics['Active requests']['value'] == 0, metrics)
        self.assertEqual(self.client.property(path, 'StatusText'), '')
        self.client.restart('app')
        self.assertEqual(self.told('axm_monitor'), {})
        wait_until(lambda: METRICS <= set(self.told('axm_monitor')), 'all metrics of the next start')

    def test_latency_of_a_busy_app(self):
        self.app(BLOCKS)
        wait_until(lambda: float(self.told('axm_monitor').get('Event Loop Latency p95', {'value': 0})['value']) > 10,
                   'a latency is told')

    def test_one_shot_ends(self):
        for file, text in (('once.js', 'console.log(1)'), ('once.mjs', 'console.log(1)'),
                           ('wait.js', 'setTimeout(() => console.log(1), 1500)')):
            with self.subTest(file):
                stream = self.open_bus()
                path = self.app(text, file, name=file, autorestart=False, wait=False)
                stream.wait_event('exit', file)
                self.assertEqual(self.client.property(path, 'ExitCode'), 0)
                self.assertEqual(harness.read_file(self.output(file)), '1\n')
                self.assertNotEqual(self.told('node_version', file), '')

    def test_children_of_the_app(self):
        """They are nothing of ours: neither fork() nor cluster hands it on, and nobody tells them anything."""
        self.app(CHILDREN)
        told = self.seen()
        as_usual = json.dumps({'args': [], 'variable': True}, separators=(',', ':'))
        own = {key: value for key, value in told.items() if key != 'spawn'}
        self.assertEqual(own, {name: [as_usual] for name in ('own', 'fork', 'cluster', 'thread')})
        self.assertEqual(json.loads(told['spawn'][0])['variable'], True)
        self.assertNotIn('preload', told['spawn'][0])
        self.assertIn('Heap Usage', wait_until(lambda: self.told('axm_monitor'), 'the app itself has metrics'))

    def test_without_a_channel_any_more(self):
        path = self.app('process.disconnect(); setTimeout(() => console.log("lives"), 1500);' + STAYS)
        self.assertEqual(wait_file(self.output()), 'lives\n')
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        code, written, told = self.run_to_its_end('late.js', 'process.disconnect(); throw new Error("unheard");')
        self.assertEqual((code, told), (1, []))
        self.assertNotIn('CHANNEL', written)

    def test_what_fails_in_it_is_no_harm(self):
        path = self.app(BROKEN)
        self.assertEqual(wait_file(self.output()), 'lives\n')
        self.assertEqual((self.client.property(path, 'Status'), self.client.property(path, 'RestartCount')), ('online', 0))
        self.assertEqual(harness.read_file(self.output(stream='error')), '')

    def test_the_file_is_missing(self):
        self._daemon = self.new_daemon(environment={'PM2D_PRELOAD_FOLDER': '/nowhere'})
        self.daemon.start()
        path = self.app(f'console.log({SEEN}); {STAYS}')
        self.assertEqual(self.seen(), {'args': [], 'variable': True})
        text = '/nowhere/preload.cjs: No such file or directory'
        self.assertEqual(self.client.property(path, 'StatusText'), f'pmx: {text}')
        self.assertIn(f"'app': it goes without what pmx asks for: {text}", self.daemon.log_text())

    def test_what_may_not_be_read(self):
        """Node 20 ends if it is asked to."""
        version = self.run_command('node', '--version').stdout
        if not version.startswith(('v20', 'v22')):
            self.skipTest('this Node has no --experimental-permission')
        path = self.app('console.log("lives");' + STAYS,
                        node_args=['--experimental-permission', f'--allow-fs-read={self.daemon.apps}/*'])
        self.assertEqual(wait_file(self.output()), 'lives\n')
        self.assertIn('--experimental-permission', self.client.property(path, 'StatusText'))

    def test_beside_pm2_io(self):
        """What the app tells by itself is all that is told."""
        os.symlink(harness.npm_packages(), self.path('node_modules'))
        self.app('require("@pm2/io").init({metrics: {v8: false, eventLoop: false, network: true}});'
                 'require("@pm2/io").metric({name: "Own", value: () => 42});' + STAYS, file='own.js', name='own')
        wait_until(lambda: 'Own' in self.told('axm_monitor', 'own'), 'metrics of its own')
        self.app('setTimeout(() => console.log("later"), 2000);' + STAYS)
        wait_until(lambda: METRICS <= set(self.told('axm_monitor')), 'metrics of an app without')
        self.assertNotIn('Heap Usage', self.told('axm_monitor', 'own'))
        self.assertNotEqual(self.told('node_version', 'own'), '')
        code, _, told = self.run_to_its_end(
            'throws.js', 'require("@pm2/io"); setTimeout(() => { throw new Error("told once"); }, 100);')
        self.assertEqual((code, [data['message'] for data in told]), (1, ['told once']))


if __name__ == '__main__':
    harness.main()
