#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing dies with the supervisor: kill -9, crash and restart of pm2d while its processes run, stop, crash."""

import contextlib
import os
import random
import signal
import subprocess
import time

import booted
from booted import DBusError, V, wait_until

SEED = int(os.environ.get('PM2D_TEST_CHAOS_SEED', '7'))
KILLS = int(os.environ.get('PM2D_TEST_CHAOS_KILLS', '60'))
SLEEPER = '#!/bin/sh\nexec sleep 100000\n'
FAMILY = '#!/bin/sh\nsleep 100001 &\nsetsid sleep 100002 &\nexec sleep 100000\n'
STUBBORN = "#!/bin/sh\ntrap '' INT\nwhile :; do sleep 0.05; done\n"
CRASHER = '#!/bin/sh\nsleep 0.$(( $$ % 5 + 1 ))\nexit $(( $$ % 200 ))\n'
RESTING = ('online', 'stopped', 'errored')


class SurvivalCase(booted.Case):
    def start_one(self, name, text, **attributes):
        return self.client.start_one(self.script(name, text), name=name, **attributes)

    def state(self):
        """(status, pid, restart count) of each process by its path, as a new client sees it."""
        client = self.bus_client(follow=False)
        paths = [f'/org/pm2/Process/{entry["pm_id"]}' for entry in client.manager_call('List')]
        found = {}
        for path in paths:
            values = client.get_all(path, booted.PROCESS)
            found[path] = values
        client.close()
        self.clients.remove(client)
        return found

    def end_daemon(self, number=signal.SIGKILL):
        """Send the signal and wait for the successor."""
        before = self.instance.main_pid()
        os.kill(before, number)
        wait_until(lambda: self.instance.main_pid() not in (0, before), 'a successor runs')
        self.instance.wait_state('active')
        self.reconnect()

    def daemon_fds(self):
        return len(os.listdir(f'/proc/{self.instance.main_pid()}/fd'))

    def reconnect(self):
        for client in self.clients:
            client.close()
        self.clients.clear()
        self.__dict__.pop('client', None)


class Survival(SurvivalCase):
    def test_processes_stay(self):
        # of a SIGSEGV a sanitizer would have something to say
        for signal_number in (signal.SIGKILL, signal.SIGABRT if booted.SANITIZED else signal.SIGSEGV):
            with self.subTest(signal_number):
                path = self.start_one(f'family{signal_number}', FAMILY)
                before = self.state()[path]
                self.end_daemon(signal_number)
                after = self.state()[path]
                for name in ('Status', 'Pid', 'RestartCount', 'UniqueId', 'StartTimestamp', 'Unit', 'ControlGroup',
                             'Name', 'ExecPath', 'OutLogPath', 'Instance', 'CreatedTimestamp'):
                    self.assertEqual(after[name], before[name], name)
                self.assertEqual(after['Tasks'], 3)

    def test_restart_of_the_unit_touches_nothing(self):
        path = self.start_one('family', FAMILY)
        before = self.state()[path]
        self.instance.systemctl('restart', 'pm2')
        self.reconnect()
        self.assertEqual(self.state()[path]['Pid'], before['Pid'])
        self.instance.systemctl('try-restart', 'pm2')
        self.reconnect()
        self.assertEqual(self.state()[path]['Pid'], before['Pid'])

    def test_stop_of_the_unit_stops_all(self):
        paths = [self.start_one(f'family{i}', FAMILY) for i in range(3)]
        pids = [self.state()[path]['Pid'] for path in paths]
        self.instance.stop()
        self.assertFalse([pid for pid in pids if booted.is_alive(pid)])
        self.assert_clean()

    def test_manager_reexec_and_reload(self):
        path = self.start_one('family', FAMILY)
        before = self.state()[path]
        self.instance.systemctl('daemon-reexec')
        self.instance.systemctl('daemon-reload')
        self.end_daemon()
        self.assertEqual(self.state()[path]['Pid'], before['Pid'])

    def test_exit_code_of_an_exit_in_the_down_time(self):
        """Nobody of ours is there to see it."""
        os.mkfifo(self.path('fifo'))
        os.chmod(self.path('fifo'), 0o666)
        path = self.start_one('seven', '#!/bin/sh\nread line <"$1"\nexit 7\n', args=[self.path('fifo')],
                              autorestart=False)
        daemon, before = self.instance.main_pid(), self.state()[path]
        os.kill(daemon, signal.SIGSTOP)  # it sees nothing of what follows
        with open(self.path('fifo'), 'w', encoding='utf-8') as fifo:
            fifo.write('go\n')
        wait_until(lambda: not booted.is_alive(before['Pid']), 'it has exited')
        self.end_daemon()
        wait_until(lambda: self.state()[path]['Status'] == 'stopped', 'its exit is seen')
        after = self.state()[path]
        self.assertEqual((after['ExitCode'], after['ExitSignal'], after['Pid']), (7, '', 0))
        self.assertEqual(after['RestartCount'], 0)

    def test_crash_in_the_down_time_is_restarted(self):
        path = self.start_one('sleeper', SLEEPER)
        before = self.state()[path]
        os.kill(self.instance.main_pid(), signal.SIGSTOP)
        os.kill(before['Pid'], signal.SIGKILL)
        self.end_daemon()
        wait_until(lambda: self.state()[path]['RestartCount'] == 1, 'it is restarted')
        wait_until(lambda: self.state()[path]['Status'] == 'online', 'it is online')

    def test_stop_goes_on(self):
        """A stop that was under way is finished in the time that was left."""
        path = self.start_one('stubborn', STUBBORN, kill_timeout=3000)
        pid = self.state()[path]['Pid']
        started = time.monotonic()
        self.client.manager_call('Stop', 'sa{sv}', 'stubborn', {'wait': V('b', False)})
        self.end_daemon()
        self.assertIn(self.state()[path]['Status'], ('stopping', 'stopped'))
        wait_until(lambda: self.state()[path]['Status'] == 'stopped', 'it is stopped')
        self.assertFalse(booted.is_alive(pid))
        self.assertLess(time.monotonic() - started, 3 + 5)
        self.assertEqual(self.state()[path]['RestartCount'], 0)

    def test_delete_goes_on(self):
        path = self.start_one('stubborn', STUBBORN, kill_timeout=500)
        self.client.manager_call('Delete', 'sa{sv}', 'stubborn', {'wait': V('b', False)})
        self.end_daemon()
        wait_until(lambda: path not in self.state(), 'it is deleted')

    def test_ids_go_on(self):
        first, second = self.start_one('a', SLEEPER), self.start_one('b', SLEEPER)
        self.client.manager_call('Delete', 'sa{sv}', 'b', {})
        self.end_daemon()
        self.assertNotIn(self.start_one('c', SLEEPER), (first, second))

    def test_supervisor_is_back_soon(self):
        """The median of kill -9 until it answers; the figure is printed."""
        path = self.start_one('sleeper', SLEEPER)
        times = []
        for _ in range(50):
            daemon = self.instance.main_pid()
            started = time.monotonic()
            os.kill(daemon, signal.SIGKILL)
            while True:
                with contextlib.suppress(OSError, DBusError, booted.dbus_wire.Disconnected, TimeoutError):
                    client = self.private_client()
                    client.manager_call('GetProcess', 'u', 0, timeout=5)
                    break
            times.append(time.monotonic() - started)
            wait_until(lambda old=daemon: self.instance.main_pid() not in (0, old), 'a successor runs')
            self.reconnect()
        times.sort()
        print(f'# back after kill -9: median {times[25] * 1000:.0f} ms, maximum {times[-1] * 1000:.0f} ms of 50')
        self.assertEqual(self.state()[path]['RestartCount'], 0)


class Reexec(SurvivalCase):
    """A new program in the place of the running one."""

    def reexecute(self):
        self.client.manager_call('Reexecute')
        self.reconnect()
        wait_until(self.answers, 'the successor answers')

    def answers(self):
        with contextlib.suppress(OSError, DBusError, booted.dbus_wire.Disconnected, TimeoutError):
            client = self.private_client()
            client.manager_call('List', timeout=5)
            return True
        self.reconnect()
        return False

    def test_same_pid_and_processes(self):
        path = self.start_one('family', FAMILY)
        daemon, before = self.instance.main_pid(), self.state()[path]
        for _ in range(3):
            self.reexecute()
            after = self.state()[path]
            self.assertEqual((self.instance.main_pid(), after['Pid'], after['RestartCount'], after['Status']),
                             (daemon, before['Pid'], 0, 'online'))
        self.assertEqual(self.instance.show('pm2.service', 'NRestarts'), '0')

    def test_after_a_crash_too(self):
        path = self.start_one('family', FAMILY)
        before = self.state()[path]
        self.end_daemon()
        self.reexecute()
        self.end_daemon()
        self.assertEqual(self.state()[path]['Pid'], before['Pid'])

    def test_fifty_while_fifty_crash(self):
        rng = random.Random(SEED)
        for i in range(50):
            self.start_one(f'crasher{i}', CRASHER, min_uptime=0, max_restarts=1000000)
        quiet = [self.start_one(f'quiet{i}', SLEEPER) for i in range(5)]
        before, daemon, fds = self.state(), self.instance.main_pid(), self.daemon_fds()
        for _ in range(50):
            deadline = time.monotonic() + rng.random() * 0.1
            while time.monotonic() < deadline:
                with contextlib.suppress(Exception):
                    self.client.pump(deadline - time.monotonic())
            self.reexecute()
        after = self.state()
        self.assertEqual(set(after), set(before))
        self.assertEqual(self.instance.main_pid(), daemon)
        for path in quiet:
            self.assertEqual((after[path]['Pid'], after[path]['RestartCount']), (before[path]['Pid'], 0))
        self.client.manager_call('Stop', 'sa{sv}', '/^crasher/', {})
        state = self.state()
        self.assertEqual({entry['Status'] for path, entry in state.items() if path not in quiet}, {'stopped'})
        codes = [entry['ExitCode'] for entry in after.values() if entry['Name'].startswith('crasher')]
        print(f'# 50 re-execs: restarts {sum(e["RestartCount"] for e in after.values())}, fds {fds} -> '
              f'{self.daemon_fds()}, last exit codes known of {sum(code >= 0 for code in codes)} of {len(codes)}')

    def test_pending_call_is_told(self):
        self.start_one('stubborn', STUBBORN, kill_timeout=5000)
        other = self.private_client()
        serial = other.send_call(booted.MANAGER_PATH, booted.MANAGER, 'Stop', 'sa{sv}', 'stubborn', {})
        wait_until(lambda: next(iter(self.state().values()))['Status'] == 'stopping', 'it is being stopped')
        self.client.manager_call('Reexecute')
        with self.assertRaises(DBusError) as caught:
            other.reply_to(serial)
        self.assertEqual(caught.exception.name, 'org.pm2.Error.Restarting')
        self.reconnect()
        wait_until(lambda: self.answers() and next(iter(self.state().values()))['Status'] == 'stopped',
                   'the stop went on')

    def test_commands_by_pm2ctl(self):
        path = self.start_one('sleeper', SLEEPER)
        before = self.state()[path]
        self.tester.run('pm2ctl', 'daemon-reexec')
        self.assertIn('sleeper', self.tester.run('pm2ctl', 'list').stdout)
        self.reconnect()
        self.assertEqual(self.state()[path]['Pid'], before['Pid'])


class Chaos(SurvivalCase):
    """kill -9 of the supervisor at any time, while processes crash and clients command."""

    def chaos_command(self, rng, names):
        """One command that nobody waits for; the supervisor may die under it."""
        verb, name = rng.choice(['Stop', 'Start', 'Restart', 'Restart']), rng.choice(names)
        with contextlib.suppress(DBusError, OSError, booted.dbus_wire.Disconnected, TimeoutError):
            self.client.manager_call(verb, 'sa{sv}', name, {'wait': V('b', False)}, timeout=10)

    def settled(self):
        state = self.state()
        return state if all(entry['Status'] in RESTING for path, entry in state.items()
                            if not entry['Name'].startswith('crasher')) else None

    def scopes_with_processes(self):
        found = {}
        for unit in self.instance.units(kind='scope'):
            group = self.instance.show(unit, 'ControlGroup')
            with contextlib.suppress(FileNotFoundError, OSError):
                pids = booted.read_file(f'{booted.CGROUPS}{group}/cgroup.procs').split()
                if group and pids:
                    found[unit] = [int(pid) for pid in pids]
        return found

    def test_chaos(self):
        rng = random.Random(SEED)
        kinds = {'sleeper': SLEEPER, 'family': FAMILY, 'stubborn': STUBBORN, 'crasher': CRASHER, 'quiet': SLEEPER}
        paths = {}
        for kind, text in kinds.items():
            for i in range(10):
                name = f'{kind}{i}'
                paths[name] = self.start_one(name, text, kill_timeout=300, min_uptime=0, max_restarts=100000)
        commanded = [f'{kind}{i}' for kind in ('sleeper', 'family', 'stubborn') for i in range(10)]
        quiet = {name: self.state()[paths[name]]['Pid'] for name in paths if name.startswith('quiet')}
        fds = self.daemon_fds()
        for _ in range(KILLS):
            for _ in range(rng.randrange(6)):
                self.chaos_command(rng, commanded)
            deadline = time.monotonic() + rng.random() * 0.2
            while time.monotonic() < deadline:
                with contextlib.suppress(Exception):
                    self.client.pump(deadline - time.monotonic())
            self.end_daemon()
        state = wait_until(self.settled, 'all commands are done')
        self.assertEqual(set(state), set(paths.values()), 'none lost, none invented')
        for name, pid in quiet.items():
            entry = state[paths[name]]
            self.assertEqual((entry['Pid'], entry['RestartCount'], entry['Status']), (pid, 0, 'online'), name)
        self.check_reality(state)
        self.client.manager_call('Stop', 'sa{sv}', '/^crasher/', {})
        state = wait_until(self.settled, 'the crashers are stopped')
        self.assertEqual(self.scopes_with_processes().keys(),
                         {entry['Unit'] for entry in state.values() if entry['Pid']}, 'none unmanaged')
        alive = sum(entry['Pid'] > 0 for entry in state.values())
        wait_until(lambda: int(self.instance.show('pm2.service', 'NFileDescriptorStore')) == alive + 2,
                   'a pidfd for each and the state are kept, no more')
        print(f'# {KILLS} kills, seed {SEED}: {alive} of {len(state)} alive, fds {fds} -> {self.daemon_fds()}, '
              f'restarts {sum(entry["RestartCount"] for entry in state.values())}')

    def check_reality(self, state):
        for path, entry in state.items():
            if entry['Status'] == 'online' and not entry['Name'].startswith('crasher'):
                self.assertTrue(booted.is_alive(entry['Pid']), f'{path}: {entry}')
                group = subprocess.run(['cat', f'/proc/{entry["Pid"]}/cgroup'], capture_output=True, text=True,
                                       check=True).stdout
                self.assertIn(entry['Unit'], group)


if __name__ == '__main__':
    booted.main()
