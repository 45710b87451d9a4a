# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Host of a Campaign: pm2.service of a systemd, in the container that tests/system/run.py boots."""

import contextlib
import glob
import os
import pathlib
import shutil
import signal
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), 'system')]
import booted  # noqa: E402
import harness  # noqa: E402
from fault_file import VARIABLE, FaultFile  # noqa: E402
import faults  # noqa: E402
from faults import CUT, Campaign, Finding  # noqa: E402
from harness import wait_until  # noqa: E402

SYSTEMD = 'org.freedesktop.systemd1'
SERVICE = '/org/freedesktop/systemd1/unit/pm2_2eservice'


class ServiceCampaign(Campaign):
    operations = ('serve_shared', 'serve_rr', *Campaign.operations, 'unit_restart', 'unit_stop', 'slow_stop')

    def serve(self, policy):
        """A worker of a cluster listens, and answers; so it does whoever is its primary."""
        self.start(policy, (faults.SERVER, {'interpreter': 'node', 'exec_mode': 'cluster', 'cluster_sched': policy}))
        if self.fires(0.3):
            return
        self.settle()
        for _ in range(3):
            self.ask(policy)
        self.fires(0.05)

    def ask(self, policy):
        """Who answers; None: nobody."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError, ValueError):
            client.settimeout(5)
            client.connect(self.host.script(policy, faults.SERVER) + '.sock')
            return int(client.recv(100))
        return None

    def op_serve_shared(self):
        self.serve('shared')

    def op_serve_rr(self):
        self.serve('rr')

    def problems(self):
        found, apps = super().problems()
        for policy in ('shared', 'rr'):
            pid = apps[policy].pid if policy in apps else 0
            if pid and self.ask(policy) != pid:
                found.append(f'{policy}: {pid} does not answer')
        return found, apps

    def op_unit_restart(self):
        self.lives_on()
        self.host.instance.systemctl('restart', 'pm2', check=not self.armed)

    def op_unit_stop(self):
        """Everything ends with it, cut or not: nothing keeps the state of a stopped service."""
        self.allowed = {name: [faults.App()] for name in self.now}
        self.host.instance.systemctl('stop', 'pm2', check=not self.armed)
        self.host.start()

    def op_slow_stop(self):
        self.start('slow', faults.SLOW)
        if not self.fires(0.05):
            self.op_unit_stop()


class SystemCampaign(ServiceCampaign):
    operations = ('start', 'start_theirs', 'delete', 'die')

    def op_start_theirs(self):
        """Of somebody who is not root."""
        path = self.host.script('theirs', faults.SLEEPER)
        self.allowed['theirs'] = [faults.App('online', 0, None), faults.App()]
        client = self.host.case.bus_client(self.host.case.tester, follow=False)
        values = harness.options(name='theirs', watchdog='1h', env={harness.MARK: self.mark})
        try:
            client.manager_call('Start', 'sa{sv}', path, values, timeout=20)
            self.allowed['theirs'].pop()
        except CUT:
            if not self.armed:
                raise
        client.close()
        self.host.case.clients.remove(client)


class GroupCampaign(ServiceCampaign):
    operations = (*ServiceCampaign.operations, 'keeper')

    def op_keeper(self):
        """Without its keeper the scope is not started in any more: the next start makes another."""
        for keeper in self.host.keepers():
            os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: not self.host.keepers(), 'the keeper has ended')
        self.start('fresh', faults.FRESH)


class ServiceHost:
    survives = True
    knows_exits = True
    keeps_fds = True

    def __init__(self, case):
        self.case, self.instance = case, case.instance
        self.faults = FaultFile(case.path('faults'))
        self.client = self.manager = None

    def keepers(self):
        found = []
        for path in glob.glob(f'{self.slice_folder()}/*/keeper/cgroup.procs'):
            with contextlib.suppress(OSError):
                found += [int(pid) for pid in booted.read_file(path).split()]
        return found

    def daemon_pid(self):
        return self.manager_property('org.freedesktop.systemd1.Service', 'MainPID')

    def kept_fds(self):
        return self.manager_property('org.freedesktop.systemd1.Service', 'NFileDescriptorStore')

    def notify_folder(self):
        return os.path.join(os.path.dirname(self.instance.private_socket), 'notify')

    def manager_property(self, interface, name):
        if self.manager is None:
            self.manager = self.case.bus_client(follow=False)
        serial = self.manager.send_call(SERVICE, 'org.freedesktop.DBus.Properties', 'Get', 'ss', interface, name,
                                        destination=SYSTEMD)
        return self.manager.reply_to(serial).body[0]

    def script(self, name, text):
        path = self.case.path(f'{name}.sh')
        return path if os.path.exists(path) else self.case.script(f'{name}.sh', text)

    def start(self):
        # a start that is cut is tried again by the service manager, though its job may fail
        self.instance.systemctl('start', 'pm2', check=False)

    def wait_end(self, cut):
        wait_until(lambda: cut() or self.manager_property(f'{SYSTEMD}.Unit', 'ActiveState') in ('inactive', 'failed'),
                   'pm2.service has ended')

    def wait_back(self):
        if self.client:
            self.client.close()

        def answering():
            with contextlib.suppress(*CUT):
                client = harness.Client(self.instance.private_socket)
                client.manager_call('List', timeout=5)
                return client
            return None

        self.client = wait_until(answering, 'the supervisor answers', 20)
        return self.client

    def groups(self):
        """The cgroups of apps that have processes: path -> pids."""
        found = {}
        top = self.slice_folder()
        for folder, _, files in os.walk(top):
            path = folder.removeprefix(booted.CGROUPS)
            if 'cgroup.procs' in files and os.path.basename(folder) != 'keeper':
                with contextlib.suppress(OSError):
                    pids = [int(pid) for pid in booted.read_file(f'{folder}/cgroup.procs').split()]
                    if pids:
                        found[path] = pids
        return found

    def slice_folder(self):
        if self.instance.system:
            return f'{booted.CGROUPS}/pm2.slice'
        uid = self.instance.user.uid
        return f'{booted.CGROUPS}/user.slice/user-{uid}.slice/user@{uid}.service/app.slice/app-pm2.slice'

    def strays(self):
        return []

    def log_cursor(self):
        return self.instance.journal_cursor()

    def log_since(self, cursor):
        return self.instance.journal_since(cursor)

    def check_nothing_left(self, mark):
        self.instance.systemctl('restart', 'pm2')  # slices of scopes that it did not know
        self.wait_back()
        wait_until(lambda: not self.instance.units(), 'no unit of pm2 is left', 10)
        left = [pid for pid in harness.marked_processes(mark) if harness.is_alive(pid)]
        if left or self.groups() or self.kept_fds() != faults.STATE_FDS:
            raise Finding(f'processes {left}, cgroups {self.groups()}, {self.kept_fds()} descriptors are left')

    def reset(self, mark):
        """Begin anew, whatever there is: a supervisor that stops nothing is stopped."""
        self.instance.systemctl('stop', '--no-block', 'pm2')
        with contextlib.suppress(AssertionError):
            wait_until(lambda: self.manager_property(f'{SYSTEMD}.Unit', 'ActiveState') == 'inactive', 'stopped', 5)
        self.instance.systemctl('kill', '--signal=KILL', 'pm2', check=False)
        self.instance.systemctl('stop', 'pm2', check=False)
        self.instance.kill_leftovers()
        self.clean(mark)
        self.start()

    def clean(self, mark):
        for pid in harness.marked_processes(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)


class FaultCase(booted.Case):
    """One campaign."""

    campaign = ServiceCampaign
    backend = 'scope'
    settings = {'isolation': 'scope', 'log_level': 'debug'}
    drop_in = ''
    only = operations = None

    def drop_in_folder(self):
        if self.system:
            return '/etc/systemd/system/pm2.service.d'
        return os.path.join(self.instance.user.home, '.config', 'systemd', 'user', 'pm2.service.d')

    def install_drop_in(self, path):
        folder = self.drop_in_folder()
        os.makedirs(folder, exist_ok=True)
        pathlib.Path(folder, 'faults.conf').write_text(f'[Service]\nEnvironment={VARIABLE}={path}\n{self.drop_in}\n',
                                                       encoding='utf-8')
        self.instance.systemctl('daemon-reload')
        self.addCleanup(self.remove_drop_in)

    def remove_drop_in(self):
        self.instance.stop()
        shutil.rmtree(self.drop_in_folder())
        self.instance.systemctl('daemon-reload')

    def test_faults(self):
        host = ServiceHost(self)
        self.install_drop_in(host.faults.path)
        host.start()
        campaign = self.campaign(host, self.backend, self.only, self.operations)
        started = time.monotonic()
        problems = campaign.run()
        print(f'# {self.backend}: {campaign.kills} kills, {time.monotonic() - started:.0f} s')
        self.assertEqual(problems, [], '\n'.join(problems))
