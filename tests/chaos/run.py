#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every fault point, a kill before and after: what is there afterwards is consistent (faults.py says what that means).

    tests/chaos/run.py --build DIR     a build with -Dfault_points=true and the prefix /usr

Runs under systemd in a container (scope, group, the system instance) and beside it without (cgroup, none). At the end,
a table: the points, by whom and how often they were killed at. A point that was not is a failure, as is any finding.
PM2D_TEST_CHAOS_SEED chooses which other passages of points are tried as well, PM2D_TEST_FAULT_EXTRA how many, and
PM2D_TEST_FAULT_ONLY="POINT,SIDE,OPERATION,PASSAGE..." only these. The output is in DIR/meson-logs/faults-*.log. Needs root.
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PYTHON = '/usr/bin/python3'
SKIPPED = 77
KILL = re.compile(r'# fault (\S+) (\S+) (before|after) ')
# Name, command; they run side by side.
RUNS = {
    'systemd': [os.path.join(TOP, 'tests', 'system', 'run.py'), '--folder', HERE],
    'private': [os.path.join(HERE, 'private_faults.py'), 'cgroup', 'none'],
    'hung': [os.path.join(HERE, 'private_faults.py'), 'hung'],
    'pump': [os.path.join(HERE, 'pump_faults.py')],
}


class Run(threading.Thread):
    def __init__(self, name, command, build):
        super().__init__()
        self.name, self.command = name, command + (['--build', build] if name == 'systemd' else [])
        self.environment = {**os.environ, 'PM2D_BUILD_DIR': build,
                            'PM2D_PATH': os.path.join(build, 'src', 'daemon', 'pm2d')}
        self.log = os.path.join(build, 'meson-logs', f'faults-{name}.log')
        self.output, self.status, self.seconds = '', None, 0

    def run(self):
        started = time.monotonic()
        with open(self.log, 'w+', encoding='utf-8', errors='replace') as log:
            self.status = subprocess.run([PYTHON, *self.command], env=self.environment, stdin=subprocess.DEVNULL,
                                         stdout=log, stderr=subprocess.STDOUT, check=False).returncode
            log.seek(0)
            self.output = log.read()
        self.seconds = time.monotonic() - started


def list_points():
    listing = subprocess.run([PYTHON, os.path.join(TOP, 'tools', 'check-fault-points.py'), '--list'], capture_output=True,
                             text=True, check=True)
    return listing.stdout.split()


def print_table(points, kills):
    """Returns the points and sides that were not killed at."""
    width = max(map(len, points))
    missing = []
    print(f'{"point":<{width}}  before  after  in')
    for point in points:
        counts = [sum(kills[point, side].values()) for side in ('before', 'after')]
        backends = sorted({backend for side in ('before', 'after') for backend in kills[point, side]})
        print(f'{point:<{width}}  {counts[0]:>6}  {counts[1]:>5}  {" ".join(backends)}')
        missing += [f'{side} {point}' for side, count in zip(('before', 'after'), counts) if not count]
    return missing


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('--build', metavar='DIR', required=True, type=os.path.abspath)
    build = parser.parse_args().build
    if os.geteuid() != 0 or not shutil.which('systemd-nspawn'):
        print('# skipped tests/chaos: booting a container needs root and systemd-nspawn')
        return SKIPPED
    started = time.monotonic()
    runs = [Run(name, command, build) for name, command in RUNS.items()]
    for run in runs:
        run.start()
    kills = collections.defaultdict(collections.Counter)
    for run in runs:
        run.join()
        for backend, point, side in KILL.findall(run.output):
            kills[point, side][backend] += 1
        if run.status != 0:
            print(f'== {run.name}: status {run.status}\n{run.output}')
    points = list_points()
    missing = print_table(points, kills)
    unknown = sorted({point for point, _ in kills} - set(points))
    for run in runs:
        print(f'{run.name}: {len(KILL.findall(run.output))} kills, {run.seconds:.0f} s, status {run.status}')
    covered = 2 * len(points) - len(missing)
    print(f'{len(points)} points, {covered} of {2 * len(points)} sides killed at, {sum(sum(c.values()) for c in kills.values())} '
          f'kills, {time.monotonic() - started:.0f} s')
    for text in (*(f'not killed {side}' for side in missing), *(f'{point} is not in the sources' for point in unknown)):
        print(text)
    return 1 if missing or unknown or any(run.status != 0 for run in runs) else 0


if __name__ == '__main__':
    sys.exit(main())
