#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many at once over one app: one result, and to each caller what is true.

    PM2D_TEST_SEED   numbers, separated by blanks: the orders of commands to try instead of those chosen here
"""

import os
import random
import re
import select
import subprocess
import time

import dbus_wire
import harness
from harness import MANAGER, MANAGER_PATH, PM2_ERROR

STARTERS = 100
CLIENTS = 10
COMMANDS = 50
SEEDS = [int(word) for word in os.environ.get('PM2D_TEST_SEED', '1 2 3 4 5 6 7 8 9 10 11 12').split()]
ENDS = ('Stop', 'Delete')
REFUSED = re.compile(r"name: 'app' is process [0-9]+, which is (launching|online)$", re.MULTILINE)
STAYS = '#!/bin/sh\necho $$ >>runs\nexec sleep 1000\n'
STUBBORN = '#!/bin/sh\ntrap "" INT\necho $$ >>runs\nexec sleep 1000\n'
# How the app behaves, and what of it is declared; the seed chooses one of these and one of those.
FLAVOURS = (
    (STAYS, {}),
    (STUBBORN, {'kill_timeout': 30}),
    (STAYS, {'pre_start': 'true', 'post_stop': 'true'}),
)
# How often which command comes: without a Start the first Delete is the last that has an effect.
MIXTURES = (
    {'Restart': 10, 'Stop': 10},
    {'Restart': 20, 'Stop': 20, 'Delete': 1},
    {'Restart': 6, 'Stop': 6, 'Start': 6},
    {'Restart': 6, 'Stop': 6, 'Start': 6, 'Delete': 3},
)


class Command:
    """One call: who sent it and when, and what its client heard until it was answered. Events and replies are told in
    the order in which things happened, so what was heard before a reply is how things were at that moment."""

    def __init__(self, client, verb, script, attributes):
        self.client, self.verb = client, verb
        client.drain()
        self.seen = len(client.received)
        self.sent = time.monotonic()
        arguments = (script, harness.options(**attributes)) if verb == 'Start' else ('app', {})
        self.serial = client.send_call(MANAGER_PATH, MANAGER, verb, 'sa{sv}', *arguments)
        self.reply = self.answered = self.position = None

    def take_reply(self):
        """Whether it is answered."""
        for position in range(self.seen, len(self.client.received)):
            message = self.client.received[position]
            if message.reply_serial == self.serial:
                self.reply, self.position, self.answered = message, position, time.monotonic()
                return True
        return False

    @property
    def done(self):
        return self.reply.kind == dbus_wire.METHOD_RETURN

    @property
    def error(self):
        return (self.reply.error_name or '').removeprefix(PM2_ERROR)

    def heard(self, start, end):
        """(event, pid) of a part of what the client received; "added" for a process that is new in the list."""
        return [(message.body[3], message.body[5]['pid']) if message.member == 'ProcessEvent' else ('added', 0)
                for message in self.client.received[start:end]
                if message.kind == dbus_wire.SIGNAL and message.member in ('ProcessEvent', 'InterfacesAdded')]

    def last_of(self, *events):
        """Which of the events came last before the answer; each round begins with a process that is online."""
        found = [event for event, _ in self.heard(0, self.position) if event in events]
        return found[-1] if found else events[0]

    def online_before(self, position):
        return [pid for event, pid in self.heard(0, position) if event == 'online']

    def overlaps(self, other):
        return other is not self and other.sent <= self.answered and other.answered >= self.sent

    def __repr__(self):
        return f'{self.verb}: {self.error or "done"}'


class Round:
    """COMMANDS by CLIENTS in an order that a seed gives, and what they were answered."""

    def __init__(self, case, seed):
        self.case, self.random = case, random.Random(seed)
        self.text, self.attributes = FLAVOURS[seed % len(FLAVOURS)]
        self.mixture = MIXTURES[seed % len(MIXTURES)]
        self.clients, self.commands = [], []

    def run(self):
        case = self.case
        script = case.script('app.sh', self.text)
        attributes = {'name': 'app', 'cwd': case.daemon.apps, **self.attributes}
        case.client.start_one(script, **attributes)
        self.seen = len(case.client.received)
        self.clients = clients = [case.daemon.connect() for _ in range(CLIENTS)]
        for client in clients:
            client.list()  # from here on it hears everything
        to_send = clients * (COMMANDS // CLIENTS)
        self.random.shuffle(to_send)
        pending = []
        deadline = time.monotonic() + harness.TIMEOUT
        while to_send or pending:
            # one more, or some time for those that were sent
            if to_send and self.random.random() < 0.7:
                verb = self.random.choices(list(self.mixture), self.mixture.values())[0]
                pending.append(Command(to_send.pop(), verb, script, attributes))
                self.commands.append(pending[-1])
                continue
            waiting = [command for command in pending if not self.take(command)]
            if waiting and len(waiting) == len(pending):
                self.receive(clients)
            pending = waiting
            case.assertLess(time.monotonic(), deadline, f'no answer to {[command.verb for command in pending]}')

    @staticmethod
    def receive(clients):
        ready, _, _ = select.select([client.socket for client in clients], [], [], 1)
        for client in clients:
            if client.socket in ready:
                client.pump(0)

    def take(self, command):
        if not command.take_reply():
            return False
        if command.done:
            self.check_done(command)
        return True

    def check_done(self, command):
        case = self.case
        if command.verb in ENDS:
            case.assertEqual(command.last_of('online', 'exit'), 'exit', f'{command}: there is a main process')
            case.assert_gone(command.online_before(command.position))
            return
        case.assertEqual(command.last_of('online', 'exit'), 'online', f'{command}: there is no main process')
        case.assertIn('online', [event for event, _ in command.heard(command.seen, command.position)], command)
        # that which was online when it was sent is not what was launched
        case.assert_gone(command.online_before(command.seen))

    def explains(self, command):
        """Whether an error says what is true at the moment of the answer."""
        message = command.reply.body[0]
        verbs = {other.verb for other in self.commands if command.overlaps(other)}
        if command.error == 'Cancelled':
            return command.verb not in ENDS and verbs & {'Stop', 'Delete'}
        if command.error == 'NoSuchProcess':
            return command.verb != 'Start' and command.last_of('added', 'delete') == 'delete'
        if command.error == 'AlreadyExists' and message.endswith('launching'):
            return command.verb == 'Start' and verbs & {'Start', 'Restart'}
        if command.error in ('AlreadyExists', 'AlreadyRunning'):
            return command.verb == 'Start' and command.last_of('online', 'exit') == 'online'
        return False

    def check_counts(self):
        """Each success happened once, and nothing else did."""
        client = self.case.client
        client.list()
        told = [message.body[3] for message in client.signals('ProcessEvent', self.seen) if message.body[4]]
        for verb in ('Restart', 'Delete', 'Start'):
            done = [command for command in self.commands if command.verb == verb and command.done]
            self.case.assertEqual(len(done), told.count(verb.lower()), f'{verb}: {self.commands}')

    def check_end(self):
        """What List says is what there is, and it is what the last command asked for."""
        case = self.case
        listed = case.client.list()
        case.assertLessEqual(len(listed), 1)
        case.assertEqual(case.processes(), {item['pid'] for item in listed if item['pid']}, listed)
        if not listed:
            case.assertIn('Delete', [command.verb for command in self.commands if command.done])
            return
        history = case.client.manager_call('RecentEvents', 'su', 'app', 0)
        last = [entry['verb'] for entry in history if entry['event'] == 'command'][-1]
        case.assertEqual(listed[0]['pm2_env']['status'], 'stopped' if last == 'stop' else 'online', history[-5:])
        case.assertEqual(bool(listed[0]['pid']), last != 'stop')

    def check(self):
        for command in self.commands:
            if not command.done:
                self.case.assertTrue(self.explains(command), f'{command} {command.reply.body}, of {self.commands}')
        self.check_counts()
        self.check_end()

    def end(self):
        for client in self.clients:
            client.close()
        for item in self.case.client.list():
            self.case.client.delete(item['name'])


class Concurrency:
    def supervisors(self):
        return {pid for pid in harness.marked_processes(self.daemon.mark)
                if harness.command_line(pid).startswith(harness.pm2d_path())}

    def processes(self):
        """All there are of this case, but the supervisor."""
        own = {self.daemon.process.pid} if self.daemon.process else self.supervisors()
        return set(harness.marked_processes(self.daemon.mark)) - own

    def start_at_once(self, *arguments):
        """pm2ctl start by STARTERS; the output of those that succeeded, and of those that did not."""
        starters = [subprocess.Popen([harness.pm2ctl_path(), 'start', *arguments], cwd=self.daemon.apps,
                                     env=self.daemon.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True) for _ in range(STARTERS)]
        results = [(*starter.communicate(timeout=harness.TIMEOUT), starter.returncode) for starter in starters]
        started = [output for output, _, status in results if status == 0]
        refused = [(errors, status) for _, errors, status in results if status != 0]
        return started, refused

    def assert_one(self, started, refused, runs):
        self.assertEqual((len(started), len(refused)), (1, STARTERS - 1), refused[:5])
        self.assertIn('app (0) started', started[0])
        for errors, status in refused:
            self.assertEqual(status, 1, errors)
            self.assertRegex(errors, REFUSED)
        listed = self.client.list()
        self.assertEqual([(item['name'], item['pm_id'], item['pm2_env']['status']) for item in listed],
                         [('app', 0, 'online')])
        pids = [int(pid) for pid in harness.wait_file(self.path('runs'), lambda text: text.count('\n') == runs).split()]
        self.assertEqual(listed[0]['pid'], pids[-1])
        self.assertEqual([pid for pid in pids if harness.is_alive(pid)], pids[-1:])
        # without a supervisor, those that were started in vain end behind those that started them
        harness.wait_until(lambda: self.processes() == {pids[-1]}, f'{pids[-1]} is all there is')

    def test_many_starts_of_one_name_start_one_app(self):
        script = self.script('app.sh', STAYS)
        self.assert_one(*self.start_at_once(script, '--name', 'app'), runs=1)
        # and of what is stopped
        self.client.stop('app')
        self.assert_one(*self.start_at_once('app'), runs=2)

    def test_commands_of_many_end_consistently(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                one = Round(self, seed)
                try:
                    one.run()
                    one.check()
                finally:
                    one.end()

    def test_start_of_what_is_online_holds_nobody_behind_it(self):
        """Both starts wait for the stop; the second then has nothing to do, and the restart comes after it."""
        path = self.client.start_one(self.script('app.sh', STUBBORN), name='app', cwd=self.daemon.apps, kill_timeout=300)
        harness.wait_file(self.path('runs'))
        calls = [self.client.send_call(MANAGER_PATH, MANAGER, verb, 'sa{sv}', 'app', {})
                 for verb in ('Stop', 'Start', 'Start', 'Restart')]
        replies = [self.client.wait_reply(serial) for serial in calls]
        self.assertEqual([reply.error_name for reply in replies], [None, None, PM2_ERROR + 'AlreadyRunning', None])
        self.assertEqual(self.client.property(path, 'Status'), 'online')


class ConcurrencyCgroup(Concurrency, harness.Case):
    isolation = 'cgroup'


class ConcurrencyNone(Concurrency, harness.Case):
    isolation = 'none'

    def test_many_starts_without_a_supervisor_start_one_of_each(self):
        self._daemon = self.new_daemon()
        self.assert_one(*self.start_at_once(self.script('app.sh', STAYS), '--name', 'app'), runs=1)
        # those that found another one there are about to end
        harness.wait_until(lambda: len(self.supervisors()) == 1, 'there is one supervisor')
        self.client.manager_call('Kill', 'a{sv}', {})
        harness.wait_until(lambda: not harness.marked_processes(self.daemon.mark), 'all is gone')


if __name__ == '__main__':
    harness.main()
