#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every public method of npm's pm2 and every verb of its command that concerns supervision, by PM2's own daemon and by
pm2d: what is answered, the list after it, what the bus told, status and output of the command. What differs has its
reason in pm2_justified.py, or is a failure; and so is a reason for what does not differ.

    PM2D_TEST_PM2_VERSION=5.4.3   of the client, and so of PM2's daemon (tests/pm2-versions.py installs it)
    PM2D_TEST_SCENARIOS=api-*     these only
    PM2D_TEST_LATER=1             what later issues bring as well
    PM2D_TEST_PEERS=pm2,pm2       who is compared (two of the same: is what is compared stable?)
    PM2D_TEST_REPORT=FILE         all differences as text, and the records beside it as FILE.json
    PM2D_TEST_RECORDS=FILE.json   compare these records: nothing is run
"""

import concurrent.futures
import contextlib
import fnmatch
import json
import os
import pathlib
import re
import unittest

import harness
import pm2_compare
import pm2_scenarios
from pm2_home import HOMES, NEWEST
from pm2_justified import JUSTIFIED, OLDER

VERSION = os.environ.get('PM2D_TEST_PM2_VERSION', NEWEST)
PATTERN = os.environ.get('PM2D_TEST_SCENARIOS', '*')
PEERS = os.environ.get('PM2D_TEST_PEERS', 'pm2,pm2d').split(',')
RECORDS = os.environ.get('PM2D_TEST_RECORDS')
REPORT = os.environ.get('PM2D_TEST_REPORT')
CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'pm2-scenario-client.js')
SCENARIO_TIMEOUT = 300
JOBS = 4

KEPT = json.loads(harness.read_file(RECORDS)) if RECORDS else {}


class ScenarioFailed(Exception):
    """The client itself came to no end."""


def run_scenario(kind, name, steps):
    """Who serves it, and the record."""
    with HOMES[kind](VERSION) as home:
        for file, text in pm2_scenarios.FILES.items():
            home.script(file, text)
        scenario, record = (os.path.join(home.root, file) for file in ('scenario.json', 'record.json'))
        text = json.dumps([{'name': name, 'steps': steps}]).replace('$HOME', home.home).replace('$APPS', home.apps)
        pathlib.Path(scenario).write_text(text, encoding='utf-8')
        result = home.node(CLIENT, home.modules, scenario, record, timeout=SCENARIO_TIMEOUT)
        text = ''
        with contextlib.suppress(FileNotFoundError):
            text = harness.read_file(record)
        found = json.loads(text.splitlines()[-1]) if text else {}
        if result.returncode or 'steps' not in found:
            raise ScenarioFailed(f'{kind}: {name}: {found.get("uncaught")}\n{result.stdout}\n{result.stderr}')
        # what the comparison must know of the home when it is gone
        found['home'] = {key: getattr(home, key) for key in ('modules', 'home', 'root', 'mark', 'version')}
        return found


def chosen():
    scenarios = {**pm2_scenarios.SCENARIOS, **(pm2_scenarios.LATER if os.environ.get('PM2D_TEST_LATER') else {})}
    return {name: steps for name, steps in scenarios.items()
            if (not RECORDS or name in KEPT) and any(fnmatch.fnmatchcase(name, pattern) for pattern in PATTERN.split(','))}


def compare_scenario(name, steps):
    """(differences, records, or what failed)."""
    try:
        sides = KEPT[name] if RECORDS else [run_scenario(kind, name, steps) for kind in PEERS]
        return pm2_compare.compare(*sides), sides, None
    except (ScenarioFailed, AssertionError) as error:
        return [], [], f'{name}: {error}'


class Names(unittest.TestCase):
    """Nothing is forgotten: a name that a new version of PM2 brings must be classified."""

    def steps(self, key):
        return [step[key] for steps in pm2_scenarios.SCENARIOS.values() for step in steps if key in step]

    def older(self):
        return set() if VERSION == NEWEST else set(pm2_scenarios.OLDER)

    def test_api(self):
        record = run_scenario('pm2', 'names', [{'label': 'names', 'introspect': True}])
        names = set(record['steps'][0]['outcome'])
        self.assertGreater(len(names), 50)
        self.assertEqual(names - pm2_scenarios.RUN - set(pm2_scenarios.NOT_RUN) - self.older(), set(), 'not classified')
        self.assertEqual(pm2_scenarios.RUN & set(pm2_scenarios.NOT_RUN), set())
        if VERSION == NEWEST:
            self.assertEqual((pm2_scenarios.RUN | set(pm2_scenarios.NOT_RUN)) - names, set(), 'does not exist')
        self.assertEqual(pm2_scenarios.RUN - set(self.steps('api')), set(), 'is not tried by any scenario')

    def test_command(self):
        record = run_scenario('pm2', 'help', [pm2_scenarios.cli('--help')])
        text = record['steps'][0]['stdout'].partition('Commands:')[2]
        names = {name for line in text.splitlines() if re.match(r'    \S', line)
                 for name in line.split()[0].split('|')}
        self.assertGreater(len(names), 50)
        self.assertEqual(names - pm2_scenarios.CLI_RUN - set(pm2_scenarios.CLI_NOT_RUN) - self.older(), set(),
                         'not classified')
        self.assertEqual(pm2_scenarios.CLI_RUN & set(pm2_scenarios.CLI_NOT_RUN), set())
        if VERSION == NEWEST:
            self.assertEqual((pm2_scenarios.CLI_RUN | set(pm2_scenarios.CLI_NOT_RUN)) - names, set(), 'does not exist')
        self.assertEqual(pm2_scenarios.CLI_RUN - {words[0] for words in self.steps('cli')}, set(), 'is not tried')


class Table(unittest.TestCase):
    maxDiff = None

    def test_all(self):
        scenarios = chosen()
        found, failed, records = [], [], {}
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            results = pool.map(lambda item: compare_scenario(*item), scenarios.items())
            for name, (differences, both, failure) in zip(scenarios, results):
                found += differences
                records[name] = both
                failed += [failure] if failure else []
                print(f'# {name}: {failure or f"{len(differences)} differences"}', flush=True)
        open_ones = pm2_compare.justify(found, JUSTIFIED + (OLDER if VERSION != NEWEST else []))
        if REPORT:
            pathlib.Path(REPORT).write_text(pm2_compare.report(found) + '\n', encoding='utf-8')
            pathlib.Path(REPORT + '.json').write_text(json.dumps(records), encoding='utf-8')
        print(f'# {len(scenarios)} scenarios, {len(found)} differences, {len(found) - len(open_ones)} justified', flush=True)
        self.assertFalse(failed, '\n'.join(failed))
        if open_ones:
            self.fail(f'{len(open_ones)} differences without a reason\n{pm2_compare.report(open_ones)}')
        if PATTERN == '*' and VERSION == NEWEST and len(set(PEERS)) == 2:
            unused = [str(one) for one in JUSTIFIED if not one.used]
            self.assertEqual(unused, [], 'justifies nothing')


if __name__ == '__main__':
    harness.main()
