#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How late a delayed restart is: from the kill -9 of a process to its successor, less the delay that was declared, as a
ratio to the same without a delay in the same run. The program itself says when it runs. What the row of growing delays
is, is a matter of tests/unit/test-restart-policy.c, under a clock that the test turns."""

import os
import signal
import socket
import statistics
import time

import measure
from measure import booted

ROUNDS = int(os.environ.get('PM2D_TEST_BENCH_COUNT', '50'))
DELAYS_MSEC = (0, 10, 100)
BUDGET = {'late_ratio': 3.0}


def measure_delay(service, receiver, beacon, delay_msec):
    """Microseconds from each kill to its successor."""
    path = service.client.start_one(beacon, args=[receiver.getsockname()], name='bench', max_restarts=1000000,
                                    restart_delay=delay_msec)
    pid, _ = map(int, receiver.recv(64).split())
    took = []
    for _ in range(ROUNDS):
        service.client.wait_status(path, 'online')
        started = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        pid, when = map(int, receiver.recv(64).split())
        took.append((when - started) / 1000)
    service.client.delete('all')
    return took


def main():
    service = measure.Service(isolation='scope')
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(os.path.join(service.work, 'beacon'))
    receiver.settimeout(booted.TIMEOUT)
    beacon = measure.program('beacon')
    took = {delay: measure_delay(service, receiver, beacon, delay) for delay in DELAYS_MSEC}
    service.close()
    service.wait_clean()
    at_once = statistics.median(took[0])
    figures = {}
    for delay in DELAYS_MSEC[1:]:
        late = [usec - delay * 1000 for usec in took[delay]]
        ratio = round(statistics.median(late) / at_once, 2)
        figures[f'delay_{delay}_msec'] = {'late_usec': measure.distribution(late), 'late_ratio': ratio,
                                          'too_early': sum(usec < 0 for usec in late),
                                          'within_budget': ratio <= BUDGET['late_ratio'] and min(late) >= 0}
    measure.report('delays', count=ROUNDS, budget=BUDGET, at_once_usec=measure.distribution(took[0]), **figures)


if __name__ == '__main__':
    main()
