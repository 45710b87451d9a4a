#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Zero downtime, measured: requests all the time, none repeated, and nothing is lost while processes are replaced, scaled
and killed.

    PM2D_TEST_RELOADS   how many of each kind (20)
"""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

import harness
import load
from harness import wait_until

RELOADS = int(os.environ.get('PM2D_TEST_RELOADS', '20'))
CONNECTIONS = 16
KILL_SECONDS = 20
MANY = 64

HTTP = '''
const server = require('http').createServer((request, response) => {
    response.setHeader('x-worker', process.pid);
    response.end('hello');
});
server.listen(process.env.PORT, '127.0.0.1');
'''
HTTPS = '''
const fs = require('fs');
const server = require('https').createServer({key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem')},
    (request, response) => { response.setHeader('x-worker', process.pid); response.end('hello'); });
server.listen(process.env.PORT, '127.0.0.1');
'''
# Its own primary, which replaces each worker in turn as Node's documentation has it: to compare.
OWN_PRIMARY = '''
const cluster = require('cluster');
if (cluster.isPrimary) {
    const workers = [cluster.fork(), cluster.fork()];
    process.on('message', () => {
        const worker = cluster.fork();
        worker.once('listening', () => {
            workers.shift().disconnect();
            workers.push(worker);
            setTimeout(() => process.send('replaced'), 50);
        });
    });
} else {
''' + HTTP + '''
}
'''
EXPRESS = '''
const app = require('express')();
app.get('/', (request, response) => { response.set('x-worker', process.pid); response.send('hello'); });
app.listen(process.env.PORT, '127.0.0.1');
'''
FASTIFY = '''
const fastify = require('fastify')();
fastify.get('/', async (request, reply) => { reply.header('x-worker', process.pid); return 'hello'; });
fastify.listen({port: Number(process.env.PORT), host: '127.0.0.1'});
'''
WS = '''
const { WebSocketServer } = require('ws');
const server = require('http').createServer((request, response) => {
    response.setHeader('x-worker', process.pid);
    response.end('hello');
});
new WebSocketServer({ server }).on('connection', (socket) => {
    socket.on('message', (data) => socket.send(`${process.pid} ${data}`));
});
server.listen(process.env.PORT, '127.0.0.1');
'''
WS_CLIENT = '''
const { WebSocket } = require('ws');
const socket = new WebSocket(`ws://127.0.0.1:${process.env.PORT}`);
socket.on('message', (data) => console.log(String(data)));
socket.on('close', (code) => { console.log('closed', code); process.exit(0); });
socket.on('open', () => process.stdin.on('data', (data) => socket.send(String(data).trim())));
'''
# Takes connections from a socket that is given to it, ends what it has begun when it is told to end.
PYTHON = '''
import http.server, os, signal, socket, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '5')
        self.send_header('Connection', 'close')
        self.send_header('x-worker', str(os.getpid()))
        self.end_headers()
        self.wfile.write(b'hello')
    def log_message(self, *arguments):
        pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
server = Server(('', 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=3)
server.socket.setblocking(False)  # another process may be faster
signal.signal(signal.SIGINT, lambda *_: threading.Thread(target=server.shutdown).start())
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])
server.serve_forever(0.05)
server.server_close()
'''


def free_port():
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def lost(result):
    """The reasons for which requests failed."""
    return {reason for reason, count in result['reasons'].items() if count}


class Base(harness.Case):
    def serve(self, text, name='web', instances=2, **attributes):
        """An app of this text, at a port of its own; its object paths."""
        self.port = free_port()
        script = self.script(f'{name}.js', text, executable=False)
        values = {'exec_mode': 'cluster', 'instances': instances, 'cwd': self.daemon.apps, **attributes}
        values['env'] = {'PORT': str(self.port), **values.get('env', {})}
        paths = self.client.start(script, name=name, **values)
        self.wait_served()
        return paths

    def wait_served(self):
        def connects():
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
            except OSError:
                return False
            return True
        wait_until(connects, 'it listens')

    def load(self, mode='close', **options):
        return load.Load(port=self.port, mode=mode, connections=CONNECTIONS, body='hello', **options)

    def reload(self, target='web', timeout=120):
        self.client.manager_call('Reload', 'sa{sv}', target, {}, timeout=timeout)

    def reload_under(self, mode='close', count=RELOADS, **options):
        """What became of the requests during so many reloads."""
        with self.load(mode, **options) as requests:
            for _ in range(count):
                self.reload()
        result = requests.result
        self.say(f'{count} reloads, {mode}', result)
        self.assertGreater(result['ok'], 5 * count)
        self.assertGreater(len(result['workers']), count, 'old and new ones have answered')
        return result

    def say(self, what, result):
        print(f'# {self.id().partition(".")[2]}: {what}: {json.dumps({k: result[k] for k in result if k != "workers"})}',
              flush=True)


class Reloads(Base):
    """Nothing is lost."""

    def test_http(self):
        for sched in ('shared', 'rr'):
            self.serve(HTTP, cluster_sched=sched)
            for mode in ('close', 'keep-alive'):
                with self.subTest(sched=sched, mode=mode):
                    self.assertEqual(self.reload_under(mode)['failed'], 0)
            self.client.delete('web')

    def test_https(self):
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', self.path('key.pem'), '-out',
                        self.path('cert.pem'), '-subj', '/CN=localhost', '-days', '2'], check=True, capture_output=True)
        self.serve(HTTPS)
        for mode in ('close', 'keep-alive'):
            with self.subTest(mode=mode):
                self.assertEqual(self.reload_under(mode, tls=True)['failed'], 0)

    def test_without_draining(self):
        """What is lost then is what Node loses by itself: printed, not bounded."""
        self.serve(HTTP, reload_drain='none')
        self.assertEqual(self.reload_under('close')['failed'], 0)
        ours = self.reload_under('keep-alive')
        self.client.delete('web')
        self.port = free_port()
        path = self.client.start_one(self.script('own.js', OWN_PRIMARY, executable=False), name='own',
                                     env={'PORT': str(self.port)})
        self.wait_served()
        with self.load('keep-alive') as requests:
            for _ in range(2 * RELOADS):  # workers, as many as above
                seen = len(self.client.received)
                self.client.manager_call('SendMessage', 'ss', 'own', '"replace"')
                self.client.wait_message(lambda m: m.member == 'ProcessMessage' and m.path and m.body[0] == path, start=seen)
        self.say("Node's own primary, as many workers replaced", requests.result)
        self.assertLessEqual(lost(ours), {'reset on reuse', 'reset'})

    def test_requests_that_take_their_time(self):
        self.serve(HTTP.replace("response.end('hello')", "setTimeout(() => response.end('hello'), 2500)"), kill_timeout=500)
        with self.load('close') as requests:
            for _ in range(2):
                self.reload()
        self.assertEqual(requests.result['failed'], 0)
        self.assertGreater(requests.result['ok'], CONNECTIONS)


class Held(Base):
    """Servers in other languages, on sockets that are held for them."""

    def serve_held(self, program, **attributes):
        self.port = free_port()
        return self.client.start(program, name='web', listen=[f'tcp:127.0.0.1:{self.port}'], wait_ready=True,
                                 notify='systemd', listen_timeout=30000, instances=2, **attributes)

    def test_python(self):
        self.serve_held(self.script('server.py', PYTHON, executable=False), interpreter='python3')
        self.assertEqual(self.reload_under('close')['failed'], 0)

    def test_c(self):
        self.serve_held(os.environ['PM2D_TEST_RELOAD_SERVER_PATH'])
        self.assertEqual(self.reload_under('close')['failed'], 0)


class Kills(Base):
    def test_workers_are_killed(self):
        """Only what the killed worker had accepted is lost."""
        paths = self.serve(HTTP, instances=4, min_uptime=0, max_restarts=1000)
        picks, killed = random.Random(7), 0
        with self.load('close') as requests:
            deadline = time.monotonic() + KILL_SECONDS
            while time.monotonic() < deadline:
                path = picks.choice(paths)
                pid = self.client.property(path, 'Pid')
                if pid:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                    self.client.wait_property(path, 'Pid', lambda new, pid=pid: new not in (0, pid))
                time.sleep(0.1)  # the rhythm of the kills
        result = requests.result
        failed = result['failed']
        self.say(f'{killed} workers killed, {failed} requests lost', result)
        self.assertGreater(killed, 20)
        self.assertLessEqual(lost(result), {'reset', 'cut reply'})
        self.assertLessEqual(failed, killed * CONNECTIONS)

    def test_renewals_under_load(self):
        """The supervisor is replaced again and again, and nobody notices."""
        for sched in ('shared', 'rr'):
            self.serve(HTTP, cluster_sched=sched)
            with self.load('close') as requests, self.subTest(sched=sched):
                for _ in range(RELOADS):
                    self.client.manager_call('Reexecute')
                    self._client = wait_until(self.daemon.try_connect, 'the successor answers')
            self.say(f'{RELOADS} renewals, {sched}', requests.result)
            self.assertEqual(requests.result['failed'], 0)
            self.client.delete('web')


class Sizes(Base):
    def test_many_workers(self):
        """64 workers start, are reloaded, and scaled 64 → 8 → 64, under load."""
        self.serve(HTTP, instances=MANY, reload_parallel=8)
        with self.load('close') as requests:
            self.reload(timeout=300)
            for count in (8, MANY):
                self.client.manager_call('Scale', 'ssa{sv}', 'web', str(count), {}, timeout=300)
                self.assertEqual(len(self.client.list()), count)
        self.say('64 workers reloaded, scaled to 8 and back', requests.result)
        self.assertEqual(requests.result['failed'], 0)
        self.assertEqual({item['pm2_env']['status'] for item in self.client.list()}, {'online'})


class Packages(Base):
    """Real servers of npm, unmodified."""

    def setUp(self):
        super().setUp()
        os.symlink(harness.npm_packages(), self.path('node_modules'))

    def check(self, text):
        self.serve(text)
        for mode in ('close', 'keep-alive'):
            with self.subTest(mode=mode):
                self.assertEqual(self.reload_under(mode, count=5)['failed'], 0)

    def test_express(self):
        self.check(EXPRESS)

    def test_fastify(self):
        self.check(FASTIFY)

    def test_ws(self):
        """A WebSocket stays where it is for as long as reload_timeout says."""
        self.serve(WS, reload_timeout=3000)
        client = subprocess.Popen(['node', self.script('client.js', WS_CLIENT, executable=False)], cwd=self.daemon.apps,
                                  env={**os.environ, 'PORT': str(self.port)}, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, bufsize=1)
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)

        def ask(word):
            client.stdin.write(word + '\n')
            return client.stdout.readline().split()
        pid, word = ask('before')
        self.assertEqual(word, 'before')
        path = next(path for path in (f'/org/pm2/Process/{i}' for i in range(2))
                    if self.client.property(path, 'Pid') == int(pid))
        serial = self.client.send_call('/org/pm2/Manager', harness.MANAGER, 'Reload', 'sa{sv}', 'web', {})
        self.client.wait_property(path, 'Pid', lambda new: new not in (0, int(pid)))
        self.assertEqual(ask('while it drains'), [pid, 'while', 'it', 'drains'])
        self.client.reply_to(serial)
        self.assertEqual(client.stdout.readline().split()[0], 'closed')


if __name__ == '__main__':
    harness.main()
