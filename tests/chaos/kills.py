#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of the supervisor, again and again and at any time, with fifty processes in all states and clients that
call all the time. Run by tests/system/run.py, in the container.

    PM2D_TEST_CHAOS_SEED    of the random numbers, default 7
    PM2D_TEST_CHAOS_KILLS   default 60
"""

import collections
import contextlib
import os
import pathlib
import random
import signal
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'system'))
import booted  # noqa: E402
from booted import DBusError, V, wait_until  # noqa: E402

SEED = int(os.environ.get('PM2D_TEST_CHAOS_SEED', '7'))
KILLS = int(os.environ.get('PM2D_TEST_CHAOS_KILLS', '60'))
LOST = (DBusError, OSError, booted.dbus_wire.Disconnected, TimeoutError)
STATE_FDS = 3
RESTING = ('online', 'stopped', 'errored')
# Every run of these leaves a line: restarts are counted twice.
SLEEPER = '#!/bin/sh\necho $$ >>"$0.runs"\nexec sleep 100000\n'
FAMILY = '#!/bin/sh\necho $$ >>"$0.runs"\nsleep 100001 &\nsetsid sleep 100002 &\nexec sleep 100000\n'
STUBBORN = "#!/bin/sh\ntrap '' INT\necho $$ >>\"$0.runs\"\nwhile :; do sleep 0.05; done\n"
CRASHER = ('#!/bin/sh\necho $$ >>"$0.runs"\n[ -e "${0%/*}/peace" ] && exec sleep 100000\n'
           'sleep 0.$(( $$ % 5 + 1 ))\nexit $(( $$ % 200 ))\n')
# Ends with the code that it is told, when nobody may be there to see it.
TOLD = '#!/bin/sh\necho $$ >>"$0.runs"\nread code <"$0.fifo"\nexit $code\n'
KINDS = {  # text, how many, attributes
    'quiet': (SLEEPER, 10, {}),
    'sleeper': (SLEEPER, 6, {}),
    'family': (FAMILY, 6, {}),
    'stubborn': (STUBBORN, 6, {}),
    'crasher': (CRASHER, 10, {}),
    'told': (TOLD, 4, {}),
    'delayed': (CRASHER, 4, {'restart_delay': 300}),
    'stopped': (SLEEPER, 2, {}),
    'errored': (CRASHER, 2, {'max_restarts': 1, 'min_uptime': 60000}),
}
COMMANDED = ('sleeper', 'family', 'stubborn')


class Caller(threading.Thread):
    """A client that asks and asks; whether it is answered depends on who lives."""

    def __init__(self, case):
        super().__init__(daemon=True)
        self.case, self.stopping = case, threading.Event()
        self.answered = self.unanswered = 0

    def run(self):
        while not self.stopping.is_set():
            try:
                client = booted.Client(self.case.instance.private_socket)
                while not self.stopping.is_set():
                    client.manager_call('List', timeout=20)
                    self.answered += 1
                    self.stopping.wait(0.02)
                client.close()
            except LOST:
                self.unanswered += 1
                self.stopping.wait(0.02)


class Kills(booted.Case):
    def kind(self, *names):
        return [name for name in self.paths if name.rstrip('0123456789') in names]

    def start_all(self):
        self.paths = {}
        for kind, (text, count, attributes) in KINDS.items():
            for i in range(count):
                name = f'{kind}{i}'
                script = self.script(name, text)
                if kind == 'told':
                    os.mkfifo(script + '.fifo')
                values = {'kill_timeout': 300, 'min_uptime': 0, 'max_restarts': 1000000, 'wait': True, **attributes}
                self.paths[name] = self.client.start_one(script, name=name, **values)
        self.client.manager_call('Stop', 'sa{sv}', '/^stopped/', {})
        wait_until(lambda: {entry['Status'] for entry in self.state('errored').values()} == {'errored'},
                   'some are errored')

    def state(self, *kinds):
        """The properties of each process, by its name, as a new client sees them."""
        client = self.bus_client(follow=False)
        names = {entry['name'] for entry in client.manager_call('List')}
        wanted = [name for name in self.paths if not kinds or name in self.kind(*kinds)]
        found = {name: client.get_all(self.paths[name], booted.PROCESS) for name in wanted if name in names}
        if not kinds:
            self.assertEqual(names, set(self.paths), 'none lost, none invented')
        client.close()
        self.clients.remove(client)
        return found

    def runs(self, name):
        return len(self.lines(name + '.runs'))

    def forget_clients(self):
        for client in self.clients:
            client.close()
        self.clients.clear()
        self.__dict__.pop('client', None)

    def command(self, rng):
        """One that nobody waits for; the supervisor may die under it."""
        verb, name = rng.choice(['Stop', 'Start', 'Restart', 'Restart']), rng.choice(self.kind(*COMMANDED))
        with contextlib.suppress(*LOST):
            self.client.manager_call(verb, 'sa{sv}', name, {'wait': V('b', False)}, timeout=10)

    def tell_one(self, rng):
        """Let a process exit while the supervisor stands still. Returns what is to be found afterwards."""
        name, code = rng.choice(self.kind('told')), rng.randrange(1, 256)
        before = self.state('told')[name]
        os.kill(self.daemon, signal.SIGSTOP)
        with open(self.path(name) + '.fifo', 'w', encoding='ascii') as fifo:
            fifo.write(f'{code}\n')
        wait_until(lambda: not booted.is_alive(before['Pid']), 'it has exited')
        return name, code, before['RestartCount'] + 1

    def kill_daemon(self):
        before = self.daemon
        started = time.monotonic()
        os.kill(before, signal.SIGKILL)
        self.forget_clients()
        while True:
            with contextlib.suppress(*LOST):
                client = booted.Client(self.instance.private_socket)
                client.manager_call('GetProcess', 'u', 0, timeout=5)
                client.close()
                break
        self.away.append(time.monotonic() - started)
        wait_until(lambda: self.instance.main_pid() not in (0, before), 'a successor runs')
        self.instance.wait_state('active')
        self.daemon = self.instance.main_pid()

    def measure(self):
        with open(f'/proc/{self.daemon}/smaps_rollup', encoding='ascii') as file:
            pss = next(int(line.split()[1]) for line in file if line.startswith('Pss:'))
        return len(os.listdir(f'/proc/{self.daemon}/fd')), pss

    def check_untouched(self, before):
        """Pids that change by nothing but a command or their own exit."""
        after = self.state('quiet', 'told', 'stopped', 'errored')
        for name in self.kind('quiet', 'stopped', 'errored'):
            for key in ('Status', 'Pid', 'RestartCount'):
                self.assertEqual(after[name][key], before[name][key], f'{name}: {key}')

    def check_counts(self, state):
        """A run for the first start, and one for each restart."""
        for name in self.kind('quiet', 'told', 'crasher', 'delayed', 'stopped'):
            self.assertEqual(state[name]['RestartCount'], self.runs(name) - 1, name)

    def check_reality(self, state):
        for name, entry in state.items():
            if entry['Status'] == 'online':
                self.assertTrue(booted.is_alive(entry['Pid']), f'{name}: {entry}')
                self.assertIn(entry['Unit'], booted.read_file(f'/proc/{entry["Pid"]}/cgroup'), name)
        populated = set()
        for unit in self.instance.units(kind='scope'):
            group = self.instance.show(unit, 'ControlGroup')
            with contextlib.suppress(OSError):
                if group and booted.read_file(f'{booted.CGROUPS}{group}/cgroup.procs').split():
                    populated.add(unit)
        self.assertEqual(populated, {entry['Unit'] for entry in state.values() if entry['Pid']}, 'none unmanaged')

    def make_peace(self):
        """Crashers at rest can be compared with what they wrote."""
        pathlib.Path(self.path('peace')).touch()
        return wait_until(self.settled, 'all are at rest')

    def settled(self):
        state = self.state()
        restless = [name for name, entry in state.items() if entry['Status'] not in RESTING]
        running = [name for name in self.kind('crasher', 'delayed') if not self.sleeps(state[name]['Pid'])]
        return None if restless or running else state

    def sleeps(self, pid):
        with contextlib.suppress(OSError):
            return booted.read_file(f'/proc/{pid}/comm') == 'sleep\n'
        return False

    def test_kills(self):
        rng, self.away = random.Random(SEED), []
        self.start_all()
        self.daemon = self.instance.main_pid()
        before, figures, told = self.state(), [], 0
        caller = Caller(self)
        caller.start()
        self.addCleanup(caller.stopping.set)
        for number in range(KILLS):
            for _ in range(rng.randrange(6)):
                self.command(rng)
            time.sleep(rng.random() * 0.2)  # at any time
            expected = self.tell_one(rng) if number % 3 == 0 else None
            self.kill_daemon()
            if expected:
                self.check_told(*expected)
                told += 1
            self.check_untouched(before)
            figures.append(self.measure())
        caller.stopping.set()
        caller.join()
        state = self.make_peace()
        self.check_counts(state)
        self.check_reality(state)
        alive = sum(entry['Pid'] > 0 for entry in state.values())
        wait_until(lambda: int(self.instance.show('pm2.service', 'NFileDescriptorStore')) == alive + STATE_FDS,
                   'a pidfd for each and the state are kept, no more')
        self.report(state, figures, told, caller)
        self.check_flat([pss for _, pss in figures], 'PSS', 1024)  # kB: histories grow to their bound
        self.check_flat([fds for fds, _ in figures], 'fds', 0)

    def check_told(self, name, code, restarts):
        wait_until(lambda: self.state('told')[name]['RestartCount'] == restarts, f'{name} is restarted')
        entry = self.state('told')[name]
        self.assertEqual((entry['ExitCode'], entry['ExitSignal']), (code, ''), name)
        wait_until(lambda: self.runs(name) == restarts + 1, 'it runs again')

    def check_flat(self, values, what, slack):
        """The last third is not above the first but for what differs from one moment to the next."""
        third = max(len(values) // 3, 1)
        first, last = statistics.median(values[:third]), statistics.median(values[-third:])
        self.assertLess(last, first * 1.25 + slack, f'{what}: {values}')

    def report(self, state, figures, told, caller):
        statuses = collections.Counter(entry['Status'] for entry in state.values())
        print(f'# {KILLS} kills, seed {SEED}, {len(state)} processes: {dict(statuses)}')
        print(f'# restarts {sum(entry["RestartCount"] for entry in state.values())}, runs '
              f'{sum(self.runs(name) for name in self.paths)}; exits in the down time {told}, all codes right')
        print(f'# calls answered {caller.answered}, cut {caller.unanswered}')
        print(f'# fds {figures[0][0]} ... {figures[-1][0]} (maximum {max(fds for fds, _ in figures)}), PSS kB '
              f'{figures[0][1]} ... {figures[-1][1]} (maximum {max(pss for _, pss in figures)})')
        times = sorted(self.away)
        print(f'# kill -9 to the first answer: median {statistics.median(times) * 1000:.0f} ms, maximum '
              f'{times[-1] * 1000:.0f} ms of {len(times)}')


if __name__ == '__main__':
    booted.main()
