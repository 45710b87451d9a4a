#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A thousand processes, each in its scope: started, listed, deleted; as ratios to the scopes alone. The same with
isolation "group", as a ratio to fork and exec alone. Fails if anything is left."""

import json
import os
import statistics
import sys
import time

import measure
from measure import booted

COUNT = int(os.environ.get('PM2D_TEST_BENCH_COUNT', '1000'))
ROUNDS = 3
LISTS = 20
TIMEOUT = 300
PROGRAM = ['/usr/bin/sleep', '100000']
BUDGET = {'start_ratio': 1.3, 'list_ms': 15}


def timed(function):
    started = time.monotonic()
    function()
    return round((time.monotonic() - started) * 1e6)


def each(before, after):
    return {name: round((after[name] - before[name]) / COUNT) for name in after}


def run_round(service):
    document = json.dumps([{'script': PROGRAM[0], 'args': PROGRAM[1:], 'name': f'bench{n}'} for n in range(COUNT)])
    client = service.client

    def start():
        client.manager_call('StartJson', 'sa{sv}', document, {}, timeout=TIMEOUT)

    before = service.cpu_usec()
    result = {'start_usec': timed(start)}
    result['start_cpu_usec_each'] = each(before, service.cpu_usec())
    listed = client.list()
    if [item['pm2_env']['status'] for item in listed] != ['online'] * COUNT:
        sys.exit('not all are online')
    # until the answer is there: what Python does with it is another matter
    result['list_usec'] = measure.distribution(
        [timed(lambda: client.call_message(booted.MANAGER_PATH, booted.MANAGER, 'List')) for _ in range(LISTS)])
    result['while_running'] = service.figures()
    result['delete_usec'] = timed(lambda: client.manager_call('Delete', 'sa{sv}', 'all', {}, timeout=TIMEOUT))
    service.client.received.clear()
    return result


def run(isolation, reference):
    service = measure.Service(isolation=isolation)
    service.client.start_one('/usr/bin/sleep', args=['1'], name='warm')
    service.client.delete('all')
    before = service.figures()
    rounds = []
    for _ in range(ROUNDS):
        cpu = service.cpu_usec()
        alone = reference()
        cpu = each(cpu, service.cpu_usec())
        result = run_round(service)
        result['reference_cpu_usec_each'] = cpu
        result['reference_usec'] = alone
        result['start_ratio'] = round(result['start_usec'] / alone, 2)
        rounds.append(result)
        if isolation == 'scope':
            service.wait_clean()
    after = service.figures()
    service.close()
    service.wait_clean()
    ratio = statistics.median(item['start_ratio'] for item in rounds)
    list_ms = statistics.median(item['list_usec']['median'] for item in rounds) / 1000
    return {
        'start_usec_each': round(statistics.median(item['start_usec'] for item in rounds) / COUNT),
        'reference_usec_each': round(statistics.median(item['reference_usec'] for item in rounds) / COUNT),
        'start_ratio': ratio, 'list_ms': list_ms,
        'delete_usec_each': round(statistics.median(item['delete_usec'] for item in rounds) / COUNT),
        'left': {'units': service.instance.units(), 'fds': after['fds'] - before['fds'],
                 'pss_kb': after['pss_kb'] - before['pss_kb']},
        'within_budget': ratio <= BUDGET['start_ratio'] and list_ms <= BUDGET['list_ms'],
        'rounds': rounds,
    }


def main():
    jobs = measure.ScopeJobs(*PROGRAM)

    def reference(scopes):
        usec = jobs.run(COUNT, scopes)
        jobs.end()
        return usec

    scope = run('scope', lambda: reference(True))
    group = run('group', lambda: reference(False))
    jobs.close()
    measure.report('scopes', count=COUNT, budget=BUDGET, scope=scope, group=group)
    left = [name for name, part in (('scope', scope), ('group', group)) if part['left']['units'] or part['left']['fds']]
    sys.exit(f'something is left of {", ".join(left)}' if left else 0)


if __name__ == '__main__':
    main()
