#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The times of many cron expressions, beside those that croner of npm tells: over the year, and over the changes of the
clocks of several zones. Where the two differ by intent the rows say so."""

import datetime
import os
import random
import shutil
import subprocess
import unittest

import harness

PROGRAM = harness.program('PM2D_TEST_CRON_TIMES_PATH', 'tests/integration/cron-times')
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'cron_times.mjs')
COUNT = 6

# A day before each change of the clocks.
CHANGES = (
    ('Europe/Berlin', '2025-03-29'), ('Europe/Berlin', '2025-10-25'), ('Europe/Berlin', '2027-03-27'),
    ('America/New_York', '2025-03-08'), ('America/New_York', '2025-11-01'),
    ('Australia/Lord_Howe', '2025-04-05'), ('Australia/Lord_Howe', '2025-10-04'),
    ('America/Havana', '2025-03-08'), ('America/Havana', '2025-11-01'),
    ('Africa/Casablanca', '2025-02-22'), ('Africa/Casablanca', '2025-04-05'),
    ('Pacific/Auckland', '2025-04-05'), ('Pacific/Auckland', '2025-09-27'),
)
QUIET = ('UTC', 'Asia/Kolkata', 'Asia/Tokyo', 'America/Phoenix')

WRITTEN = (
    '* * * * *', '*/5 * * * *', '0 * * * *', '30 4 * * *', '0 0 * * *', '15 3 1 * *', '0 0 L * *', '0 0 1,15,L * *',
    '0 12 * * MON-FRI', '0 12 * * SUN', '0 12 * * 7', '0 12 * * 0', '0 0 13 * FRI', '0 0 1 1 *', '0 0 29 2 *',
    '0 0 31 * *', '0 22 * JAN,jul *', '*/7 * * * *', '5-50/9 8-18 * * 1-5', '1,2,3 4,5 * * *', '@yearly', '@annually',
    '@monthly', '@weekly', '@daily', '@midnight', '@hourly', '*/15 * * * * *', '10 20 * * * *', '59 59 23 31 12 *',
    '0 0 0 1 */3 *', '0 0 28-31 * *', '0 5 * * 1,3,5', '0 0 1-7 * MON', '0 0 30 4,6,9,11 *', '0,30 9-17/2 * * *',
)


class Row:
    """An expression that both understand alike, and whether a change of the clocks is one to both."""

    def __init__(self, text, over_changes):
        self.text, self.over_changes = text, over_changes


def field(chooser, minimum, maximum, stars, wild=True):
    """A random field; wild: it may have a star or a step."""
    if chooser.random() < stars:
        return '*'
    items = []
    for _ in range(chooser.choice((1, 1, 2, 3))):
        first = chooser.randint(minimum, maximum)
        last = chooser.randint(first, maximum)
        kind = chooser.choice(('number', 'range', 'steps', 'star') if wild else ('number', 'range'))
        items.append({'number': f'{first}', 'range': f'{first}-{last}',
                      'steps': f'{first}-{last}/{chooser.randint(1, (maximum - minimum) // 2)}',
                      'star': f'*/{chooser.randint(2, (maximum - minimum) // 2)}'}[kind])
    return ','.join(items)


def random_row(chooser):
    # With a step in a fixed hour croner follows the clock, where cron(8) does not: those keep away from its changes.
    hour = chooser.choice(('*', 'fixed', 'wild'))
    seconds = chooser.random() < 0.2
    wild = hour != 'fixed'
    fields = [field(chooser, 0, 59, 0.2 if wild else 0, wild)] if seconds else []
    fields.append(field(chooser, 0, 59, 0.2 if wild else 0, wild))
    fields.append('*' if hour == '*' else field(chooser, 0, 23, 0, wild))
    # crontab(5): a field that begins with a star restricts nothing, so "*/2" in one of them is not as croner has it.
    days = chooser.choice(('none', 'day', 'weekday', 'both'))
    day = field(chooser, 1, 31, 0, False) if days in ('day', 'both') else '*'
    fields += [chooser.choice((day, 'L')) if days == 'day' else day, field(chooser, 1, 12, 0.9),
               field(chooser, 0, 6, 0, False) if days in ('weekday', 'both') else '*']
    return Row(' '.join(fields), hour != 'wild')


def seconds_of(date):
    return int(datetime.datetime.fromisoformat(date).replace(tzinfo=datetime.timezone.utc).timestamp())


def run(command, lines):
    done = subprocess.run(command, input='\n'.join(lines) + '\n', capture_output=True, encoding='utf-8', check=True,
                          timeout=600)
    return done.stdout.splitlines()


class Many(unittest.TestCase):
    def compare(self, cases):
        """cases: (zone, seconds, expression)."""
        node = shutil.which('node')
        packages = harness.npm_packages()
        lines = [f'{zone}\t{after}\t{COUNT}\t{text}' for zone, after, text in cases]
        ours, theirs = run([PROGRAM], lines), run([node, SCRIPT, packages], lines)
        self.assertEqual((len(ours), len(theirs)), (len(lines), len(lines)))
        compared = 0
        for line, our, their in zip(lines, ours, theirs):
            if 'never comes' in our:
                self.assertEqual(their, '', line)
                continue
            self.assertFalse(their.startswith('error'), f'{line}: {their}')
            self.assertEqual(our, their, line)
            compared += 1
        print(f'# {compared} rows of {COUNT} times are the same', flush=True)
        return compared

    def test_over_the_year(self):
        chooser = random.Random(1)
        rows = [Row(text, True) for text in WRITTEN] + [random_row(chooser) for _ in range(400)]
        start = seconds_of('2025-01-01')
        cases = [(chooser.choice(QUIET), start + chooser.randint(0, 5 * 365 * 86400), row.text)
                 for row in rows for _ in range(2)]
        self.assertGreater(self.compare(cases), 400)

    def test_over_changes_of_the_clock(self):
        chooser = random.Random(2)
        rows = [row for row in (random_row(chooser) for _ in range(1500)) if row.over_changes]
        times = [f'{minute} {hour} * * *' for hour in range(4) for minute in (0, 15, 30, 45)]
        hourly = [f'{minute} * * * *' for minute in ('0', '15', '30', '*/20')]
        cases = [(zone, seconds_of(date) + chooser.randint(0, 2 * 86400), text)
                 for zone, date in CHANGES for text in times + hourly + ['@daily', '@hourly', '* * * * * *']]
        cases += [(zone, seconds_of(date) + chooser.randint(0, 2 * 86400), row.text)
                  for row in rows for zone, date in [chooser.choice(CHANGES)]]
        self.assertGreater(self.compare(cases), 1000)


if __name__ == '__main__':
    harness.main()
