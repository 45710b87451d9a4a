#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Workers of a cluster while their primary is killed: the listener is the service manager's to keep."""

import json
import os
import random
import signal
import socket
import threading
import time

import booted
from booted import wait_until
from test_survival import SEED, SurvivalCase

KILLS = 20
SERVER = '''
require('http').createServer((request, response) => response.end(JSON.stringify({pid: process.pid})))
    .listen(Number(process.argv[2]), () => require('fs').appendFileSync(process.argv[3], 'listens\\n'));
'''
REQUEST = b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'


class Load(threading.Thread):
    """One connection after the other, each with one request, until it is told to stop."""

    def __init__(self, port):
        super().__init__()
        self.port, self.over = port, threading.Event()
        self.refused, self.cut, self.served = [], [], {}

    def run(self):
        while not self.over.is_set():
            try:
                client = socket.create_connection(('127.0.0.1', self.port), booted.TIMEOUT)
            except OSError as error:
                self.refused.append(error)
                continue
            try:
                with client, client.makefile('rwb') as file:
                    file.write(REQUEST)
                    file.flush()
                    pid = json.loads(file.read().partition(b'\r\n\r\n')[2])['pid']
                    self.served[pid] = self.served.get(pid, 0) + 1
            except (OSError, ValueError) as error:
                self.cut.append(error)

    def count(self):
        return sum(self.served.values())


class Cluster(SurvivalCase):
    def start_cluster(self, policy):
        with socket.socket() as probe:
            probe.bind(('', 0))
            port = probe.getsockname()[1]
        said = self.path(f'{policy}.said')
        paths = self.client.start(self.script(f'{policy}.js', SERVER), name=policy, interpreter='node', instances=2,
                                  exec_mode='cluster', cluster_sched=policy, args=[str(port), said])
        booted.wait_file(said, lambda text: text.count('\n') == 2)
        return port, paths

    def kill_under_load(self, policy):
        port, paths = self.start_cluster(policy)
        before = self.state()
        pids = {before[path]['Pid'] for path in paths}
        loads = [Load(port) for _ in range(4)]
        choice = random.Random(SEED)
        for load in loads:
            load.start()
        try:
            for _ in range(KILLS):
                served = sum(load.count() for load in loads)
                self.end_daemon()
                wait_until(lambda n=served: sum(load.count() for load in loads) > n + 50, 'it goes on')
                time.sleep(choice.random() / 20)  # kills at other instants
        finally:
            for load in loads:
                load.over.set()
            for load in loads:
                load.join()
        after = self.state()
        self.assertEqual({after[path]['Pid'] for path in paths}, pids)
        self.assertEqual([after[path]['RestartCount'] for path in paths], [0, 0])
        self.assertEqual([error for load in loads for error in load.refused], [])
        self.assertEqual({pid for load in loads for pid in load.served}, pids)
        cut = [error for load in loads for error in load.cut]
        print(f'# {policy}: {KILLS} kills, {sum(load.count() for load in loads)} requests, {len(cut)} cut: {cut[:3]}', flush=True)
        return cut

    def test_kills_shared(self):
        self.assertEqual(self.kill_under_load('shared'), [])

    def test_kills_rr(self):
        """What was accepted and at no worker yet goes with us: at most one of each client for each kill."""
        self.assertLessEqual(len(self.kill_under_load('rr')), 4 * KILLS)

    def test_restart_of_the_unit(self):
        for policy in ('shared', 'rr'):
            port, paths = self.start_cluster(policy)
            before = self.state()
            load = Load(port)
            load.start()
            for _ in range(3):
                self.instance.systemctl('restart', 'pm2')
                self.reconnect()
                served = load.count()
                wait_until(lambda n=served: load.count() > n + 20, 'it goes on')  # noqa: B023
            load.over.set()
            load.join()
            self.assertEqual((load.refused, load.cut), ([], []))
            self.assertEqual([self.state()[path]['Pid'] for path in paths], [before[path]['Pid'] for path in paths])

    def test_worker_that_died_in_the_down_time(self):
        """Its connections wait, and the next one has them."""
        port, paths = self.start_cluster('shared')
        first = self.state()[paths[0]]['Pid']
        daemon = self.instance.main_pid()
        os.kill(daemon, signal.SIGSTOP)
        os.kill(first, signal.SIGKILL)
        self.end_daemon()
        wait_until(lambda: self.state()[paths[0]]['RestartCount'] == 1, 'it is restarted')
        load = Load(port)
        load.start()
        wait_until(lambda: len(load.served) == 2, 'both serve')
        load.over.set()
        load.join()
        self.assertEqual((load.refused, load.cut), ([], []))


if __name__ == '__main__':
    booted.main()
