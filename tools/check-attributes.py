#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/attributes.md is what pm2d's table of attributes and tests/attributes.txt say, each attribute has a test, and
that test is there and speaks of the attribute.

usage: check-attributes.py [--fix | --self-test] PM2D
"""

import ast
import os
import subprocess
import sys

import lint

TESTS, PAGE = 'tests/attributes.txt', 'docs/attributes.md'
FIELDS = 'name aliases type kind default minimum maximum help'.split()
# Of these kinds all rows may share a test.
SHARED = {'off': '@off', 'kept': '@kept'}
HEAD = '''<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->
<!-- Made by tools/check-attributes.py --fix; do not edit. -->
# Attributes of an app

Each can be written in snake_case or camelCase, in a document, as an option of `Start`, and with `pm2ctl --set`. A wrong
value, or a name that is none, is an error that names the key. pm2d(8) has the same table.
'''
SECTIONS = (
    (None, ''),
    ('off', '''
## Not supported by this version

What asks for nothing (`false`, `0`, an empty string, array or object, or the words of the third column) is taken; any
other value is refused with `NotSupported`, never ignored.
'''),
    ('kept', '''
## Of PM2, without effect here

Taken with any value, kept, told back by `GetConfig` and `Describe`, and named in a notice.
'''),
)


def read_rows(program):
    printed = subprocess.run([program, '--print-attributes=table'], stdout=subprocess.PIPE, encoding='utf-8',
                             check=True).stdout
    return [dict(zip(FIELDS, line.split('\t'))) for line in printed.splitlines()]


def read_tests(text):
    tests = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith('#'):
            name, file, case = line.split()
            tests[name] = (file, case)
    return tests


def python_case(text, case):
    """The source of a test method, None if there is none."""
    scope = ast.parse(text).body
    for name in case.split('.'):
        found = [node for node in scope if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name]
        if not found:
            return None
        node, scope = found[0], found[0].body
    return ast.get_source_segment(text, node)


def check_test(row, test, read=lint.read_text):
    """What is wrong with the test of an attribute, as a text or None."""
    file, case = test
    if not os.path.exists(os.path.join(lint.TOP, file)):
        return f'{file} is not there'
    text = read(file)
    if file.endswith('.c'):
        return None if f'"{case}"' in text else f'{file} has no case {case}'
    source = python_case(text, case)
    if source is None:
        return f'{file} has no case {case}'
    return None if row['kind'] in SHARED or row['name'] in source else f'{case} says nothing of {row["name"]}'


def find_problems(rows, tests):
    problems = []
    used = set()
    for row in rows:
        key = row['name'] if row['name'] in tests else SHARED.get(row['kind'], row['name'])
        used.add(key)
        wrong = check_test(row, tests[key]) if key in tests else 'no test'
        if wrong:
            problems.append(f'{TESTS}: {row["name"]}: {wrong}')
    return problems + [f'{TESTS}: {name}: is no attribute' for name in sorted(set(tests) - used)]


def escape(text):
    return text.replace('|', '\\|').replace('<', '&lt;')


def code(words, separator=' '):
    return ', '.join(f'`{word}`' for word in words.split(separator)) if words else ''


def value_range(row):
    if row['kind'] == 'duration':
        return f'{int(row["minimum"]) // 1000} to {int(row["maximum"]) // 1000} ms'
    if row['kind'] == 'percent':
        return f'{int(row["minimum"]) // 10000} to {int(row["maximum"]) // 10000} %'
    if row['kind'] in ('score', 'count'):
        return f'{int(row["minimum"]) - (1 << 64)} to {row["maximum"]}'
    if row['kind'] in ('number', 'size', 'exit-codes'):
        return f'{row["minimum"]} to {row["maximum"]}'
    unit = {'string': 'bytes', 'path': 'bytes', 'strings': 'words', 'paths': 'paths', 'credentials': 'files', 'environment': 'variables',
            'filter': 'bytes a word'}.get(row['kind'])
    return f'{row["minimum"]} to {row["maximum"]} {unit}' if unit else ''


def format_row(row, test):
    where = f'[{test[1]}](../{test[0]})'
    if row['kind'] in SHARED:
        cells = [f'`{row["name"]}`', code(row['aliases'])]
        cells += [code(row['default'])] if row['kind'] == 'off' else []
        return cells + [escape(row['help']), where]
    return [f'`{row["name"]}`', code(row['aliases']), escape(row['type']), code(row['default'], '\0'), value_range(row),
            escape(row['help']), where]


def format_page(rows, tests):
    lines = [HEAD]
    titles = {None: ['Attribute', 'Also', 'Value', 'Default', 'Limits', 'Meaning', 'Test'],
              'off': ['Attribute', 'Also', 'Takes', 'Meaning', 'Test'],
              'kept': ['Attribute', 'Also', 'Why', 'Test']}
    for kind, intro in SECTIONS:
        lines += [intro] if intro else []
        table = [titles[kind], ['---'] * len(titles[kind])]
        table += [format_row(row, tests[row['name'] if row['name'] in tests else SHARED.get(row['kind'])])
                  for row in rows if (row['kind'] if row['kind'] in SHARED else None) == kind]
        lines += ['| ' + ' | '.join(cells) + ' |' for cells in table]
    return '\n'.join(lines) + '\n'


def self_test(rows, tests):
    """Each kind of mistake is found."""
    name = 'restart_delay'
    without = {key: value for key, value in tests.items() if key != name}
    cases = (
        (without, 'no test'),
        ({**tests, name: ('tests/nobody.py', 'A.b')}, 'is not there'),
        ({**tests, name: (tests[name][0], 'Nobody.test_it')}, 'has no case'),
        ({**tests, name: ('tests/unit/test-app-config.c', '/core/nobody')}, 'has no case'),
        ({**tests, name: tests['kill_signal']}, f'says nothing of {name}'),
        ({**tests, 'nobody': tests[name]}, 'is no attribute'),
    )
    missed = [wanted for changed, wanted in cases if not any(wanted in text for text in find_problems(rows, changed))]
    lint.finish([f'not found: {wanted}' for wanted in missed], 'self-test')


def main():
    program, fix = sys.argv[-1], '--fix' in sys.argv
    rows, tests = read_rows(program), read_tests(lint.read_text(TESTS))
    if '--self-test' in sys.argv:
        self_test(rows, tests)
    problems = find_problems(rows, tests)
    if not problems:
        page, path = format_page(rows, tests), os.path.join(lint.TOP, PAGE)
        if fix:
            with open(path, 'w', encoding='utf-8') as file:
                file.write(page)
        elif not os.path.exists(path) or lint.read_text(PAGE) != page:
            problems.append(f'{PAGE}: is stale: tools/check-attributes.py --fix PM2D')
    lint.finish(problems, 'attributes')


if __name__ == '__main__':
    main()
