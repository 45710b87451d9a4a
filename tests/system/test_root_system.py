#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The system instance: one service, several users, each its own processes."""

import json
import os
import select
import shutil
import stat
import subprocess
import urllib.request

import booted
import inherited
from booted import wait_until

SERVICE_VARIABLES = ('INVOCATION_ID', 'JOURNAL_STREAM', 'SYSTEMD_EXEC_PID', 'MEMORY_PRESSURE_WATCH',
                     'MEMORY_PRESSURE_WRITE')
SIGPIPE_BIT = 1 << 12


class SystemCase(booted.Case):
    system = True

    def setUp(self):
        super().setUp()
        self.second = booted.User(booted.SECOND_USER)

    def sleeper(self):
        return self.script('sleeper', '#!/bin/sh\nexec sleep 1000\n')

    def start(self, user, name='app', command=('/usr/bin/sleep', '1000'), environment=None, **attributes):
        """Start as a user, over the bus. Returns the object path."""
        client = self.bus_client(user)
        values = {'name': name, 'args': list(command[1:]), **attributes}
        return client.start_one(command[0], **values, **({'env': environment} if environment else {}))


class TwoUsers(SystemCase):
    def test_two_web_servers(self):
        """Plain busctl of two users starts the service and a server for each, which runs as its owner."""
        app = shutil.copy(os.path.join(booted.APPS, 'api.js' if shutil.which('node') else 'api.py'), self.work)
        for number, user in enumerate((self.tester, self.second)):
            port_file = self.path(f'port{number}')
            paths = user.call('system', 'Start', 'sa{sv}', app, '2', 'name', 's', f'web-{user.name}', 'env', 'a{ss}', '2',
                              'PORT', '0', 'PORT_FILE', port_file)
            self.assertEqual(paths, [f'/org/pm2/Process/{number}'])
            port = booted.wait_file(port_file, str.strip)
            pid = self.client.property(paths[0], 'Pid')
            with urllib.request.urlopen(f'http://127.0.0.1:{port}/', timeout=10) as reply:
                self.assertEqual(reply.read().decode(), f'hello from web-{user.name}, pid {pid}\n')
            self.assertEqual(os.stat(f'/proc/{pid}').st_uid, user.uid)
            self.assertEqual(self.client.property(paths[0], 'Owner'), user.uid)
            self.assertRegex(self.client.property(paths[0], 'ControlGroup'),
                             rf'^/pm2\.slice/pm2-u{user.uid}\.slice/pm2-u{user.uid}-\d+\.slice/app-pm2-.*\.scope$')
        self.assertEqual(self.instance.main_pid(), int(self.instance.show('pm2.service', 'MainPID')))
        self.assertEqual([item['name'] for item in self.client.list()], ['web-tester', 'web-second'])

    def test_examples(self):
        """Those of docs/examples, of an ordinary user."""
        for name in ('busctl.sh', 'gdbus.sh'):
            with self.subTest(name):
                output = self.second.run(os.path.join(booted.TOP, 'docs', 'examples', name), '--system').stdout
                self.assertIn('online', output)
                self.assertEqual(self.client.list(), [])

    def test_each_sees_its_own(self):
        mine, other = self.start(self.tester, 'mine'), self.start(self.second, 'other')
        root = self.start(self.root, 'of-root')
        for connect in (self.bus_client, self.private_client):
            for user, names in ((self.tester, ['mine']), (self.second, ['other']),
                                (self.root, ['mine', 'other', 'of-root'])):
                with self.subTest(user=user.name, connect=connect.__name__):
                    client = connect(user)
                    self.assertEqual([item['name'] for item in client.list()], names)
                    self.assertEqual([item['name'] for item in client.describe('all')], names)
                    self.assertEqual(len(client.manager_call('GetProcessesByName', 's', 'mine')), int('mine' in names))
        for path, user in ((mine, self.tester), (other, self.second), (root, self.root)):
            self.assertEqual(self.client.property(path, 'Owner'), user.uid)

    def test_nobody_commands_what_is_not_theirs(self):
        mine = self.start(self.tester, 'mine')
        pid = self.client.property(mine, 'Pid')
        for connect in (self.bus_client, self.private_client):
            other = connect(self.second)
            for target in ('mine', '0', 'name:mine', '/mi.*/', mine, 'default',
                           'uid:' + self.client.property(mine, 'UniqueId')):
                for verb in ('Stop', 'Restart', 'Delete'):
                    with self.subTest(target=target, verb=verb):
                        with self.assertRaises(booted.DBusError) as caught:
                            other.manager_call(verb, 'sa{sv}', target, {})
                        self.assertIn(caught.exception.name, ('org.pm2.Error.NoSuchProcess',
                                                              'org.freedesktop.DBus.Error.AccessDenied'))
                with self.assertRaises(booted.DBusError):
                    other.send_signal(target, 'KILL')
            for verb, signature, body in (('Stop', 'a{sv}', [{}]), ('Restart', 'a{sv}', [{}]), ('Delete', 'a{sv}', [{}]),
                                          ('Start', 'a{sv}', [{}]), ('SendSignal', 'sa{sv}', ['KILL', {}]),
                                          ('GetEnvironment', '', []), ('GetConfig', '', [])):
                with self.subTest(method=verb):
                    with self.assertRaises(booted.DBusError) as caught:
                        other.call(mine, booted.PROCESS, verb, signature, *body)
                    self.assertIn(caught.exception.name.rpartition('.')[2],
                                  ('AccessDenied', 'NoSuchProcess', 'UnknownObject'))
            # "all" is all of one's own: none
            for verb in ('Stop', 'Restart', 'Delete'):
                try:
                    self.assertEqual(other.manager_call(verb, 'sa{sv}', 'all', {}), [])
                except booted.DBusError as error:
                    self.assertEqual(error.name, 'org.pm2.Error.NoSuchProcess')
        self.assertEqual(self.client.property(mine, 'Pid'), pid)
        self.assertEqual(self.client.property(mine, 'Status'), 'online')
        # its owner and root may
        self.bus_client(self.tester).restart('mine')
        self.client.delete('mine')
        self.assertEqual(self.bus_client(self.tester).list(), [])

    def test_message_bus(self):
        """Each user reads of their own processes alone, whatever is asked for, and root of all."""
        self.instance.start()
        readers = {}
        for user, targets in ((self.root, ('all',)), (self.tester, ('all', 'of-second')), (self.second, ('all', 'id:0'))):
            for target in targets:
                client = self.bus_client(user)
                client.manager_call('OpenBus', 'a{sv}', booted.options(target=target))
                readers[user.name, target] = client.fds.pop()
                self.addCleanup(os.close, readers[user.name, target])
            client.manager_call('Subscribe')
        for user in (self.tester, self.second):
            self.start(user, f'of-{user.name}')
        self.client.delete('all')

        def names(fd):
            os.set_blocking(fd, False)
            lines = os.read(fd, 1 << 16).decode().splitlines() if select.select([fd], [], [], 0)[0] else []
            return {json.loads(line)['process']['name'] for line in lines}

        self.assertEqual({key: names(fd) for key, fd in readers.items()},
                         {('root', 'all'): {'of-tester', 'of-second'},
                          ('tester', 'all'): {'of-tester'}, ('tester', 'of-second'): set(),
                          ('second', 'all'): {'of-second'}, ('second', 'id:0'): set()})

    def test_the_same_name_twice(self):
        """Names are each user's own."""
        mine, other = self.start(self.tester, 'web'), self.start(self.second, 'web')
        self.bus_client(self.second).delete('web')
        self.assertEqual(self.client.property(mine, 'Status'), 'online')
        self.assertNotIn(other, self.client.managed_objects())

    def test_files_are_read_as_their_owner(self):
        """What env_file and credentials name; and the copies are the owner's alone."""
        for name, mode in (('open', 0o644), ('closed', 0o600)):
            with open(self.path(name), 'w', encoding='ascii') as file:
                file.write('WORD=read\n')
            os.chmod(self.path(name), mode)
        for attributes in ({'env_file': self.path('closed')}, {'credentials': {'word': self.path('closed')}}):
            with self.assertRaises(booted.DBusError) as caught:
                self.start(self.tester, **attributes)
            self.assertIn(f"'{self.path('closed')}': Permission denied", str(caught.exception))
        path = self.start(self.tester, env_file=self.path('open'), credentials={'word': self.path('open')})
        with open(f'/proc/{self.client.property(path, "Pid")}/environ', encoding='utf-8') as file:
            variables = file.read().split('\0')
        self.assertIn('WORD=read', variables)
        folder = '/run/pm2/credentials/' + self.client.property(path, 'UniqueId')
        self.assertIn('CREDENTIALS_DIRECTORY=' + folder, variables)
        for name, mode in ((folder, 0o700), (folder + '/word', 0o400)):
            status = os.stat(name)
            self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (self.tester.uid, mode))
        self.assertEqual(os.stat(os.path.dirname(folder)).st_uid, 0)
        self.assertNotEqual(self.second.run('cat', folder + '/word', check=False).returncode, 0)
        self.assertEqual(self.tester.run('cat', folder + '/word').stdout, 'WORD=read\n')
        self.client.delete('app')
        self.assertEqual(os.listdir('/run/pm2/credentials'), [])

    def test_kill_is_for_root(self):
        self.start(self.tester, 'mine')
        pid = self.instance.main_pid()
        for connect in (self.bus_client, self.private_client):
            with self.assertRaises(booted.DBusError) as caught:
                connect(self.tester).manager_call('Kill', 'a{sv}', {})
            self.assertEqual(caught.exception.name, 'org.freedesktop.DBus.Error.AccessDenied')
        self.assertEqual(self.instance.main_pid(), pid)
        self.instance.keep_loaded(self.client)
        self.root.call('system', 'Kill', 'a{sv}', '0')
        self.instance.wait_state('inactive')
        self.assertEqual(self.instance.show('pm2.service', 'ExecMainStatus'), '79')
        self.assertEqual(self.instance.show('pm2.service', 'NRestarts'), '0')
        self.assert_clean()

    def test_an_eavesdropper_hears_nothing_private(self):
        """What is broadcast on the system bus is heard by everybody."""
        canary = 'canary-4711'
        self.instance.start()
        listener = self.bus_client(self.second)
        peer = self.private_client(self.second)
        path = self.start(self.tester, 'quiet', (self.sleeper(), canary), environment={'SECRET': canary},
                          autorestart=False, cwd=self.work)
        owner = self.bus_client(self.tester)
        owner.restart('quiet')
        owner.send_signal('quiet', 'KILL')
        owner.wait_event('exit')
        owner.delete('quiet')
        listener.wait_message(lambda m: m.member == 'InterfacesRemoved' and path in m.body)
        for client in (listener, peer):
            client.drain()
            told = [message for message in client.received if canary.encode() in message.raw_body]
            self.assertEqual(told, [])

    def test_objects_tell_strangers_nothing_private(self):
        canary = 'canary-4712'
        self.start(self.tester, 'quiet', (self.sleeper(), canary), environment={'SECRET': canary})
        speaker = self.script('speaker', f'#!/bin/sh\nsystemd-notify --status={canary}\nexec sleep 1000\n')
        path = self.start(self.tester, 'speaker', (speaker,), notify='systemd')
        self.private_client(self.tester).wait_property(path, 'StatusText', canary)
        other = self.bus_client(self.second)
        self.assertNotIn(canary, repr(other.managed_objects()))
        self.assertNotIn(canary, repr(other.list()))
        journal = self.instance.journal()
        self.assertNotIn(canary, journal)
        own = self.bus_client(self.tester)
        self.assertIn(canary, repr(own.call('/org/pm2/Process/0', booted.PROCESS, 'GetEnvironment')))

    def test_slices(self):
        for user in (self.tester, self.second):
            document = [{'script': '/usr/bin/sleep', 'args': '1000', 'name': f's{n}'} for n in range(40)]
            self.bus_client(user).start_json(document)
        slices = self.instance.units('pm2-u*-*', 'slice')
        self.assertEqual(len(slices), 4)
        for user in (self.tester, self.second):
            self.assertEqual(len([name for name in slices if name.startswith(f'pm2-u{user.uid}-')]), 2)
            self.assertIn(f'pm2-u{user.uid}.slice', self.instance.units(kind='slice'))
        self.bus_client(self.second).delete('all')
        wait_until(lambda: not self.instance.units('pm2-u1501*'), 'the slices of one user go', 10)
        self.assertEqual(len(self.instance.units('pm2-u1500-*', 'slice')), 2)
        self.client.delete('all')
        self.assert_clean()
        self.assertEqual(self.instance.units('app-pm2*', 'scope'), [])


class AsOwner(SystemCase):
    def output(self, user, command, **attributes):
        """What a command prints as an app of a user."""
        folder = self.path(f'of-{user.name}')
        os.makedirs(folder, exist_ok=True)
        os.chown(folder, user.uid, user.gid)
        path = self.start(user, 'probe', command, autorestart=False, out_file=f'{folder}/out', interpreter='none',
                          **attributes)
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.client.property(path, 'ExitCode'), 0)
        self.client.delete('probe')
        text = booted.read_file(f'{folder}/out')
        os.unlink(f'{folder}/out')
        return text

    def as_service(self, user, command):
        return subprocess.run(['systemd-run', f'--uid={user.name}', '--quiet', '--pipe', '--wait', '--collect', *command],
                              capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout

    def test_status_limits_mounts(self):
        """As "systemd-run --uid=" has it, but that services ignore SIGPIPE."""
        for user in (self.tester, self.second):
            ours = inherited.comparable(inherited.parse_head(self.output(user, inherited.HEAD)))
            service = inherited.comparable(inherited.parse_head(self.as_service(user, inherited.HEAD)))
            self.assertEqual(int(service['status SigIgn'], 16), SIGPIPE_BIT)
            service['status SigIgn'] = ours['status SigIgn']
            self.assertEqual(int(ours['status SigIgn'], 16), 0)
            self.assertEqual(ours, service)
            self.assertEqual(int(ours['status CapEff'], 16), 0)
            self.assertEqual(int(ours['status CapPrm'], 16), 0)

    def test_the_rest(self):
        command = ['/usr/bin/python3', inherited.__file__]
        for user in (self.tester, self.second):
            ours = json.loads(self.output(user, command))
            service = json.loads(self.as_service(user, command))
            self.assertEqual(ours, service)

    def test_groups(self):
        """All groups of the user, none of ours."""
        subprocess.run(['groupadd', '--force', 'pm2-extra'], check=True)
        subprocess.run(['usermod', '--append', '--groups', 'pm2-extra', self.second.name], check=True)
        try:
            text = self.output(self.second, ['/usr/bin/id'])
            self.assertEqual(text, self.second.run('id').stdout)
            self.assertIn('pm2-extra', text)
        finally:
            subprocess.run(['gpasswd', '--delete', self.second.name, 'pm2-extra'], check=True, capture_output=True)

    def test_environment(self):
        """What a login would set, from passwd; the runtime folder only of who has one; nothing of root's."""
        for user, has_runtime in ((self.tester, True), (self.second, False)):
            ours = inherited.environment(inherited.parse_head(self.output(user, inherited.HEAD)))
            service = inherited.environment(inherited.parse_head(self.as_service(user, inherited.HEAD)))
            for name in ('HOME', 'USER', 'LOGNAME', 'SHELL'):
                self.assertEqual(ours[name], service[name], name)
            self.assertEqual(ours['HOME'], user.home)
            self.assertEqual('XDG_RUNTIME_DIR' in ours, has_runtime)
            self.assertEqual('DBUS_SESSION_BUS_ADDRESS' in ours, has_runtime)
            self.assertEqual([name for name in SERVICE_VARIABLES if name in ours], [])
            self.assertEqual([name for name in ours if name.startswith(('NOTIFY_', 'LISTEN_', 'WATCHDOG_'))], [])
            self.assertEqual([value for value in ours.values() if '/root' in value], [])

    def test_logs_are_the_owners(self):
        app = self.script('talk', '#!/bin/sh\necho said\nexec sleep 1000\n')
        path = self.start(self.second, 'talk', (app,))
        log = self.client.property(path, 'OutLogPath')
        self.assertEqual(log, '/var/log/pm2/second/talk-out.log')
        self.assertEqual(booted.wait_file(log), 'said\n')
        self.assertEqual(os.stat(log).st_uid, self.second.uid)
        self.assertEqual(self.second.run('cat', log).stdout, 'said\n')

    def test_files_are_opened_as_the_owner(self):
        """No file that the owner may not write is touched for them."""
        secret = self.path('of-root')
        with open(secret, 'w', encoding='ascii') as file:
            file.write('untouched\n')
        os.chmod(secret, stat.S_IRUSR | stat.S_IWUSR)
        folder = self.path('folder-of-root')
        os.mkdir(folder, 0o700)
        link = self.path('link')
        os.symlink(secret, link)
        for attributes in ({'out_file': secret}, {'error_file': secret}, {'pid_file': secret}, {'out_file': link},
                           {'out_file': f'{folder}/new'}, {'cwd': folder}, {'out_file': '/etc/pm2-test/log'}):
            with self.subTest(**attributes):
                with self.assertRaises(booted.DBusError):
                    self.start(self.second, 'thief', **attributes)
                self.client.delete('all') if self.client.list() else None
        self.assertEqual(booted.read_file(secret), 'untouched\n')
        self.assertEqual(os.listdir(folder), [])
        self.assertFalse(os.path.exists('/etc/pm2-test'))

    def test_programs_are_executed_as_the_owner(self):
        program = self.script('of-root-alone', '#!/bin/sh\nexec sleep 1000\n')
        os.chmod(program, 0o700)
        with self.assertRaises(booted.DBusError):
            self.start(self.second, 'thief', (program,), interpreter='none')
        self.client.delete('all') if self.client.list() else None
        self.assert_clean()


if __name__ == '__main__':
    booted.main()
