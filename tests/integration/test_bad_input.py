#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever comes in wrong gets a named error that says what and with which value; nothing is half done."""

import os
import socket
import struct

import dbus_wire
import harness
from harness import DBUS_ERROR, MANAGER, MANAGER_PATH, V, options

INVALID_ARGS = DBUS_ERROR + 'InvalidArgs'
# Name, right signature, right arguments.
MANAGER_METHODS = (
    ('Start', 'sa{sv}'), ('StartJson', 'sa{sv}'), ('Validate', 'sa{sv}'), ('Stop', 'sa{sv}'), ('Restart', 'sa{sv}'),
    ('Delete', 'sa{sv}'),
    ('List', ''), ('Describe', 's'), ('SendSignal', 'ssa{sv}'), ('Kill', 'a{sv}'), ('GetProcess', 'u'),
    ('GetProcessByPid', 'u'), ('GetProcessesByName', 's'))
PROCESS_METHODS = (
    ('Start', 'a{sv}'), ('Stop', 'a{sv}'), ('Restart', 'a{sv}'), ('Delete', 'a{sv}'), ('SendSignal', 'sa{sv}'),
    ('GetEnvironment', ''), ('GetConfig', ''))
SAMPLES = {'s': 'x', 'u': 7, 'i': -1, 'd': 0.5, 'b': True, 't': 1 << 40, 'ao': ['/a'], 'a{ss}': {'a': 'b'},
           'v': V('s', 'x'), '(ss)': ('a', 'b'), 'ay': b'x', 'a{sv}': {}, 'g': 's', 'o': '/'}


class BadInput(harness.Case):
    """One app runs all the time; after each case the list is as it was."""

    def setUp(self):
        super().setUp()
        self.client.start_one(self.sleeper(), name='resident')
        self.before = self.listing()
        self.addCleanup(self.check_unchanged)

    def listing(self):
        return [(item['name'], item['pid'], item['pm_id'], item['pm2_env']['status'], item['pm2_env']['restart_time'])
                for item in self.client.list()]

    def check_unchanged(self):
        self.assertIsNone(self.daemon.process.poll(), 'the daemon is gone')
        with self.daemon.connect() as other:
            processes = [path for path in other.managed_objects() if path != MANAGER_PATH]
            self.assertEqual(processes, ['/org/pm2/Process/0'])
        self.assertEqual(self.listing(), self.before)

    def refused(self, names, script, mentions=(), **attributes):
        return self.assert_dbus_error(names, self.client.start, script, mentions=mentions, **attributes)

    # Types

    def test_wrong_signatures_of_every_method(self):
        for path, interface, methods in ((MANAGER_PATH, MANAGER, MANAGER_METHODS),
                                         ('/org/pm2/Process/0', harness.PROCESS, PROCESS_METHODS)):
            for method, right in methods:
                for wrong, value in SAMPLES.items():
                    if wrong == right:
                        continue
                    with self.subTest(f'{interface}.{method}({wrong})'):
                        self.assert_dbus_error(INVALID_ARGS, self.client.call, path, interface, method, wrong, value)
                if right:
                    with self.subTest(f'{interface}.{method}()'):
                        self.assert_dbus_error(INVALID_ARGS, self.client.call, path, interface, method)

    def test_unknown_members_and_objects(self):
        unknown = [DBUS_ERROR + f'Unknown{name}' for name in ('Method', 'Interface', 'Object', 'Property')]
        for path, interface, member in (
                (MANAGER_PATH, MANAGER, 'Fly'), (MANAGER_PATH, 'org.pm2.Nothing', 'List'),
                ('/org/pm2/Process/99', harness.PROCESS, 'GetConfig'),
                ('/org/pm2/Process/x', harness.PROCESS, 'GetConfig'),
                ('/org/pm2/Process/0/1', harness.PROCESS, 'GetConfig'), ('/', MANAGER, 'List'),
                ('/org/pm2/Process/00', harness.PROCESS, 'GetConfig'),
                ('/org/pm2/Process/4294967296', harness.PROCESS, 'GetConfig')):
            with self.subTest(f'{path} {interface}.{member}'):
                self.assert_dbus_error(unknown, self.client.call, path, interface, member)
        self.assert_dbus_error(unknown, self.client.get, MANAGER_PATH, MANAGER, 'Nothing')

    def test_properties_are_read_only(self):
        for path, interface, name in ((MANAGER_PATH, MANAGER, 'Version'),
                                      ('/org/pm2/Process/0', harness.PROCESS, 'Name')):
            self.assert_dbus_error([DBUS_ERROR + 'PropertyReadOnly', DBUS_ERROR + 'AccessDenied'],
                                   self.client.call, path, harness.PROPERTIES, 'Set', 'ssv', interface, name, V('s', 'x'))

    # Targets

    def test_unknown_targets(self):
        for target in ('nobody', '99', 'id:99', 'name:resident2', 'ns:nowhere', 'uid:' + '0' * 32,
                       '/org/pm2/Process/99', '/nobody.*/', 'resident ', 'RESIDENT', '-1', '4294967296',
                       '99999999999999999999'):
            with self.subTest(target):
                for method in ('Stop', 'Restart', 'Delete'):
                    self.assert_dbus_error('NoSuchProcess', self.client.manager_call, method, 'sa{sv}', target, {},
                                           mentions=target)
                self.assert_dbus_error('NoSuchProcess', self.client.describe, target, mentions=target)
                self.assert_dbus_error('NoSuchProcess', self.client.send_signal, target, 'TERM', mentions=target)

    def test_odd_targets(self):
        odd = ['NoSuchProcess', 'InvalidData', INVALID_ARGS]
        for target in ('', '/(/', '//', 'id:', 'id:x', 'name:', 'ns:', 'uid:', 'x' * 100000, '\n',
                       '/' + 'a' * 5000 + '/', '/(a+)+$/', '\u202e'):
            with self.subTest(target[:40]):
                self.assert_dbus_error(odd, self.client.stop, target)
        self.assert_dbus_error('NoSuchProcess', self.client.manager_call, 'GetProcess', 'u', 99, mentions='99')
        self.assert_dbus_error('NoSuchProcess', self.client.manager_call, 'GetProcessByPid', 'u', 1, mentions='1')
        self.assert_dbus_error('NoSuchProcess', self.client.manager_call, 'GetProcessByPid', 'u', 0)
        self.assert_dbus_error('NoSuchProcess', self.client.manager_call, 'GetProcessByPid', 'u', 2**32 - 1)
        self.assertEqual(self.client.manager_call('GetProcessesByName', 's', 'nobody'), [])

    def test_signals_that_are_none(self):
        for text in ('', 'SIGNOTHING', '0', '65', '-1', 'KILL9', '9999999999', 'x' * 70000):
            with self.subTest(text[:40]):
                self.assert_dbus_error(['InvalidConfig', 'InvalidData', INVALID_ARGS],
                                       self.client.send_signal, 'resident', text, mentions=text[:20])

    def test_signal_to_a_process_that_does_not_run(self):
        path = self.client.start_one(self.sleeper(), name='down')
        self.client.stop('down')
        self.assert_dbus_error('NotOnline', self.client.send_signal, 'down', 'TERM', mentions='down')
        self.client.delete(path)

    # Options

    def test_unknown_options(self):
        for method, arguments in (('Stop', ('sa{sv}', 'resident')), ('Restart', ('sa{sv}', 'resident')),
                                  ('Delete', ('sa{sv}', 'resident')), ('SendSignal', ('ssa{sv}', 'resident', 'TERM')),
                                  ('Kill', ('a{sv}',)), ('StartJson', ('sa{sv}', '{"script": "/bin/true"}')),
                                  ('Start', ('sa{sv}', '/bin/true'))):
            with self.subTest(method):
                self.assert_dbus_error(['InvalidConfig', INVALID_ARGS], self.client.manager_call, method, *arguments,
                                       options(no_such_key=1), mentions='no_such_key')

    def test_options_of_the_wrong_type(self):
        for key, value, said in (
                ('wait', V('s', 'perhaps'), 'perhaps'), ('timeout', V('s', 'soon'), 'soon'),
                ('timeout', V('x', -5), '-5'),
                ('wait', V('as', []), 'wait')):
            with self.subTest(f'{key}={value}'):
                self.assert_dbus_error(['InvalidConfig', INVALID_ARGS], self.client.manager_call, 'Stop', 'sa{sv}',
                                       'resident', {key: value}, mentions=(key, said))

    def test_attributes_of_the_wrong_type(self):
        script = self.sleeper('other.sh')
        for key, value, said in (
                ('kill_timeout', V('s', 'long'), 'long'), ('kill_timeout', V('x', -1), '-1'),
                ('kill_timeout', V('s', '1000 years'), '1000 years'), ('max_restarts', V('s', 'many'), 'many'),
                ('max_restarts', V('d', 1.5), '1.5'), ('max_restarts', V('t', 2**63), str(2**63)),
                ('autorestart', V('s', 'maybe'), 'maybe'), ('kill_signal', V('s', 'SIGNOTHING'), 'SIGNOTHING'),
                ('kill_signal', V('i', 77), '77'), ('args', V('i', 5), 'args'), ('name', V('i', 5), 'name'),
                ('name', V('s', ''), 'name'), ('namespace', V('s', ''), 'namespace'), ('env', V('s', 'A=B'), 'env'),
                ('env', V('a{ss}', {'': 'x'}), 'env'), ('env', V('a{ss}', {'A=B': 'x'}), 'A=B'),
                ('name', V('as', ['x']), 'name'), ('cwd', V('b', True), 'cwd'), ('cwd', V('s', ''), 'cwd'),
                ('interpreter', V('s', ''), 'interpreter'), ('out_file', V('s', ''), 'out_file'),
                ('name', V('s', 'n' * 100000), 'name'), ('name', V('s', 'a\nb'), 'name'),
                ('args', V('as', ['a'] * 100000), 'args'), ('args', V('as', ['x' * 200000]), 'args')):
            with self.subTest(f'{key}={str(value)[:60]}'):
                self.refused(['InvalidConfig', 'LimitExceeded', INVALID_ARGS], script, mentions=(key, said),
                             **{'name': 'other', key: value})

    def test_name_with_control_characters(self):
        self.refused(['InvalidConfig'], self.sleeper('other.sh'), name='a\x1b[31mb', mentions='name')

    def test_bytes_and_maps_that_cannot_be(self):
        script = self.sleeper('other.sh')
        nested = V('s', 'x')
        for _ in range(100):
            nested = V('v', nested)
        with_nul = V('ay', b'a\0b')
        for key, value, said in (
                ('args', V('aay', [b'good', b'a\0b']), 'NUL'), ('name', with_nul, 'NUL'),
                ('env', V('a{sv}', {'A': with_nul}), 'NUL'), ('caller_env', V('a{sv}', {'A': with_nul}), 'NUL'),
                ('name', V('ay', b'\xff'), 'UTF-8'), ('namespace', V('ay', b'\xff'), 'UTF-8'),
                ('cwd', V('ay', b'/\xff'), 'UTF-8'), ('kill_timeout', V('ay', b'\xff'), 'kill_timeout'),
                ('env', V('a{ss}', [('A', '1'), ('A', '2')]), 'stands twice'),
                ('env', V('a{ss}', {'A': 'x' * (10 << 20)}), "env.'A'"),
                ('caller_env', V('a{ss}', {'A': 'x' * (10 << 20)}), "env.'A'"),
                ('env', V('a{ss}', {f'V{number}': '' for number in range(100000)}), 'env'),
                ('env', V('a{is}', {1: 'x'}), 'strings'), ('env', V('a{sv}', {'A': V('ay', b'\xff'), 'B=': V('i', 1)}), 'B='),
                ('args', nested, 'args')):
            with self.subTest(f'{key}={str(value)[:60]}'):
                self.refused(['InvalidConfig', 'InvalidData', 'LimitExceeded', INVALID_ARGS], script,
                             mentions=(key, said), **{'name': 'other', key: value})
        twice = [('name', V('s', 'one')), ('name', V('s', 'two'))]
        self.assert_dbus_error([INVALID_ARGS, 'InvalidConfig'], self.client.manager_call, 'Start', 'sa{sv}', script, twice,
                               mentions=('name', 'stands twice'))

    # Files

    def test_missing_files(self):
        script = self.sleeper('other.sh')
        missing = self.path('missing')
        for said, attributes in (
                (missing, {'script': missing}),
                (missing, {'script': script, 'cwd': missing}),
                ('/no/such/interpreter', {'script': script, 'interpreter': '/no/such/interpreter'}),
                ('no-such-interpreter', {'script': script, 'interpreter': 'no-such-interpreter'}),
                ('no-such-program', {'script': 'no-such-program', 'cwd': self.daemon.apps}),
                ('missing.js', {'script': 'missing.js', 'cwd': self.daemon.apps})):
            with self.subTest(said):
                self.refused('InvalidConfig', mentions=said, name='other', **attributes)

    def test_relative_script_without_cwd(self):
        self.refused('InvalidConfig', './other.sh', mentions=('./other.sh', 'cwd'))

    def test_empty_and_huge_scripts(self):
        self.refused('InvalidConfig', '', mentions='script')
        self.refused(['InvalidConfig', 'LimitExceeded'], '/' + 'x' * 5000, mentions='script')
        self.refused(['InvalidConfig', 'LimitExceeded'], 'x' * 1000000, mentions='script')

    def test_script_that_is_no_file(self):
        fifo, folder = self.path('fifo.sh'), self.path('folder.sh')
        os.mkfifo(fifo)
        os.mkdir(folder)
        for path in (fifo, folder, '/dev/null', '/dev/zero', self.daemon.socket_path):
            with self.subTest(path):
                self.refused(['InvalidConfig', 'SpawnFailed'], path, name='other', mentions=path)
                self.refused(['InvalidConfig', 'SpawnFailed'], path, name='other', interpreter='none', mentions=path)

    def test_script_that_cannot_be_executed(self):
        script = self.script('plain', 'no program\n', executable=False)
        self.refused(['SpawnFailed', 'InvalidConfig'], script, interpreter='none', mentions=script)
        script = self.script('bad-format', 'no program\n')
        self.refused(['SpawnFailed', 'InvalidConfig'], script, interpreter='none', mentions=script)
        script = self.script('bad-interpreter', '#!/no/such/interpreter\n')
        error = self.refused(['SpawnFailed', 'InvalidConfig'], script, interpreter='none', mentions=script)
        self.assertIn('/no/such/interpreter', error.message)

    def test_cwd_that_is_no_folder(self):
        script = self.sleeper('other.sh')
        self.refused(['InvalidConfig', 'SpawnFailed'], script, cwd=script, mentions=script)

    def test_log_files_that_are_none(self):
        script = self.sleeper('other.sh')
        fifo, folder = self.path('fifo.log'), self.path('folder.log')
        os.mkfifo(fifo)
        os.mkdir(folder)
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path('socket.log'))
        os.symlink('/etc/passwd', self.path('link.log'))
        for key in ('out_file', 'error_file', 'pid_file'):
            for path in (fifo, folder, self.path('socket.log'), self.path('link.log'), '/dev/tty'):
                with self.subTest(f'{key} {path}'):
                    self.refused(['InvalidConfig', 'SpawnFailed'], script, name='other', mentions=path, **{key: path})

    # JSON

    def test_json_that_is_none(self):
        deep = '[' * 100000 + ']' * 100000
        for text in ('', ' ', 'null', 'x', '{', '{"script"', '[', '[1]', '"text"', '5', 'true', '{}', '{"apps": 5}',
                     '{"apps": [5]}', '{"apps": {}}', deep, '{"script": ' + '[' * 100 + ']' * 100 + '}',
                     '{"script": "/bin/true", "script": "/bin/false"}', '{"script": "/bin/true"} x',
                     "{'script': '/bin/true'}", '{"script": "/bin/true",,}', '{,}', '/* {"script": "/bin/true"}', '{"script": null}', '{"script": 5}',
                     '{"script": "/bin/true", "max_restarts": 1e400}',
                     '{"script": "/bin/true", "max_restarts": 99999999999999999999}',
                     '{"script": "/bin/true", "no_such_key": 1}', '{"script": "/bin/true", "env": {"A": {"b": 1}}}',
                     '{"script": "/bin/true", "env": [1]}', '[{"script": "/bin/true"}, {"script": ""}]',
                     '{"script": "/bin/true"}\ufeff', '{"script": "\\u0000"}', '{"script": "\\ud800"}'):
            with self.subTest(text[:60]):
                self.assert_dbus_error(['InvalidConfig', 'InvalidData', 'LimitExceeded'], self.client.start_json, text)

    def test_json_errors_say_where_and_what(self):
        for document, said in (
                ({'script': '/bin/true', 'kill_timeout': 'long'}, ('kill_timeout', 'long')),
                ({'script': '/bin/true', 'no_such_key': 1}, ('no_such_key',)),
                ([{'script': '/bin/true', 'name': 'one'}, {'script': '/bin/true', 'name': 'two', 'autorestart': 'hm'}],
                 ('autorestart', 'hm')),
                ({'apps': [{'script': self.path('missing'), 'name': 'x'}]}, ('script', self.path('missing')))):
            with self.subTest(str(document)):
                self.assert_dbus_error(['InvalidConfig', 'PartialFailure'], self.client.start_json, document,
                                       mentions=said)

    def test_hostile_json_is_refused_with_the_key(self):
        app = '{"apps": [{"script": "/bin/true",\n %s}]}'
        for text, said in (
                ('[' + '{"script": "/bin/true"},' * (10 << 20 >> 4) + '{}]', ('over 1048576 bytes',)),
                ('[' + '0,' * 100000 + '0]', ('over 65536 values',)),
                (app % ('"env": {"A": ' + '[' * 100000 + ']' * 100000 + '}'), ('line 2, column ', 'too deeply')),
                (app % ('"env": {"A": ' + '{"A": ' * 100000), ('line 2, column ', 'too deeply')),
                (app % '"env": {"A": "1", "\\u0041": "2"}', ('line 2', 'apps[0].env.A', 'stands twice')),
                (app % '"args": ["a", "b\\u0000"]', ('line 2', 'apps[0].args[1]', 'NUL')),
                (app % '"env": {"A\\u0000": "x"}', ('line 2', 'apps[0].env', 'NUL')),
                (app % '"killTimeuot": 1', ('line 2', 'apps[0]', 'killTimeuot', 'did you mean "kill_timeout"?')),
                ('{"aps": []}', ('aps', 'did you mean "apps"?'))):
            with self.subTest(text[:60]):
                error = self.assert_dbus_error(['InvalidConfig', 'InvalidData', 'LimitExceeded'], self.client.start_json,
                                               text, mentions=said)
                self.assertLess(len(error.message), 1000)

    def test_oversized_json(self):
        text = '{"script": "/bin/true", "args": ["' + 'x' * (20 << 20) + '"]}'
        self.assert_dbus_error(['InvalidConfig', 'InvalidData', 'LimitExceeded'], self.client.start_json, text)

    # One name twice

    def test_name_that_is_taken(self):
        self.refused('AlreadyExists', self.sleeper(), name='resident', mentions='resident')

    def test_two_starts_of_one_name_at_once(self):
        script = self.sleeper('other.sh')
        body = (script, options(name='twin'))
        with self.daemon.connect() as one, self.daemon.connect() as two:
            serials = [(client, client.send_call(MANAGER_PATH, MANAGER, 'Start', 'sa{sv}', *body))
                       for client in (one, two, one, two)]
            replies = [client.wait_reply(serial) for client, serial in serials]
        started = [reply for reply in replies if reply.kind == dbus_wire.METHOD_RETURN]
        self.assertEqual(len(started), 1, replies)
        self.assertEqual({reply.error_name for reply in replies if reply not in started},
                         {'org.pm2.Error.AlreadyExists'})
        self.assertEqual(len(self.client.manager_call('GetProcessesByName', 's', 'twin')), 1)
        self.client.delete('twin')

    # The protocol itself

    def test_broken_messages_cost_only_their_sender(self):
        build = dict(path=MANAGER_PATH, interface=MANAGER, member='Stop', signature='sa{sv}')
        good = dbus_wire.build(dbus_wire.METHOD_CALL, serial=1, body=('nobody', {}), **build)
        broken = [
            os.urandom(400), b'', b'l', good[:20], b'x' + good[1:], good[:3] + b'\x09' + good[4:],
            good[:4] + struct.pack('<I', 0xfffffff0) + good[8:], good[:12] + struct.pack('<I', 0x7fffffff) + good[16:],
            dbus_wire.build(dbus_wire.METHOD_CALL, serial=1, raw_body=b'\xff' * 24, **build),
            dbus_wire.build(dbus_wire.METHOD_CALL, serial=1, raw_body=struct.pack('<I', 3) + b'\xff\xfe\xfd\0',
                            **build),
            dbus_wire.build(dbus_wire.METHOD_CALL, serial=1, raw_body=struct.pack('<I', 3) + b'a\0b\0' + bytes(8),
                            **build),
            dbus_wire.build(dbus_wire.METHOD_CALL, serial=1, raw_body=b'', **build),
            dbus_wire.build(dbus_wire.METHOD_CALL, serial=0, body=('nobody', {}), **build),
            dbus_wire.build(dbus_wire.METHOD_CALL, serial=1, body=('nobody', {}), **{**build, 'path': 'no path'}),
            dbus_wire.build(dbus_wire.METHOD_CALL, serial=1, body=('nobody', {}), unix_fds=5, **build),
            dbus_wire.build(dbus_wire.METHOD_RETURN, serial=1, reply_serial=77),
            dbus_wire.build(dbus_wire.SIGNAL, serial=1, path='/a', interface='a.b', member='C'),
        ]
        for number, data in enumerate(broken):
            with self.subTest(number), self.daemon.connect() as other:
                other.send_raw(data)
                try:
                    other.pump(0.2)
                except (dbus_wire.Disconnected, ConnectionError):
                    pass
            self.assertEqual(self.client.list()[0]['name'], 'resident')

    def test_connections_that_never_speak(self):
        silent = []
        for text in (b'', b'\0', b'\0AUTH EXTERNAL 30\r\n', b'\0AUTH ANONYMOUS\r\n', b'\0' + b'x' * 20000):
            peer = socket.socket(socket.AF_UNIX)
            self.addCleanup(peer.close)
            peer.connect(self.daemon.socket_path)
            try:
                peer.sendall(text)
            except ConnectionError:
                pass
            silent.append(peer)
        self.assertEqual(self.client.list()[0]['name'], 'resident')

    def test_client_that_leaves_before_its_reply(self):
        with self.daemon.connect() as other:
            other.send_call(MANAGER_PATH, MANAGER, 'Start', 'sa{sv}', self.sleeper('other.sh'), options(name='orphan'))
        self.client.wait_event('online', 'orphan')
        with self.daemon.connect() as other:
            other.send_call(MANAGER_PATH, MANAGER, 'Delete', 'sa{sv}', 'orphan', {})
        self.client.wait_event('delete', 'orphan')

    def test_no_reply_is_sent_where_none_is_wanted(self):
        serial = self.client.send_call(MANAGER_PATH, MANAGER, 'Stop', 'sa{sv}', 'nobody', {},
                                       flags=dbus_wire.NO_REPLY_EXPECTED)
        self.client.list()
        self.assertEqual([m for m in self.client.received if m.reply_serial == serial], [])


if __name__ == '__main__':
    harness.main()
