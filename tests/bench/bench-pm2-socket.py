#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""PM2's socket, served by PM2's own daemon and by pm2d: `ping`, and `getMonitorData` of 200 processes, by the same client,
in turn. How long one call takes, how many a second are answered where many are in flight, and processor time of the
daemon for each, as ratios. Needs tools/install-npm."""

import json
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'integration'))
import harness  # noqa: E402
import pm2_home  # noqa: E402
from pm2_home import HOMES, cpu_usec  # noqa: E402

PROCESSES = int(os.environ.get('PM2D_TEST_BENCH_PROCESSES', '200'))
ROUNDS = int(os.environ.get('PM2D_TEST_BENCH_ROUNDS', '3'))
PEERS = os.environ.get('PM2D_TEST_PEERS', 'pm2,pm2d').split(',')
# Of each method: calls one after the other, calls in flight, and in how many at once.
METHODS = {'ping': (2000, 20000, 64), 'getMonitorData': (50, 200, 8)}
BUDGET = {'ping': {'latency_ratio': 1.0, 'rate_ratio': 1.0},
          'getMonitorData': {'cpu_ratio': 3.0, 'latency_ratio': 1.0, 'rate_ratio': 1.0}}


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def read_frames(wire, count):
    """Take so many replies, without a look at what is in them: it is the daemon that is measured."""
    left = count
    buffer = wire.buffer
    while True:
        while len(buffer) > 5:
            length = 5 + int.from_bytes(buffer[1:5], 'big')
            if len(buffer) < length + 4:
                break
            end = length + 4 + int.from_bytes(buffer[length:length + 4], 'big')
            if len(buffer) < end:
                break
            del buffer[:end]
            left -= 1
            if left == 0:
                return
        buffer += wire.socket.recv(1 << 20)


class Peer:
    def __init__(self, kind):
        self.home = HOMES[kind]()
        self.home.start()
        self.home.script('sleeper.sh', '#!/bin/sh\nexec sleep 100000\n')
        self.home.script('apps.json', json.dumps({'apps': [
            {'name': 'app', 'script': 'sleeper.sh', 'instances': PROCESSES, 'exec_mode': 'fork'}]}))
        self.home.pm2('start', 'apps.json', timeout=300)
        self.pid = self.home.pid
        self.rpc = self.home.rpc()
        listed = self.rpc.list()
        assert [one['pm2_env']['status'] for one in listed] == ['online'] * PROCESSES

    def round(self, method):
        """Figures of one round."""
        alone, many, pending = METHODS[method]
        request = pm2_home.frame({'type': 'call', 'method': method, 'args': [{}]}, 'id')
        times = []
        for _ in range(alone):
            started = time.perf_counter()
            self.rpc.send(request)
            read_frames(self.rpc, 1)
            times.append((time.perf_counter() - started) * 1e6)
        used, started = cpu_usec(self.pid), time.perf_counter()
        self.rpc.send(request * pending)
        for _ in range(many // pending - 1):
            read_frames(self.rpc, pending // 2)
            self.rpc.send(request * (pending // 2))
            read_frames(self.rpc, pending - pending // 2)
            self.rpc.send(request * (pending - pending // 2))
        read_frames(self.rpc, pending)
        calls = many // pending * pending
        return {'p50_usec': percentile(times, 0.5), 'p99_usec': percentile(times, 0.99),
                'calls_per_second': calls / (time.perf_counter() - started),
                'cpu_usec_per_call': (cpu_usec(self.pid) - used) / calls}

    def close(self):
        self.rpc.close()
        return self.home.end()


def main():
    try:
        harness.npm_packages()
    except harness.unittest.SkipTest as reason:
        print(f'# skipped bench-pm2-socket: {reason}')
        return 77
    peers = {name: Peer(kind) for name, kind in zip(('pm2', 'pm2d'), PEERS)}
    found = {name: {method: [] for method in METHODS} for name in peers}
    for _ in range(ROUNDS):
        for method in METHODS:
            for name, peer in peers.items():
                found[name][method].append(peer.round(method))
    problems = [text for peer in peers.values() for text in peer.close()]
    result = {}
    for method in METHODS:
        middle = {name: {key: round(statistics.median(one[key] for one in rounds[method]), 2)
                         for key in rounds[method][0]} for name, rounds in found.items()}
        ours, theirs = middle['pm2d'], middle['pm2']
        ratios = {'cpu_ratio': round(theirs['cpu_usec_per_call'] / max(ours['cpu_usec_per_call'], 0.01), 2),
                  'latency_ratio': round(theirs['p50_usec'] / ours['p50_usec'], 2),
                  'rate_ratio': round(ours['calls_per_second'] / theirs['calls_per_second'], 2)}
        result[method] = {**middle, **ratios, 'within_budget': all(ratios[key] >= value for key, value in BUDGET[method].items())}
    print(json.dumps({'bench': 'pm2-socket', 'processes': PROCESSES, 'rounds': ROUNDS, 'budget': BUDGET, **result,
                      'problems': problems}, indent=2))
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
