#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of a process until its successor runs: the distribution of 200, as a ratio to one exec and one scope job of
the same program in the same run, taken by turns. The program itself says when it runs."""

import os
import signal
import socket
import statistics
import time

import measure
from measure import booted

ROUNDS = int(os.environ.get('PM2D_TEST_BENCH_COUNT', '200'))
BUDGET = {'ratio': 1.5}


class Beacons:
    """Where the programs say that they run."""

    def __init__(self, folder):
        self.path = os.path.join(folder, 'beacon')
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(booted.TIMEOUT)

    def wait(self):
        """(pid, nanoseconds) of the next one."""
        pid, when = self.socket.recv(64).split()
        return int(pid), int(when)


def measure_restart(beacons, pid):
    started = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    successor, when = beacons.wait()
    return successor, (when - started) / 1000


def measure_job(beacons, jobs, scopes):
    started = time.monotonic_ns()
    jobs.run(1, scopes=scopes)
    _, when = beacons.wait()
    jobs.end()
    return (when - started) / 1000


def run(isolation):
    service = measure.Service(isolation=isolation)
    beacons = Beacons(service.work)
    beacon = measure.program('beacon')
    jobs = measure.ScopeJobs(beacon, beacons.path)
    path = service.client.start_one(beacon, args=[beacons.path], name='bench', max_restarts=1000000)
    pid, _ = beacons.wait()
    restarts, scope_jobs, execs = [], [], []
    for number in range(ROUNDS + 5):
        service.client.wait_status(path, 'online')
        successor, usec = measure_restart(beacons, pid)
        scope_job = measure_job(beacons, jobs, True)
        execution = measure_job(beacons, jobs, False)
        pid = successor
        if number >= 5:  # the first ones find nothing in the caches
            restarts.append(usec)
            scope_jobs.append(scope_job)
            execs.append(execution)
    service.client.delete('all')
    jobs.close()
    service.close()
    service.wait_clean()
    ratio = round(statistics.median(restarts) / statistics.median(scope_jobs), 2)
    return {
        'restart_usec': measure.distribution(restarts), 'exec_and_scope_job_usec': measure.distribution(scope_jobs),
        'exec_usec': measure.distribution(execs), 'ratio': ratio,
        'ratio_p90': round(measure.distribution(restarts)['p90'] / measure.distribution(scope_jobs)['p90'], 2),
        'ratio_to_exec': round(statistics.median(restarts) / statistics.median(execs), 2),
    }


def main():
    scope = run('scope')
    scope['within_budget'] = scope['ratio'] <= BUDGET['ratio']
    measure.report('restart', count=ROUNDS, budget=BUDGET, scope=scope, group=run('group'))


if __name__ == '__main__':
    main()
