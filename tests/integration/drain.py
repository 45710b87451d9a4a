# SPDX-License-Identifier: LGPL-2.1-or-later
"""Node's own primary with workers that load drain.cjs, and clients that see each byte."""

import contextlib
import functools
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import tempfile

from harness import TIMEOUT, TOP, wait_until
from load import HERE, node

DRAIN = os.path.join(TOP, 'data', 'node', 'drain.cjs')
WORKERS = 2


@functools.lru_cache(maxsize=None)
def node_major():
    told = subprocess.run([node(), '--version'], check=True, capture_output=True, text=True).stdout
    return int(re.match(r'v(\d+)', told).group(1))


def make_certificate(folder):
    """A key and a certificate for it, in one file."""
    path = os.path.join(folder, 'certificate.pem')
    made = subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                           '-days', '2', '-subj', '/CN=localhost', '-keyout', '-'], check=True, capture_output=True)
    with open(path, 'wb') as file:
        file.write(made.stdout)
    return path


class Primary:
    """drain-primary.js with workers that listen; ended with the block."""

    def __init__(self, kind='http', preload=True, script='drain-worker.js', workers=WORKERS, shared=True, idle_ms=0):
        self.folder = tempfile.TemporaryDirectory(prefix='pm2-drain-')
        environment = {'KIND': kind, 'IDLE_MS': str(idle_ms)}
        if kind in ('https', 'h2'):
            environment['CERTIFICATE'] = make_certificate(self.folder.name)
        options = {'script': os.path.join(HERE, script), 'preload': DRAIN if preload else None, 'workers': workers,
                   'shared': shared, 'environment': environment}
        self.told = []
        self.process = subprocess.Popen([node(), os.path.join(HERE, 'drain-primary.js'), json.dumps(options)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.port = self.wait('port')['port']

    def wait(self, key, start=0):
        """The first line with that key, from a position of what was told on."""
        while True:
            for line in self.told[start:]:
                if key in line:
                    return line
            text = self.process.stdout.readline()
            if not text:
                raise AssertionError(f'no {key}: {self.told}')
            self.told.append(json.loads(text))

    def command(self, text):
        self.process.stdin.write(text + '\n')

    def swap(self, count, pause_ms):
        self.command(f'swap {count} {pause_ms}')
        self.wait('swapped')

    def drain(self):
        """Have all workers disconnect; none listens any more."""
        self.command('disconnect')
        wait_until(self.refuses, 'the port is closed')

    def refuses(self):
        with socket.socket() as probe:
            return probe.connect_ex(('127.0.0.1', self.port)) != 0

    def end(self):
        """How many workers were left."""
        if self.process.poll() is None:
            self.process.stdin.close()
            self.wait('left')
            self.process.stdout.close()
            self.process.wait(TIMEOUT)
            self.folder.cleanup()
        return self.told[-1]['left']

    def codes(self):
        """Of the workers that ended by themselves."""
        return [line['code'] for line in self.told if 'ended' in line]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Connection:
    """One connection, by hand."""

    def __init__(self, port, protocol=None):
        self.socket = socket.create_connection(('127.0.0.1', port), TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if protocol:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols([protocol])
            self.socket = context.wrap_socket(self.socket)
        self.bytes = b''

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def more(self):
        data = self.socket.recv(65536)
        self.bytes += data
        return bool(data)

    def take(self, count):
        while len(self.bytes) < count:
            assert self.more(), f'closed after {self.bytes}'
        data, self.bytes = self.bytes[:count], self.bytes[count:]
        return data

    def at_end(self):
        """Nothing follows."""
        with contextlib.suppress(ConnectionResetError):
            while self.more():
                pass
        assert self.bytes == b'', self.bytes
        return True

    # HTTP/1.1

    def send(self, *targets, method='GET', headers=''):
        text = ''.join(f'{method} {target} HTTP/1.1\r\nHost: test\r\n{headers}\r\n' for target in targets)
        self.socket.sendall(text.encode())

    def head(self):
        """The lines of the next response's head."""
        while b'\r\n\r\n' not in self.bytes:
            assert self.more(), f'closed after {self.bytes}'
        end = self.bytes.index(b'\r\n\r\n')
        return self.take(end + 4)[:-4].decode().split('\r\n')

    def body(self, lines):
        fields = [line.lower() for line in lines]
        if 'transfer-encoding: chunked' in fields:
            text = b''
            while True:
                while b'\r\n' not in self.bytes:
                    assert self.more()
                size = int(self.take(self.bytes.index(b'\r\n') + 2), 16)
                text += self.take(size + 2)[:-2]
                if size == 0:
                    return text.decode()
        return self.take(next(int(field[16:]) for field in fields if field.startswith('content-length: '))).decode()

    def reply(self):
        """(what its Connection fields say, body) of the next response."""
        lines = self.head()
        assert lines[0] == 'HTTP/1.1 200 OK', lines
        named = [line.partition(': ')[2].lower() for line in lines if line.lower().startswith('connection:')]
        return named, self.body(lines)

    def ask(self, target='/'):
        self.send(target)
        return self.reply()


HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 1, 3, 4, 6, 7
ACK, END_STREAM, END_HEADERS = 1, 1, 4


class Http2(Connection):
    """Frames of HTTP/2; what a response's head says is not looked at."""

    def __init__(self, port, protocol=None):
        super().__init__(port, protocol)
        self.frames = []
        self.socket.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
        self.frame(SETTINGS)
        self.until(lambda kind, flags, *_: kind == SETTINGS and flags & ACK)

    def frame(self, kind, flags=0, stream=0, payload=b''):
        self.socket.sendall(struct.pack('>I', len(payload))[1:] + struct.pack('>BBI', kind, flags, stream) + payload)

    def ask_stream(self, stream, target='/'):
        path = target.encode()
        # RFC 7541: :method GET, :scheme http, :path and :authority spelled out
        block = b'\x82\x86\x04' + bytes([len(path)]) + path + b'\x01\x04test'
        self.frame(HEADERS, END_STREAM | END_HEADERS, stream, block)

    def next(self):
        """(kind, flags, stream, payload) of the next frame; our SETTINGS acknowledgement goes by itself."""
        length, kind, flags, stream = struct.unpack('>IBBI', b'\0' + self.take(9))
        found = kind, flags, stream, self.take(length)
        if kind == SETTINGS and not flags & ACK:
            self.frame(SETTINGS, ACK)
        self.frames.append(found)
        return found

    def until_end(self):
        with contextlib.suppress(AssertionError):  # of take()
            while True:
                self.next()

    def until(self, condition):
        while True:
            found = self.next()
            if condition(*found):
                return found

    def wait_answers(self, *streams):
        """Until each of them has ended, by its response."""
        while not set(streams) <= self.answered():
            self.next()

    def answered(self):
        return {stream for kind, flags, stream, _ in self.frames if kind in (0, HEADERS) and flags & END_STREAM}

    def goaways(self):
        """(last stream, error) of each."""
        return [struct.unpack('>II', payload[:8]) for kind, _, _, payload in self.frames if kind == GOAWAY]

    def refused(self):
        return [stream for kind, _, stream, _ in self.frames if kind == RST_STREAM]
