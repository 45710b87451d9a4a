#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests of wrk to two workers with a handler that does nothing, over short and over kept connections: with Node's own
primary, PM2's cluster and pm2d, in turn. Requests a second as ratios, and the share of one processor that the primary
takes. Needs wrk and tools/install-npm. PM2D_TEST_PEERS: only these of PEERS."""

import functools
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'integration'))
import harness  # noqa: E402
import pm2_home  # noqa: E402
from drain import Primary  # noqa: E402
from pm2_home import cpu_usec  # noqa: E402

ROUNDS = int(os.environ.get('PM2D_TEST_BENCH_ROUNDS', '5'))
SECONDS = int(os.environ.get('PM2D_TEST_BENCH_SECONDS', '4'))
CONNECTIONS, WORKERS = 32, 2
SCRIPT = os.path.join(HERE, 'cluster-worker.js')
MODES = {'close': ['-H', 'Connection: close'], 'keep-alive': []}
# Of short connections; kept ones do not pass the primary.
BUDGET = {'node-shared': 0.8, 'pm2': 1.7}


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


class Node:
    """Node's own primary."""

    def __init__(self, shared):
        self.primary = Primary(script=SCRIPT, preload=False, workers=WORKERS, shared=shared)
        self.pid, self.port = self.primary.process.pid, self.primary.port

    def close(self):
        left = self.primary.end()
        return [] if left == WORKERS else [f'{left} workers were left']


class Pm2:
    """PM2's daemon is the primary, round robin."""

    def __init__(self):
        self.port = free_port()
        self.home = pm2_home.Pm2Home()
        self.home.start()
        self.home.script('apps.json', json.dumps({'apps': [
            {'name': 'app', 'script': SCRIPT, 'exec_mode': 'cluster', 'instances': WORKERS, 'env': {'PORT': self.port}}]}))
        self.home.pm2('start', 'apps.json')
        self.pid = self.home.pid

    def close(self):
        return self.home.end()


class Pm2d:
    def __init__(self, policy):
        self.port = free_port()
        self.daemon = harness.Daemon()
        self.daemon.start()
        self.pid = self.daemon.process.pid
        self.daemon.connect().start(SCRIPT, name='app', exec_mode='cluster', instances=WORKERS, cluster_sched=policy,
                                    env={'PORT': str(self.port)})

    def close(self):
        return self.daemon.end()


PEERS = {'node-shared': functools.partial(Node, True), 'node-rr': functools.partial(Node, False), 'pm2': Pm2,
         'pm2d-shared': functools.partial(Pm2d, 'shared'), 'pm2d-rr': functools.partial(Pm2d, 'rr')}


def measured(peer, mode):
    """One cell: what wrk says, and the primary's processor time."""
    used, started = cpu_usec(peer.pid), time.monotonic()
    command = ['wrk', '-t1', f'-c{CONNECTIONS}', f'-d{SECONDS}s', *MODES[mode], f'http://127.0.0.1:{peer.port}/']
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    share = (cpu_usec(peer.pid) - used) / 1e6 / (time.monotonic() - started)
    errors = re.search(r'Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)', text)
    bad = re.search(r'Non-2xx or 3xx responses: (\d+)', text)
    return {'requests_per_second': float(re.search(r'Requests/sec: +([\d.]+)', text).group(1)), 'primary_cpu_share': share,
            'errors': sum(map(int, errors.groups())) if errors else 0, 'wrong': int(bad.group(1)) if bad else 0}


def summary(rounds):
    """Medians of the rounds of each peer, and each rate relative to that of Node's own primary."""
    middle = {name: {key: statistics.median(one[key] for one in cells) for key in cells[0]} for name, cells in rounds.items()}
    base = middle.get('node-rr', next(iter(middle.values())))['requests_per_second']
    return {name: {'requests_per_second': round(cell['requests_per_second']),
                   'ratio': round(cell['requests_per_second'] / base, 2),
                   'primary_cpu_share': round(cell['primary_cpu_share'], 3),
                   'errors': sum(one['errors'] for one in rounds[name])} for name, cell in middle.items()}


def main():
    if not shutil.which('wrk'):
        print('# skipped bench-cluster: there is no wrk (tools/install-deps full)')
        return 77
    wanted = os.environ.get('PM2D_TEST_PEERS', ','.join(PEERS)).split(',')
    try:
        if 'pm2' in wanted:
            harness.npm_packages()
    except harness.unittest.SkipTest as reason:
        print(f'# skipped bench-cluster: {reason}')
        return 77
    peers = {}
    found = {mode: {name: [] for name in wanted} for mode in MODES}
    problems = []
    try:
        for name in wanted:
            peers[name] = PEERS[name]()
            harness.wait_until(functools.partial(answers, peers[name].port), f'{name} serves')
        for _ in range(ROUNDS):
            for mode in MODES:
                for name, peer in peers.items():
                    found[mode][name].append(measured(peer, mode))
    finally:
        problems = [text for peer in peers.values() for text in peer.close()]
    problems += [f'{name}: wrong replies' for cells in found.values() for name, rounds in cells.items()
                 if any(one['wrong'] for one in rounds)]
    result = {mode: summary(rounds) for mode, rounds in found.items()}
    close = result['close']
    ratios = {f'pm2d_shared_to_{name}': round(close['pm2d-shared']['requests_per_second'] / close[name]['requests_per_second'], 2)
              for name in BUDGET if name in close and 'pm2d-shared' in close}
    within = all(ratios.get(f'pm2d_shared_to_{name}', 0) >= least for name, least in BUDGET.items())
    print(json.dumps({'bench': 'cluster', 'connections': CONNECTIONS, 'workers': WORKERS, 'rounds': ROUNDS, 'budget': BUDGET,
                      **result, **ratios, 'within_budget': within, 'problems': problems}, indent=2))
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
