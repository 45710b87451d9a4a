# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small D-Bus client in plain Python, for peers on a socket: it says exactly what a test wants said, right or
wrong, and keeps every message in the order in which it came."""

import collections
import os
import select
import socket
import struct
import time

METHOD_CALL, METHOD_RETURN, ERROR, SIGNAL = 1, 2, 3, 4
NO_REPLY_EXPECTED, NO_AUTO_START = 1, 2
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE, UNIX_FDS = range(1, 10)
FIELD_TYPES = {PATH: 'o', INTERFACE: 's', MEMBER: 's', ERROR_NAME: 's', REPLY_SERIAL: 'u', DESTINATION: 's',
               SENDER: 's', SIGNATURE: 'g', UNIX_FDS: 'u'}
FIXED = {'y': 'B', 'b': 'I', 'n': 'h', 'q': 'H', 'i': 'i', 'u': 'I', 'x': 'q', 't': 'Q', 'd': 'd', 'h': 'I'}
ALIGNMENT = {**{code: struct.calcsize(form) for code, form in FIXED.items()},
             's': 4, 'o': 4, 'g': 1, 'v': 1, 'a': 4, '(': 8, '{': 8}

# A variant: its type and its value.
V = collections.namedtuple('V', 'signature value')


class DBusError(Exception):
    """An error reply: its name and its text."""

    def __init__(self, name, message):
        super().__init__(f'{name}: {message}')
        self.name, self.message = name, message


class Disconnected(Exception):
    pass


def split_signature(signature):
    """The complete types that a signature is made of."""
    types, start = [], 0
    while start < len(signature):
        end = start
        while signature[end] == 'a':
            end += 1
        if signature[end] in '({':
            depth = 0
            while True:
                depth += {'(': 1, '{': 1, ')': -1, '}': -1}.get(signature[end], 0)
                if depth == 0:
                    break
                end += 1
        types.append(signature[start:end + 1])
        start = end + 1
    return types


class Writer:
    def __init__(self):
        self.data = bytearray()

    def align(self, size):
        self.data += bytes(-len(self.data) % size)

    def write(self, kind, value):
        code = kind[0]
        self.align(ALIGNMENT[code])
        if code in FIXED:
            self.data += struct.pack('<' + FIXED[code], value)
        elif code in 'so':
            raw = value if isinstance(value, bytes) else value.encode()
            self.data += struct.pack('<I', len(raw)) + raw + b'\0'
        elif code == 'g':
            self.data += bytes([len(value)]) + value.encode() + b'\0'
        elif code == 'v':
            self.write('g', value.signature)
            self.write(value.signature, value.value)
        elif code == 'a':
            self.write_array(kind[1:], value)
        else:
            for part, item in zip(split_signature(kind[1:-1]), value):
                self.write(part, item)

    def write_array(self, kind, value):
        length_at = len(self.data)
        self.data += bytes(4)
        self.align(ALIGNMENT[kind[0]])
        start = len(self.data)
        for item in (value.items() if isinstance(value, dict) else value):
            self.write(kind, item)
        struct.pack_into('<I', self.data, length_at, len(self.data) - start)


class Reader:
    def __init__(self, data, order='<', variants=False):
        self.data, self.order, self.variants, self.position = data, order, variants, 0

    def align(self, size):
        self.position += -self.position % size

    def take(self, count):
        start = self.position
        self.position += count
        if self.position > len(self.data):
            raise ValueError('message too short')
        return self.data[start:self.position]

    def read(self, kind):
        code = kind[0]
        self.align(ALIGNMENT[code])
        if code in FIXED:
            form = self.order + FIXED[code]
            value = struct.unpack(form, self.take(struct.calcsize(form)))[0]
            return bool(value) if code == 'b' else value
        if code in 'so':
            length = struct.unpack(self.order + 'I', self.take(4))[0]
            return self.take(length + 1)[:-1].decode()
        if code == 'g':
            return self.take(self.take(1)[0] + 1)[:-1].decode()
        if code == 'v':
            signature = self.read('g')
            value = self.read(signature)
            return V(signature, value) if self.variants else value
        if code == 'a':
            return self.read_array(kind[1:])
        return tuple(self.read(part) for part in split_signature(kind[1:-1]))

    def read_array(self, kind):
        length = struct.unpack(self.order + 'I', self.take(4))[0]
        self.align(ALIGNMENT[kind[0]])
        end = self.position + length
        items = []
        while self.position < end:
            items.append(self.read(kind))
        return dict(items) if kind[0] == '{' else bytes(items) if kind == 'y' else items


def build(kind, *, serial, path=None, interface=None, member=None, destination=None, signature='', body=(),
          flags=0, raw_body=None, reply_serial=None, error_name=None, unix_fds=None):
    """The bytes of a message. raw_body stands for a body that is not what the signature says."""
    fields = [(PATH, path), (INTERFACE, interface), (MEMBER, member), (DESTINATION, destination),
              (SIGNATURE, signature or None), (REPLY_SERIAL, reply_serial), (ERROR_NAME, error_name),
              (UNIX_FDS, unix_fds)]
    if raw_body is None:
        content = Writer()
        for part, value in zip(split_signature(signature), body):
            content.write(part, value)
        raw_body = bytes(content.data)
    header = Writer()
    header.data += struct.pack('<BBBBII', ord('l'), kind, flags, 1, len(raw_body), serial)
    header.write('a(yv)', [(code, V(FIELD_TYPES[code], value)) for code, value in fields if value is not None])
    header.align(8)
    return bytes(header.data) + raw_body


class Message:
    """One received message; body has variants as plain values, typed_body as V(signature, value)."""

    def __init__(self, data, fds):
        self.order = '<' if data[0:1] == b'l' else '>'
        self.kind, self.flags = data[1], data[2]
        self.body_length, self.serial = struct.unpack_from(self.order + 'II', data, 4)
        reader = Reader(data, self.order)
        reader.position = 12
        fields = dict(reader.read('a(yv)'))
        self.path, self.interface, self.member = (fields.get(key) for key in (PATH, INTERFACE, MEMBER))
        self.error_name, self.reply_serial = fields.get(ERROR_NAME), fields.get(REPLY_SERIAL)
        self.sender, self.signature = fields.get(SENDER), fields.get(SIGNATURE, '')
        self.fds = fds
        reader.align(8)
        self.raw_body = data[reader.position:]

    def _parse(self, variants):
        reader = Reader(self.raw_body, self.order, variants)
        return [reader.read(part) for part in split_signature(self.signature)]

    @property
    def body(self):
        return self._parse(False)

    @property
    def typed_body(self):
        return self._parse(True)

    def __repr__(self):
        names = {METHOD_CALL: 'call', METHOD_RETURN: 'return', ERROR: 'error', SIGNAL: 'signal'}
        what = self.error_name or f'{self.interface}.{self.member}'
        return f'<{names.get(self.kind)} {self.reply_serial or ""} {self.path} {what} {self.body!r:.300}>'


class Connection:
    """A client of a D-Bus peer on a socket. Everything received stays in .received, in order."""

    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = bytearray()
        self.fds = []
        self.received = []
        self.serial = 0
        self._authenticate()

    def _authenticate(self):
        self.socket.sendall(b'\0AUTH EXTERNAL ' + str(os.getuid()).encode().hex().encode() + b'\r\n')
        answer = self._auth_line()
        if not answer.startswith(b'OK '):
            raise DBusError('org.freedesktop.DBus.Error.AuthFailed', answer.decode(errors='replace'))
        self.socket.sendall(b'NEGOTIATE_UNIX_FD\r\n')
        self._auth_line()
        self.socket.sendall(b'BEGIN\r\n')

    def _auth_line(self):
        while b'\r\n' not in self.buffer:
            data = self.socket.recv(4096)
            if not data:
                raise Disconnected('during authentication')
            self.buffer += data
        line, _, rest = bytes(self.buffer).partition(b'\r\n')
        self.buffer = bytearray(rest)
        return line

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Receiving

    def _message_size(self):
        if len(self.buffer) < 16:
            return None
        order = '<' if self.buffer[0:1] == b'l' else '>'
        body, _, fields = struct.unpack_from(order + 'III', self.buffer, 4)
        return 16 + fields + (-fields % 8) + body

    def _parse(self):
        while True:
            size = self._message_size()
            if size is None or len(self.buffer) < size:
                return
            data = bytes(self.buffer[:size])
            del self.buffer[:size]
            self.received.append(Message(data, self.fds))

    def pump(self, timeout):
        """Receive what comes within the time. False if nothing did."""
        ready, _, _ = select.select([self.socket], [], [], max(0, timeout))
        if not ready:
            return False
        data, fds, _, _ = socket.recv_fds(self.socket, 1 << 20, 64)
        self.fds += fds
        if not data:
            raise Disconnected('the other side closed the connection')
        self.buffer += data
        self._parse()
        return True

    def wait_message(self, predicate, timeout=60, start=0):
        """The first message from position start on that the predicate likes. Waits for it."""
        deadline = time.monotonic() + timeout
        position = start
        while True:
            while position < len(self.received):
                message = self.received[position]
                position += 1
                if predicate(message):
                    return message
            if not self.pump(deadline - time.monotonic()) and time.monotonic() >= deadline:
                raise TimeoutError(f'no such message in {timeout} s; got since: {self.received[start:]!r:.4000}')

    def drain(self):
        """Take in what is there already."""
        while self.pump(0):
            pass

    # Sending

    def next_serial(self):
        self.serial += 1
        return self.serial

    def send_raw(self, data):
        self.socket.sendall(data)

    def send_call(self, path, interface, member, signature='', *body, flags=0, raw_body=None, destination=None):
        """Send a call and return its serial, to wait for by reply_to()."""
        serial = self.next_serial()
        self.send_raw(build(METHOD_CALL, serial=serial, path=path, interface=interface, member=member, flags=flags,
                            signature=signature, body=body, raw_body=raw_body, destination=destination))
        return serial

    def wait_reply(self, serial, timeout=60):
        """The message that answers a serial, be it an error."""
        return self.wait_message(lambda m: m.reply_serial == serial and m.kind in (METHOD_RETURN, ERROR), timeout)

    def reply_to(self, serial, timeout=60):
        """The reply to a serial; raises DBusError for an error reply."""
        reply = self.wait_reply(serial, timeout)
        if reply.kind == ERROR:
            body = reply.body
            raise DBusError(reply.error_name, body[0] if body and isinstance(body[0], str) else '')
        return reply

    def call(self, path, interface, member, signature='', *body, timeout=60):
        """Call and wait. The one value of the reply, or the list of them if there is none or several."""
        values = self.call_message(path, interface, member, signature, *body, timeout=timeout).body
        return values[0] if len(values) == 1 else values

    def call_message(self, path, interface, member, signature='', *body, timeout=60):
        return self.reply_to(self.send_call(path, interface, member, signature, *body), timeout)

    def get(self, path, interface, name):
        return self.call(path, 'org.freedesktop.DBus.Properties', 'Get', 'ss', interface, name)

    def get_all(self, path, interface):
        return self.call(path, 'org.freedesktop.DBus.Properties', 'GetAll', 's', interface)

    def introspect(self, path):
        return self.call(path, 'org.freedesktop.DBus.Introspectable', 'Introspect')
