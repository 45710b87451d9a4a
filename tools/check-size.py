#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""No C file over 800 lines, no function over 80. Counts braces in column 0, as clang-format leaves them."""

import re

import lint

FILE_LINES = 800
FUNCTION_LINES = 80


def functions(code):
    """(name, first line, lines of the body) of each function."""
    lines = code.split('\n')
    start = name = None
    for number, line in enumerate(lines, 1):
        if start is None and line.rstrip().endswith(') {'):
            # the signature begins at the last line with text in column 0
            head = next((lines[i] for i in range(number - 1, -1, -1) if lines[i][:1].strip()), '')
            if head.startswith(('#', '}')) or '=' in head.split('(')[0]:
                continue
            match = re.search(r'(\w+)\(', head)
            start, name = number, match[1] if match else '?'
        elif start is not None and line.rstrip() == '}':
            yield name, start, number - start - 1
            start = None


def main():
    problems = []
    for path in lint.tree_files():
        if not path.startswith(('src/', 'tests/')) or not path.endswith(('.c', '.h')):
            continue
        text = lint.read_text(path)
        count = text.count('\n')
        if count > FILE_LINES:
            problems.append(f'{path}: {count} lines (at most {FILE_LINES})')
        for name, line, length in functions(lint.blank_out(text)):
            if length > FUNCTION_LINES:
                problems.append(f'{path}:{line}: {name}() has {length} lines (at most {FUNCTION_LINES})')
    lint.finish(problems, 'sizes')


if __name__ == '__main__':
    main()
