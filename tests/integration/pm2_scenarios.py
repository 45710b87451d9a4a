# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is done with PM2's clients, for test_pm2_table.py: scenarios of steps (pm2-scenario-client.js says which there
are), and what each public name of the API and each verb of the command is classified as."""

# Apps. Names that end in .json are read when they are complete.

FILES = {
    'sleeper.sh': '#!/bin/sh\nexec sleep 1000\n',
    'sleeper.js': 'setInterval(() => {}, 1000)\n',
    # late enough for what a client says of a restart to come before
    'crash.sh': '#!/bin/sh\nsleep 0.4\nexit 3\n',
    'stubborn.js': "process.on('SIGINT', () => {}); setInterval(() => {}, 1000)\n",
    'polite.js': "process.on('message', (m) => { if (m === 'shutdown') process.exit(7) }); setInterval(() => {}, 1000)\n",
    'ready.js': "setInterval(() => {}, 1000); setTimeout(() => process.send('ready'), 100)\n",
    'never-ready.js': 'setInterval(() => {}, 1000)\n',
    # waits for its child: where nobody does, PM2 takes the zombie for alive
    'parent.js': '''
const child = require('child_process').spawn('sleep', ['1000'])
require('fs').writeFileSync(`child-of-${process.env.name}`, String(child.pid))
process.on('SIGINT', () => setTimeout(process.exit, 200))
child.on('exit', () => process.exit())
''',
    'signals.js': '''
const fs = require('fs')
for (const name of ['SIGUSR2', 'SIGTERM', 'SIGHUP']) process.on(name, () => fs.appendFileSync('signals.txt', name + '\\n'))
setInterval(() => {}, 1000)
fs.writeFileSync('listens', '')
''',
    'echo.js': '''
process.on('message', (packet) => {
  process.send({ type: 'process:msg', data: { heard: packet } })
  process.send({ type: 'custom:type', data: { heard: packet.topic } })
  process.send('a bare string')
})
''',
    'lines.js': '''
process.stdin.on('data', (chunk) => process.send({ type: 'line', data: { text: String(chunk) } }))
''',
    'actions.js': '''
const offer = (name, extra) => process.send({ type: 'axm:action', data: { action_name: name, action_type: 'custom', ...extra } })
process.on('message', (message) => {
  const name = typeof message === 'string' ? message : message.msg
  // trigger() of the client misses what comes before it knows how many to wait for
  const reply = { type: 'axm:reply', data: { at: Date.now(), action_name: name, return: { asked: message } } }
  setTimeout(() => process.send(reply), 50)
})
offer('hello', { arity: 1 })
offer('with parameter', { arity: 2, opts: { some: 'option' } })
process.send({ type: 'axm:monitor', data: { Users: { historic: true, unit: 'u', type: 'custom', value: 5 } } })
process.send({ type: 'axm:option:configuration', data: { module_name: 'told', some: 'thing' } })
''',
    'dump.js': '''
const fs = require('fs')
const name = `dump-${process.env.name}-${process.env.NODE_APP_INSTANCE || 0}.json`
const record = { argv: process.argv, execArgv: process.execArgv, cwd: process.cwd(), env: process.env, title: process.title }
const draft = `${name}.${process.pid}` // two instances may write the same name
fs.writeFileSync(draft, JSON.stringify(record))
fs.renameSync(draft, name)
setInterval(() => {}, 1000)
''',
    'dump.py': '''
import json, os, sys, time
name = 'dump-%s-%s.json' % (os.environ['name'], os.environ.get('NODE_APP_INSTANCE', 0))
record = {'argv': sys.argv, 'cwd': os.getcwd(), 'env': dict(os.environ), 'stdin': os.isatty(0)}
draft = '%s.%d' % (name, os.getpid())
with open(draft, 'w') as file:
    json.dump(record, file)
os.rename(draft, name)
time.sleep(1000)
''',
    # for a cluster: any port
    'web.js': "require('net').createServer((client) => client.end()).listen(0)\n",
    'web-ready.js': '''
require('net').createServer((client) => client.end()).listen(0, () => setTimeout(() => process.send('ready'), 100))
''',
    'web-soft.js': '''
const fs = require('fs')
process.on('message', (message) => {
  if (message !== 'shutdown') return
  fs.appendFileSync('heard.txt', `shutdown ${process.env.restart_time}\\n`)
  process.exit(0)
})
require('net').createServer((client) => client.end()).listen(0)
''',
    'elsewhere/inner.sh': '#!/bin/sh\nexec sleep 1000\n',
    'apps.json': '''{"apps": [
  {"name": "one", "script": "dump.js", "pmx": false, "env": {"COLOR": "red", "NUMBER": 5, "FLAG": true},
   "env_production": {"COLOR": "blue"}},
  {"name": "two", "script": "./sleeper.sh", "args": ["a", "b c"], "namespace": "space", "max_restarts": 5}
]}
''',
    'single.json': '{"name": "alone", "script": "sleeper.sh"}\n',
    'ecosystem.config.js': '''
module.exports = { apps: [
  { name: 'first', script: 'sleeper.sh', env: { A: '1' }, env_test: { A: '2' } },
  { name: 'second', script: 'sleeper.sh', instances: 2, exec_mode: 'fork' }
] }
''',
    'cluster.config.js': '''
module.exports = { apps: [
  { name: 'web', script: 'web-ready.js', instances: 2, exec_mode: 'cluster', wait_ready: true, listen_timeout: 10000,
    kill_timeout: 3000, merge_logs: true, pmx: false }
] }
''',
    'apps.yaml': 'apps:\n  - name: of-yaml\n    script: sleeper.sh\n    args: x y\n',
    'broken.json': '{"apps": [{"name": \n',
    'pmx.js': 'setInterval(() => {}, 1000)\n',
}


def api(name, *args, **values):
    return {'label': ' '.join(['api', name, *(str(arg)[:40] for arg in args[:1])]), 'api': name, 'args': list(args), **values}


def cli(*words, **values):
    return {'label': ' '.join(['cli', *words])[:70], 'cli': list(words), **values}


def rpc(method, *args, **values):
    return {'label': f'rpc {method}', 'rpc': method, 'args': list(args), **values}


def read(name, **values):
    return {'label': f'read {name}', 'read': name, 'settle': False, **values}


def write(name, text):
    return {'label': f'write {name}', 'write': name, 'text': text, 'settle': False}


def remove(name):
    return {'label': f'remove {name}', 'remove': name, 'settle': False}


def until(status=None, name='app', count=None, **fields):
    """What the list comes to."""
    wanted = {}
    if status or fields:
        wanted['of'] = {name: {**({'status': status} if status else {}), **fields}}
    if count is not None:
        wanted['count'] = count
    return wanted


def app(script='sleeper.sh', name='app', **values):
    if script.endswith('.js'):
        values = {'pmx': False, **values}
    return {'script': script, 'name': name, **values}


CRASHES = {'script': 'crash.sh', 'name': 'app', 'max_restarts': 3}
START = api('start', app())
NODE = api('start', app('sleeper.js'))
CLUSTER = api('start', app('web.js', exec_mode='cluster', instances=2))
SPACES = [api('start', app(name='one', namespace='left')), api('start', app(name='two', namespace='left')),
          api('start', app(name='three', namespace='right'))]
CONNECT = api('connect')
GONE = {'gone': True}

SCENARIOS = {
    # The API: starts
    'api-start-path': [CONNECT, api('start', 'sleeper.sh'), api('start', 'sleeper.sh'), api('start', 'nothing.sh')],
    'api-start-path-options': [CONNECT, api('start', 'sleeper.sh', {'name': 'named', 'args': ['x']})],
    'api-start-object': [CONNECT, START, api('list')],
    'api-start-node': [CONNECT, NODE, api('restart', 'app'), api('stop', 'app'), api('delete', 'app')],
    'api-start-array': [CONNECT, api('start', [app(name='one'), app(name='two')])],
    'api-start-apps': [CONNECT, api('start', {'apps': [app(name='one'), app(name='two', namespace='n')]})],
    'api-start-json': [CONNECT, api('start', 'apps.json'), read('dump-one-0.json'), remove('dump-one-0.json'),
                       api('start', 'apps.json'), read('dump-one-0.json'), api('start', 'single.json')],
    'api-start-js': [CONNECT, api('start', 'ecosystem.config.js')],
    'api-start-yaml': [CONNECT, api('start', 'apps.yaml')],
    'api-start-errors': [
        CONNECT,
        api('start', {}), api('start', {'name': 'x'}), api('start', app('nothing.sh')), api('start', 'nothing.json'),
        api('start', 'broken.json'), api('start', app(interpreter='no-such-interpreter')),
        api('start', app(max_restarts='many')), api('start', app(cron_restart='not a pattern')),
        api('start', app(min_uptime=5)), api('start', app(exec_mode='sideways')), api('start', app(instances='x')),
        api('start', app(kill_timeout='long')), api('start', app(unheard='of')), api('list'),
    ],
    'api-memory': [CONNECT, api('start', app(max_memory_restart='3G')), api('restart', 'app'), api('stop', 'app')],
    'api-cron': [CONNECT, api('start', app(cron_restart='0 0 1 1 *')), api('restart', 'app'), api('stop', 'app')],
    'api-start-twice': [CONNECT, START, START, api('stop', 'app'), START, api('start', app(force=True))],
    'api-start-existing': [CONNECT, START, api('start', 'app'), api('stop', 'app'), api('start', 'app'), api('start', 0),
                           api('start', 'default'), api('start', 'all')],
    # targets
    'api-targets': [
        CONNECT, START, api('start', app(name='other')),
        api('stop', 0), api('stop', '1'), api('stop', 'app'), api('restart', 0), api('restart', '1'), api('stop', 'all'),
        api('restart', 'all'), api('restart', 'default'), api('stop', '/oth/'), api('restart', '/.*/'), api('delete', 1),
        api('delete', 'all'), api('list'),
    ],
    'api-targets-unknown': [
        CONNECT, *(api(method, target) for method in ('stop', 'restart', 'reload', 'delete', 'describe', 'reset')
                   for target in ('nothing', 99, 'all')),
        START, *(api(method, target) for method in ('stop', 'restart', 'reload', 'delete', 'describe', 'reset')
                 for target in ('nothing', 99, '/nothing/')),
    ],
    'api-targets-namespace': [CONNECT, *SPACES, api('stop', 'left'), api('restart', 'left'), api('delete', 'left'), api('list')],
    'api-names-shared': [CONNECT, api('start', app(instances=2, exec_mode='fork')), api('stop', 'app'),
                         api('restart', 'app'), api('delete', 0), api('describe', 'app'), api('delete', 'app')],
    'api-numeric-name': [CONNECT, START, api('start', app(name='0')), api('stop', '0'), api('stop', 0)],
    # life
    'api-stop': [CONNECT, START, api('stop', 'app'), api('stop', 'app'), api('restart', 'app'), api('stop', 'app'),
                 api('delete', 'app'), api('delete', 'app')],
    'api-restart': [CONNECT, START, api('restart', 'app'), api('restart', 'app'), api('stop', 'app'), api('restart', 'app'),
                    api('restart', app(name='app', env={'A': '1'}), {'updateEnv': True})],
    'api-reload': [CONNECT, START, api('reload', 'app'), api('reload', 0), api('stop', 'app'), api('reload', 'app')],
    'api-crash': [CONNECT, api('start', CRASHES, until=until('errored')), api('restart', 'app', until=until('errored')),
                  api('stop', 'app'), api('restart', 'app', until=until('errored')), api('delete', 'app')],
    'api-no-autorestart': [CONNECT, api('start', app('crash.sh', autorestart=False), until=until('stopped')),
                           api('restart', 'app', until=until('stopped'))],
    'api-stop-exit-codes': [CONNECT, api('start', app('crash.sh', stop_exit_codes=[3]), until=until('stopped')),
                            api('start', app('crash.sh', name='two', stop_exit_codes=[3, 4]), until=until('stopped', 'two'))],
    'api-restart-delay': [
        CONNECT, api('start', app('crash.sh', restart_delay=60000), until=until('waiting restart')), api('stop', 'app'),
        api('restart', 'app', until=until('waiting restart')), api('delete', 'app')],
    'api-backoff': [CONNECT, api('start', app('crash.sh', exp_backoff_restart_delay=1500),
                                 until=until('waiting restart', prev_restart_delay=2250)), api('delete', 'app')],
    'api-killed-app': [CONNECT, START, {'label': 'kill -9 of the app', 'signal': 'SIGKILL', 'name': 'app',
                                        'until': until('online', restart_time=1)}],
    'api-autostart-false': [CONNECT, api('start', app(autostart=False)), api('stop', 'app'), api('delete', 'app')],
    'api-wait-ready': [CONNECT, api('start', app('ready.js', wait_ready=True, listen_timeout=10000)),
                       api('restart', 'app'), api('delete', 'app')],
    'api-wait-ready-never': [CONNECT, api('start', app('never-ready.js', wait_ready=True, listen_timeout=700))],
    'api-wait-ready-crash': [CONNECT, api('start', app('crash.sh', wait_ready=True, max_restarts=2, listen_timeout=700),
                                          until=until('errored'))],
    'api-kill-timeout': [CONNECT, api('start', app('stubborn.js', kill_timeout=400)), api('restart', 'app'), api('stop', 'app')],
    'api-treekill': [CONNECT, api('start', app('parent.js')), api('stop', 'app'),
                     api('start', app('parent.js', name='two', treekill=False)), api('stop', 'two'),
                     {'label': 'the child of app', 'endOrphan': 'child-of-app'},
                     {'label': 'the child of two', 'endOrphan': 'child-of-two'}],
    'api-shutdown-message': [CONNECT, api('start', app('polite.js', shutdown_with_message=True)), api('stop', 'app'),
                             api('delete', 'app')],
    'api-max-restarts-zero': [CONNECT, api('start', app(max_restarts=0)), api('stop', 'app')],
    # what an app is given
    'api-child-node': [CONNECT, api('start', app('dump.js', args=['--port', '80', 'a b'], env={'COLOR': 'red', 'N': 5})),
                       read('dump-app-0.json')],
    'api-child-node-args': [CONNECT, api('start', app('dump.js', node_args='--no-warnings --stack-size=900', args='x "y z"')),
                            read('dump-app-0.json')],
    'api-child-python': [CONNECT, api('start', app('dump.py', args=['1'], interpreter='python3', env={'COLOR': 'red'})),
                         read('dump-app-0.json')],
    'api-child-python-by-name': [CONNECT, api('start', app('dump.py')), read('dump-app-0.json')],
    'api-child-none': [CONNECT, api('start', app('/bin/sleep', interpreter='none', args='1000'))],
    'api-child-bash': [CONNECT, api('start', app('sleeper.sh', interpreter='bash', interpreter_args='-e'))],
    'api-child-command': [CONNECT, api('start', app('sleep 1000'))],
    'api-child-cwd': [CONNECT, api('start', app('inner.sh', cwd='elsewhere')),
                      api('start', app('dump.js', name='two', cwd='.')), read('dump-two-0.json'),
                      api('start', app('inner.sh', name='three', cwd='no/such/folder'))],
    'api-instances': [CONNECT, api('start', app('dump.js', instances=3, exec_mode='fork', increment_var='PORT',
                                                env={'PORT': 3000})),
                      read('dump-app-0.json'), read('dump-app-2.json'), api('delete', 1), api('restart', 'app')],
    'api-instance-var': [CONNECT, api('start', app('dump.js', instances=2, exec_mode='fork', instance_var='INSTANCE'))],
    'api-update-env': [
        CONNECT, api('start', app('dump.js', env={'A': '1', 'B': '2'})), read('dump-app-0.json'), remove('dump-app-0.json'),
        api('restart', 'app', {'env': {'A': '3', 'C': '4'}}), read('dump-app-0.json'), remove('dump-app-0.json'),
        api('restart', 'app', {'env': {'A': '5'}, 'updateEnv': True}), read('dump-app-0.json')],
    'api-filter-env': [CONNECT, api('start', app('dump.js', filter_env=['HOME', 'LANG'])), read('dump-app-0.json'),
                       api('start', app('dump.js', name='two', filter_env=True, env={'A': '1'})), read('dump-two-0.json')],
    'api-env-name': [CONNECT, api('start', app(append_env_to_name=True, env={'A': '1'}, env_test={'A': '2'})),
                     api('start', app(name='two', port=8000))],
    'api-log-paths': [CONNECT, api('start', app(out_file='out.txt', error_file='logs/err.log', pid_file='my.pid')),
                       api('start', app(name='a b_c', out_file='/dev/null', error_file='NULL'))],
    'api-odd-options': [CONNECT, api('start', app(
        name='odd', min_uptime='5s', restart_delay=100, kill_timeout=3000, listen_timeout=4000,
        exp_backoff_restart_delay=50, vizion=False, time=False, source_map_support=True, namespace='space',
        username='someone', description='is not known', versionning='x', env_prod={'X': 'y'}))],
    # instances by count
    'api-scale': [CONNECT, START, api('scale', 'app', 3), api('scale', 'app', '+1'), api('scale', 'app', 1),
                  api('scale', 'app', 0), api('scale', 'nothing', 2)],
    # a cluster
    'api-cluster': [CONNECT, CLUSTER, api('list'), api('describe', 'app'), api('reload', 'app'), api('reload', 1),
                    api('restart', 'app'), api('stop', 0), api('reload', 'app'), api('reset', 'app'), api('delete', 'app')],
    'api-cluster-counts': [CONNECT, api('start', app('web.js', instances=2)),
                           api('start', app('web.js', name='max', instances='max')), api('start', app('web.js', name='less', instances=-1)),
                           api('start', app('web.js', name='one', exec_mode='cluster')),
                           api('start', app('web.js', name='forked', exec_mode='fork', instances=2))],
    'api-cluster-scale': [CONNECT, CLUSTER, api('scale', 'app', 4), api('scale', 'app', '+1'), api('scale', 'app', 1),
                          api('reload', 'app'), api('scale', 'app', 2), api('restart', 'app')],
    'api-cluster-child': [CONNECT, api('start', app('dump.js', exec_mode='cluster', instances=2, args=['--port', 'a b'],
                                                    node_args='--no-warnings', increment_var='PORT',
                                                    env={'COLOR': 'red', 'PORT': 3000})),
                          read('dump-app-0.json'), read('dump-app-1.json'), remove('dump-app-1.json'),
                          api('reload', 'app', {'env': {'COLOR': 'blue'}, 'updateEnv': True}), read('dump-app-1.json')],
    'api-cluster-silent': [CONNECT, api('start', app('sleeper.js', exec_mode='cluster', listen_timeout=400)),
                           api('reload', 'app')],
    'api-cluster-ready': [CONNECT, api('start', app('web-ready.js', exec_mode='cluster', instances=2, wait_ready=True,
                                                    listen_timeout=10000)), api('reload', 'app'), api('restart', 0)],
    'api-cluster-never-ready': [CONNECT, api('start', app('web.js', exec_mode='cluster', wait_ready=True, listen_timeout=500)),
                                api('reload', 'app')],
    'api-cluster-dump': [CONNECT, CLUSTER, api('stop', 1), api('dump'), api('delete', 'all'), api('resurrect'),
                         api('reload', 'app')],
    'api-cluster-stdin': [CONNECT, CLUSTER, api('sendLineToStdin', 0, 'a line'), api('stop', 0),
                          api('sendLineToStdin', 0, 'x')],
    'api-cluster-signals': [CONNECT, CLUSTER, api('sendSignalToProcessId', 'SIGKILL', 0, until=until('online')),
                            api('reload', 'app')],
    'api-cluster-actions': [CONNECT, api('start', app('actions.js', exec_mode='cluster', instances=2),
                                         until=until(axm_options={'module_name': 'told', 'some': 'thing'})),
                            api('msgProcess', {'name': 'app', 'msg': 'hello'}, bus=['axm:reply'])],
    'api-reset': [CONNECT, START, api('restart', 'app'), api('reset', 'app'), api('reset', 'all')],
    # what is read
    'api-read': [CONNECT, api('list'), api('describe', 'app'), START, api('list'), api('describe', 'app'),
                 api('describe', 0), api('describe', '0'), api('getPID', 'app'), api('getPID'), api('getPID', 'nothing'),
                 api('getProcessIdByName', 'app'), api('getProcessIdByName', 'nothing'), api('getVersion'), api('ping'),
                 api('env', 0)],
    # messages
    'api-send-data': [
        CONNECT, api('start', app('echo.js')),
        api('sendDataToProcessId', {'id': 0, 'type': 'process:msg', 'data': {'some': 'data'}, 'topic': True},
            bus=['process:msg', 'custom:type']),
        api('sendDataToProcessId', 0, {'type': 'process:msg', 'data': {'some': 'data'}, 'topic': 'x'},
            bus=['process:msg', 'custom:type']),
        api('sendDataToProcessId', {'id': 9, 'type': 'process:msg', 'data': {}, 'topic': True}),
        api('sendDataToProcessId', {'id': 0, 'type': 'process:msg', 'data': {}}),
        api('sendDataToProcessId', {'type': 'process:msg', 'data': {}, 'topic': True}),
        api('stop', 'app'), api('sendDataToProcessId', {'id': 0, 'type': 'process:msg', 'data': {}, 'topic': True}),
    ],
    'api-bus': [CONNECT, api('launchBus', opaque=True), START],
    'api-actions': [
        CONNECT, api('start', app('actions.js'), until=until(axm_options={'module_name': 'told', 'some': 'thing'})),
        api('list'), api('msgProcess', {'id': 0, 'msg': 'hello'}, bus=['axm:reply']),
        api('msgProcess', {'name': 'app', 'msg': 'hello'}, bus=['axm:reply']),
        api('msgProcess', {'id': 0, 'msg': 'with parameter', 'opts': {'a': 1}}, bus=['axm:reply']),
        api('msgProcess', {'id': 0, 'msg': 'unheard'}), api('msgProcess', {'id': 9, 'msg': 'hello'}),
        api('msgProcess', {'name': 'nothing', 'msg': 'hello'}), api('msgProcess', {'msg': 'hello'}),
        api('trigger', 'app', 'hello', bus=['axm:reply']), api('trigger', 0, 'with parameter', 'value', bus=['axm:reply']),
        api('trigger', 'app', 'unheard', timeout=3000),
        api('stop', 'app'), api('msgProcess', {'id': 0, 'msg': 'hello'}), api('list'),
    ],
    'api-stdin': [CONNECT, api('start', app('lines.js')), api('sendLineToStdin', 0, 'a line', bus=['line']),
                  api('sendLineToStdin', 9, 'x'), api('stop', 'app'), api('sendLineToStdin', 0, 'x')],
    'api-signals': [
        CONNECT, api('start', app('signals.js')), read('listens'),
        api('sendSignalToProcessName', 'SIGUSR2', 'app'), api('sendSignalToProcessId', 'SIGTERM', 0),
        api('sendSignalToProcessId', 'SIGNOTHING', 0), api('sendSignalToProcessId', 'SIGTERM', 9),
        api('sendSignalToProcessName', 'SIGTERM', 'nothing'), api('sendSignalToProcessName', 'SIGHUP', 'all'),
        read('signals.txt'),
        api('sendSignalToProcessId', 'SIGKILL', 0, until=until('online', restart_time=1)),
    ],
    # the saved list
    'api-dump': [CONNECT, START, api('start', CRASHES | {'name': 'bad'}, until=until('errored', 'bad')),
                 api('start', app(name='off')), api('stop', 'off'), api('dump'), api('delete', 'all'),
                 api('resurrect', until=until('errored', 'bad')), api('resurrect'), api('clearDump')],
    'api-dump-empty': [CONNECT, api('dump'), api('dump', True), api('resurrect')],
    'api-flush': [CONNECT, START, api('flush'), api('flush', 'app', timeout=1000), api('flush', 'nothing', timeout=1000), api('reloadLogs')],
    'api-monitor': [CONNECT, START, api('monitorState', 'monitor', 'app'), api('monitorState', 'unmonitor', 'app'),
                    api('monitorState', 'monitor', 'nothing')],
    # the end
    'api-disconnect': [CONNECT, START, api('disconnect'), CONNECT, api('list'), api('close'), CONNECT],
    'api-kill-daemon': [CONNECT, START, api('killDaemon', until=GONE), api('disconnect', noCallback=True, until=GONE)],
    'api-kill': [CONNECT, START, api('kill', until=GONE)],
    'api-pmx': [CONNECT, api('start', app('pmx.js', pmx=True), bus=['application:dependencies'],
                                 timeout=5000)],

    # The command
    'cli-start': [cli('start', 'sleeper.sh'), cli('start', 'sleeper.sh'), cli('start', 'nothing.sh'), cli('start'),
                  cli('start', 'sleeper.sh', '--name', 'b', '-f'), cli('start', '0'), cli('list')],
    'cli-start-options': [
        cli('start', 'dump.js', '--name', 'app', '--no-pmx', '--namespace', 'space', '--max-restarts', '4', '--kill-timeout',
            '2000', '--restart-delay', '200', '--no-autorestart', '--no-treekill', '--no-vizion', '--merge-logs', '--',
            '--port', '80', 'a b'),
        read('dump-app-0.json'), cli('describe', 'app')],
    'cli-start-more-options': [
        cli('start', 'sleeper.sh', '--name', 'app', '--cwd', 'elsewhere', '-o', 'out.txt', '-e', 'err.txt', '--pid', 'my.pid',
            '--stop-exit-codes', '1', '2', '--exp-backoff-restart-delay', '100', '--listen-timeout', '1000',
            '--wait-ready', '--filter-env', 'LANG', '--shutdown-with-message')],
    'cli-start-interpreter': [
        cli('start', 'dump.py', '--name', 'py', '--interpreter', 'python3', '--interpreter-args', '-B', '--', 'x'),
        read('dump-py-0.json'), cli('start', '/bin/sleep', '--name', 'none', '--interpreter', 'none', '--', '1000'),
        cli('start', 'sleep 1000', '--name', 'line'), cli('start', 'sleeper.sh', '--interpreter', 'nowhere')],
    'cli-start-instances': [cli('start', 'sleeper.sh', '-i', '2', '--name', 'app'), cli('scale', 'app', '3'),
                            cli('scale', 'app', '1'), cli('scale', 'app', '+2'), cli('scale', 'nothing', '2')],
    'cli-start-file': [
        cli('start', 'apps.json'), cli('start', 'apps.json', '--only', 'two'), cli('restart', 'apps.json', '--env', 'production'),
        cli('stop', 'apps.json'), cli('restart', 'apps.json'), cli('reload', 'apps.json'), cli('delete', 'apps.json'),
        cli('start', 'nothing.json'), cli('start', 'broken.json'), cli('start', 'ecosystem.config.js', '--env', 'test'),
        cli('start', 'apps.yaml')],
    'cli-start-or': [cli('startOrRestart', 'single.json'), cli('startOrRestart', 'single.json'),
                     cli('startOrReload', 'single.json'), cli('startOrGracefulReload', 'single.json')],
    'cli-cluster': [cli('start', 'web.js', '-i', '2', '--name', 'app', '--no-pmx'), cli('reload', 'app'), cli('reload', '0'),
                    cli('scale', 'app', '4'), cli('scale', 'app', '+1'), cli('scale', 'app', '-1'), cli('list'),
                    cli('describe', '0'), cli('jlist'), cli('prettylist'), cli('send', '0', 'a line'), cli('reload', 'all'),
                    cli('reload', 'app', '--update-env', env={'NEW': 'value'}), cli('env', '0')],
    'cli-cluster-counts': [*(cli('start', 'web.js', '-i', count, '--name', name, '--no-pmx')
                             for name, count in (('most', 'max'), ('less', '-1'), ('one', '1'))), cli('list')],
    'cli-cluster-file': [*(cli(verb, 'cluster.config.js')
                           for verb in ('start', 'reload', 'startOrReload', 'startOrGracefulReload', 'restart')),
                         cli('describe', 'web'), cli('delete', 'cluster.config.js')],
    'cli-start-stdin': [cli('start', '-', stdin='{"name": "piped", "script": "sleeper.sh"}')],
    'cli-start-off': [cli('start', 'sleeper.sh', '--name', 'app', '--no-autostart'), cli('restart', 'app')],
    'cli-life': [cli('start', 'sleeper.sh', '--name', 'app'), cli('restart', 'app'), cli('stop', 'app'), cli('stop', '0'),
                 cli('restart', '0'), cli('reload', 'app'), cli('restart', 'app', '--update-env', env={'NEW': 'value'}),
                 cli('restart', 'app', '--name', 'renamed'), cli('delete', 'renamed'), cli('delete', 'all'), cli('list')],
    'cli-unknown': [cli(verb, 'nothing') for verb in ('stop', 'restart', 'reload', 'delete', 'describe', 'reset', 'id', 'pid',
                                                      'inspect', 'monitor', 'unmonitor', 'env')]
    + [cli('stop', 'all'), cli('stop'), cli('delete'), cli('restart'), cli('unheard-of')],
    'cli-namespace': [*SPACES, cli('stop', 'left'), cli('restart', 'left'), cli('delete', 'left'), cli('stop', 'one', 'three'),
                      cli('list', '--sort', 'name:desc'), cli('start', 'right')],
    'cli-read': [cli('list'), START, api('start', CRASHES | {'name': 'bad'}, until=until('errored', 'bad')), cli('list'), cli('ls'), cli('l'),
                 cli('ps'), cli('status'), cli('list', '-m'), cli('jlist'), cli('prettylist'), cli('describe', 'app'),
                 cli('desc', '0'), cli('info', 'app'), cli('show', 'bad'), cli('env', '0'), cli('id', 'app'), cli('pid', 'app'), cli('pid'),
                 cli('slist'), cli('sysinfos'), cli('report'), cli('--version'), cli('ping')],
    'cli-signals': [api('start', app('signals.js')), read('listens'), cli('sendSignal', 'SIGUSR2', 'app'),
                    cli('sendSignal', 'SIGTERM', '0'), cli('sendSignal', 'SIGTERM', 'nothing'), cli('sendSignal', 'SIGTERM', '9'),
                    cli('sendSignal', 'SIGNOTHING', 'app'), read('signals.txt')],
    'cli-send': [api('start', app('lines.js')), cli('send', '0', 'a line', bus=['line']), cli('send', '9', 'x'),
                 cli('attach', '0', stdin='typed\n', bus=['line'], timeout=3000, ended=True)],
    'cli-trigger': [
        api('start', app('actions.js'), until=until(axm_options={'module_name': 'told', 'some': 'thing'})),
        cli('trigger', 'app', 'hello'), cli('trigger', '0', 'with parameter', 'value'),
        cli('trigger', 'app', 'unheard', timeout=3000, ended=True), cli('describe', 'app')],
    'cli-reset': [cli('start', 'sleeper.sh', '--name', 'app'), cli('restart', 'app'), cli('reset', 'app'), cli('reset', 'all')],
    'cli-saved': [START, api('start', app(name='off')), api('stop', 'off'), cli('save'), cli('delete', 'all'), cli('resurrect'),
                  cli('resurrect'), cli('save', '--force'), cli('dump'), cli('cleardump'), cli('delete', 'all'), cli('save'),
                  cli('save', '--force'), cli('resurrect')],
    'cli-monitor': [START, cli('monitor', 'app'), cli('unmonitor', 'app'), cli('inspect', 'app')],
    'cli-logs': [START, cli('flush'), cli('flush', 'app'), cli('reloadLogs')],
    'cli-profile': [cli('profile:cpu', '1', timeout=6000), cli('profile:mem', '1', timeout=6000)],
    'cli-kill': [START, cli('kill', until=GONE)],
    'cli-kill-empty': [cli('kill', until=GONE)],
    'cli-update': [START, api('start', app(name='off')), api('stop', 'off'), cli('update', timeout=30000), cli('list'),
                   api('restart', 'app')],

    # The wire: every method, with what is right and with what is wrong
    'rpc-methods': [{'label': 'methods', 'object': {'type': 'methods'}}],
    'rpc-unknown': [rpc('nope', {}), {'label': 'no method', 'object': {'type': 'call', 'args': []}},
                    {'label': 'no args', 'object': {'type': 'call', 'method': 'ping'}},
                    {'label': 'no type', 'object': {'method': 'ping', 'args': [{}]}}],
    'rpc-read': [START, rpc('ping', {}), rpc('getVersion', {}), rpc('getMonitorData', {}), rpc('getSystemData', {}),
                 rpc('getReport', {})],
    'rpc-start': [START, rpc('startProcessId', 9), rpc('startProcessId', 0), rpc('stopProcessId', 0), rpc('startProcessId', 0),
                  rpc('stopProcessId', {'id': 0}), rpc('startProcessId', '0')],
    'rpc-stop': [START, rpc('stopProcessId', 9), rpc('stopProcessId', 'x'), rpc('stopProcessId', '0'), rpc('stopProcessId', 0)],
    'rpc-restart': [START, rpc('restartProcessId', {}), rpc('restartProcessId', {'id': 9}), rpc('restartProcessId', {'id': 0}),
                    rpc('restartProcessId', {'id': 0, 'env': {'A': '1'}}),
                    rpc('restartProcessId', {'id': 0, 'env': {'current_conf': {'name': 'renamed', 'max_restarts': 4}}}),
                    rpc('restartProcessId', {'id': 0, 'env': {'current_conf': {'max_restarts': 'null'}}})],
    'rpc-reload': [START, rpc('reloadProcessId', {'id': 9}), rpc('reloadProcessId', {'id': 0}),
                   rpc('softReloadProcessId', {'id': 9}), rpc('softReloadProcessId', {'id': 0})],
    'rpc-reload-cluster': [
        CLUSTER, rpc('reloadProcessId', {'id': 0}), rpc('softReloadProcessId', {'id': 1}), rpc('reloadProcessId', {'id': '0'}),
        rpc('reloadProcessId', {'id': 0, 'env': {'A': '1', 'current_conf': {'max_restarts': 4}}}),
        {'label': 'twice', 'together': [['reloadProcessId', {'id': 0}], ['reloadProcessId', {'id': 0}]]},
        {'label': 'hard and soft', 'together': [['reloadProcessId', {'id': 0}], ['softReloadProcessId', {'id': 0}]]},
        {'label': 'both', 'together': [['reloadProcessId', {'id': 0}], ['reloadProcessId', {'id': 1}]]},
        rpc('sendLineToStdin', {'pm_id': 0, 'line': 'x\n'}), rpc('stopProcessId', 0), rpc('reloadProcessId', {'id': 0})],
    'rpc-reload-soft': [
        api('start', app('web-soft.js', exec_mode='cluster')), rpc('reloadProcessId', {'id': 0}),
        rpc('softReloadProcessId', {'id': 0}), read('heard.txt'), rpc('softReloadProcessId', {'id': 0}), read('heard.txt'),
        api('start', app('web-ready.js', name='ready', exec_mode='cluster', wait_ready=True, listen_timeout=10000)),
        rpc('softReloadProcessId', {'id': 1})],
    'rpc-reload-soft-message': [
        api('start', app('web-soft.js', exec_mode='cluster', shutdown_with_message=True)), rpc('reloadProcessId', {'id': 0}),
        read('heard.txt'), rpc('softReloadProcessId', {'id': 0}), read('heard.txt')],
    'rpc-reload-soft-ignored': [CLUSTER, rpc('softReloadProcessId', {'id': 0})],
    'rpc-duplicate-cluster': [CLUSTER, rpc('duplicateProcessId', 0), rpc('duplicateProcessId', '1')],
    'rpc-delete': [START, rpc('deleteProcessId', 9), rpc('deleteProcessId', 0), rpc('deleteProcessId', 0)],
    'rpc-duplicate': [START, rpc('duplicateProcessId', 9), rpc('duplicateProcessId', 0), rpc('resetMetaProcessId', 1),
                      rpc('resetMetaProcessId', 9)],
    'rpc-signals': [api('start', app('signals.js')), read('listens'),
                    rpc('sendSignalToProcessId', {'process_id': 0, 'signal': 'SIGUSR2'}),
                    rpc('sendSignalToProcessId', {'process_id': 9, 'signal': 'SIGUSR2'}),
                    rpc('sendSignalToProcessId', {'process_id': 0, 'signal': 'SIGNOTHING'}),
                    rpc('sendSignalToProcessName', {'process_name': 'app', 'signal': 'SIGTERM'}),
                    rpc('sendSignalToProcessName', {'process_name': 'nothing', 'signal': 'SIGTERM'}), read('signals.txt')],
    'rpc-messages': [api('start', app('actions.js'), until=until(axm_options={'module_name': 'told', 'some': 'thing'})),
                     rpc('sendLineToStdin', {}), rpc('sendLineToStdin', {'pm_id': 9, 'line': 'x'}),
                     rpc('sendDataToProcessId', {}), rpc('sendDataToProcessId', {'id': 9, 'data': 1, 'topic': 't'}),
                     rpc('msgProcess', {}), rpc('msgProcess', {'id': 9, 'msg': 'x'}), rpc('msgProcess', {'id': 0, 'msg': 'x'}),
                     rpc('msgProcess', {'name': 'app', 'msg': 'hello'}, bus=['axm:reply'])],
    'rpc-notify': [START, rpc('notifyByProcessId', {}), rpc('notifyByProcessId', {'id': 9, 'action_name': 'x', 'manually': True}),
                   rpc('notifyByProcessId', {'id': 0, 'action_name': 'made up', 'manually': True}),
                   rpc('notifyByProcessId', {'id': 0, 'action_name': 'made up'}),
                   rpc('monitor', 0), rpc('unmonitor', 0), rpc('monitor', 9), rpc('unmonitor', 9), rpc('reloadLogs', {})],
    'rpc-watch': [START, rpc('stopWatch', 'stopProcessId', 0), rpc('startWatch', 'restartProcessId', {'id': 9}),
                  rpc('stopWatch', 'stopAll', {}), rpc('stopWatch', 'deleteAll', {})],
    'api-watch': [CONNECT, api('start', app(watch=True, watch_delay=500)), rpc('startWatch', 'restartProcessId', {'id': 0}),
                  api('stop', 'app'), rpc('toggleWatch', 'restartProcessId', {'id': 0}),
                  rpc('toggleWatch', 'restartProcessId', {'id': 0})],
    'api-watch-paths': [CONNECT, api('start', app(watch=['lib', 'sleeper.js'], ignore_watch=['lib/tmp', '*.log'],
                                                  watch_options={'followSymlinks': False})),
                        rpc('stopWatch', 'restartProcessId', 0)],
    'rpc-prepare': [
        rpc('prepare', {'name': 'raw', 'pm_exec_path': '/bin/sleep', 'args': ['1000'], 'exec_interpreter': 'none', 'env': {'A': '1'},
                        'exec_mode': 'fork_mode', 'instances': 1, 'pm_cwd': '/', 'merge_logs': True, 'treekill': True,
                        'pm_out_log_path': '/dev/null', 'pm_err_log_path': '/dev/null', 'pm_pid_path': '$HOME/raw.pid',
                        'unheard': {'of': [1, 2]}, 'kill_retry_time': 100}),
        rpc('prepare', {'name': 'off', 'pm_exec_path': '/bin/sleep', 'args': ['1000'], 'exec_interpreter': 'none', 'env': {},
                        'exec_mode': 'fork_mode', 'pm_cwd': '/', 'status': 'stopped', 'pm_out_log_path': '/dev/null',
                        'pm_err_log_path': '/dev/null', 'pm_pid_path': '$HOME/raw.pid', 'restart_time': 7}),
        rpc('prepare', {'name': 'badlog', 'pm_exec_path': '/bin/sleep', 'args': ['1000'], 'exec_interpreter': 'none', 'env': {},
                        'exec_mode': 'fork_mode', 'instances': 1, 'pm_cwd': '/', 'pm_out_log_path': '$HOME/no/such/folder/out.log',
                        'pm_err_log_path': '/dev/null', 'pm_pid_path': '$HOME/raw.pid'})],
    'rpc-kill-flag': [START, rpc('notifyKillPM2', {}, timeout=500), rpc('restartProcessId', {'id': 0})],
    'rpc-profile': [rpc('profileCPU', {'pwd': '$HOME/cpu.prof', 'timeout': 200})],
}

# Of later issues: run by hand with PM2D_TEST_LATER=1.
LATER = {
    'later-logs': [CONNECT, api('start', app(name='one', log_file='all-2024.log', merge_logs=True)),
                    api('start', app(log_type='json')), api('start', app(name='two', log_date_format='YYYY')),
                   api('start', app(name='three', time=True)), api('start', app(name='four', disable_logs=True))],
}

# Each public name of the API: where it is tried, or why it is not.

RUN = {'connect', 'disconnect', 'close', 'launchBus', 'start', 'restart', 'reload', 'delete', 'stop', 'list', 'killDaemon',
       'kill', 'reset', 'getProcessIdByName', 'scale', 'describe', 'getVersion', 'env', 'getPID',
       'sendLineToStdin', 'sendDataToProcessId', 'msgProcess', 'trigger', 'sendSignalToProcessName', 'sendSignalToProcessId',
       'ping', 'monitorState', 'dump', 'clearDump', 'resurrect', 'flush', 'reloadLogs'}
NOT_RUN = {
    'constructor': 'the class', 'custom': 'the class',
    'destroy': 'ends the daemon and removes the folder: kill and rm',
    'jlist': 'of the command: it prints', 'slist': 'of the command: it prints', 'report': 'of the command: it prints',
    'exitCli': 'of the command: it prints and exits',
    '_startScript': 'start', '_startJson': 'start', '_operate': 'restart, stop, delete', '_handleAttributeUpdate': 'restart',
    'actionFromJson': 'restart, stop, delete of a file', 'speedList': 'list', 'profile': 'of the command',
    'update': 'of the command', 'attach': 'of the command: reads the terminal', 'inspect': 'of the command',
    'autodump': 'writes when a timer comes', 'monit': 'a terminal: test_pm2_load', 'dashboard': 'a terminal',
    'streamLogs': 'prints: test_pm2_client', 'printLogs': 'prints: test_pm2_client', 'logrotate': 'writes /etc',
    'startup': 'writes the units of the host', 'uninstallStartup': 'writes the units of the host',
    'deepUpdate': 'installs from the network', 'deploy': 'works over ssh', 'boilerplate': 'writes a project',
    'autoinstall': 'installs from the network', 'serve': 'starts a program of PM2, as start does',
    'remote': 'SaaS agent', 'remoteV2': 'SaaS agent', 'link': 'SaaS', 'linkManagement': 'SaaS', 'unlink': 'SaaS',
    'agentInfos': 'SaaS', 'killAgent': 'SaaS', 'openDashboard': 'SaaS', 'clearSetup': 'SaaS', 'minimumSetup': 'SaaS',
    'generateSample': 'writes a file', 'generateDockerfile': 'writes a file', 'dockerMode': 'writes a file',
    'launchModules': 'modules', 'launchAll': 'modules', 'install': 'modules', 'uninstall': 'modules', 'package': 'modules',
    'publish': 'modules', 'generateModuleSample': 'modules', 'deleteModule': 'modules',
    'get': 'configuration of the client', 'set': 'configuration of the client', 'multiset': 'configuration of the client',
    'unset': 'configuration of the client', 'conf': 'configuration of the client',
    '_pull': 'version control', 'pullCommitId': 'version control', 'backward': 'version control', 'forward': 'version control',
    'pullAndRestart': 'version control', 'pullAndReload': 'version control', '_pullCommitId': 'version control',
}
# Of 5 and 6 alone.
OLDER = {'launchSysMonitoring': 'modules', 'sysmonit': 'modules'}
CLI_RUN = {'start', 'trigger', 'startOrRestart', 'startOrReload', 'pid', 'startOrGracefulReload', 'stop', 'restart', 'scale',
           'profile:mem', 'profile:cpu', 'reload', 'id', 'inspect', 'delete', 'sendSignal', 'ping', 'update', 'report',
           'monitor', 'unmonitor', 'dump', 'save', 'cleardump', 'send', 'attach', 'resurrect', 'reset', 'describe', 'desc',
           'info', 'show', 'env', 'list', 'ls', 'l', 'ps', 'status', 'jlist', 'slist', 'sysinfos', 'prettylist', 'flush',
           'reloadLogs', 'kill'}
CLI_NOT_RUN = {
    'create': 'writes a project', 'deploy': 'works over ssh', 'del': 'delete', 'updatePM2': 'update', 'monit': 'test_pm2_load',
    'imonit': 'a terminal', 'dashboard': 'a terminal', 'dash': 'a terminal', 'logs': 'test_pm2_client',
    'install': 'modules', 'module:install': 'modules', 'module:update': 'modules', 'module:generate': 'modules',
    'uninstall': 'modules', 'module:uninstall': 'modules', 'package': 'modules', 'publish': 'modules', 'module:publish': 'modules',
    'set': 'configuration of the client', 'multiset': 'configuration of the client', 'get': 'configuration of the client',
    'conf': 'configuration of the client', 'config': 'configuration of the client', 'unset': 'configuration of the client',
    'link': 'SaaS', 'unlink': 'SaaS', 'open': 'SaaS', 'plus': 'SaaS', 'register': 'SaaS', 'login': 'SaaS', 'logout': 'SaaS',
    'startup': 'writes the units of the host', 'unstartup': 'writes the units of the host', 'logrotate': 'writes /etc',
    'ecosystem': 'writes a project', 'init': 'writes a project', 'pull': 'version control', 'forward': 'version control',
    'backward': 'version control', 'deepUpdate': 'installs from the network', 'serve': 'start of a program of PM2',
    'expose': 'start of a program of PM2', 'autoinstall': 'installs from the network', 'examples': 'prints a text',
    'install-otel': 'installs from the network', 'uninstall-otel': 'installs from the network', '*': 'any other word',
}
