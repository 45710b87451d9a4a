#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listening sockets that are held for apps: servers in Python, C and Node, restarts, crashes, and what is refused."""

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import threading

import harness
from harness import V, wait_until

# Answers each connection to its first socket with what it has.
SERVER = '''#!/usr/bin/python3
import json, os, socket
LINKS = {str(fd): os.readlink(f'/proc/self/fd/{fd}') for fd in range(3, 20) if os.path.exists(f'/proc/self/fd/{fd}')}
FACTS = {'pid': os.getpid(), 'fds': LINKS, **{k: v for k, v in os.environ.items() if k.startswith(('LISTEN_', 'NODE_CHANNEL'))}}
server = socket.socket(fileno=3)
while True:
    connection, _ = server.accept()
    connection.sendall(json.dumps(FACTS).encode() + b'\\n')
    connection.close()
'''
NODE_SERVER = '''
const net = require('net');
const fds = Number(process.env.LISTEN_FDS), mine = Number(process.env.LISTEN_PID) === process.pid;
net.createServer(c => c.end(process.pid + '\\n')).listen({fd: 3}, () =>
    process.send({type: 'listening-on', data: {fds, mine, channel: process.env.NODE_CHANNEL_FD || 'taken'}},
                 () => process.send('ready')));
'''
NOT_BLOCKING = '''#!/usr/bin/python3
import os, time
before = os.get_blocking(3)
os.set_blocking(3, False)
with open('blocking', 'w') as file:
    file.write(f'{before} then {os.get_blocking(3)}\\n')
time.sleep(1000)
'''
# Ends at once, until there is the file "peace".
CRASHER = '#!/bin/sh\n[ -e "${0%/*}/peace" ] && exec "${0%/*}/server.py"\nexit 1\n'
ENVIRONMENT = '#!/bin/sh\nenv >"$0.env"\nexec sleep 1000\n'


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as server:
        return server.getsockname()[1]


def ask(address, timeout=harness.TIMEOUT):
    """What the server behind a port or path answers."""
    kind = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(kind, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        client.connect(address if isinstance(address, str) else ('127.0.0.1', address))
        return client.makefile().readline()


def is_refused(port):
    with socket.socket() as client:
        client.settimeout(harness.TIMEOUT)
        return client.connect_ex(('127.0.0.1', port)) != 0


def inode_of(pid, fd=3):
    return os.readlink(f'/proc/{pid}/fd/{fd}')


class Server(harness.Case):
    def setUp(self):
        super().setUp()
        self.port = free_port()

    def start(self, name='app', listen=None, **attributes):
        return self.client.start_one(self.script('server.py', SERVER), name=name, interpreter='none',
                                     listen=listen or [f'tcp:127.0.0.1:{self.port}'], **attributes)

    def facts(self, address=None):
        return json.loads(ask(address or self.port))

    def sockets(self, target='app'):
        return self.client.describe(target)[0]['pm2_env'].get('listen_sockets', [])

    def held(self):
        """Sockets that pm2d has."""
        folder = f'/proc/{self.daemon.process.pid}/fd'
        return {os.readlink(f'{folder}/{fd}'): fd for fd in os.listdir(folder)
                if os.path.lexists(f'{folder}/{fd}') and os.readlink(f'{folder}/{fd}').startswith('socket:')}


class Listen(Server):
    def test_sockets_are_inherited(self):
        path = self.path('app.sock')
        env_file = self.script('variables', 'LISTEN_PID=1\nLISTEN_FDS=1\nLISTEN_FDNAMES=x\n')
        object_path = self.start(listen=[f'web=tcp:127.0.0.1:{self.port}', f'unix:{path}', 'stats=udp:127.0.0.1:0'],
                                 env={'LISTEN_PID': '2', 'LISTEN_FDS': '2'}, env_file=[env_file])
        pid, facts = self.client.property(object_path, 'Pid'), self.facts()
        self.assertEqual(facts['pid'], pid)
        self.assertEqual((facts['LISTEN_FDS'], facts['LISTEN_PID'], facts['LISTEN_FDNAMES']),
                         ('3', str(pid), 'web:unknown:stats'))
        self.assertEqual(sorted(facts['fds']), ['3', '4', '5'])
        held = self.held()
        for link in facts['fds'].values():
            info = harness.read_file(f'/proc/{self.daemon.process.pid}/fdinfo/{held[link]}')
            self.assertTrue(int(info.split('flags:')[1].split()[0], 8) & os.O_CLOEXEC, 'no child of ours but the app has it')
        tcp, unix, udp = self.sockets()
        self.assertEqual((tcp, unix), (f'tcp:127.0.0.1:{self.port}', f'unix:{path}'))
        self.assertRegex(udp, r'^udp:127\.0\.0\.1:[1-9][0-9]*$')
        self.assertIn(f'["tcp:127.0.0.1:{self.port}","unix:{path}"', self.pm2ctl('describe', 'app').stdout)

    def test_c_server(self):
        server = os.environ.get('PM2D_TEST_LISTEN_PATH') or harness.program('', 'tests/integration/listen-server')
        path = self.client.start_one(server, name='c', listen=[f'a=tcp:127.0.0.1:{self.port}', 'b=udp:127.0.0.1:0', 'tcp:0'])
        self.assertEqual(int(ask(self.port)), self.client.property(path, 'Pid'))
        self.assertEqual(harness.wait_file(os.path.join(self.daemon.logs, 'c-out.log')),
                         '3 a=stream b=datagram unknown=stream\n')

    def test_node_server(self):
        if not shutil.which('node', path=self.daemon.environment()['PATH']):
            self.skipTest('no node')
        path = self.client.start_one(self.script('server.js', NODE_SERVER), name='node', wait_ready=True, listen_timeout=60000,
                                     listen=[f'tcp:127.0.0.1:{self.port}', 'udp:127.0.0.1:0'])
        self.assertEqual(int(ask(self.port)), self.client.property(path, 'Pid'))
        message = next(m for m in self.client.received if m.member == 'ProcessMessage' and m.body[3] == 'listening-on')
        told = json.loads(message.body[4])
        self.assertEqual((told['fds'], told['mine']), (2, True))
        environ = harness.read_file(f'/proc/{self.client.property(path, "Pid")}/environ').split('\0')
        self.assertIn('NODE_CHANNEL_FD=5', environ)
        self.client.manager_call('SendMessage', 'ss', 'node', '"shutdown"')

    def test_channel_is_behind_the_sockets(self):
        self.start(listen=[f'tcp:127.0.0.1:{self.port}'], notify='node')
        facts = self.facts()
        self.assertEqual((facts['NODE_CHANNEL_FD'], sorted(facts['fds'])), ('4', ['3', '4']))

    def test_seven_sockets(self):
        self.start(listen=[f'tcp:127.0.0.1:{self.port}'] + [f'unix:{self.path(f"{i}.sock")}' for i in range(6)], notify='node')
        facts = self.facts()
        self.assertEqual((facts['NODE_CHANNEL_FD'], facts['LISTEN_FDS'], len(facts['fds'])), ('10', '7', 8))

    def test_both_families(self):
        self.start(listen=['tcp:0'])
        socket_text, = self.sockets()
        port = int(socket_text.rpartition(':')[2])
        self.assertEqual(self.facts(port)['LISTEN_FDS'], '1')
        if socket_text.startswith('tcp:[::]:'):
            with socket.create_connection(('::1', port), harness.TIMEOUT) as client:
                self.assertTrue(client.makefile().readline())

    def test_chosen_port_stays(self):
        path = self.start(listen=['tcp:0'])
        before = self.sockets()
        self.client.restart('app')
        self.assertEqual(self.sockets(), before)
        self.assertEqual(self.facts(int(before[0].rpartition(':')[2]))['pid'], self.client.property(path, 'Pid'))

    def test_hooks_have_no_sockets(self):
        self.start(pre_start='env >"$PWD/hook"', cwd=self.daemon.apps)
        self.facts()
        self.assertNotIn('LISTEN_', harness.wait_file(self.path('hook')))

    def test_simple_command_of_a_shell(self):
        self.script('server.py', SERVER)
        path = self.client.start_one('X=1 ./server.py "a b"', name='simple', cwd=self.daemon.apps,
                                     listen=[f'tcp:127.0.0.1:{self.port}'])
        pid = self.client.property(path, 'Pid')
        facts = self.facts()
        self.assertEqual((facts['pid'], facts['LISTEN_PID']), (pid, str(pid)))
        self.assertEqual(self.client.property(path, 'StatusText'), '')

    def test_several_commands_of_a_shell(self):
        self.script('server.py', SERVER)
        path = self.client.start_one('true && ./server.py; true', name='several', cwd=self.daemon.apps,
                                     listen=[f'tcp:127.0.0.1:{self.port}'])
        facts = self.facts()
        self.assertEqual(facts['LISTEN_FDS'], '1')
        self.assertNotIn('LISTEN_PID', facts)
        self.assertIn('LISTEN_PID is not set', self.client.property(path, 'StatusText'))

    def test_none_are_asked_for(self):
        self.client.start_one(self.script('env.sh', ENVIRONMENT), name='plain')
        self.assertNotIn('LISTEN_', harness.wait_file(self.path('env.sh.env')))
        self.assertEqual(self.sockets('plain'), [])


class Lifetime(Server):
    def test_instances_share_one_socket(self):
        paths = self.client.start(self.script('server.py', SERVER), name='app', interpreter='none', instances=3,
                                  listen=[f'tcp:127.0.0.1:{self.port}'])
        pids = {self.client.property(path, 'Pid') for path in paths}
        self.assertEqual(len(pids), 3)
        for pid in pids:
            wait_until(lambda pid=pid: 'server.py' in harness.command_line(pid), 'it runs')
        self.assertEqual(len({inode_of(pid) for pid in pids}), 1)
        answered = set()
        wait_until(lambda: answered.add(self.facts()['pid']) or answered == pids, 'each of them is asked')
        # The port is there for as long as one of them is.
        for path in paths[:2]:
            self.client.stop(path)
        self.assertIn(self.facts()['pid'], pids)
        self.client.stop(paths[2])
        self.assertTrue(is_refused(self.port))
        self.client.manager_call('Start', 'sa{sv}', paths[0], {})
        self.assertEqual(self.facts()['pid'], self.client.property(paths[0], 'Pid'))

    def test_scale_shares_it(self):
        self.start()
        inode = self.facts()['fds']['3']
        path = next(iter(set(self.client.manager_call('Scale', 'ssa{sv}', 'app', '2', {})) - {'/org/pm2/Process/0'}))
        pid = self.client.property(path, 'Pid')
        self.assertEqual(inode_of(pid), inode)
        self.client.manager_call('Scale', 'ssa{sv}', 'app', '1', {})
        self.assertEqual(self.facts()['fds']['3'], inode)

    def test_restart_refuses_nobody(self):
        path = self.start()
        failures, pids, done = [], set(), threading.Event()

        def connect_all_the_time():
            while not done.is_set():
                try:
                    with socket.create_connection(('127.0.0.1', self.port), harness.TIMEOUT) as client:
                        line = client.makefile().readline()
                        if line:  # else the one that had accepted it has ended
                            pids.add(json.loads(line)['pid'])
                except ConnectionRefusedError as error:
                    failures.append(error)
                except ConnectionResetError:
                    pass  # the same

        threads = [threading.Thread(target=connect_all_the_time) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(4):
                self.client.restart('app')
                pid = self.client.property(path, 'Pid')
                wait_until(lambda pid=pid: pid in pids, 'the next one answers')
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])

    def test_crash_loop_keeps_the_port(self):
        self.script('server.py', SERVER)
        path = self.client.start_one(self.script('crasher.sh', CRASHER), name='app', restart_delay=200, min_uptime=0,
                                     listen=[f'tcp:127.0.0.1:{self.port}'])
        self.client.wait_event('exit', 'app')
        self.client.wait_status(path, 'waiting-restart')
        with socket.create_connection(('127.0.0.1', self.port), harness.TIMEOUT) as client:
            self.script('peace', '')
            facts = json.loads(client.makefile().readline())
        self.assertEqual(facts['pid'], self.client.wait_property(path, 'Pid', lambda pid: pid > 0))

    def test_end_of_the_loop_closes_it(self):
        with contextlib.suppress(harness.DBusError):
            self.client.start_one(self.script('crasher.sh', CRASHER), name='app', max_restarts=2, restart_delay=10, wait=False,
                                  listen=[f'tcp:127.0.0.1:{self.port}'])
        self.client.wait_status('/org/pm2/Process/0', 'errored')
        self.assertTrue(is_refused(self.port))

    def test_stop_and_delete_close_it(self):
        path = self.start()
        self.facts()
        self.client.stop('app')
        self.assertTrue(is_refused(self.port))
        self.assertEqual(self.sockets(), [])
        self.client.manager_call('Start', 'sa{sv}', 'app', {})
        self.assertEqual(self.facts()['pid'], self.client.property(path, 'Pid'))
        self.client.delete('app')
        self.assertTrue(is_refused(self.port))
        self.start()  # by the same name, after it
        self.facts()

    def test_change_at_a_restart(self):
        unix, other = self.path('a.sock'), free_port()
        self.start(listen=[f'tcp:127.0.0.1:{self.port}', f'unix:{unix}'])
        inode = self.facts()['fds']['3']
        self.client.restart('app', listen=[f'tcp:127.0.0.1:{other}', f'web=tcp:127.0.0.1:{self.port}'])
        facts = self.facts(other)
        self.assertEqual((facts['LISTEN_FDNAMES'], facts['fds']['4']), ('unknown:web', inode))
        self.assertFalse(os.path.exists(unix))
        self.client.restart('app', listen=[])
        self.assertTrue(is_refused(self.port) and is_refused(other))

    def test_same_port_of_another_address(self):
        """Of one process the port is free in between; of several the first to end would not find it so."""
        path, everywhere = self.start(), [f'tcp:{self.port}']
        self.facts()
        self.client.restart('app', listen=everywhere)
        self.assertTrue(self.sockets()[0].endswith(f':{self.port}'))
        self.assertEqual(self.facts()['pid'], self.client.property(path, 'Pid'))
        self.client.manager_call('Scale', 'ssa{sv}', 'app', '2', {})
        pid = self.client.property(path, 'Pid')
        self.assert_dbus_error('SpawnFailed', self.client.restart, 'app', listen=[f'tcp:127.0.0.1:{self.port}'],
                               mentions='Address already in use')
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.facts()

    def test_sockets_block_again(self):
        """What one program makes of it is nothing to the next."""
        path = self.client.start_one(self.script('first.py', NOT_BLOCKING), name='app', interpreter='none', cwd=self.daemon.apps,
                                     listen=[f'tcp:127.0.0.1:{self.port}'])
        self.assertEqual(harness.wait_file(self.path('blocking')), 'True then False\n')
        os.unlink(self.path('blocking'))
        self.client.send_signal(path, 'KILL')
        self.assertEqual(harness.wait_file(self.path('blocking')), 'True then False\n')

    def test_start_that_fails_leaves_nothing(self):
        unix = self.path('a.sock')
        self.assert_dbus_error('SpawnFailed', self.start, listen=[f'tcp:127.0.0.1:{self.port}', f'unix:{unix}'],
                               env_file=['/nowhere'], mentions='env_file')
        self.assertTrue(is_refused(self.port))
        self.assertFalse(os.path.exists(unix))

    def test_rename(self):
        paths = self.client.start(self.script('server.py', SERVER), name='app', interpreter='none', instances=2,
                                  listen=[f'tcp:127.0.0.1:{self.port}', f'unix:{self.path("a.sock")}'])
        inode = self.facts()['fds']['3']
        self.client.restart(paths[0], name='other')
        self.assertEqual(inode_of(self.client.property(paths[0], 'Pid')), inode)
        self.assertEqual(inode_of(self.client.property(paths[1], 'Pid')), inode)
        self.client.stop('app')
        self.assertEqual(self.facts()['pid'], self.client.property(paths[0], 'Pid'))
        self.assertTrue(os.path.exists(self.path('a.sock')))
        self.client.stop('other')
        self.assertTrue(is_refused(self.port))
        self.assertFalse(os.path.exists(self.path('a.sock')))

    def test_unix_path(self):
        unix = self.path('a.sock')
        self.start(listen=[f'unix:{unix}'])
        self.assertEqual(self.facts(unix)['LISTEN_FDS'], '1')
        mode = os.lstat(unix).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertFalse(mode & stat.S_IWOTH & ~os.umask(os.umask(0)), 'for the owner, as its umask says')
        self.client.stop('app')
        self.assertFalse(os.path.exists(unix))
        # One that somebody else has put there since stays.
        self.client.manager_call('Start', 'sa{sv}', 'app', {})
        os.unlink(unix)
        with socket.socket(socket.AF_UNIX) as theirs:
            theirs.bind(unix)
            self.client.stop('app')
            self.assertTrue(os.path.exists(unix))
        # Nobody listens there any more.
        self.client.manager_call('Start', 'sa{sv}', 'app', {})
        self.assertEqual(self.facts(unix)['LISTEN_FDS'], '1')


class Refused(Server):
    def start_json(self, *apps):
        script = self.script('server.py', SERVER)
        return self.client.start_json({'apps': [{'script': script, 'interpreter': 'none', **app} for app in apps]})

    def test_bad_entries(self):
        for entry, words in (('8080', ('8080', 'does not begin')), ('tcp:70000', ('tcp:70000', 'port')),
                             ('tcp:localhost:80', ('localhost', 'IPv4')), ('unix:a.sock', ('a.sock', 'absolute')),
                             ('a b=tcp:80', ('a b=tcp:80', 'name'))):
            with self.subTest(entry):
                self.assert_dbus_error('InvalidConfig', self.start, listen=['tcp:0', entry], mentions=('listen: ', *words))
        self.assert_dbus_error('InvalidConfig', self.start, listen=['tcp:80', 'x=tcp:080'], mentions=('x=tcp:080', 'twice'))
        self.assert_dbus_error('InvalidConfig', self.start, listen=[f'tcp:{port}' for port in range(8000, 8008)], mentions='over 7')
        self.assert_dbus_error('InvalidConfig', self.start, listen=V('ai', [1]), mentions='listen')
        self.start()
        self.assert_dbus_error('InvalidConfig', self.client.restart, 'app', listen=['tcp:x'], mentions='tcp:x')
        self.assert_dbus_error('NotSupported', self.client.manager_call, 'SetProperties', 'sa{sv}', 'app',
                               harness.options(listen=['tcp:0']), mentions='listen')
        result = self.client.manager_call('Validate', 'sa{sv}', json.dumps({'script': '/bin/true', 'listen': ['tcp:x']}), {})
        self.assertIn('listen', result['errors'][0])

    def test_in_use(self):
        with socket.create_server(('127.0.0.1', self.port)):
            error = self.assert_dbus_error('SpawnFailed', self.start)
            self.assertEqual(error.message, f'listen: tcp:127.0.0.1:{self.port}: Address already in use')
            self.assertEqual(self.client.list(), [])
            unix = f'unix:{self.path("first.sock")}'
            taken = f'tcp:127.0.0.1:{self.port}'
            # What was bound before is closed, and nothing was started.
            self.assert_dbus_error('SpawnFailed', self.start_json, {'name': 'a', 'listen': [unix]},
                                   {'name': 'b', 'listen': [unix.replace('first', 'second'), taken]}, mentions=taken)
            self.assertEqual(self.client.list(), [])
            self.assertEqual([name for name in os.listdir(self.daemon.apps) if name.endswith('.sock')], [])
            # What runs goes on.
            path = self.start(listen=[unix])
            pid = self.client.property(path, 'Pid')
            self.assert_dbus_error('SpawnFailed', self.client.restart, 'app', listen=[unix, taken], mentions=taken)
            self.assert_dbus_error('SpawnFailed', self.start_json, {'name': 'app', 'listen': [taken]}, mentions=taken)
            self.assertEqual((self.client.property(path, 'Pid'), self.client.property(path, 'Status')), (pid, 'online'))
            self.assertEqual(self.facts(self.path('first.sock'))['pid'], pid)
        self.client.restart('app', listen=[unix, taken])
        self.assertFalse(is_refused(self.port))

    def test_two_apps_want_one(self):
        self.start()
        self.assert_dbus_error('SpawnFailed', self.start, name='other', mentions='Address already in use')
        self.client.stop('app')
        self.start(name='other')
        self.assert_dbus_error('SpawnFailed', self.client.manager_call, 'Start', 'sa{sv}', 'app', {},
                               mentions='Address already in use')
        self.assertEqual(self.client.describe('app')[0]['pm2_env']['status'], 'stopped')

    def test_paths(self):
        precious = self.script('precious', 'text')
        self.assert_dbus_error('SpawnFailed', self.start, listen=[f'unix:{precious}'], mentions='Address already in use')
        self.assertEqual(harness.read_file(precious), 'text')
        self.assert_dbus_error('SpawnFailed', self.start, listen=[f'unix:{self.path("no/where")}'], mentions='No such file')
        with socket.socket(socket.AF_UNIX) as living:
            living.bind(self.path('living.sock'))
            living.listen()
            self.assert_dbus_error('SpawnFailed', self.start, listen=[f'unix:{self.path("living.sock")}'],
                                   mentions='Address already in use')

    def test_another_host(self):
        self.assert_dbus_error('SpawnFailed', self.start, listen=['tcp:192.0.2.1:80'], mentions='Cannot assign requested')


class Survival(Server):
    def reconnect(self):
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')

    def queue_one(self):
        """A connection that nobody has accepted: the app stands still."""
        client = socket.create_connection(('127.0.0.1', self.port), harness.TIMEOUT)
        self.addCleanup(client.close)
        return client

    def test_reexec_keeps_it(self):
        unix = self.path('a.sock')
        path = self.start(listen=[f'web=tcp:127.0.0.1:{self.port}', f'unix:{unix}'])
        inode, pid = self.facts()['fds']['3'], self.client.property(path, 'Pid')
        for _ in range(2):
            self.client.manager_call('Reexecute')
            self.reconnect()
        self.assertIn(inode, self.held())
        self.assertEqual(self.sockets(), [f'tcp:127.0.0.1:{self.port}', f'unix:{unix}'])
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: harness.process_state(pid) == 'T', 'it stands still')
        client = self.queue_one()
        seen = len(self.client.received)
        os.kill(pid, signal.SIGKILL)
        self.client.wait_event('online', 'app', seen)
        facts = json.loads(client.makefile().readline())
        self.assertEqual((facts['pid'], facts['fds']['3']), (self.client.property(path, 'Pid'), inode))
        self.client.stop('app')
        self.assertTrue(is_refused(self.port))
        self.assertFalse(os.path.exists(unix))

    def test_reexec_in_a_crash_loop(self):
        self.script('server.py', SERVER)
        path = self.client.start_one(self.script('crasher.sh', CRASHER), name='app', restart_delay=500, min_uptime=0,
                                     listen=[f'tcp:127.0.0.1:{self.port}'])
        self.client.wait_status(path, 'waiting-restart')
        client = self.queue_one()
        self.client.manager_call('Reexecute')
        self.reconnect()
        self.script('peace', '')
        self.assertEqual(json.loads(client.makefile().readline())['pid'],
                         self.client.wait_property(path, 'Pid', lambda pid: pid > 0))

    def test_crash_without_a_service_manager(self):
        """Nobody has kept it but the app itself: that goes on, and can be restarted."""
        path = self.start()
        pid = self.facts()['pid']
        self.daemon.process.kill()
        self.daemon.wait_exit()
        self.daemon.start()
        self._client = self.daemon.connect()
        self.assertEqual(self.facts()['pid'], pid)
        self.assertEqual(self.sockets(), [])
        self.client.restart('app')
        self.assertEqual(self.facts()['pid'], self.client.property(path, 'Pid'))
        self.assertEqual(self.sockets(), [f'tcp:127.0.0.1:{self.port}'])

    def test_saved_list(self):
        self.start(listen=[f'web=tcp:127.0.0.1:{self.port}'])
        self.client.manager_call('Save', 'sa{sv}', '', {})
        self.client.delete('app')
        self.assertTrue(is_refused(self.port))
        self.client.manager_call('Resurrect', 'sa{sv}', '', {})
        self.assertEqual(self.facts()['LISTEN_FDNAMES'], 'web')


if __name__ == '__main__':
    harness.main()
