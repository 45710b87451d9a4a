# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two records of the same scenario, by PM2's daemon and by pm2d: what differs between two runs of one program is taken
out (pids, times, paths), and the rest is compared field by field."""

import difflib
import fnmatch
import json
import re

from pm2_home import ANSI

MISSING = '(missing)'
WORDS = {'modules': '$NPM', 'home': '$PM2_HOME', 'root': '$ROOT', 'mark': '$MARK', 'version': '$VERSION'}
TIME_KEYS = {'pm_uptime', 'created_at', 'at', 'started_at', 'timestamp', 'update_time'}
# PM2's, and ours
UUID = re.compile(r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b')
HEX = re.compile(r'(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])')
DATE = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?')
BORDERS = re.compile(r'[│┌┐└┘├┤┬┴┼─┃|]+')
# 12s, 0%, 1.2mb, and in the second step any number that may be a pid
FIGURES = re.compile(r'\b\d+(\.\d+)?( ?)(mb|kb|gb|b|MB|KB|MiB|KiB|ms|s|m|h|D|%)(?!\w)')
NUMBERS = re.compile(r'(?<![\w.])\d{3,}(\.\d+)?(?![\w.])')
CPU = re.compile(r'cpu: [\d.]+')
METRIC = re.compile(r"value: [\d.]+(?=, type: 'metric')")
CLOCK = re.compile(r'\d\d:\d\d:\d\d|(?<=Date : ).*')
PID = re.compile(r'(?<=[Pp]id[ =:])( ?)[1-9]\d*')
# What a Node child process object has; a client uses none of it but these.
OF_CHILD_OBJECT = ('pm2_env', 'process', 'pid')
# Told by whoever runs first: no order among them.
LIFE = 'process:event'


def id_of(one):
    """For an order. What a reload is answered with has a word for its id with PM2: _old_1."""
    number = (one.get('pm2_env') or {}).get('pm_id', -1) if isinstance(one, dict) else -1
    return int(str(number).rpartition('_')[2])


class Normaliser:
    """What a run has for itself becomes a word."""

    def __init__(self, home):
        self.words = [(home[key], word) for key, word in WORDS.items()]

    def text(self, text):
        for found, word in self.words:
            text = text.replace(found, word)
        return HEX.sub('$HEX', DATE.sub('$DATE', UUID.sub('$UUID', ANSI.sub('', text))))

    def lines(self, text):
        """What a command printed. Widths of columns depend on what is in them."""
        lines = []
        for line in self.text(text).splitlines():
            line = CLOCK.sub('#', METRIC.sub('value: #', ' '.join(BORDERS.sub(' ', line).split())))
            line = NUMBERS.sub('#', FIGURES.sub('#', CPU.sub('cpu: #', PID.sub(r'\1#', line))))
            if line and not line.startswith('host metrics'):  # half a second after the start of PM2's daemon
                lines.append(line)
        return sorted(lines)  # of two that are done at once any may be first

    def value(self, value, key=None):
        if isinstance(value, dict):
            if 'pm2_env' in value and 'process' in value:
                value = {name: inner for name, inner in value.items() if name in OF_CHILD_OBJECT}
                value['process'] = {name: inner for name, inner in value['process'].items() if name == 'pid'}
            if 'error' in value and 'stack' in value:
                value = {name: inner for name, inner in value.items() if name != 'stack'}
            if value.get('type') == 'metric' and 'value' in value:
                value = {**value, 'value': '$FIGURE'}
            return {self.text(name): self.value(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            if key == '_tree_pids':
                return ['$PID' for _ in value]
            return [self.value(inner, key) for inner in value]
        if isinstance(value, str):
            if key in TIME_KEYS and value.isdigit():
                return '$TIME'
            return self.text(value)
        if isinstance(value, bool) or value is None:
            return value
        if key == 'pid' and value > 0:
            return '$PID'
        if key in TIME_KEYS and value > 10 ** 12:
            return '$TIME'
        if key == 'memory' and value > 0:
            return '$BYTES'
        return '$CPU' if key == 'cpu' else value

    def events(self, events):
        """By process, for what is told of two at once has no order; what apps say is apart for the same reason."""
        life, said = {}, []
        for name, payload in events:
            if name.startswith('log:'):
                continue
            if name == LIFE and isinstance(payload, dict) and isinstance(payload.get('process'), dict):
                process = payload['process']
                life.setdefault(str(process.get('pm_id')), []).append({
                    'what': f'{payload.get("event")}{" manually" if payload.get("manually") else ""}',
                    'status': process.get('status'), 'payload': dict.fromkeys(payload, True), 'process': dict.fromkeys(process, True)})
            else:
                said.append({'name': name, 'payload': self.value(payload)})
        said.sort(key=lambda one: json.dumps(one, sort_keys=True))
        return {'life': life, 'said': said}

    def step(self, step):
        """The record of a step as what is compared."""
        pids = step['label'].startswith('api getPID')
        result = {key: self.value(step[key], 'pid' if pids else key) for key in ('outcome', 'error', 'result', 'status', 'settled', 'list')
                  if key in step}
        if isinstance(step.get('result'), list):
            # of what was done to several at once
            result['result'].sort(key=id_of)
        for key in ('stdout', 'stderr'):
            if key in step:
                last = step[key].strip().splitlines()[-1:] or ['']
                if last[0][:2] in ('[{', '[]', '{"'):
                    result[f'{key}_json'] = self.value(json.loads(last[0]))
                else:
                    result[key] = self.lines(step[key])
        result['events'] = self.events(step.get('events', []))
        return result


def text_differences(ours, theirs, path):
    """Lines, as a diff of them: (path, theirs, ours)."""
    matcher = difflib.SequenceMatcher(a=theirs, b=ours, autojunk=False)
    for kind, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        if kind != 'equal':
            for number in range(max(a_to - a_from, b_to - b_from)):
                yield (path, theirs[a_from + number] if a_from + number < a_to else MISSING,
                       ours[b_from + number] if b_from + number < b_to else MISSING)


def event_differences(theirs, ours, path):
    """Of two lists of events: their order, and what is told in those that are in both."""
    orders = [[one['what'] for one in side] for side in (theirs, ours)]
    if orders[0] != orders[1]:
        yield f'{path}.order', *orders
    for block in difflib.SequenceMatcher(a=orders[0], b=orders[1], autojunk=False).get_matching_blocks():
        for number in range(block.size):
            what = orders[0][block.a + number]
            yield from differences(theirs[block.a + number], ours[block.b + number], f'{path}.{what}')


def differences(theirs, ours, path=''):
    """Where two values are not the same: (path, theirs, ours), at the outermost place of each."""
    last = path.rpartition('.')[2]
    if last in ('stdout', 'stderr') and isinstance(theirs, list) and isinstance(ours, list):
        yield from text_differences(ours, theirs, path)
    elif isinstance(theirs, dict) and isinstance(ours, dict):
        if last == 'life':  # nothing is told of a process: no event
            theirs, ours = ({key: side.get(key, []) for key in [*theirs, *ours]} for side in (theirs, ours))
        for key in [*theirs, *(key for key in ours if key not in theirs)]:
            yield from differences(theirs.get(key, MISSING), ours.get(key, MISSING), f'{path}.{key}' if path else key)
    elif isinstance(theirs, list) and isinstance(ours, list):
        if any(isinstance(one, dict) and 'what' in one for one in theirs + ours):
            yield from event_differences(theirs, ours, path)
            return
        for number in range(max(len(theirs), len(ours))):
            yield from differences(theirs[number] if number < len(theirs) else MISSING,
                                   ours[number] if number < len(ours) else MISSING, f'{path}[{number}]')
    elif theirs != ours or isinstance(theirs, bool) != isinstance(ours, bool):
        yield path, theirs, ours


class Difference:
    def __init__(self, where, path, theirs, ours):
        self.where, self.path = where, path
        self.theirs, self.ours = (side if side == MISSING else json.dumps(side, ensure_ascii=False)
                                  for side in (theirs, ours))
        self.reason = None

    def kind(self):
        """What is the same in many steps is said once."""
        return re.sub(r'\[\d+\]', '[]', re.sub(r'life\.\d+', 'life.N', self.path)), self.theirs[:300], self.ours[:300]


class Justification:
    """A difference that is accepted, and why: a path is a pattern of fnmatch, in which [ stands for itself, and so is
    where (the scenario and step); theirs and ours are regular expressions for the values as JSON."""

    def __init__(self, reason, *paths, where='*', theirs='.*', ours='.*'):
        self.reason, self.paths, self.where, self.theirs, self.ours = reason, paths, where, theirs, ours
        self.used = 0

    def covers(self, difference):
        return (fnmatch.fnmatchcase(difference.where, self.where) and
                any(fnmatch.fnmatchcase(difference.path, path.replace('[', '[[]')) for path in self.paths) and
                value_is(self.theirs, difference.theirs) and value_is(self.ours, difference.ours))

    def __str__(self):
        return f'{self.where}: {" ".join(self.paths)}: {self.theirs} -> {self.ours}: {self.reason}'


def value_is(pattern, text):
    return pattern == text if MISSING in (pattern, text) and pattern != '.*' else bool(re.fullmatch(pattern, text, re.DOTALL))


def compare(theirs, ours):
    """The differences of two records of a scenario."""
    name = theirs['name']
    sides = [[Normaliser(record['home']).step(step) for step in record['steps']] for record in (theirs, ours)]
    found = []
    for number, step in enumerate(theirs['steps']):
        where = f'{name}/{number} {step["label"]}'
        found += [Difference(where, *one) for one in differences(sides[0][number], sides[1][number])]
    return found


def justify(found, justifications):
    """Give each difference its reason; those that have none."""
    for difference in found:
        for justification in justifications:
            if justification.covers(difference):
                justification.used += 1
                difference.reason = difference.reason or justification.reason
    return [difference for difference in found if not difference.reason]


def report(found):
    """Differences as text, alike ones together."""
    groups = {}
    for difference in found:
        groups.setdefault(difference.kind(), []).append(difference)
    lines = []
    for (path, theirs, ours), members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        places = [member.where for member in members]
        lines += [f'{path}', f'    pm2:  {theirs}', f'    pm2d: {ours}',
                  f'    in {len(places)}: ' + '; '.join(places[:4]) + (' ...' if len(places) > 4 else '')]
    return '\n'.join(lines)
