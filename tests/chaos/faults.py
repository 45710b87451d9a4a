# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kills the supervisor before and after each change that it makes, and looks at what there is then.

A Campaign has a supervisor (a Host) with some processes and a list of operations. Each operation runs once
unharmed, which shows the fault points it passes. Then it runs again for each point and side, with the supervisor
dying there; its successor must come to one of the outcomes that the operation allows: what was, or, if the caller
had the answer, only what was ordered. Nothing may be lost, invented or unmanaged.

Each kill is one line of output, "# fault <backend> <point> <side> <operation> <passage> <seconds>", for run.py.
"""

import contextlib
import glob
import json
import os
import random
import signal
import socket
import sys
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'integration'))
import dbus_wire  # noqa: E402
import harness  # noqa: E402
from dbus_wire import DBusError  # noqa: E402
from fault_file import SIDES  # noqa: E402
from talker import TALKER, Talk, count_sockets  # noqa: E402

SEED = int(os.environ.get('PM2D_TEST_CHAOS_SEED', '7'))
# Of each campaign: kills at points in another operation than the first that passes them, and as many at a later passage.
EXTRA = int(os.environ.get('PM2D_TEST_FAULT_EXTRA', '12'))
# Only these kills, each "point,side,operation,passage": to look at one
ONLY = [tuple(word.split(',')) for word in os.environ.get('PM2D_TEST_FAULT_ONLY', '').split()]
# What comes of it is another thing each time: a message was handed out, another, and one that is answered
EACH_PASSAGE, EACH_PASSAGE_MAX = ('channel-commit',), 6
SETTLE = 15
FIRE = 3  # what an operation sets off may come later, as the end of a slice does
CUT = (OSError, TimeoutError, dbus_wire.Disconnected, DBusError)
RESTING = ('online', 'stopped', 'errored')
ABSENT = None
TALKING = ('message', 'big_message', 'status')
BEGIN_ANEW = ('kill', 'kill_me', 'unit_stop', 'slow_stop')

SLEEPER = '#!/bin/sh\nexec sleep 100000\n'
FAMILY = '#!/bin/sh\nsleep 100001 &\nsetsid sleep 100002 &\nexec sleep 100000\n'
STUBBORN = "#!/bin/sh\ntrap '' INT\nwhile :; do sleep 0.05; done\n"
# name: (program, attributes). Bystander is never touched: its pid never changes while the state survives.
BASE = {
    'bystander': (SLEEPER, {}),
    'family': (FAMILY, {'kill_timeout': 200, 'credentials': {'word': '/etc/passwd'}}),
    'stubborn': (STUBBORN, {'kill_timeout': 100}),
    'solo': (SLEEPER, {'treekill': False}),
    'talker': (TALKER, {'interpreter': 'none', 'notify': 'node', 'watchdog': '1h', 'wait_ready': True, 'listen_timeout': 60000}),
}
# What is kept of a process: its pidfd, a channel, sockets for sd_notify and of its app; and of the state.
KEPT_FDS = {'talker': 3, 'theirs': 2, 'leaver': 2, 'listener': 3, 'server': 2, 'shared': 3, 'rr': 3}
STATE_FDS = 3
NOTIFY_SOCKETS = ('talker', 'theirs', 'leaver')
# A worker of a cluster, that says its pid to everybody.
SERVER = "require('net').createServer((socket) => socket.end(String(process.pid))).listen(process.argv[1] + '.sock');"
# Says that its child is the main process, and ends when that was heard.
LEAVER = ('''#!/usr/bin/python3
import os, select, socket, struct, time
heard, hearing = os.pipe()
if os.fork():
    os.close(hearing)
    os.read(heard, 1)
    os._exit(0)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

def tell(text, *fds):
    while True:
        try:
            notify.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack('i', fd)) for fd in fds], 0,
                           os.environ['NOTIFY_SOCKET'])
            return
        except OSError:
            time.sleep(0.01)

tell(b'MAINPID=%d\\nREADY=1' % os.getpid())
taken, taking = os.pipe()
tell(b'BARRIER=1', taking)
os.close(taking)
os.read(taken, 1)
os.close(hearing)
select.select([], [], [])
''', {'interpreter': 'none', 'notify': 'systemd', 'wait_ready': True, 'listen_timeout': 60000})
FRESH = (SLEEPER, {})
# Is asked by a command that hangs.
PROBED = (SLEEPER, {'health': {'exec': 'exec sleep 1000', 'interval': '400', 'timeout': '100', 'retries': '1000'}})
# More than the state has room for at first, and whole pages when it goes.
BIG = (SLEEPER, {'env': {f'BIG{i}': 'x' * 30000 for i in range(5)}})
SLOW = (STUBBORN, {'kill_timeout': 1200})
# Some ten times what its log may hold: the rest goes into files of its own.
LOG_LINES = 60000
LOGGER = (f'#!/bin/sh\nseq -f "$$ %.0f" 1 {LOG_LINES}\nexec sleep 100000\n', {'log_max_size': '64K', 'log_retain': 100})


def ancestors(pid):
    """A process and those above it."""
    found = []
    while pid > 1 and pid not in found:
        found.append(pid)
        with contextlib.suppress(OSError):
            pid = int(harness.read_file(f'/proc/{pid}/stat').rpartition(')')[2].split()[1])
    return found


class Finding(AssertionError):
    pass


class App:
    """What is true of a process now: its status, restart count and pid; status ABSENT: it is not there."""

    def __init__(self, status=ABSENT, restarts=0, pid=0):
        self.status, self.restarts, self.pid = status, restarts, pid

    def allows(self, other):
        return (self.status, self.restarts) == (other.status, other.restarts) and self.pid in (None, other.pid)

    def __repr__(self):
        return 'absent' if self.status is ABSENT else f'{self.status} ({self.restarts} restarts, pid {self.pid})'


class Campaign:
    """The operations are the methods named op_*; in this order, since some end what others need."""

    operations = ('start', 'depend', 'register', 'start_big', 'delete_big', 'listen', 'crash', 'restart', 'reload', 'signal', 'message', 'big_message', 'status',
                  'name_main', 'line', 'restart_talker', 'freeze', 'probe', 'log', 'flush', 'stop_stubborn', 'stop_solo', 'delete', 'reexec', 'die', 'kill')

    def __init__(self, host, backend, only=None, operations=None):
        self.host, self.backend, self.only = host, backend, only
        self.operations = operations or self.operations
        self.mark = uuid.uuid4().hex
        self.random = random.Random(SEED)
        self.now = {}       # name -> App: as it was before the operation
        self.allowed = {}   # name -> list of App: what may be afterwards
        self.armed = False
        self.crashed = None  # the process whose end the supervisor is to know
        self.client = None
        self.folders = set()  # that have the folders with credentials
        self.talk = Talk(host.keeps_fds)
        self.kills = 0

    # What is there

    def observe(self):
        """name -> App, and the properties by name."""
        apps, properties = {}, {}
        for entry in self.client.manager_call('List', timeout=10):
            values = self.client.get_all(f'/org/pm2/Process/{entry["pm_id"]}', harness.PROCESS)
            name = values['Name']
            if name in apps:
                raise Finding(f'two processes named {name}')
            apps[name] = App(values['Status'], values['RestartCount'], values['Pid'])
            properties[name] = values
        return apps, properties

    def member_problems(self, name, values, groups):
        """Of one process that is said to be online."""
        known = values['ExitSignal'] == 'SIGKILL' or (not self.host.knows_exits and values['ExitCode'] == -1)
        if name == self.crashed and self.host.survives and not known:
            return [f'{name}: its exit was {values["ExitCode"]} {values["ExitSignal"]}, not SIGKILL']
        pid, path = values['Pid'], values['ControlGroup']
        if not harness.is_alive(pid):
            return [f'{name}: its main process {pid} is not alive']
        if groups is None:
            return []
        found = []
        if pid not in groups.get(path, ()):
            found.append(f'{name}: pid {pid} is not in {path or "a group"}')
        if values['Unit'] and values['Unit'] not in path:
            found.append(f'{name}: {values["Unit"]} is not {path}')
        if name == 'family' and len(groups.get(path, ())) != 3:
            found.append(f'family: {groups.get(path)} in {path}, expected three')
        return found

    def credential_problems(self, properties):
        """Family has a folder with a file, and nobody else has one."""
        known = set()
        pid = properties['family']['Pid'] if 'family' in properties else 0
        if pid:
            variables = harness.read_file(f'/proc/{pid}/environ').split('\0')
            known = {value for key, _, value in (text.partition('=') for text in variables) if key == 'CREDENTIALS_DIRECTORY'}
            self.folders.update(os.path.dirname(folder) for folder in known)
        there = {os.path.join(parent, name) for parent in self.folders for name in os.listdir(parent)}
        found = [f'{folder} is left' for folder in there - known if self.host.survives]
        return found + [f'{folder} is not whole' for folder in known if not os.path.exists(f'{folder}/word')]

    def talk_problems(self, properties):
        found = []
        sockets = sum(values['Pid'] > 0 for name, values in properties.items() if name in NOTIFY_SOCKETS)
        there = count_sockets(self.host.notify_folder())
        if there != sockets:
            found.append(f'{there} sockets for sd_notify, expected {sockets}')
        values = properties.get('talker')
        if not values or values['Status'] != 'online':
            return found
        self.talk.meet(values['Pid'])
        actions = self.client.manager_call('Describe', 's', 'talker', timeout=10)[0]['pm2_env']['axm_actions']
        names = [action['action_name'] for action in actions]
        return found + self.talk.problems(values['ExecPath'], values, names)

    def log_problems(self, properties):
        """Each line of the logger is there once, in its log or in one of the files with older parts."""
        values = properties.get('logger')
        if not values or values['Status'] != 'online':
            return []
        path = values['OutLogPath']
        parts = sorted(glob.glob(path + '.[0-9]*'), key=lambda name: int(name.rpartition('.')[2]))
        lines = [line.split() for name in (*parts, path) for line in harness.read_file(name).splitlines()]
        found = [int(words[1]) for words in lines if len(words) == 2 and words[0] == str(values['Pid'])]
        if found != list(range(1, LOG_LINES + 1)):
            return [f'the log has {len(found)} lines of {LOG_LINES}, {len(set(found))} different ones, in {len(parts)} files']
        hidden = glob.glob(os.path.join(os.path.dirname(path), '.pm2-*'))
        return [f'{hidden} are left'] if hidden else []

    def unmanaged(self, properties, groups):
        if groups is None:
            return self.strays({values['Pid'] for values in properties.values() if values['Pid']})
        managed = {values['ControlGroup'] for values in properties.values() if values['Pid']}
        found = [f'{path}: {pids} belong to no process' for path, pids in groups.items() if path not in managed]
        return found + self.strays({pid for path in managed for pid in groups.get(path, ())})

    def strays(self, listed):
        """Processes of the test that descend from none of those."""
        marked = [*harness.marked_processes(self.mark), *self.host.strays()]
        return [f'process {pid} ({harness.command_line(pid)}) belongs to nobody'
                for pid in marked if not listed.intersection(ancestors(pid))]

    def problems(self):
        """What is not (yet) as it must be; and what is there."""
        apps, properties = self.observe()
        groups = self.host.groups()
        found = [f'{name} was invented: {app}' for name, app in apps.items() if name not in self.allowed]
        for name, outcomes in self.allowed.items():
            app = apps.get(name, App())
            if app.status not in (*RESTING, ABSENT):
                found.append(f'{name} is {app.status}')
            elif not any(outcome.allows(app) for outcome in outcomes):
                found.append(f'{name} is {app}, not {" or ".join(map(repr, outcomes))}'
                             f' ({properties[name]["LastReason"] if name in properties else "no reason"})')
            elif app.status == 'online':
                found += self.member_problems(name, properties[name], groups)
        found += self.unmanaged(properties, groups)
        found += self.credential_problems(properties)
        found += self.talk_problems(properties)
        found += self.socket_problems(properties)
        found += self.log_problems(properties)
        expected = STATE_FDS + sum(KEPT_FDS.get(name, 1) for name, app in apps.items() if app.pid > 0)
        kept = self.host.kept_fds()
        if kept not in (None, expected):
            found.append(f'{kept} descriptors are kept, expected {expected}')
        return found, apps

    def settle(self):
        """Wait until everything is as it must be, and take that as what is."""
        deadline = time.monotonic() + SETTLE
        while True:
            try:
                found, apps = self.problems()
            except (*CUT, Finding) as error:
                found = [f'{type(error).__name__}: {error}']
                if not isinstance(error, (Finding, DBusError)):
                    self.client = self.host.wait_back()
            if not found:
                break
            if time.monotonic() > deadline:
                raise Finding('; '.join(found))
            time.sleep(0.02)
        self.now, self.crashed = apps, None
        self.allowed = {name: [app] for name, app in apps.items()}

    # What operations are made of

    def fired(self):
        return self.armed and not self.host.faults.is_armed()

    def fires(self, seconds):
        """Whether it does within that time: it may die right behind its answer."""
        deadline = time.monotonic() + seconds
        while self.armed and not self.fired() and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.fired()

    def call(self, member, /, *body, **values):
        """True: it was answered with success. False: the supervisor died first."""
        signature = 's' * len(body) + 'a{sv}'
        try:
            self.client.manager_call(member, signature, *body, harness.options(**values), timeout=20)
            return True
        except CUT:
            if not self.armed:
                raise
            return False

    def command(self, member, name, outcome, /, *body, **values):
        before = self.now.get(name, App())
        self.allowed[name] = [outcome, before]
        if self.call(member, *(body or (name,)), **values):
            self.allowed[name] = [outcome]

    def start(self, name, program, status='online'):
        text, attributes = program
        if not self.host.keeps_fds:  # what it says while nobody has its channel is lost
            attributes = {**attributes, 'wait_ready': False}
        path = self.host.script(name, text)
        env = {**attributes.get('env', {}), harness.MARK: self.mark}
        self.command('Start', name, App(status, 0, None), path,
                     **{'name': name, 'min_uptime': 0, 'max_restarts': 1000000, **attributes, 'env': env})

    def prepare(self, operation):
        """The processes that it begins with."""
        for name, app in self.now.items():
            if name not in BASE:
                self.command('Delete', name, App())
            elif app.status != 'online':
                self.command('Start', name, App('online', app.restarts, None))
        for name in BASE:
            if name not in self.now:
                self.start(name, BASE[name])
        self.settle()
        if operation in TALKING and self.talk.is_closed(self.host.script('talker', TALKER)):
            self.op_restart_talker()
            self.settle()

    def app(self, name):
        return self.now[name]

    # Operations

    def op_start(self):
        self.start('fresh', FRESH)

    def op_depend(self):
        """It waits for one that rests, which is started for it."""
        self.start('below', (SLEEPER, {'start': False}), 'stopped')
        self.allowed['below'].append(App('online', 0, None))
        self.start('fresh', (SLEEPER, {'depends_on': ['below']}))
        if not self.fires(0.05):
            self.allowed['below'] = [App('online', 0, None)]

    def op_register(self):
        """Without being started."""
        self.start('fresh', (SLEEPER, {'start': False}), 'stopped')

    def op_start_big(self):
        self.start('big', BIG)

    def op_delete_big(self):
        self.start('big', BIG)
        if not self.fires(0.05):
            self.settle()
            self.command('Delete', 'big', App())

    def listen_path(self):
        return self.host.script('listener', SLEEPER) + '.sock'

    def op_listen(self):
        """At a path where a dead socket lies; then the end of it."""
        path = self.listen_path()
        if not os.path.lexists(path):
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(path)
        self.start('listener', (SLEEPER, {'listen': [f'unix:{path}', 'tcp:127.0.0.1:0']}))
        if not self.fires(0.05):
            self.settle()
            self.command('Stop', 'listener', App('stopped', self.app('listener').restarts, 0))

    def socket_problems(self, properties):
        """Who runs can be connected to. Of who does not there is nothing, if somebody has kept that it was ours."""
        path = self.listen_path()
        values = properties.get('listener')
        if not values or values['Pid'] == 0:
            there = values and self.host.keeps_fds and os.path.lexists(path)
            return [f'{path} is left'] if there else []
        with socket.socket(socket.AF_UNIX) as client:
            error = client.connect_ex(path)
        return [f'{path}: {os.strerror(error)}'] if error else []

    def op_crash(self):
        app = self.app('family')
        self.allowed['family'] = [App('online', app.restarts + 1, None)]
        self.crashed = 'family'
        os.kill(app.pid, signal.SIGKILL)

    def op_restart(self):
        app = self.app('family')
        self.command('Restart', 'family', App('online', app.restarts + 1, None))

    def op_reload(self):
        """It takes its place, or has not; one that was cut in between goes on."""
        path = self.host.script('server', SLEEPER)
        self.start('server', (SLEEPER, {'listen': [f'unix:{path}.sock'], 'listen_timeout': 100, 'reload_timeout': 100}))
        if not self.fires(0.05):
            self.settle()
            self.command('Reload', 'server', App('online', self.app('server').restarts + 1, None))

    def op_signal(self):
        app = self.app('family')
        self.allowed['family'] = [app]
        self.call('SendSignal', 'family', 'SIGWINCH')

    def tell(self, kind, member, signature, *body):
        """Something to the talker, that it may have got if the supervisor died first."""
        self.lives_on()
        self.talk.sent[kind, self.talk.last] = False
        try:
            self.client.manager_call(member, signature, *body, timeout=20)
        except CUT:
            if not self.armed:
                raise
            return
        self.talk.sent[kind, self.talk.last] = True

    def tell_message(self, **values):
        self.tell('message', 'SendMessage', 'ss', 'talker', json.dumps({'n': self.talk.next(), **values}))

    def op_message(self):
        self.tell_message()

    def op_big_message(self):
        """In parts."""
        self.tell_message(text='x' * 100000)

    def op_status(self):
        self.tell_message(status=True)

    def op_name_main(self):
        """What it says of itself is heard by the next supervisor, if somebody keeps its socket; else it has ended then."""
        self.start('leaver', LEAVER)
        if not self.host.keeps_fds:
            self.allowed['leaver'].append(App('online', 1, None))
        with contextlib.suppress(*CUT):
            path = next(path for path, values in self.client.managed_objects().items()
                        if values.get(harness.PROCESS, {}).get('Name') == 'leaver')
            first = self.client.property(path, 'Pid')
            deadline = time.monotonic() + FIRE
            while time.monotonic() < deadline and (harness.is_alive(first) or self.client.property(path, 'Pid') == first):
                time.sleep(0.01)
        if not self.fires(0.05):
            self.settle()
            self.command('Delete', 'leaver', App())

    def op_line(self):
        entry, = self.client.manager_call('Describe', 's', 'talker', timeout=10)
        self.tell('line', 'SendLine', 'us', entry['pm_id'], str(self.talk.next()))

    def op_restart_talker(self):
        app = self.app('talker')
        self.command('Restart', 'talker', App('online', app.restarts + 1, None))

    def op_freeze(self):
        self.lives_on()
        for member in ('Freeze', 'Thaw'):
            with contextlib.suppress(*CUT):  # among them: it cannot be done without a cgroup
                self.client.manager_call(member, 'sa{sv}', 'family', {}, timeout=20)

    def op_probe(self):
        """Several times; the stop may meet one."""
        self.start('probed', PROBED)
        deadline = time.monotonic() + 1
        while not self.fired() and time.monotonic() < deadline:  # also where nothing is to fire: there must be several
            time.sleep(0.01)
        if not self.fired():
            self.settle()
            self.command('Stop', 'probed', App('stopped', 0, 0))

    def op_log(self):
        self.start('logger', LOGGER)

    def op_flush(self):
        self.lives_on()
        with contextlib.suppress(*CUT):
            self.client.manager_call('Flush', 'sa{sv}', 'family', {}, timeout=20)

    def op_stop_stubborn(self):
        self.command('Stop', 'stubborn', App('stopped', self.app('stubborn').restarts, 0))

    def op_stop_solo(self):
        self.command('Stop', 'solo', App('stopped', self.app('solo').restarts, 0))

    def op_delete(self):
        self.command('Delete', 'family', App())

    def op_reexec(self):
        self.lives_on()
        with contextlib.suppress(*CUT):
            self.client.manager_call('Reexecute', timeout=20)

    def op_die(self):
        self.lives_on()
        self.spoil_notify_folder()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.host.daemon_pid(), signal.SIGKILL)

    def spoil_notify_folder(self):
        """What an earlier supervisor may have left."""
        folder = self.host.notify_folder()
        path = os.path.join(folder, f'{"0" * 32}-1')
        if not os.path.exists(path):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
                left.bind(path)
        os.chmod(folder, 0o755)

    def op_kill(self):
        """Cut in between, what was stopped is stopped and the rest goes on."""
        for name, app in self.now.items():
            self.allowed[name] = [app, App('stopped', app.restarts, 0), App()]
        if self.call('Kill'):
            self.host.wait_end(self.fired)
        if not self.fires(0.05):
            self.host.start()

    def lives_on(self):
        """The supervisor goes, its processes do not."""
        self.allowed = {name: [app] for name, app in self.now.items()}

    # The campaign

    def run_operation(self, name):
        getattr(self, f'op_{name}')()
        died = self.fires(FIRE)
        self.armed = False
        self.host.faults.disarm()
        if died or name in (*BEGIN_ANEW, 'reexec', 'die', 'unit_restart', 'term'):
            self.client = self.host.wait_back()
        if (died or name == 'die') and not self.host.survives:
            self.host.after_death(self.mark)
            self.allowed = {name: [App()] for name in self.allowed}
        return died

    def explore(self):
        """operation -> {point: passages of each side}."""
        visits = {}
        for name in self.operations:
            self.prepare(name)
            before = self.host.faults.points()
            self.run_operation(name)
            self.settle()
            time.sleep(0.05)
            visits[name] = {}
            for point, passages in self.host.faults.points().items():
                old = before[point].passed if point in before else (0, 0)
                counts = tuple(new - was for new, was in zip(passages.passed, old))
                if any(counts):
                    visits[name][point] = counts
        return visits

    def plan(self, visits):
        """(point, side, operation, passage): the first of each point and side, and some of the others."""
        if ONLY:
            return [(point, side, name, int(passage)) for point, side, name, passage in ONLY if name in visits]
        seen, first, again, later = set(), [], [], []
        for name in self.operations:
            for point, counts in visits[name].items():
                for side, count in zip(SIDES, counts):
                    if not count or (self.only and point not in self.only):
                        continue
                    at_first = (point, side) not in seen
                    (first if at_first else again).append((point, side, name, 1))
                    seen.add((point, side))
                    others = [(point, side, name, passage) for passage in range(2, count + 1)]
                    if at_first and point in EACH_PASSAGE:
                        first += others[:EACH_PASSAGE_MAX - 1]
                    else:
                        later += others
        extra = self.random.sample(again, min(EXTRA, len(again)))
        extra += self.random.sample(later, min(EXTRA, len(later)))
        return sorted(first + extra, key=lambda entry: self.operations.index(entry[2]))

    def one_kill(self, point, side, name, passage):
        started = time.monotonic()
        self.prepare(name)
        self.host.faults.arm(point, side, passage)
        self.armed = True
        died = self.run_operation(name)
        self.settle()
        if died and name in BEGIN_ANEW and self.host.survives:
            # a state whose maker died at once is to be one that others can go on with
            self.prepare('die')
            self.run_operation('die')
            self.settle()
        if died:
            self.kills += 1
            print(f'# fault {self.backend} {point} {side} {name} {passage} {time.monotonic() - started:.2f}', flush=True)
        return died

    def run(self):
        """Returns what was wrong, as texts."""
        found = []
        self.client = self.host.wait_back()
        visits = self.explore()
        for entry in self.plan(visits):
            where = f'{self.backend}: {entry[0]}, {entry[1]}, passage {entry[3]} of {entry[2]}'
            cursor = self.host.log_cursor()
            try:
                if not self.one_kill(*entry) and not self.one_kill(*entry):
                    print(f'# not reached again: {where}', flush=True)
            except (AssertionError, *CUT) as error:
                log = self.host.log_since(cursor)
                found.append(f'{where}: {type(error).__name__}: {error}')
                print(f'# problem {where}: {error}\n{log[-6000:]}', flush=True)
                self.begin_anew()
        found += self.end()
        return found

    def begin_anew(self):
        """After a finding, so that the next is not its consequence."""
        self.armed = False
        self.host.faults.disarm()
        self.host.reset(self.mark)
        self.client = self.host.wait_back()
        self.now, self.allowed, self.crashed = {}, {}, None

    def end(self):
        try:
            self.allowed = {name: [App()] for name in self.now}
            self.call('Delete', 'all')
            self.settle()
            self.host.check_nothing_left(self.mark)
        except (AssertionError, *CUT) as error:
            return [f'{self.backend}: at the end: {error}']
        return []
