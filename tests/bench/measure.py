# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benchmarks share: the service with its figures, the programs to compare with, and the report."""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'system'))
import booted  # noqa: E402


def program(name):
    path = os.path.join(os.environ['PM2D_BUILD_DIR'], 'tests', 'bench', name)
    if not os.path.exists(path):
        sys.exit(f'{path} is not built')
    return path


class ScopeJobs:
    """Scopes without a supervisor, on the same manager."""

    def __init__(self, *command):
        self.process = subprocess.Popen([program('scope-jobs'), *command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, line):
        self.process.stdin.write(line + '\n')
        return int(self.process.stdout.readline())

    def run(self, count, scopes=True):
        """Microseconds until so many run."""
        return self.ask(f'{"scope" if scopes else "exec"} {count}')

    def end(self):
        self.ask('end')

    def close(self):
        self.process.stdin.close()
        self.process.wait(booted.TIMEOUT)


class Service:
    """The user's pm2.service, without settings and state, and nothing but what is measured."""

    def __init__(self, **settings):
        self.instance = booted.Instance(booted.User(booted.TESTER))
        self.instance.stop()
        self.instance.forget()
        if settings:
            self.instance.write_settings(**settings)
        self.instance.start()
        self.pid = self.instance.main_pid()
        self.client = booted.Client(self.instance.private_socket)
        self.work = tempfile.mkdtemp(prefix='pm2-bench-')

    def figures(self):
        rollup = booted.read_file(f'/proc/{self.pid}/smaps_rollup')
        pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith('Pss:'))
        return {'fds': len(os.listdir(f'/proc/{self.pid}/fd')), 'pss_kb': pss}

    def cpu_usec(self):
        """CPU time so far of who takes part."""
        manager = int(booted.read_file(f'/proc/{self.pid}/stat').rpartition(')')[2].split()[1])
        bus = int(self.instance.show('dbus.service', 'MainPID'))
        tick = 1_000_000 // os.sysconf('SC_CLK_TCK')
        return {name: sum(map(int, booted.read_file(f'/proc/{pid}/stat').rpartition(')')[2].split()[11:13])) * tick
                for name, pid in (('pm2d', self.pid), ('manager', manager), ('bus', bus))}

    def wait_clean(self):
        booted.wait_until(lambda: not self.instance.units(), 'no unit is left')

    def close(self):
        self.client.close()
        self.instance.stop()
        self.instance.forget()
        shutil.rmtree(self.work)


def distribution(values, digits=0):
    """Of a list of numbers: what to look at."""
    ordered = sorted(values)

    def at(share):
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], digits)

    return {'n': len(ordered), 'minimum': at(0), 'median': round(statistics.median(ordered), digits), 'p90': at(0.9),
            'p99': at(0.99), 'maximum': at(1)}


def report(name, **figures):
    version = subprocess.run(['systemctl', '--version'], capture_output=True, text=True).stdout.split()[1]
    host = {'cpus': os.cpu_count(), 'kernel': platform.release(), 'systemd': int(version)}
    json.dump({'name': name, 'host': host, **figures}, sys.stdout, indent=1)
    print()
