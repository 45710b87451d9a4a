#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault points of a supervisor without systemd: pm2d --private with the isolation cgroup, then none, and a renewal
whose new program hangs. Arguments: which of "cgroup", "none" and "hung"; default: all."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fault_file import VARIABLE, FaultFile  # noqa: E402
from faults import CUT, SLEEPER, App, Campaign, Finding, harness  # noqa: E402
from harness import wait_until  # noqa: E402

# A client of PM2 that ends the daemon, and is ended with it.
ENDER = '''
import json, os, socket, struct, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
call = json.dumps({"type": "call", "method": "killMe", "args": [{"pid": os.getpid()}]})
words = [word.encode() for word in ("j:" + call, "s:1:0")]
client.sendall(b"\\x12" + b"".join(struct.pack(">I", len(word)) + word for word in words))
client.recv(1)
'''
HANGING = '#!/bin/sh\nexec sleep 1000\n'


class PrivateHost:
    """A pm2d that is started again here as often as it dies."""

    knows_exits = False  # of the down time: nobody keeps a pidfd
    keeps_fds = False

    def __init__(self, isolation, compat=False):
        self.daemon = harness.Daemon(isolation=isolation)
        self.pm2_home = os.path.join(self.daemon.root, 'pm2-home') if compat else None
        self.arguments = (f'--compat={self.pm2_home}',) if compat else ()
        self.faults = FaultFile(os.path.join(self.daemon.root, 'faults'))
        self.daemon.extra_environment[VARIABLE] = self.faults.path
        # of its own, to be replaced by another
        self.program = os.path.join(self.daemon.root, 'pm2d')
        shutil.copy2(self.daemon.program, self.program)
        self.daemon.program = self.program
        self.client = None
        self.daemon.start(self.arguments)
        self.survives = self.find_out()

    def find_out(self):
        """Whether a state is kept for the next supervisor."""
        client = self.daemon.connect()
        client.start_one(self.script('first', SLEEPER), name='first', env={harness.MARK: self.daemon.mark})
        self.daemon.process.kill()
        client = self.wait_back()
        survives = bool(client.list())
        client.delete('all') if survives else self.kill_marked(self.daemon.mark)
        return survives

    def kill_marked(self, mark):
        for pid in harness.marked_processes(mark):
            if pid != self.daemon.process.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def daemon_pid(self):
        return self.daemon.process.pid

    def script(self, name, text):
        path = os.path.join(self.daemon.apps, f'{name}.sh')
        if not os.path.exists(path):
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
            os.chmod(path, 0o755)
        return path

    def kept_fds(self):
        return None

    def notify_folder(self):
        return os.path.join(self.daemon.runtime, 'pm2', 'notify')

    def groups(self):
        """The cgroups of apps that have processes: path -> pids. None: there are none."""
        if not self.daemon.cgroup:
            return None
        found = {}
        for folder, _, _ in os.walk(self.daemon.cgroup):
            with contextlib.suppress(OSError):
                pids = [int(pid) for pid in harness.read_file(f'{folder}/cgroup.procs').split()]
                if pids and folder != self.daemon.cgroup:
                    found[folder.removeprefix(harness.cgroup2_mount())] = pids
        return found

    def start(self):
        if self.daemon.process.poll() is None:
            return
        try:
            self.daemon.start(self.arguments)
        except AssertionError:  # it died on its way
            self.daemon.start(self.arguments)

    def wait_end(self, cut):
        wait_until(lambda: cut() or self.daemon.process.poll() is not None, 'it has ended')

    def wait_back(self):
        if self.client:
            self.client.close()
            self.daemon.clients.clear()

        def answering():
            if self.daemon.process.poll() is not None:
                self.start()
            return self.daemon.try_connect()

        self.client = wait_until(answering, 'the supervisor answers', 20)
        return self.client

    def after_death(self, mark):
        """What nothing can find again: without a cgroup and a state."""
        for _ in range(0 if self.daemon.cgroup else 3):
            # a child that was about to be executed is marked as the supervisor is, then as the app
            self.kill_marked(self.daemon.mark)
            self.kill_marked(mark)
            time.sleep(0.01)

    def strays(self):
        """Helpers of the supervisor that have outlived it."""
        return [pid for pid in harness.marked_processes(self.daemon.mark) if pid != self.daemon.process.pid]

    def reset(self, mark):
        self.daemon.process.kill()
        self.daemon.wait_exit()
        self.kill_marked(mark)
        self.kill_marked(self.daemon.mark)
        for name in ('state-slots', 'state-blobs'):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.daemon.runtime, 'pm2', name))

    def log_cursor(self):
        return len(self.daemon.log_text())

    def log_since(self, cursor):
        return self.daemon.log_text()[cursor:]

    def check_nothing_left(self, mark):
        left = [pid for pid in harness.marked_processes(mark) if harness.is_alive(pid)]
        if left or self.groups():
            raise Finding(f'processes {left}, cgroups {self.groups()} are left')


class PrivateCampaign(Campaign):
    operations = (*Campaign.operations, 'term')

    def op_die(self):
        super().op_die()
        self.host.daemon.wait_exit()
        self.host.start()

    def op_term(self):
        """An ordered stop; cut in between, what a state is kept of goes on."""
        self.allowed = {name: [app, App('stopped', app.restarts, 0), App()] for name, app in self.now.items()}
        self.host.daemon.process.send_signal(signal.SIGTERM)
        self.host.wait_end(lambda: False)
        if not self.fired():
            self.allowed = {name: [App()] for name in self.now}
        self.host.start()


class CompatCampaign(PrivateCampaign):
    """In the place of PM2's daemon, whose clients may end it."""

    operations = (*PrivateCampaign.operations, 'kill_me')

    def op_kill_me(self):
        self.allowed = {name: [app, App('stopped', app.restarts, 0), App()] for name, app in self.now.items()}
        command = [sys.executable, '-c', ENDER, os.path.join(self.host.pm2_home, 'rpc.sock')]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as client:
            self.host.wait_end(self.fired)
            status = client.wait(harness.TIMEOUT)
        if not self.fires(0.05):
            if status != -signal.SIGQUIT:
                raise Finding(f'the client ended with {status}')
            self.host.start()


class HungCampaign(PrivateCampaign):
    """Only a program that hangs is killed, and only after a while."""

    operations = ('hung_check',)

    def op_hung_check(self):
        program = self.host.program
        os.rename(program, program + '.good')
        with open(program, 'w', encoding='utf-8') as file:
            file.write(HANGING)
        os.chmod(program, 0o755)
        try:
            self.lives_on()
            with contextlib.suppress(*CUT):
                self.client.manager_call('Reexecute', timeout=20)
        finally:
            os.rename(program + '.good', program)


CAMPAIGNS = {
    'cgroup': (PrivateCampaign, 'cgroup', None),
    'none': (CompatCampaign, 'none', None),
    'hung': (HungCampaign, 'none', ('check-kill',)),
}


def run(name):
    campaign_type, isolation, only = CAMPAIGNS[name]
    if isolation == 'cgroup' and harness.cgroup_unavailable():
        return [f'cgroup: {harness.cgroup_unavailable()}']
    started = time.monotonic()
    host = PrivateHost(isolation, issubclass(campaign_type, CompatCampaign))
    campaign = campaign_type(host, isolation, only)
    try:
        problems = campaign.run()
    finally:
        host.daemon.terminate()
        problems_at_end = host.daemon.problems(0)
        shutil.rmtree(host.daemon.root, ignore_errors=True)
        if host.daemon.cgroup:
            harness.remove_cgroup(host.daemon.cgroup)
    print(f'# {name}: {campaign.kills} kills, {time.monotonic() - started:.0f} s, '
          f'{"the" if host.survives else "no"} state is kept', flush=True)
    return problems + problems_at_end


def main():
    problems = [problem for name in sys.argv[1:] or CAMPAIGNS for problem in run(name)]
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == '__main__':
    main()
