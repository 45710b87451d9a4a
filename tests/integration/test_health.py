#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""health: what probes find out about an app, and what follows from it."""

import os
import pathlib

import harness
from harness import V, wait_until
from test_cluster import free_port

# Listens on a port or a path, and answers as the file "mode" says when it is connected to. In the mode "deaf" it
# accepts nothing.
SERVER = r'''#!/usr/bin/python3
import os, pathlib, signal, socket, sys, threading, time
address = sys.argv[1]
if address.startswith('/'):
    try:
        os.unlink(address)
    except FileNotFoundError:
        pass
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
else:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(('127.0.0.1', int(address)))
if '--stubborn' in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
listener.listen(1)
mode = lambda: pathlib.Path('mode').read_text().strip()

def endless(peer, text, pause=0):
    while True:
        peer.sendall(text)
        time.sleep(pause)

def serve(peer):
    with open('asked', 'ab') as asked:
        word = mode()
        try:
            request = b'' if word == 'accept' else peer.recv(4096)
            asked.write(request or b'connected\n')
            asked.flush()
            if word == 'hang':
                time.sleep(1000)
            elif word == 'slow':
                time.sleep(0.3)
            elif word == 'garbage':
                peer.sendall(os.urandom(100000))
            elif word == 'endless':
                endless(peer, b'HTTP/1.1 103 Early Hints\r\nLink: ' + b'a' * 1000)
            elif word == 'body':
                endless(peer, b'HTTP/1.1 200 OK\r\n\r\n' + b'a' * 1000)
            elif word == 'drip':
                endless(peer, b'H', 0.01)
            elif word == 'interim':
                peer.sendall(b'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n')
                word = '204'
            status = word if word.isdigit() else '200'
            if word != 'close':
                peer.sendall(f'HTTP/1.1 {status} Whatever\r\nContent-Length: 2\r\n\r\nhi'.encode())
        except OSError:
            pass
        peer.close()

pathlib.Path('up').touch()
while True:
    if mode() == 'deaf':
        time.sleep(0.01)
        continue
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
'''
STAYS = '#!/bin/sh\nexec sleep 1000\n'
WORKER = """
require('net').createServer().listen(process.env.SOCKET, () => {
    if (process.env.good === 'yes') require('fs').writeFileSync('up-' + process.pid, '');
});
"""


class Base:
    def mode(self, word):
        pathlib.Path(self.path('mode.new')).write_text(word + '\n', encoding='ascii')
        os.replace(self.path('mode.new'), self.path('mode'))

    def health(self, **members):
        """Quick, and yet patient with a machine that is slow."""
        members = {'interval': 500, 'timeout': 500, 'retries': 3} | members
        return V('a{sv}', {name: value if isinstance(value, V) else harness.variant(value) for name, value in members.items()})

    def server(self, *args, mode='ok', name='app', health=None, **attributes):
        """A server on a port of its own, and its URL."""
        self.mode(mode)
        self.port = free_port()
        address = f'http://127.0.0.1:{self.port}/health?a=b'
        attributes.setdefault('health', self.health(http=address, **(health or {})))
        return self.client.start(self.script('server.py', SERVER), name=name, args=[str(self.port), *args],
                                 cwd=self.daemon.apps, **attributes)[0]

    def commanded(self, command, name='app', text=STAYS, health=None, **attributes):
        """An app that is asked by a command."""
        return self.client.start(self.script(f'{name}.sh', text), name=name, cwd=self.daemon.apps,
                                 health=self.health(exec=command, **(health or {})), **attributes)[0]

    def wait_health(self, path, state):
        self.client.wait_property(path, 'Health', state)

    def events(self, name='app'):
        return [event for event, _ in self.client.events(name)]

    def history(self, target='app'):
        return self.client.manager_call('RecentEvents', 'su', target, 0)

    def reasons(self, target='app'):
        return [entry['reason'] for entry in self.history(target) if entry['event'] == 'unhealthy']

    def facts(self, target='app'):
        return self.client.describe(target)[0]['pm2_env']

    def touch(self, name):
        pathlib.Path(self.path(name)).touch()

    def lines(self, name):
        try:
            return harness.read_file(self.path(name)).splitlines()
        except FileNotFoundError:
            return []

    def set(self, target='app', **attributes):
        self.client.manager_call('SetProperties', 'sa{sv}', target, harness.options(**attributes))


class Health(Base, harness.Case):
    def test_health(self):
        """It is asked over HTTP: found healthy, unhealthy, and healthy again; nothing is restarted."""
        path = self.server()
        self.wait_health(path, 'healthy')
        self.client.wait_event('healthy', 'app')
        request = harness.wait_file(self.path('asked'), lambda text: '\n\n' in text).replace('\r', '')
        self.assertTrue(request.startswith(f'GET /health?a=b HTTP/1.1\nHost: 127.0.0.1:{self.port}\n'), request)
        self.assertEqual(self.facts()['health_status'], 'healthy')
        self.assertRegex(self.pm2ctl('describe', 'app').stdout, r'health +healthy')
        self.mode('503')
        self.client.wait_event('unhealthy', 'app')
        self.client.wait_property(path, 'LastReason', 'unhealthy: http: answered with status 503')
        self.assertEqual(self.client.property(path, 'Health'), 'unhealthy')
        mark = len(self.client.received)
        self.mode('ok')
        self.client.wait_event('healthy', 'app', mark)
        self.assertEqual(self.client.property(path, 'LastReason'), 'healthy again')
        self.assertEqual((self.client.property(path, 'Status'), self.client.property(path, 'RestartCount')), ('online', 0))
        kinds = [entry['event'] for entry in self.history()]
        self.assertEqual([kind for kind in kinds if 'health' in kind], ['healthy', 'unhealthy', 'healthy'])
        self.client.stop('app')
        self.assertEqual(self.client.property(path, 'Health'), 'none')

    def test_what_hangs_is_found_and_restarted(self):
        """It accepts, never answers and does not end at the kill signal."""
        path = self.server('--stubborn', health={'restart': True, 'start_period': 60000}, kill_timeout=100, min_uptime=0)
        self.wait_health(path, 'healthy')
        before = self.client.property(path, 'Pid')
        self.mode('hang')
        body = self.client.wait_event('restart', 'app')
        self.assertFalse(body[4])
        self.assertEqual(self.client.property(path, 'LastReason'), 'unhealthy: http: no answer within 500 ms; restarted')
        self.mode('ok')
        self.wait_health(path, 'healthy')
        self.assertNotEqual(self.client.property(path, 'Pid'), before)
        self.assertEqual(self.client.property(path, 'RestartCount'), 1)
        self.assertEqual(self.client.property(path, 'UnstableRestarts'), 0)  # it had been well
        self.assert_gone([before])

    def test_what_never_becomes_healthy_is_given_up(self):
        """Loops end as those of exits do, and what it ends with is no wish of its own."""
        path = self.commanded('exit 3', health={'restart': True, 'retries': 1}, max_restarts=2, min_uptime=0,
                              stop_exit_codes=V('ai', [0]), text='#!/bin/sh\ntrap "exit 0" INT\nwhile :; do sleep 0.01; done\n')
        self.client.wait_status(path, 'errored')
        self.assertEqual(self.client.property(path, 'RestartCount'), 1)
        self.assertIn('unhealthy: exec: exited with code 3; given up after 2', self.client.property(path, 'LastReason'))

    def test_bad_answers_harm_nobody(self):
        path = self.server(health={'retries': 1})
        self.wait_health(path, 'healthy')
        for word, why in (('garbage', 'the answer is no HTTP'), ('endless', 'the answer does not come to its status'),
                          ('close', 'closed the connection without an answer'), ('drip', 'the answer is no HTTP'),
                          ('600', 'answered with status 600')):
            self.mode(word)
            self.client.wait_property(path, 'LastReason', f'unhealthy: http: {why}')
            self.mode('body' if word == 'close' else 'interim')
            self.wait_health(path, 'healthy')

    def test_expected_status(self):
        path = self.server(mode='503', health={'status': '500-503', 'retries': 1})
        self.wait_health(path, 'healthy')
        self.mode('200')
        self.wait_health(path, 'unhealthy')
        self.set(health=self.health(http=f'http://localhost:{self.port}/', status=200))
        self.wait_health(path, 'healthy')

    def test_tcp(self):
        path = self.server(health=None, env={'MY_PORT': 'later'})
        self.set(health=self.health(tcp=self.port))
        self.wait_health(path, 'healthy')
        self.client.send_signal('app', 'SIGKILL', wait=False)  # what refuses, in another process
        other = self.client.start(self.script('other.sh', STAYS), name='other', env={'MY_PORT': str(free_port())},
                                  health=self.health(tcp='localhost:${MY_PORT}', retries=1))[0]
        self.client.wait_property(other, 'LastReason', 'unhealthy: tcp: Connection refused')

    def test_unix(self):
        socket_path = self.path('app.socket')
        self.mode('accept')
        path = self.client.start(self.script('server.py', SERVER), name='app', args=[socket_path], cwd=self.daemon.apps,
                                 env={'PLACE': socket_path}, health=self.health(unix='${PLACE}'))[0]
        self.wait_health(path, 'healthy')
        self.set(health=self.health(http=f'http://unix:{socket_path}:/well', retries=1))
        self.mode('ok')
        wait_until(lambda: 'GET /well HTTP/1.1' in self.lines('asked'), 'it is asked for over the socket')
        os.unlink(socket_path)
        self.client.wait_property(path, 'LastReason', 'unhealthy: http: No such file or directory')

    def test_exec(self):
        """With the environment of the app, where it is, and with its process."""
        path = self.commanded('echo "$word $pm_id $MAINPID $NOTIFY_SOCKET$NODE_CHANNEL_FD" >>seen; test -e well',
                              env={'word': 'given'}, health={'timeout': '200ms', 'start_period': '1h'})
        wait_until(lambda: len(self.lines('seen')) > 1, 'it is asked again and again')
        self.assertEqual(self.client.property(path, 'Health'), 'starting')
        self.touch('well')
        self.wait_health(path, 'healthy')
        self.assertEqual(set(self.lines('seen')), {f'given 0 {self.client.property(path, "Pid")} '})
        self.set(health=self.health(exec=['false', 'with', 'words'], retries=1))
        self.client.wait_property(path, 'LastReason', 'unhealthy: exec: exited with code 1')

    def test_a_command_that_hangs_is_ended(self):
        path = self.commanded('echo $$ >>pids; exec sleep 1000', health={'restart': True}, max_restarts=1, min_uptime=0)
        self.client.wait_status(path, 'errored')
        self.assertIn('exec: no answer within 500 ms', self.client.property(path, 'LastReason'))
        pids = [int(pid) for pid in self.lines('pids')]
        wait_until(lambda: not any(harness.is_alive(pid) for pid in pids), 'they have ended')

    def test_a_stop_ends_a_probe(self):
        path = self.commanded('echo $$ >>pids; exec sleep 1000', health={'interval': 60000, 'timeout': 60000})
        pid = int(harness.wait_file(self.path('pids')))
        self.client.stop('app')
        wait_until(lambda: not harness.is_alive(pid), 'it has ended')
        self.assertEqual(self.client.property(path, 'Health'), 'none')

    def test_what_is_declared_is_told(self):
        self.commanded(['true', 'x'], health={'interval': '1min', 'restart': True})
        told = self.client.call('/org/pm2/Process/0', harness.PROCESS, 'GetConfig', '')['health']
        self.assertEqual(told, {'exec': ['true', 'x'], 'interval': 60000, 'timeout': 500, 'retries': 3, 'start_period': 0,
                                'restart': True})
        self.client.manager_call('Save', 'sa{sv}', '', {})
        self.client.delete('app')
        self.client.manager_call('Resurrect', 'sa{sv}', '', {})
        self.assertEqual(self.facts()['health'], told)
        self.pm2ctl('set', 'app', "health=http='http://127.0.0.1:1/' interval=5s")
        self.assertEqual(self.facts()['health'], {'http': 'http://127.0.0.1:1/', 'interval': 5000, 'timeout': 5000,
                                                  'retries': 3, 'start_period': 0, 'restart': False, 'status': '200-399'})
        self.client.start_json('[{"name": "two", "script": "/bin/sleep", "args": "1000", "health": {"tcp": 1}}]')
        self.assertEqual(self.facts('two')['health']['interval'], 10000)
        self.set(health=False)
        self.client.wait_property('/org/pm2/Process/0', 'Health', 'none')

    def test_what_cannot_be_is_refused(self):
        for members, mentions in (
                ({'http': 'https://127.0.0.1/'}, 'health.http: \'https://127.0.0.1/\': a URL begins with http://'),
                ({'http': 'http://example.org/'}, 'names are not looked up'), ({'http': 'http://127.0.0.1/a b'}, 'no blanks'),
                ({'http': 'http://127.0.0.1:0/'}, 'port'), ({'http': 'http://unix:here:/'}, 'absolute'), ({'tcp': '70000'}, 'port'),
                ({'tcp': True}, 'health.tcp: expected'), ({'unix': 'here'}, 'health.unix: '), ({'exec': ''}, 'health.exec: '),
                ({'exec': V('as', [])}, 'health.exec: '), ({'tcp': 1, 'exec': 'true'}, 'there is health.tcp already'),
                ({}, 'one of http, tcp, unix and exec is missing'), ({'tcp': 1, 'interval': 99}, 'health.interval: '),
                ({'tcp': 1, 'interval': 'often'}, 'health.interval: expected a duration'),
                ({'tcp': 1, 'timeout': 501}, 'health.timeout: \'501\' is longer than the interval'),
                ({'tcp': 1, 'retries': 0}, 'health.retries: '), ({'tcp': 1, 'start_period': -1}, 'health.start_period: '),
                ({'tcp': 1, 'restart': 5}, 'health.restart: '), ({'tcp': 1, 'status': 200}, 'health.status: is of http alone'),
                ({'http': 'http://127.0.0.1/', 'status': '300-200'}, 'health.status: '),
                ({'tcp': 1, 'intervall': 5}, 'health.\'intervall\': unknown member')):
            self.assert_dbus_error('InvalidConfig', self.client.start, '/bin/true', name='app', mentions=mentions,
                                   health=self.health(**members))
        self.assertEqual(self.client.list(), [])

    def test_a_variable_that_is_not_there(self):
        path = self.client.start(self.script('app.sh', STAYS), name='app', health=self.health(tcp='${NOWHERE}', retries=1))[0]
        self.client.wait_property(path, 'LastReason', 'unhealthy: tcp: there is no variable \'NOWHERE\'')

    def test_it_goes_on_after_the_supervisor(self):
        """Killed, and replaced in place: what was found is known, and nothing is told twice."""
        path = self.commanded('echo $$ >>asked; test -e well', health={'start_period': '1h'})
        self.touch('well')
        self.wait_health(path, 'healthy')
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')
        asked = len(self.lines('asked'))
        self.assertEqual(self.client.property(path, 'Health'), 'healthy')
        wait_until(lambda: len(self.lines('asked')) > asked, 'it is asked on')
        os.unlink(self.path('well'))
        self.wait_health(path, 'unhealthy')
        kinds = [entry['event'] for entry in self.history()]
        self.assertEqual([kind for kind in kinds if 'health' in kind], ['healthy', 'unhealthy'])


class Reload(Base, harness.Case):
    """What takes another's place has to show first that it is well."""

    def app(self, **attributes):
        self.touch('well')
        return self.commanded('test -e well || test "$version" = good', env={'version': 'none'},
                              listen=[f'unix:{self.path("app.listen")}'], **{'listen_timeout': 60000, **attributes})

    def reload(self, **values):
        return self.client.manager_call('Reload', 'sa{sv}', 'app', harness.options(**values))

    def test_a_new_one_is_ready_when_it_is_healthy(self):
        path = self.app()
        self.wait_health(path, 'healthy')
        old = self.client.property(path, 'Pid')
        self.reload(env={'version': 'good'})
        self.assertNotEqual(self.client.property(path, 'Pid'), old)
        self.assertEqual(self.client.property(path, 'Health'), 'healthy')

    def test_a_new_one_that_is_never_healthy_changes_nothing(self):
        path = self.app()
        self.wait_health(path, 'healthy')
        old = self.client.property(path, 'Pid')
        self.assert_dbus_error(['SpawnFailed', 'Timeout'], self.reload, health=self.health(exec='exit 7'),
                               mentions=['was not reloaded', 'unhealthy: exec: exited with code 7'])
        self.assert_dbus_error('Timeout', self.reload, listen_timeout=200,
                               health=self.health(exec='exit 8', start_period=200, retries=1000),
                               mentions=['was not healthy within 400 ms', 'exec: exited with code 8'])
        self.assertEqual((self.client.property(path, 'Pid'), self.client.property(path, 'Status')), (old, 'online'))
        self.assertEqual(self.client.property(path, 'Health'), 'healthy')
        self.assertNotIn('unhealthy', self.events())

    def test_reload_watch(self):
        """One that turns unhealthy soon brings the configuration before it back."""
        path = self.app(reload_watch=0)
        self.wait_health(path, 'healthy')
        self.reload(env={'version': 'bad'}, reload_watch='1h')
        self.assertEqual(self.client.property(path, 'Health'), 'healthy')
        before = self.client.property(path, 'Pid')
        os.unlink(self.path('well'))
        self.client.wait_event('rollback', 'app')
        self.touch('well')
        self.wait_health(path, 'healthy')
        self.assertNotEqual(self.client.property(path, 'Pid'), before)
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig', '')['env'], {'version': 'none'})
        reasons = [entry.get('reason', '') for entry in self.history()]
        self.assertIn('unhealthy: exec: exited with code 1 within reload_watch; the configuration before the reload is back',
                      reasons)


    def test_workers_of_a_cluster(self):
        """They share what they listen on, so each is asked by its pid; listening alone is not enough."""
        worker = self.script('worker.js', WORKER, executable=False)
        paths = self.client.start(worker, name='app', exec_mode='cluster', instances=2, cwd=self.daemon.apps,
                                  env={'good': 'yes', 'SOCKET': self.path('shared.socket')}, listen_timeout=60000,
                                  health=self.health(exec='test -e up-$MAINPID'))
        for path in paths:
            self.wait_health(path, 'healthy')
        before = [self.client.property(path, 'Pid') for path in paths]
        self.reload()
        between = [self.client.property(path, 'Pid') for path in paths]
        self.assertFalse(set(before) & set(between))
        self.assert_dbus_error(['SpawnFailed', 'Timeout', 'PartialFailure'], self.reload, mentions=['was not reloaded', 'unhealthy: exec'],
                               env={'good': 'no', 'SOCKET': self.path('shared.socket')})
        self.assertEqual([self.client.property(path, 'Pid') for path in paths], between)
        self.assertEqual({self.client.property(path, 'Health') for path in paths}, {'healthy'})


class Cgroup(Base, harness.Case):
    isolation = 'cgroup'

    def test_a_command_is_in_the_cgroup_of_the_app(self):
        """With all that it starts, wherever that goes; and they end alone."""
        path = self.commanded('cat /proc/self/cgroup >>where; setsid sleep 1000 & echo $! >>pids; exec sleep 1000')
        self.wait_health(path, 'unhealthy')
        group = self.client.property(path, 'ControlGroup')
        where = [line.split('::')[1] for line in self.lines('where') if line.startswith('0::')]
        self.assertEqual({os.path.dirname(path) for path in where}, {group})
        pids = [int(pid) for pid in self.lines('pids')]
        self.set(health=False)
        wait_until(lambda: not any(harness.is_alive(pid) for pid in pids), 'they have ended')
        self.assertEqual((self.client.property(path, 'Status'), self.client.property(path, 'RestartCount')), ('online', 0))
        self.client.delete('app')
        self.assertFalse(os.path.exists(harness.cgroup2_mount() + group))

    def test_what_stands_still_is_not_asked(self):
        path = self.commanded('echo >>asked; test -e well', health={})
        self.touch('well')
        self.wait_health(path, 'healthy')
        self.client.manager_call('Freeze', 'sa{sv}', 'app', {})
        os.unlink(self.path('well'))
        witness = self.commanded('echo >>witness; exit 1', name='witness')
        self.wait_health(witness, 'unhealthy')
        asked = len(self.lines('asked'))
        wait_until(lambda count=len(self.lines('witness')): len(self.lines('witness')) > count + 3, 'others are asked')
        self.assertEqual(len(self.lines('asked')), asked)
        self.assertEqual(self.client.property(path, 'Health'), 'healthy')
        self.client.manager_call('Thaw', 'sa{sv}', 'app', {})
        self.wait_health(path, 'unhealthy')

    def test_killed(self):
        """What a supervisor that was killed left of a probe ends, and its successor asks on."""
        path = self.commanded('echo $$ >>pids; test -e hung && exec sleep 1000; exit 0',
                              health={'interval': 60000, 'timeout': 60000})
        self.wait_health(path, 'healthy')
        self.touch('hung')
        self.set(health=self.health(exec='echo $$ >>pids; test -e hung && exec sleep 1000; exit 0', interval=60001, timeout=60000))
        wait_until(lambda: len(self.lines('pids')) == 2, 'one hangs')
        left = int(self.lines('pids')[1])
        before = self.client.property(path, 'Pid')
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.start()
        self._client = self.daemon.connect()
        self.assertEqual((self.client.property(path, 'Pid'), self.client.property(path, 'Health')), (before, 'healthy'))
        wait_until(lambda: not harness.is_alive(left), 'what was left of it has ended')
        self.set(health=self.health(exec='echo >>on'))
        wait_until(lambda: self.lines('on'), 'it is asked on')


if __name__ == '__main__':
    harness.main()
