#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""drain.cjs: no request is lost while workers are swapped, whoever the primary is; here it is Node's own."""

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import time
import unittest

import harness
from drain import ACK, DRAIN, PING, WORKERS, Connection, Http2, Primary, node_major
from load import HERE, Load, node

FULL = bool(os.environ.get('PM2D_TEST_FULL'))
SWAPS, PAUSE_MS = 20, 10
IDLE_MS = 700
ATTEMPTS = 5  # a busy machine may be too slow to have requests on their way
CLOSES = ['close'], 'hello'
HTTP2 = unittest.skipIf(node_major() < 18, 'sessions of this Node are left alone')
ONCE = '''
process.send = () => { throw new Error('broken by the app'); };
const http = require('http');
const server = http.createServer((request, response) => response.end('hello')).listen(0, '127.0.0.1', () => {
    http.get({port: server.address().port, agent: false}, (response) => {
        response.on('data', (data) => console.log(String(data))).on('end', () => server.close());
    });
});
server.on('close', () => {
    const closed = process.uptime();
    process.on('exit', () => { process.exitCode = process.uptime() - closed > 0.7 ? 1 : 0; }); // of TELL_MS
});
'''
ALL_STREAMS = 2**31 - 1
REFUSED_STREAM = 'ERR_HTTP2_STREAM_ERROR 7'  # RFC 9113, 8.7: not processed, may be repeated


class Swaps(unittest.TestCase):
    """Traffic of kept connections over swaps of workers."""

    def check_ends(self, primary):
        """Each worker that was told to go ended by itself, once its clients had."""
        while len(primary.codes()) < SWAPS:
            primary.wait('ended', len(primary.told))
        self.assertEqual((set(primary.codes()), primary.end()), ({0}, WORKERS))

    def load(self, kind, **values):
        with Primary(kind, **values) as primary:
            with Load(port=primary.port, tls=kind == 'https', connections=8, pause=2, body='hello') as load:
                primary.swap(SWAPS, PAUSE_MS)
            self.check_ends(primary)
            return load.result

    def load_http2(self, kind, streams):
        with Primary(kind) as primary:
            url = f'{"http" if kind == "h2c" else "https"}://127.0.0.1:{primary.port}'
            options = json.dumps({'url': url, 'sessions': 4, 'streams': streams})
            with subprocess.Popen([node(), os.path.join(HERE, 'drain-http2.js'), options], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True) as client:
                primary.swap(SWAPS, PAUSE_MS)
                result = json.loads(client.communicate('stop\n', timeout=harness.TIMEOUT)[0])
            self.check_ends(primary)
            return result

    def together(self, *calls):
        """The results of functions that are called side by side, for most of it is waiting."""
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            running = [pool.submit(function, *values) for function, *values in calls]
            return [one.result() for one in running]

    def check(self, result):
        self.assertEqual((result['failed'], result['reasons']), (0, {}))
        self.assertGreater(result['ok'], 10 * SWAPS)

    def test_http(self):
        for result in self.together((self.load, 'http'), (self.load, 'https')):
            self.check(result)
            self.assertGreater(len(result['workers']), SWAPS / 2)

    @unittest.skipUnless(FULL, 'full tier')
    def test_round_robin(self):
        self.check(self.load('http', shared=False))

    @unittest.skipIf(node_major() < 19, 'this Node closes no idle connection')
    def test_http_without(self):
        """The traffic is such that requests are lost without it."""
        for _ in range(ATTEMPTS):
            result = self.load('http', preload=False)
            print('# without the preload:', result['failed'], 'of', result['failed'] + result['ok'])
            self.assertLessEqual(set(result['reasons']), {'reset on reuse'})
            if result['failed']:
                return
        self.fail('nothing is lost without it')

    @HTTP2
    def test_http2(self):
        streams = (1, 4) if FULL else (4,)
        plain, *more, secure = self.together(*((self.load_http2, 'h2c', count) for count in streams),
                                             (self.load_http2, 'h2', 1))
        for result in (plain, *more, secure):
            self.check(result)
            self.assertGreater(result['goaways'], SWAPS)

    @HTTP2
    @unittest.skipUnless(FULL, 'full tier')
    def test_http2_tls_many_streams(self):
        """What crosses GOAWAY is told to have not been processed; nothing else is lost."""
        result = self.load_http2('h2', 4)
        print('# refused by GOAWAY:', result['failed'], 'of', result['failed'] + result['ok'])
        self.assertLessEqual(set(result['reasons']), {REFUSED_STREAM})
        self.assertGreater(result['ok'], 10 * SWAPS)


class Drain(unittest.TestCase):
    """Each kind of request and connection at a worker that drains. One worker, so that all go to it."""

    def primary(self, *arguments, **values):
        primary = Primary(*arguments, **{'workers': 1, **values})
        self.addCleanup(primary.end)
        return primary

    def connect(self, primary, kind=Connection, protocol=None):
        connection = kind(primary.port, protocol)
        self.addCleanup(connection.close)
        return connection

    def connect_kept(self, primary, protocol=None):
        """One that was used, and is idle."""
        connection = self.connect(primary, protocol=protocol)
        self.assertEqual(connection.ask(), (['keep-alive'], 'hello'))
        return connection

    def wait_for(self, primary, count=1):
        """Until so many requests wait for finish()."""
        while sum(line.get('told') == 'waits' for line in primary.told) < count:
            primary.wait('told', len(primary.told))

    def finish(self, primary):
        pid = next(line['pid'] for line in primary.told if line.get('told') == 'waits')
        os.kill(pid, signal.SIGUSR2)

    def check_exit(self, primary):
        self.assertEqual(primary.wait('ended')['code'], 0)

    def test_fields_of_the_app(self):
        primary = self.primary()
        fields = {'/': ['close'], '/set': ['close'], '/object': ['close'], '/array': ['close'], '/removed': ['close'],
                  '/close': ['close'], '/other': ['x-option', 'close'], '/tick': ['close']}
        kept = {target: self.connect_kept(primary) for target in fields}
        primary.drain()
        for target, expected in fields.items():
            with self.subTest(target):
                self.assertEqual(kept[target].ask(target), (expected, 'hello'))
                self.assertTrue(kept[target].at_end())
        self.check_exit(primary)

    def test_https(self):
        primary = self.primary('https')
        kept = self.connect_kept(primary, 'http/1.1')
        primary.drain()
        self.assertEqual(kept.ask('/set'), CLOSES)
        self.check_exit(primary)

    def test_http1_at_an_http2_server(self):
        primary = self.primary('h2')
        kept = self.connect_kept(primary, 'http/1.1')
        primary.drain()
        self.assertEqual(kept.ask('/object'), CLOSES)
        self.check_exit(primary)

    def test_module(self):
        primary = self.primary(script='drain-module.mjs')
        kept = self.connect_kept(primary)
        primary.drain()
        self.assertEqual(kept.ask(), CLOSES)
        self.check_exit(primary)

    def test_in_flight(self):
        """What is not told yet is told; a head that went out before keeps the connection for one more request."""
        primary = self.primary()
        unsent, sent = self.connect(primary), self.connect(primary)
        unsent.send('/wait')
        sent.send('/flushed')
        self.wait_for(primary, 2)
        head = sent.head()
        primary.drain()
        self.finish(primary)
        self.assertEqual(unsent.reply(), CLOSES)
        self.assertTrue(unsent.at_end())
        self.assertIn('Connection: keep-alive', head)
        self.assertEqual(sent.body(head), 'hello')
        self.assertEqual(sent.ask(), CLOSES)
        self.assertTrue(sent.at_end())
        self.check_exit(primary)

    def test_pipelined(self):
        primary = self.primary()
        pipelines = [(self.connect_kept(primary), targets)
                     for targets in (['/'] * 5, ['/tick', '/', '/set', '/tick'], ['/', '/close'])]
        primary.drain()
        for kept, targets in pipelines:
            kept.send(*targets)
            replies = [kept.reply() for _ in targets]
            self.assertEqual([body for _, body in replies], ['hello'] * len(targets))
            self.assertEqual([fields for fields, _ in replies], [['keep-alive']] * (len(targets) - 1) + [['close']])
            self.assertTrue(kept.at_end())
        self.check_exit(primary)

    def test_pipelined_in_flight(self):
        primary = self.primary()
        later, answered = self.connect(primary), self.connect(primary)
        later.send('/wait', '/wait', '/wait')
        answered.send('/wait', '/', '/')
        self.wait_for(primary, 4)
        primary.drain()
        self.finish(primary)
        self.assertEqual([later.reply()[0] for _ in range(3)], [['keep-alive']] * 2 + [['close']])
        self.assertEqual([answered.reply()[1] for _ in range(3)], ['hello'] * 3)
        self.assertEqual(answered.ask(), CLOSES)
        self.check_exit(primary)

    def test_upload(self):
        """A response before the end of its request: the rest would reset a closed connection."""
        primary = self.primary()
        kept = self.connect_kept(primary)
        primary.drain()
        size = 4 << 20
        kept.send('/upload', method='POST', headers=f'Content-Length: {size}\r\n')
        self.assertEqual(kept.reply(), (['keep-alive'], 'early'))
        kept.socket.sendall(b'x' * size)
        self.assertEqual(kept.ask(), CLOSES)
        self.check_exit(primary)

    def test_upgraded(self):
        primary = self.primary()
        kept = [self.connect_kept(primary) for _ in range(2)]
        upgrade = {'headers': 'Connection: Upgrade\r\nUpgrade: echo\r\n'}
        kept[0].send('/', **upgrade)
        self.assertIn('101', kept[0].head()[0])
        primary.drain()
        kept[1].send('/', **upgrade)  # while it drains
        self.assertIn('101', kept[1].head()[0])
        for connection in kept * 3:
            connection.socket.sendall(b'still here')
            self.assertEqual(connection.take(10), b'still here')
        for connection in kept:
            connection.close()
        self.check_exit(primary)

    def test_upgraded_by_a_response(self):
        """Without a listener for upgrades it is a request like others."""
        primary = self.primary()
        kept = self.connect_kept(primary)
        primary.drain()
        kept.send('/switch')
        self.assertEqual([line for line in kept.head() if line.startswith('Connection')], ['Connection: Upgrade'])
        self.wait_for(primary)
        kept.close()
        self.check_exit(primary)

    def test_idle_connections(self):
        """They are left open until the server's keepAliveTimeout."""
        primary = self.primary(idle_ms=IDLE_MS)
        started = time.monotonic()
        kept = self.connect_kept(primary)
        primary.drain()
        self.assertTrue(kept.at_end())
        self.assertGreater(time.monotonic() - started, IDLE_MS / 1000)
        self.check_exit(primary)

    @unittest.skipIf(node_major() < 18, 'this Node has no such call')
    def test_closed_by_the_app(self):
        primary = self.primary()
        asks, kept = self.connect_kept(primary), self.connect_kept(primary)
        primary.drain()
        self.assertEqual(asks.ask('/idle'), CLOSES)
        self.assertTrue(kept.at_end())
        self.check_exit(primary)
        primary = self.primary()
        asks, kept = self.connect_kept(primary), self.connect_kept(primary)
        primary.drain()
        asks.send('/all')
        self.assertTrue(asks.at_end() and kept.at_end())
        self.check_exit(primary)

    def test_server_closed_by_the_app(self):
        """While a handler runs: its own request is not complete for Node then."""
        primary = self.primary()
        asks, kept = self.connect_kept(primary), self.connect_kept(primary)
        self.assertEqual(asks.ask('/shutdown'), (['keep-alive'], 'hello'))
        self.assertEqual((asks.ask(), kept.ask()), (CLOSES, CLOSES))
        self.assertEqual(primary.wait('told')['told'], 'closed')

    @HTTP2
    def test_http2_crossing(self):
        """Streams that cross the notice are answered; the end comes when the client has seen it."""
        primary = self.primary('h2c')
        client = self.connect(primary, Http2)
        client.ask_stream(1)
        client.wait_answers(1)
        primary.drain()
        client.ask_stream(3, '/wait')
        *_, ping = client.until(lambda kind, flags, *_: kind == PING and not flags & ACK)
        self.assertEqual(client.goaways(), [(ALL_STREAMS, 0)])
        for stream in (5, 7, 9):
            client.ask_stream(stream, '/tick')
        client.wait_answers(5, 7, 9)
        client.frame(PING, ACK, payload=ping)
        self.wait_for(primary)
        self.finish(primary)
        client.wait_answers(3)
        client.until_end()
        self.assertEqual((client.goaways()[0], set(client.goaways()[1:]), client.refused()),
                         ((ALL_STREAMS, 0), {(9, 0)}, []))
        client.close()
        self.check_exit(primary)

    @HTTP2
    def test_http2_tls(self):
        """GOAWAY counts in what has come, all of which is answered, before the response."""
        primary = self.primary('h2')
        client = self.connect(primary, Http2, 'h2')
        client.ask_stream(1)
        client.wait_answers(1)
        primary.drain()
        client.ask_stream(3)
        client.wait_answers(3)
        self.assertEqual((client.goaways(), client.refused()), ([(3, 0)], []))
        client.close()
        self.check_exit(primary)

    @HTTP2
    @unittest.skipUnless(FULL, 'full tier')
    def test_http2_idle(self):
        primary = self.primary('h2c')
        client = self.connect(primary, Http2)
        client.ask_stream(1)
        client.wait_answers(1)
        primary.drain()
        client.until(lambda *_: client.goaways())
        client.close()
        self.check_exit(primary)


class Told(unittest.TestCase):
    """What the supervisor is told, and what nobody sees."""

    def test_accepted(self):
        with Primary(workers=1) as primary:
            for _ in range(30):
                with Connection(primary.port) as connection:
                    connection.ask()
            while primary.wait('accepted', len(primary.told))['accepted'] < 30:
                pass
            counts = [line['accepted'] for line in primary.told if 'accepted' in line]
            self.assertEqual((counts[0], counts[-1], counts), (1, 30, sorted(set(counts))))
            self.assertLessEqual(len(counts), 4)

    def test_nothing_while_idle(self):
        with Primary(workers=1) as primary:
            primary.command('disconnect')
            primary.wait('ended')
            self.assertFalse([line for line in primary.told if 'accepted' in line])

    def test_an_app_that_ends(self):
        """By itself, soon after it served somebody; the app's own process.send has no part in it."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            environment = {**os.environ, 'NODE_CHANNEL_FD': str(theirs.fileno()), 'PM2D_DRAIN': DRAIN}
            result = subprocess.run([node(), '--require', DRAIN, '-e', ONCE], env=environment, capture_output=True, text=True,
                                    pass_fds=[theirs.fileno()], timeout=harness.TIMEOUT)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, 'hello\n', ''))
            self.assertEqual(ours.recv(65536), b'{"cmd":"NODE_PM2D","accepted":1}\n')

    def test_children(self):
        with Primary(script='drain-children.js', workers=1) as primary:
            told = primary.wait('told')['told']
            own = told.pop('own')
            self.assertEqual(own, [[], None, True])
            self.assertEqual(told, {'fork': [[], None, False], 'thread': [[], None, False],
                                    'spawn': [['--no-warnings'], None, False]})


if __name__ == '__main__':
    harness.main()
