#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing dies with the supervisor: kill -9, crash and restart of pm2d while its processes run, stop, crash."""

import contextlib
import os
import random
import shutil
import signal
import time

import booted
from booted import DBusError, V, wait_until

SEED = int(os.environ.get('PM2D_TEST_CHAOS_SEED', '7'))
SLEEPER = '#!/bin/sh\nexec sleep 100000\n'
FAMILY = '#!/bin/sh\nsleep 100001 &\nsetsid sleep 100002 &\nexec sleep 100000\n'
STUBBORN = "#!/bin/sh\ntrap '' INT\ntouch \"$0.ready\"\nwhile :; do sleep 0.05; done\n"
CRASHER = '#!/bin/sh\nsleep 0.$(( $$ % 5 + 1 ))\nexit $(( $$ % 200 ))\n'


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
        """By a client that hears no signals: fifty crashing processes send more than Python reads."""
        self.reconnect()
        self.bus_client(follow=False).manager_call('Reexecute')
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
            time.sleep(rng.random() * 0.1)  # at any time
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
        wait_until(lambda: os.path.exists(self.path('stubborn.ready')), 'it is stubborn')
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


class Orphans(SurvivalCase):
    """Scopes of which no state is left: the service manager forgets what it kept when the unit is dead."""

    def lose_state(self):
        """End the supervisor so that it does not come back, then start another."""
        folder = os.path.join(self.tester.home, '.config/systemd/user/pm2.service.d')
        with booted.acting_as(self.tester.uid, self.tester.gid):
            os.makedirs(folder, exist_ok=True)
            with open(folder + '/test.conf', 'w', encoding='utf-8') as file:
                file.write('[Service]\nRestart=no\n')
        self.instance.systemctl('daemon-reload')
        os.kill(self.instance.main_pid(), signal.SIGKILL)
        self.instance.wait_state('failed')
        shutil.rmtree(folder)
        self.instance.systemctl('daemon-reload')
        self.instance.systemctl('reset-failed', 'pm2')
        self.reconnect()
        self.instance.start()

    def test_are_ended(self):
        path = self.start_one('family', FAMILY)
        pid = self.state()[path]['Pid']
        self.lose_state()
        self.assertEqual(self.client.manager_call('List'), [])
        wait_until(lambda: not booted.is_alive(pid), 'the orphan is ended')
        wait_until(lambda: not self.instance.units(kind='scope'), 'no scope is left')
        self.start_one('family', FAMILY)


class OrphansOfGroup(Orphans):
    settings = {'isolation': 'group'}


class OrphansAdopted(Orphans):
    settings = {'adopt': 'all'}

    def test_are_ended(self):
        path = self.start_one('family', FAMILY)
        before = self.state()[path]
        self.lose_state()
        [after] = self.state().values()
        for name in ('Name', 'Pid', 'Unit', 'ControlGroup', 'Status'):
            self.assertEqual(after[name], before[name], name)
        self.end_daemon()
        [after] = self.state().values()
        self.assertEqual(after['Pid'], before['Pid'])
        os.kill(after['Pid'], signal.SIGKILL)
        wait_until(lambda: next(iter(self.state().values()))['RestartCount'] == 1, 'it is restarted')
        self.client.manager_call('Delete', 'sa{sv}', 'family', {})
        self.assert_clean()


if __name__ == '__main__':
    booted.main()
