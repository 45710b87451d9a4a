#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""load-client.js counts what goes wrong: each reason, from a server that misbehaves in this way and no other."""

import os
import socket
import ssl
import struct
import tempfile
import threading
import time
import unittest

import harness
from drain import make_certificate
from harness import wait_until
from load import Load

BODY = 'hello'
GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Worker: %d\r\n\r\nhello'
LAST = GOOD.replace(b'OK\r\n', b'OK\r\nConnection: close\r\n')
CHUNKED = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Worker: 1\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n'
TO_ITS_END = b'HTTP/1.1 200 OK\r\nX-Worker: 1\r\n\r\nhello'


class Server:
    """Does with each connection what a function says; counts requests."""

    def __init__(self, behaviour, path=None, certificate=None):
        self.behaviour = behaviour
        self.requests = self.connections = 0
        self.ended = False
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(path or ('127.0.0.1', 0))
        self.listener.listen(64)
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
        self.where = {'path': path} if path else {'port': self.listener.getsockname()[1]}
        self.thread = threading.Thread(target=self.run)
        self.threads = []
        self.thread.start()

    def run(self):
        while True:
            connection = self.listener.accept()[0]
            if self.ended:
                connection.close()
                return
            self.connections += 1
            self.threads.append(threading.Thread(target=self.serve, args=(connection,)))
            self.threads[-1].start()

    def serve(self, connection):
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            connection.settimeout(harness.TIMEOUT)
            self.behaviour(self, connection)
        except OSError:
            pass
        connection.close()

    def read(self, connection):
        """A request; false at the connection's end."""
        data = b''
        while not data.endswith(b'\r\n\r\n'):
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        self.requests += 1
        return True

    def close(self):
        self.ended = True
        probe = socket.socket(self.listener.family)
        probe.connect(self.where.get('path') or ('127.0.0.1', self.where['port']))
        probe.close()
        for thread in [self.thread, *self.threads]:
            thread.join(harness.TIMEOUT)
        self.listener.close()


def reset(connection):
    """Close it with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()


def answers(*replies):
    """Each request gets the next of the replies, the last one again and again."""
    def behaviour(server, connection):
        number = 0
        while server.read(connection):
            reply = replies[min(number, len(replies) - 1)]
            number += 1
            if callable(reply):
                reply(connection)
                return
            connection.sendall(reply)
            if b'Connection: close' in reply or b'Content-Length' not in reply and b'chunked' not in reply:
                return
    return behaviour


# reason -> the ways in which a server gives it
WRONG = {
    'reset': (answers(reset), answers(socket.socket.close)),
    'reset on reuse': (answers(GOOD % 7, reset), answers(GOOD % 7, socket.socket.close)),
    'timeout': (answers(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe'), answers(lambda connection: time.sleep(1))),
    'cut reply': (answers(lambda connection: connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe')),
                  answers(lambda connection: connection.sendall(b'HTTP/1.1 200')),
                  answers(GOOD % 7, lambda connection: connection.sendall(CHUNKED[:-5]))),
    'wrong reply': (answers((GOOD % 7).replace(b'hello', b'other')), answers((GOOD % 7).replace(b'200 OK', b'503 No')),
                    answers(b'what is that\r\n\r\n'), answers((GOOD % 7) * 2), answers(CHUNKED.replace(b'2\r\n', b'z\r\n'))),
}


class LoadClient(unittest.TestCase):
    def folder(self):
        folder = tempfile.TemporaryDirectory(prefix='pm2-load-')
        self.addCleanup(folder.cleanup)
        return folder.name

    def serve(self, behaviour, **values):
        server = Server(behaviour, **values)
        self.addCleanup(server.close)
        return server

    def load(self, server, requests=20, **options):
        """The figures after so many requests."""
        with Load(**{'connections': 2, 'timeout': 300, 'body': BODY, **server.where, **options}) as load:
            wait_until(lambda: server.requests >= requests, f'{requests} requests')
        self.assertEqual(load.result['ok'] + load.result['failed'], server.requests)
        self.assertEqual(load.result['connects'], server.connections)
        return load.result

    def test_good_replies(self):
        for name, reply in {'length': GOOD % 7, 'last': LAST % 7, 'chunked': CHUNKED, 'end': TO_ITS_END}.items():
            for mode in ('keep-alive', 'close'):
                with self.subTest(name, mode=mode):
                    server = self.serve(answers(reply))
                    result = self.load(server, mode=mode)
                    self.assertEqual((result['failed'], result['reasons']), (0, {}))
                    self.assertEqual(sum(result['workers'].values()), result['ok'])
                    kept = mode == 'keep-alive' and name in ('length', 'chunked')
                    self.assertEqual(result['connects'], 2 if kept else result['ok'])
                    latency = result['latency_ms']
                    self.assertTrue(0 < latency['p50'] <= latency['p99'] <= latency['max'], latency)

    def test_unix_and_tls(self):
        folder = self.folder()
        server = self.serve(answers(GOOD % 7), path=os.path.join(folder, 'socket'))
        self.assertEqual(self.load(server)['reasons'], {})
        server = self.serve(answers(GOOD % 7), certificate=make_certificate(folder))
        self.assertEqual(self.load(server, tls=True)['reasons'], {})

    def test_each_reason(self):
        for reason, behaviours in WRONG.items():
            for number, behaviour in enumerate(behaviours):
                with self.subTest(reason, number=number):
                    result = self.load(self.serve(behaviour), requests=6)
                    self.assertEqual(result['reasons'], {reason: result['failed']})
                    self.assertGreater(result['failed'], 0)

    def test_half_of_them(self):
        """Each second request of a connection fails: so does half of all, give or take what is not over at the stop."""
        result = self.load(self.serve(answers(GOOD % 7, reset)), requests=100)
        self.assertEqual(result['workers'], {'7': result['ok']})
        self.assertAlmostEqual(result['ok'], result['reasons']['reset on reuse'], delta=2)

    def test_closed_while_idle(self):
        """No request was sent: none has failed."""
        def behaviour(server, connection):
            if server.read(connection):
                connection.sendall(GOOD % 7)
        result = self.load(self.serve(behaviour), pause=50)
        self.assertEqual((result['failed'], result['connects']), (0, result['ok']))
        self.assertGreaterEqual(result['idle_closes'], result['ok'] - 2)

    def test_refused(self):
        with socket.socket() as unused:
            unused.bind(('127.0.0.1', 0))
            loads = [Load(port=unused.getsockname()[1], connections=1),
                     Load(path=os.path.join(self.folder(), 'nobody'), connections=1)]
            results = [load.stop() for load in loads]
        for result in results:
            self.assertEqual(result['reasons'], {'refused': result['failed']})
            self.assertEqual((result['ok'], result['connects']), (0, 0))
            self.assertGreater(result['failed'], 0)

    def test_no_tls(self):
        """What breaks off before the connection stands."""
        server = self.serve(lambda _, connection: connection.close())
        with Load(tls=True, connections=1, **server.where) as load:
            wait_until(lambda: server.connections > 3, 'connections')
        self.assertEqual((load.result['ok'], load.result['reasons']), (0, {'cannot connect': load.result['failed']}))


if __name__ == '__main__':
    harness.main()
