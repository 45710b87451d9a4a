#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Without systemd: what a dead supervisor left is found by the next one, and adopted or ended (setting adopt)."""

import os
import signal
import struct
import subprocess

import harness
from harness import wait_until

FAMILY = '#!/bin/sh\nsleep 1001 &\nsetsid sleep 1002 &\nexec sleep 1000\n'
HEADER_BYTES, PID_OFFSET = 64, 52
STATE_FILES = ('state-slots', 'state-blobs')


def fnv1a(data):
    checksum = 0xcbf29ce484222325
    for byte in data:
        checksum = (checksum ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return checksum


class LeftoversCase:
    def state_path(self, name):
        return os.path.join(self.daemon.runtime, 'pm2', name)

    def start_family(self, name='family'):
        path = self.client.start_one(self.script('family.sh', FAMILY), name=name)
        wait_until(lambda: self.client.property(path, 'Tasks') == 3, 'the family is complete')
        return path

    def kill_daemon(self):
        """kill -9, and a new one in its place."""
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.start()
        self._client = self.daemon.connect()

    def app_processes(self):
        return [pid for pid in harness.marked_processes(self.daemon.mark) if pid != self.daemon.process.pid]


class Adopt(LeftoversCase):
    def test_processes_stay(self):
        path = self.start_family()
        before = self.client.properties(path)
        for _ in range(3):
            self.kill_daemon()
            after = self.client.properties(path)
            for name in ('Status', 'Pid', 'RestartCount', 'UniqueId', 'StartTimestamp', 'ControlGroup', 'Name',
                         'OutLogPath', 'Tasks'):
                self.assertEqual(after[name], before[name], name)

    def test_exit_of_an_adopted_process_is_seen(self):
        path = self.client.start_one(self.sleeper(), name='sleeper')
        pid = self.client.property(path, 'Pid')
        self.kill_daemon()
        seen = len(self.client.received)
        os.kill(pid, signal.SIGTERM)
        self.client.wait_event('online', 'sleeper', seen)
        self.assertEqual(self.client.property(path, 'RestartCount'), 1)
        self.assertNotEqual(self.client.property(path, 'Pid'), pid)

    def test_stop_of_an_adopted_process(self):
        path = self.start_family()
        pids = self.app_processes()
        self.kill_daemon()
        self.client.stop('family')
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assert_gone(pids)

    def test_exit_while_nobody_is_there(self):
        path = self.client.start_one(self.sleeper(), name='sleeper')
        stays = self.client.start_one(self.sleeper(), name='stays', autorestart=False)
        pid = self.client.property(path, 'Pid')
        self.daemon.process.kill()
        self.daemon.process.wait()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not harness.is_alive(pid), 'it has ended')
        self.daemon.start()
        self._client = self.daemon.connect()
        self.client.wait_property(path, 'Pid', lambda value: value not in (0, pid))
        self.assertEqual(self.client.property(path, 'RestartCount'), 1)
        self.assertEqual(self.client.property(stays, 'Status'), 'online')

    def test_pid_that_is_anothers_is_left_alone(self):
        """The pid of a record may have been given to a stranger."""
        path = self.client.start_one(self.sleeper(), name='sleeper')
        pid = self.client.property(path, 'Pid')
        self.daemon.process.kill()
        self.daemon.process.wait()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not harness.is_alive(pid), 'it has ended')
        stranger = subprocess.Popen(['sleep', '1000'])
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        self.set_pid_of_record(pid, stranger.pid)
        self.daemon.start()
        self._client = self.daemon.connect()
        self.client.wait_status(path, 'online')
        self.assertNotIn(self.client.property(path, 'Pid'), (pid, stranger.pid))
        self.client.stop('sleeper')
        self.assertIsNone(stranger.poll())

    def set_pid_of_record(self, old, new):
        """In the first slot after the manager's, with the checksum of its copy (src/platform/state-store.c)."""
        with open(self.state_path('state-slots'), 'r+b') as file:
            data = bytearray(file.read())
            slot_bytes = struct.unpack_from('<Q', data, 16)[0]
            slot = HEADER_BYTES + slot_bytes
            commit = struct.unpack_from('<Q', data, slot)[0]
            copy = slot + 8 + (commit & 1) * (slot_bytes - 8) // 2
            _, checksum, size = struct.unpack_from('<QQQ', data, copy)
            content = copy + 24
            self.assertEqual(checksum, fnv1a(data[content:content + size]))
            self.assertEqual(struct.unpack_from('<i', data, content + PID_OFFSET)[0], old)
            struct.pack_into('<i', data, content + PID_OFFSET, new)
            struct.pack_into('<Q', data, copy + 8, fnv1a(data[content:content + size]))
            file.seek(0)
            file.write(data)

    def test_ids_and_stopped_processes_stay(self):
        first, second = (self.client.start_one(self.sleeper(), name=name) for name in ('a', 'b'))
        self.client.stop('b')
        self.kill_daemon()
        self.assertEqual(self.client.property(second, 'Status'), 'stopped')
        self.client.delete('b')
        self.kill_daemon()
        self.assertNotIn(self.client.start_one(self.sleeper(), name='c'), (first, second))

    def test_files_go_with_an_ordered_end(self):
        self.client.start_one(self.sleeper(), name='sleeper')
        for name in STATE_FILES:
            self.assertEqual(os.stat(self.state_path(name)).st_mode & 0o777, 0o600)
        self.daemon.terminate()
        for name in STATE_FILES:
            self.assertFalse(os.path.exists(self.state_path(name)), name)
        self.daemon.start()
        self._client = self.daemon.connect()
        self.assertEqual(self.client.list(), [])

    def break_state(self, change):
        self.daemon.process.kill()
        self.daemon.process.wait()
        change()
        self.daemon.start()
        self._client = self.daemon.connect()
        self.assertEqual(self.client.list(), [])
        self.client.start_one(self.sleeper(), name='other')
        self.client.delete('all')

    def test_strange_state_files(self):
        victim = self.path('victim')
        with open(victim, 'w', encoding='utf-8') as file:
            file.write('precious')

        def write(data):
            def change():
                with open(self.state_path('state-slots'), 'wb') as state:
                    state.write(data)
            return change

        def link():
            os.unlink(self.state_path('state-slots'))
            os.symlink(victim, self.state_path('state-slots'))

        def fifo():
            os.unlink(self.state_path('state-blobs'))
            os.mkfifo(self.state_path('state-blobs'), 0o600)

        for change in (write(b''), write(b'x' * 100000), write(os.urandom(300000)), link, fifo,
                       lambda: os.chmod(self.state_path('state-slots'), 0o666),
                       lambda: os.unlink(self.state_path('state-blobs'))):
            self.break_state(change)
        self.assertEqual(harness.read_file(victim), 'precious')


class AdoptCgroup(Adopt, harness.Case):
    isolation = 'cgroup'

    def test_group_without_a_record_is_ended(self):
        self.start_family()
        pids = self.app_processes()
        self.daemon.process.kill()
        self.daemon.process.wait()
        for name in STATE_FILES:
            os.unlink(self.state_path(name))
        self.daemon.start()
        self._client = self.daemon.connect()
        self.assertEqual(self.client.list(), [])
        wait_until(lambda: not [pid for pid in pids if harness.is_alive(pid)], 'the family is ended')
        wait_until(lambda: len(self.daemon.inner_cgroups()) == 1, 'its folder has gone, that of the supervisor is there')

    def test_groups_that_were_handed_over_are_none_left_on_purpose(self):
        self.start_family()
        pids = self.app_processes()
        self.client.manager_call('Reexecute')
        wait_until(self.daemon.try_connect, 'the successor answers')
        self.daemon.process.kill()
        self.daemon.process.wait()
        for name in STATE_FILES:
            os.unlink(self.state_path(name))
        self.daemon.start()
        wait_until(lambda: not [pid for pid in pids if harness.is_alive(pid)], 'the family is ended')
        wait_until(lambda: len(self.daemon.inner_cgroups()) == 1, 'its folder has gone, that of the supervisor is there')

    def test_pieces_that_were_left_on_purpose_stay(self):
        self.start_family()
        self.client.restart('family', treekill=False)
        path = self.client.manager_call('GetProcessesByName', 's', 'family')[0]
        wait_until(lambda: self.client.property(path, 'Tasks') == 3, 'the family is complete')
        self.client.delete('family')
        pids = self.app_processes()
        self.assertEqual(len(pids), 2)
        self.kill_daemon()
        self.client.list()
        self.assertEqual(sorted(self.app_processes()), sorted(pids))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.app_processes(), 'they have ended')
        self.kill_daemon()  # which removes their empty folder

    def test_cgroup_of_the_successor_may_be_another(self):
        path = self.client.start_one(self.sleeper(), name='sleeper')
        before = self.client.properties(path)
        old = self.daemon.cgroup
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.cgroup_suffix = '-b'
        self.daemon.start()
        self.addCleanup(harness.remove_cgroup, old)
        self._client = self.daemon.connect()
        self.assertEqual(self.client.property(path, 'Pid'), before['Pid'])
        self.client.stop('sleeper')
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.client.start('sleeper')
        self.assertNotEqual(self.client.property(path, 'ControlGroup'), before['ControlGroup'])


class AdoptNone(Adopt, harness.Case):
    isolation = 'none'


class AdoptNothing(LeftoversCase, harness.Case):
    isolation = 'cgroup'
    settings = 'adopt=nothing'

    def test_what_ran_is_ended_and_stays_declared(self):
        path = self.start_family()
        pids = self.app_processes()
        self.kill_daemon()
        self.client.wait_status(path, 'stopped')
        self.assert_gone(pids)
        self.client.start('family')
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_a_new_program_is_no_death(self):
        path = self.start_family()
        pid = self.client.property(path, 'Pid')
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')
        self.assertEqual((self.client.property(path, 'Pid'), self.client.property(path, 'Status')), (pid, 'online'))


class AdoptAll(LeftoversCase, harness.Case):
    isolation = 'cgroup'
    settings = 'adopt=all'

    def test_group_without_a_record_becomes_an_app(self):
        script = self.script('args.sh', '#!/bin/sh\necho "$@" >>seen\nexec sleep 1000\n')
        path = self.client.start_one(script, name='api', cwd=self.daemon.apps, args=['one', 'two words'],
                                     env={'COLOUR': 'green'})
        harness.wait_file(self.path('seen'))
        pid = self.client.property(path, 'Pid')
        self.daemon.process.kill()
        self.daemon.process.wait()
        for name in STATE_FILES:
            os.unlink(self.state_path(name))
        self.daemon.start()
        self._client = self.daemon.connect()
        [entry] = self.client.describe('api')
        self.assertEqual((entry['pid'], entry['pm2_env']['status']), (pid, 'online'))
        path = f'/org/pm2/Process/{entry["pm_id"]}'
        self.assertTrue(self.client.property(path, 'ExecPath').endswith('/sleep'))
        self.assertEqual(self.client.property(path, 'Cwd'), self.daemon.apps)
        seen = len(self.client.received)
        os.kill(pid, signal.SIGKILL)
        self.client.wait_event('online', 'api', seen)
        successor = self.client.property(path, 'Pid')
        self.assertEqual(harness.command_line(successor).split()[-1], '1000')
        self.assertIn('COLOUR=green', harness.read_file(f'/proc/{successor}/environ').split('\0'))


class Backoff(harness.Case):
    """A supervisor that dies again and again while it starts waits before it starts."""

    def test_only_starts_that_did_not_get_to_their_end_count(self):
        daemon = self.new_daemon(isolation='scope')  # without systemd it cannot
        for _ in range(4):
            daemon.start(wait=False)
            self.assertNotEqual(daemon.wait_exit(), 0)
        daemon.isolation = 'none'
        daemon.write_settings()
        daemon.start()
        self.assertIn('4 starts before this one did not get to their end: waiting 400 ms', daemon.log_text())
        seen = len(daemon.log_text())
        for _ in range(4):
            daemon.process.kill()
            daemon.process.wait()
            daemon.start()
        self.assertNotIn('waiting', daemon.log_text()[seen:])

    def test_a_stop_is_not_kept_waiting(self):
        daemon = self.new_daemon(isolation='scope')
        for _ in range(5):
            daemon.start(wait=False)
            self.assertNotEqual(daemon.wait_exit(), 0)
        daemon.isolation = 'none'
        daemon.write_settings()
        daemon.start(wait=False)
        wait_until(lambda: 'waiting 800 ms' in daemon.log_text(), 'it waits')
        daemon.terminate()
        self.assertEqual(daemon.status, 0)


if __name__ == '__main__':
    harness.main()
