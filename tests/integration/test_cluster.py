#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pm2d as the primary of Node's cluster: workers share what they listen on, whatever becomes of one of them."""

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import threading
import unittest

import harness
from harness import read_file, wait_until

# Says who it is, and what was asked.
SERVER = '''
const http = require('http');
const server = http.createServer((request, response) => {
    if (request.url === '/die') process.kill(process.pid, 'SIGKILL');
    const answer = () => response.end(JSON.stringify({pid: process.pid, id: require('cluster').worker.id}));
    if (request.url === '/slow') setTimeout(answer, 1000); else answer();
});
server.on('error', (error) => { require('fs').appendFileSync(process.argv[3], error.code + '\\n'); });
server.listen(process.argv[2], () => {
    require('fs').appendFileSync(process.argv[3], JSON.stringify(server.address()) + '\\n');
});
'''
POLICIES = ('shared', 'rr')
# In the place of Node: what a worker of another kind, or a bad one, says. Its script is Python.
RAW = """#!/usr/bin/python3
import array, json, os, runpy, socket, sys, time

channel = socket.socket(fileno=int(os.environ['NODE_CHANNEL_FD']))
buffer, fds, prefix, seq = b'', [], b'', 0


def send(value):
    global seq
    if value.get('cmd', '').startswith('NODE_CLUSTER') and 'seq' not in value:
        value = {**value, 'seq': seq}
        seq += 1
    channel.sendall(prefix + json.dumps(value).encode() + b'\\n')


def act(name, **members):
    send({'cmd': 'NODE_CLUSTER', 'act': name, **members})


def receive():
    global buffer
    while b'\\n' not in buffer:
        data, got, _, _ = socket.recv_fds(channel, 65536, 8)
        if not data:
            sys.exit(0)
        buffer += data
        fds.extend(got)
    line, _, buffer = buffer.partition(b'\\n')
    assert line.startswith(prefix), line
    return json.loads(line[len(prefix):])


def query(port, **members):
    act('queryServer', **{'index': 0, 'data': None, 'address': None, 'port': port, 'addressType': 4, **members})
    return receive()


def say(*values):
    with open(sys.argv[-1], 'a') as file:
        file.write(json.dumps(values) + '\\n')


sys.argv = sys.argv[1:]
exec(open(sys.argv[0]).read(), globals())
"""


def free_port():
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(('::', 0))
        return probe.getsockname()[1]


def get(port, url='/', timeout=harness.TIMEOUT):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=timeout)
    try:
        connection.request('GET', url, headers={'Connection': 'close'})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def ask(client):
    """Send a request on a connection, to be answered some time."""
    client.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')


def answer_on(client):
    with client.makefile('rb') as file:
        return json.loads(file.read().partition(b'\r\n\r\n')[2])


class Cluster(harness.Case):
    def app(self, text, *args, name='app', instances=2, **attributes):
        """Start a cluster, and return the object paths."""
        return self.client.start(self.script(f'{name}.js', text, executable=False), name=name, instances=instances,
                                 exec_mode='cluster', args=[str(a) for a in args], **attributes)

    def server(self, port, name='app', instances=2, text=SERVER, **attributes):
        """Workers that listen; wait until each says where."""
        paths = self.app(text, port, self.path(f'{name}.said'), name=name, instances=instances, **attributes)
        self.said(instances, name)
        return paths

    def describe(self, target):
        return self.client.describe(target)[0]['pm2_env']

    def raw(self, text, *args, name='raw', instances=1, **attributes):
        """A worker that is no Node program. It writes what it says of itself into a file."""
        return self.client.start(self.script(f'{name}.py', text, executable=False), name=name, instances=instances,
                                 interpreter=self.script('node', RAW), exec_mode='cluster', reload_drain='none',
                                 args=[*(str(a) for a in args), self.path(f'{name}.said')], **attributes)

    def said(self, count, name='app'):
        path = self.path(f'{name}.said')
        text = wait_until(lambda: os.path.exists(path) and read_file(path).count('\n') >= count and read_file(path),
                          f'{count} lines of {name}')
        return text.split('\n')[:-1]

    def refused(self, port):
        try:
            socket.create_connection(('127.0.0.1', port), harness.TIMEOUT).close()
        except ConnectionRefusedError:
            return True
        return False

    def pids(self, paths):
        return {self.client.property(path, 'Pid') for path in paths}

    def served_by(self, port, pids):
        """Ask until each of them has answered."""
        seen = set()

        def all_of_them():
            seen.add(get(port)['pid'])
            return seen >= pids

        wait_until(all_of_them, f'{pids} serve port {port}')
        self.assertEqual(seen, pids)


class Serving(Cluster):
    def test_http(self):
        for policy in POLICIES:
            port = free_port()
            paths = self.server(port, policy, cluster_sched=policy)
            said = [json.loads(line) for line in self.said(2, policy)]
            self.assertEqual(said, [{'address': '::', 'family': 'IPv6', 'port': port}] * 2)
            self.served_by(port, self.pids(paths))
            ids = {self.client.property(path, 'Id') for path in paths}
            self.assertEqual({get(port)['id'] for _ in range(20)} - {i + 1 for i in ids}, set())

    def test_port_of_another_app(self):
        """An error event like any other."""
        for policy in POLICIES:
            port = free_port()
            paths = self.server(port, f'first-{policy}', cluster_sched=policy)
            name = f'second-{policy}'
            self.app(SERVER, port, self.path(f'{name}.said'), name=name, cluster_sched=policy, autorestart=False)
            self.assertEqual(self.said(2, name), ['EADDRINUSE'] * 2)
            self.served_by(port, self.pids(paths))

    def test_bad_addresses(self):
        text = """
            const net = require('net'), fs = require('fs'), dgram = require('dgram');
            const say = (name, code) => fs.appendFileSync(process.argv[2], name + ' ' + code + '\\n');
            const attempt = (name, options) => {
                const server = net.createServer().on('error', (error) => say(name, error.code));
                server.listen(options, () => say(name, 'listens'));
            };
            attempt('address', {port: 0, host: '192.0.2.1'});
            attempt('path', {path: '/nowhere/at/all.sock'});
            attempt('long', {path: '/' + 'x'.repeat(200)});
            attempt('fd', {fd: 7});
        """
        for policy in POLICIES:
            self.app(text, self.path(f'{policy}.said'), name=policy, instances=1, cluster_sched=policy)
            self.assertEqual(sorted(self.said(4, policy)),
                             ['address EADDRNOTAVAIL', 'fd EBADF', 'long EINVAL', 'path ' + (
                                 'EACCES' if os.geteuid() and os.path.exists('/nowhere') else 'ENOENT')])

    def test_port_zero(self):
        """The first of each worker is one port, the second another."""
        text = """
            const net = require('net'), fs = require('fs');
            const first = net.createServer().listen(0, () => {
                const second = net.createServer().listen(0, () => fs.appendFileSync(process.argv[2],
                    JSON.stringify([first.address().port, second.address().port]) + '\\n'));
            });
        """
        for policy in POLICIES:
            self.app(text, self.path(f'{policy}.said'), name=policy, cluster_sched=policy)
            ports = [json.loads(line) for line in self.said(2, policy)]
            self.assertEqual(ports[0], ports[1])
            self.assertEqual(len(set(ports[0]) - {0}), 2)

    def test_path(self):
        for policy in POLICIES:
            path = self.path(f'{policy}.sock')
            text = """
                const net = require('net');
                const server = net.createServer((socket) => socket.end(String(process.pid)));
                server.listen({path: process.argv[2], writableAll: true, readableAll: true}, () =>
                    require('fs').appendFileSync(process.argv[3], JSON.stringify(server.address()) + '\\n'));
            """
            paths = self.app(text, path, self.path(f'{policy}.said'), name=policy, cluster_sched=policy)
            self.assertEqual([json.loads(line) for line in self.said(2, policy)], [path] * 2)
            pids, seen = self.pids(paths), set()

            def pid_there(path=path):
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(path)
                    return int(client.makefile().read())

            while seen != pids:
                seen.add(pid_there())
                self.assertLessEqual(seen, pids)
            self.assertEqual(os.stat(path).st_mode & 0o666, 0o666)
            self.client.delete(policy)
            self.assertFalse(os.path.exists(path))

    def test_datagrams(self):
        """Shared, whatever the policy is."""
        text = """
            const socket = require('dgram').createSocket('udp4');
            socket.on('message', (message, from) => socket.send(`${process.pid} ${message}`, from.port, from.address));
            socket.bind(Number(process.argv[2]), '127.0.0.1', () =>
                require('fs').appendFileSync(process.argv[3], JSON.stringify(socket.address()) + '\\n'));
        """
        for policy in POLICIES:
            port = free_port()
            paths = self.app(text, port, self.path(f'{policy}.said'), name=policy, cluster_sched=policy)
            self.assertEqual(json.loads(self.said(2, policy)[0]), {'address': '127.0.0.1', 'family': 'IPv4', 'port': port})
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(harness.TIMEOUT)
                for number in range(20):
                    client.sendto(str(number).encode(), ('127.0.0.1', port))
                    pid, _, answer = client.recv(100).decode().partition(' ')
                    self.assertEqual(answer, str(number))
                    self.assertIn(int(pid), self.pids(paths))

    def test_tls_sessions(self):
        """What one worker made, another resumes: they have the same ticket keys."""
        self.run_command('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                         '-keyout', 'key.pem', '-out', 'certificate.pem', '-days', '2', '-subj', '/CN=localhost')
        text = """
            const fs = require('fs');
            const options = {key: fs.readFileSync(process.argv[4] + '/key.pem'),
                             cert: fs.readFileSync(process.argv[4] + '/certificate.pem'), maxVersion: 'TLSv1.2'};
            require('https').createServer(options, (request, response) => response.end(String(process.pid)))
                .listen(process.argv[2], () => fs.appendFileSync(process.argv[3], 'listens\\n'));
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for policy in POLICIES:
            port, session, seen = free_port(), None, set()
            paths = self.app(text, port, self.path(f'{policy}.said'), self.daemon.apps, name=policy, cluster_sched=policy)
            self.said(2, policy)
            pids = self.pids(paths)
            while seen != pids:
                with socket.create_connection(('127.0.0.1', port), harness.TIMEOUT) as plain, \
                        context.wrap_socket(plain, session=session) as client:
                    client.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
                    seen.add(int(client.makefile().read().split()[-1]))
                    self.assertEqual(client.session_reused, session is not None)
                    session = client.session

    def test_listen_close_listen(self):
        """Closed by its last user: nobody is let in; and it can be opened again."""
        text = """
            const http = require('http'), fs = require('fs');
            const say = (text) => fs.appendFileSync(process.argv[3], text + '\\n');
            const make = () => http.createServer((request, response) => response.end(JSON.stringify({pid: process.pid})))
                .on('error', (error) => say(error.code));
            let server;
            process.on('message', (message) => {
                if (message === 'close') server.close(() => say('closed'));
                if (message === 'listen') server = make().listen(process.argv[2], () => say('listens'));
                if (message === 'twice') make().listen(process.argv[2], () => say('listens twice'));
            });
            process.send('ready');
        """
        for policy in POLICIES:
            port = free_port()
            paths = self.app(text, port, self.path(f'{policy}.said'), name=policy, wait_ready=True, listen_timeout=30000,
                             cluster_sched=policy)
            told = []

            def tell(targets, message, answer):
                for path in targets:
                    self.client.call(path, harness.PROCESS, 'SendMessage', 's', json.dumps(message))
                    told.append(answer)
                self.assertEqual(self.said(len(told), policy), told)

            for _ in range(3):
                tell(paths, 'listen', 'listens')
                self.served_by(port, self.pids(paths))
                tell(paths[1:], 'close', 'closed')
                self.served_by(port, self.pids(paths[:1]))
                tell(paths[:1], 'close', 'closed')
                wait_until(lambda p=port: self.refused(p), 'nobody listens')
            tell(paths[:1], 'listen', 'listens')
            tell(paths[:1], 'twice', 'EADDRINUSE')


class Distribution(Cluster):
    """We accept, and hand out: cluster_sched=rr."""

    def accepted(self, path):
        return self.describe(self.client.property(path, 'Id')).get('accepted')

    def test_in_turn(self):
        port = free_port()
        paths = self.server(port, instances=3, cluster_sched='rr')
        self.assertEqual({self.accepted(path) for path in paths}, {None})
        served = [get(port)['pid'] for _ in range(30)]
        self.assertEqual(sorted(served), sorted(list(self.pids(paths)) * 10))
        self.assertEqual([self.accepted(path) for path in paths], [10, 10, 10])
        self.assertRegex(self.pm2ctl('describe', '0').stdout, r'connections accepted\W+10\b')
        self.client.restart('0')
        self.said(4)
        self.assertIsNone(self.accepted(paths[0]))

    def test_killed_with_connections(self):
        """What it had not taken is another's; what nobody can take waits for the next worker."""
        for survivors in (1, 0):
            name, port = f'app-{survivors}', free_port()
            paths = self.server(port, name, instances=1 + survivors, cluster_sched='rr')
            pids = [self.client.property(path, 'Pid') for path in paths]
            os.kill(pids[0], signal.SIGSTOP)
            clients = [socket.create_connection(('127.0.0.1', port), harness.TIMEOUT) for _ in range(20)]
            for client in clients:
                ask(client)
            if survivors:  # it gets all that it has room for, the stopped one its share
                get(port)
            os.kill(pids[0], signal.SIGKILL)
            answers = [answer_on(client)['pid'] for client in clients]
            self.assertEqual(len(answers), 20)
            self.assertNotIn(pids[0], answers)
            self.said(2 + survivors, name)

    def test_max_connections(self):
        """Who is full refuses, and is asked again after a while; nothing spins meanwhile."""
        text = """
            const server = require('net').createServer((socket) => { socket.write(process.pid + '\\n'); socket.resume(); });
            server.maxConnections = 2;
            server.listen(process.argv[2], () => require('fs').appendFileSync(process.argv[3], 'listens\\n'));
        """
        port = free_port()
        paths = self.app(text, port, self.path('app.said'), cluster_sched='rr')
        self.said(2)
        clients = [socket.create_connection(('127.0.0.1', port), harness.TIMEOUT) for _ in range(7)]
        first = sorted(int(client.makefile().readline()) for client in clients[:4])
        self.assertEqual(first, sorted(list(self.pids(paths)) * 2))
        before = sum(os.times()[:2]), self.cpu_ticks()
        for client in clients[4:]:
            client.settimeout(0.3)
            with self.assertRaises(TimeoutError):
                client.recv(1)
            client.settimeout(harness.TIMEOUT)
        self.assertLess(self.cpu_ticks() - before[1], 30)
        for client in clients[:3]:
            client.close()
        for client in clients[4:]:
            self.assertIn(int(client.makefile().readline()), self.pids(paths))
        self.assertEqual(sum(self.accepted(path) for path in paths), 7)

    def test_worker_without_descriptors(self):
        """What it is handed then arrives without the connection: that is handed out again when it has some."""
        text = """
            require('net').createServer((socket) => { socket.write(process.pid + '\\n'); socket.resume(); })
                .listen(process.argv[2], () => require('fs').appendFileSync(process.argv[3], 'listens\\n'));
        """
        port = free_port()
        path, = self.app(text, port, self.path('app.said'), instances=1, cluster_sched='rr', limits={'nofile': '40'})
        self.said(1)
        clients = [socket.create_connection(('127.0.0.1', port), harness.TIMEOUT) for _ in range(40)]
        pid = self.client.property(path, 'Pid')
        wait_until(lambda: len(os.listdir(f'/proc/{pid}/fd')) >= 40, 'it has no more')
        for client in clients:
            self.assertEqual(int(client.makefile().readline()), pid)
            client.close()
        self.assertEqual(self.accepted(path), 40)

    def cpu_ticks(self):
        fields = read_file(f'/proc/{self.daemon.process.pid}/stat').rpartition(')')[2].split()
        return int(fields[11]) + int(fields[12])

    def test_who_leaves_gets_no_more(self):
        """cluster.worker.disconnect() and kill(): acknowledged, and no crash."""
        for way in ('disconnect', 'kill'):
            port = free_port()
            text = SERVER + f"process.on('message', () => require('cluster').worker.{way}());"
            paths = self.server(port, way, text=text, cluster_sched='rr', max_restarts=1, min_uptime='1h', autorestart=True)
            for count in range(3, 6):
                self.client.call(paths[0], harness.PROCESS, 'SendMessage', 's', '1')
                self.said(count, way)
            wait_until(lambda p=paths[0]: self.client.property(p, 'RestartCount') == 3, 'it was restarted')
            self.assertEqual(self.client.property(paths[0], 'UnstableRestarts'), 0)
            self.served_by(port, self.pids(paths))


class Counting(Cluster):
    def test_shared_count_is_told(self):
        """By a message of a preload, and it grows alone."""
        text = """
            const tell = (accepted) => process.send({cmd: 'NODE_PM2D', accepted});
            for (const count of [3, 17, 5, -1, 1e300, 'x', null, {}, 2.5]) tell(count);
            process.send('ready');
            setInterval(() => {}, 1000);
        """
        path, = self.app(text, instances=1, wait_ready=True, listen_timeout=30000)
        self.assertEqual(self.describe('app')['accepted'], 17)
        self.assertEqual(self.client.property(path, 'Status'), 'online')


class Declared(Cluster):
    def test_who_can_be_a_worker(self):
        for attributes in ({'script': self.sleeper()}, {'script': self.script('app.py', 'pass\n')}):
            script = attributes['script']
            self.assert_dbus_error('InvalidConfig', self.client.start, script, exec_mode='cluster',
                                   mentions=['exec_mode: ', script])
        self.assert_dbus_error('InvalidConfig', self.client.start, self.sleeper(), exec_mode='sideways',
                               mentions='exec_mode: expected one of fork_mode, cluster_mode')
        self.assert_dbus_error('InvalidConfig', self.client.start, self.sleeper(), cluster_sched='x', mentions='cluster_sched')

    def test_how_it_is_told(self):
        text = "setInterval(() => {}, 1000); process.send('ready');"
        for mode, told in (('fork', 'fork_mode'), ('fork_mode', 'fork_mode'), ('cluster', 'cluster_mode'),
                           ('cluster_mode', 'cluster_mode')):
            path = self.client.start_one(self.script('app.js', text), name=mode, exec_mode=mode, wait_ready=True,
                                         listen_timeout=30000)
            self.assertEqual(self.client.property(path, 'ExecMode'), told)
            described = self.describe(mode)
            self.assertEqual(described['exec_mode'], told)
            listed = [entry for entry in self.client.list() if entry['name'] == mode]
            self.assertEqual(listed[0]['pm2_env']['exec_mode'], told)
            pid = self.client.property(path, 'Pid')
            environment = read_file(f'/proc/{pid}/environ').split('\0')
            self.assertIn(f'exec_mode={told}', environment)
            number = self.client.property(path, 'Id')
            self.assertEqual([entry for entry in environment if entry.startswith('NODE_UNIQUE_ID=')],
                             [f'NODE_UNIQUE_ID={number + 1}'] if told == 'cluster_mode' else [])

    def test_channel_without_notify(self):
        port = free_port()
        self.server(port, notify='none')
        get(port)

    def test_instances(self):
        cpus = len(os.sched_getaffinity(0))
        for wanted, count in (('max', cpus), ('-1', max(cpus - 1, 1)), ('3', 3)):
            port, name = free_port(), f'app{wanted}'
            paths = self.server(port, name, instances=int(wanted) if wanted[0] in '-3' else wanted, text=SERVER) \
                if wanted == '3' else self.start_counted(port, name, wanted, count)
            self.assertEqual(len(paths), count)
            self.served_by(port, self.pids(paths))

    def start_counted(self, port, name, wanted, count):
        paths = self.app(SERVER, port, self.path(f'{name}.said'), name=name,
                         instances=wanted if wanted == 'max' else int(wanted))
        self.said(count, name)
        return paths

    def test_instances_of_node_are_a_cluster(self):
        """Where it is not said what they are, as with PM2."""
        stays = 'setInterval(() => {}, 1000);'
        script = self.script('app.js', stays, executable=False)
        for given, mode in (({'instances': 2}, 'cluster_mode'), ({'instances': 1}, 'cluster_mode'), ({}, 'fork_mode'),
                            ({'instances': 2, 'exec_mode': 'fork'}, 'fork_mode'),
                            ({'instances': 2, 'listen': [f'unix:{self.path("socket")}']}, 'fork_mode')):
            with self.subTest(given=given):
                path = self.client.start(script, name='app', **given)[0]
                self.assertEqual(self.client.property(path, 'ExecMode'), mode)
                self.client.delete('app')
        path = self.client.start_json({'name': 'file', 'script': script, 'instances': 2})[0]
        self.assertEqual(self.client.property(path, 'ExecMode'), 'cluster_mode')
        path = self.client.start(self.sleeper(), name='shell', instances=2)[0]
        self.assertEqual(self.client.property(path, 'ExecMode'), 'fork_mode')

    def test_logs_have_the_id(self):
        for merged, suffix in ((None, '-{}'), (True, ''), (False, '-{}')):
            given = {} if merged is None else {'merge_logs': merged}
            path = self.client.start_one(self.script('app.js', 'setInterval(() => {}, 1000);'), name=f'app{merged}',
                                         exec_mode='cluster', **given)
            number = self.client.property(path, 'Id')
            self.assertEqual(os.path.basename(self.client.property(path, 'OutLogPath')),
                             f'app{merged}-out{suffix.format(number)}.log')

    def test_debugger_ports(self):
        paths = self.server(free_port(), instances=3, node_args=['--inspect=127.0.0.1:9300', '--trace-uncaught'])
        self.assertEqual([harness.command_line(self.client.property(path, 'Pid')).split()[1:3] for path in paths],
                         [[f'--inspect=127.0.0.1:{port}', '--trace-uncaught'] for port in (9300, 9301, 9302)])

    def test_reload_gives_another_name(self):
        for policy in POLICIES:
            port = free_port()
            paths = self.server(port, name=policy, cluster_sched=policy)
            self.client.manager_call('Reload', 'sa{sv}', policy, harness.options(name=f'{policy}2'))
            self.assertNotIn('EADDRINUSE', self.said(4, policy))
            self.served_by(port, self.pids(paths))
            self.client.delete(f'{policy}2')
            self.assertTrue(self.refused(port))

    def test_scale(self):
        port = free_port()
        paths = self.server(port)
        for count in (4, 1, 3):
            paths = self.client.manager_call('Scale', 'ssa{sv}', 'app', str(count), {})
            self.assertEqual(len(paths), count)
            wait_until(lambda p=paths: {get(port)['pid'] for _ in range(20)} == self.pids(p), 'all of them serve')


class Survival(Cluster):
    def reexecute(self):
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')

    def test_reexec_under_traffic(self):
        for policy in POLICIES:
            port = free_port()
            paths = self.server(port, policy, cluster_sched=policy)
            pids, done, failed, served = self.pids(paths), threading.Event(), [], []

            def go_on(port=port, failed=failed, served=served, done=done):
                while not done.is_set():
                    try:
                        served.append(get(port)['pid'])
                    except OSError as error:
                        failed.append(error)

            threads = [threading.Thread(target=go_on) for _ in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(5):
                before = len(served)
                self.reexecute()
                wait_until(lambda b=before, s=served: len(s) > b + 20, 'it goes on')
            done.set()
            for thread in threads:
                thread.join()
            self.assertEqual(failed, [])
            self.assertEqual(set(served), pids)
            self.assertEqual(self.pids(paths), pids)

    def test_reexec_with_connections_on_their_way(self):
        """To a worker that stands still, and in the hands of nobody: each is served in the end, once."""
        port = free_port()
        paths = self.server(port, instances=1, cluster_sched='rr')
        pid, = self.pids(paths)
        os.kill(pid, signal.SIGSTOP)
        clients = [socket.create_connection(('127.0.0.1', port), harness.TIMEOUT) for _ in range(12)]
        for client in clients:
            ask(client)
        daemon = self.daemon.process.pid
        wait_until(lambda: self.sockets_of(daemon, port) >= 8, 'it holds what the worker has not taken')
        self.reexecute()
        self.reexecute()
        self.assertGreaterEqual(self.sockets_of(daemon, port), 8)
        os.kill(pid, signal.SIGKILL)
        answers = [answer_on(client)['pid'] for client in clients]
        self.assertEqual(set(answers), self.pids(paths))
        self.assertEqual(self.describe('app')['accepted'], 12)

    def sockets_of(self, pid, port):
        """How many connections to the port a process holds."""
        inodes = set()
        for line in read_file('/proc/net/tcp6').splitlines()[1:] + read_file('/proc/net/tcp').splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(':')[2], 16) == port and fields[3] == '01':
                inodes.add(f'socket:[{fields[9]}]')
        found = 0
        for entry in os.listdir(f'/proc/{pid}/fd'):
            with contextlib.suppress(OSError):
                found += os.readlink(f'/proc/{pid}/fd/{entry}') in inodes
        return found

    def test_listener_outlives_all_workers(self):
        """Nobody is refused while the only worker is restarted."""
        for policy in POLICIES:
            port = free_port()
            self.server(port, policy, instances=1, cluster_sched=policy)
            for count in range(2, 5):
                with contextlib.suppress(OSError, http.client.HTTPException):
                    get(port, '/die')
                get(port)
                self.said(count, policy)


class Misbehaviour(Cluster):
    """What one worker does wrong is its own loss: the others of its app go on."""

    def check(self, text, said, policy='shared', **attributes):
        """Beside two good workers of the same app, and another app."""
        port = free_port()
        paths = self.server(port, 'good', cluster_sched=policy)
        self.raw(text, port, name='raw', cluster_sched=policy, **attributes)
        lines = self.said(1, 'raw')
        self.assertEqual(json.loads(lines[0]), said)
        self.served_by(port, self.pids(paths))
        self.assertEqual(self.daemon.process.poll(), None)
        self.client.delete('all')
        os.unlink(self.path('raw.said'))
        os.unlink(self.path('good.said'))

    def test_nonsense(self):
        text = """
for value in ({}, {'cmd': 'NODE_'}, {'cmd': 'NODE_X'}, {'cmd': 'NODE_CLUSTER'}, {'cmd': 'NODE_CLUSTER', 'act': 5},
              {'cmd': 'NODE_CLUSTER', 'act': 'nothing'}, {'cmd': 'NODE_CLUSTER', 'ack': 5, 'accepted': True},
              {'cmd': 'NODE_CLUSTER', 'ack': -1}, {'cmd': 'NODE_CLUSTER', 'ack': 'x', 'accepted': []},
              {'cmd': 'NODE_HANDLE_ACK'}, {'cmd': 'NODE_HANDLE_ACK'}, {'cmd': 'NODE_HANDLE_NACK'},
              {'cmd': 'NODE_CLUSTER', 'act': 'close'}, {'cmd': 'NODE_CLUSTER', 'act': 'close', 'key': {}},
              {'cmd': 'NODE_CLUSTER', 'act': 'close', 'key': 'null:1:4'},
              {'cmd': 'NODE_CLUSTER', 'act': 'listening', 'port': 'x'}, {'cmd': 'NODE_CLUSTER', 'act': 'online', 'seq': []},
              {'cmd': 'NODE_CLUSTER', 'act': 'queryServer', 'seq': 'x'},
              {'cmd': 'NODE_CLUSTER', 'act': 'exitedAfterDisconnect', 'seq': None}):
    send(value)
channel.sendall(b'\\x02\\n\\n\\x00\\n{"cmd":"NODE_CLUSTER"\\n[{"cmd":"NODE_CLUSTER"}]\\n\\xff\\xfe\\n')
answers = [query(port, **members) for port, members in (
    ('x', {}), (-1, {}), (70000, {}), (1.5, {}), (1e300, {}), ([], {}), (0, {'address': 5}), (0, {'address': 'x' * 300}),
    (0, {'address': 'not numeric'}), (0, {'addressType': 5}), (0, {'addressType': {}}), (0, {'fd': 3}), (0, {'fd': 'x'}),
    (0, {'flags': -1}), (0, {'index': 'x'}), (0, {'addressType': -1}), (0, {'addressType': -1, 'address': '\\0x'}),
    (0, {'addressType': 'udp4', 'address': '::'}), (0, {'data': 'x' * 70000}))]
say([answer['errno'] for answer in answers], [answer['ack'] for answer in answers] == list(range(answers[0]['ack'],
    answers[0]['ack'] + len(answers))))
time.sleep(1000)
"""
        for policy in POLICIES:
            self.check(text, [[-22, -22, -22, -22, -22, -22, -22, -22, -22, -22, -22, -9, -9, -22, -22, -22, -22, -22, -90],
                              True], policy)

    def test_floods(self):
        """More listeners than one may have; the rest of the app has its own. And nothing of it is read."""
        text = """
port = int(sys.argv[1])
errors = [query(0, index=i).get('errno', 0) for i in range(40)]
act('queryServer', address='::1', port=port, addressType=6, seq=5)
for i in range(20000):
    act('queryServer', index=i, port=0, address=None, addressType=4)
say(errors)
time.sleep(1000)
"""
        self.check(text.replace('.get', '.get'), [[0] * 32 + [-24] * 8], 'rr')

    def test_same_question_again(self):
        """The same answer; another question for what it has is an error; after a close it is none."""
        text = """
first, again = query(0, seq=7), query(0, seq=7)
other = query(0, seq=8)
act('close', key=first['key'])
last = query(0, seq=9)
say(first == again, other['errno'], other['ack'], last['errno'], last['key'] == first['key'])
time.sleep(1000)
"""
        self.check(text, [True, -98, 8, 0, True], 'rr')

    def test_handles(self):
        """One with each answer, before its line ends; NACK: it comes again; ACKs for nothing are ignored."""
        text = """
answer = query(0)
assert answer['cmd'] == 'NODE_HANDLE' and answer['type'] == 'net.Native', answer
send({'cmd': 'NODE_HANDLE_NACK'})
again = receive()
send({'cmd': 'NODE_HANDLE_ACK'})
send({'cmd': 'NODE_HANDLE_ACK'})
server = socket.socket(fileno=fds.pop())
datagram = query(0, addressType='udp4', address='127.0.0.1')
kinds = [socket.socket(fileno=fd).type for fd in fds]
socket.send_fds(channel, [b'{"cmd":"NODE_HANDLE","type":"net.Socket","msg":1}\\n'], [0, 1, 2])
say(answer == again, len(fds), server.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), datagram['type'],
    [int(kind) for kind in kinds], receive())
time.sleep(1000)
"""
        self.check(text, [True, 2, 1, 'dgram.Native', [1, 2], {'cmd': 'NODE_HANDLE_ACK'}])

    def test_who_never_takes_a_connection(self):
        """It gets eight, and no more; those are another's when it ends."""
        text = """
if os.environ['NODE_APP_INSTANCE'] == '0':
    os.execvp('node', ['node', *sys.argv[1:]])
act('online')
query(int(sys.argv[2]))
say('claimed')
connections = [receive() for _ in range(8)]
with open(sys.argv[-1] + '2', 'w') as file:
    file.write('eight\\n')
channel.settimeout(1)
try:
    receive()
except TimeoutError:
    os._exit(1)
"""
        port = free_port()
        server = self.script('server.js', SERVER, executable=False)
        paths = self.raw(text, server, port, instances=2, cluster_sched='rr', autorestart=False)
        self.said(2, 'raw')
        good = self.client.property(paths[0], 'Pid')
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(('127.0.0.1', port), harness.TIMEOUT)) for _ in range(30)]
            for client in clients:
                ask(client)
            answers = [answer_on(client)['pid'] for client in clients]
        self.assertEqual(set(answers), {good})
        self.assertEqual(read_file(self.path('raw.said2')), 'eight\n')

    def test_prefix_of_bun(self):
        """Its internal lines have one byte more, and so have ours to it."""
        text = """
prefix = b'\\x02'
act('online')
answer = query(0)
act('exitedAfterDisconnect', seq=77)
say(answer['msg']['errno'], receive()['ack'])
time.sleep(1000)
"""
        self.check(text, [0, 77])


@unittest.skipUnless(os.environ.get('PM2D_TEST_FULL'), 'it takes half a minute')
class Unused(Cluster):
    def test_closed_after_a_while(self):
        """None of the new ones asks for it any more."""
        port = free_port()
        flag = self.path('flag')
        text = f"if (!require('fs').existsSync({json.dumps(flag)})) {{ {SERVER} }} else setInterval(() => {{}}, 1000);"
        self.server(port, text=text)
        with open(flag, 'w', encoding='ascii'):
            pass
        self.client.restart('app')
        self.assertFalse(self.refused(port))
        wait_until(lambda: self.refused(port), 'it is closed')


if __name__ == '__main__':
    harness.main()
