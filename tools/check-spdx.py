#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every source, script, data and documentation file names its licence in its first lines."""

import os
import re

import lint

LINES = 6
EXPRESSION = re.compile(r'SPDX-License-Identifier: (\S+( (AND|OR|WITH) \S+)*)')
ALLOWED = {'LGPL-2.1-or-later'}
SUFFIXES = ('.c', '.h', '.py', '.sh', '.js', '.mjs', '.cjs', '.xml', '.build', '.rst', '.md', '.map', '.in', '.conf',
            '.service', '.socket', '.slice', '.policy', '.rules', '.po', '.supp', '.css', '.html', '.catalog')
NAMES = ('meson.build', 'meson_options.txt', '.clang-format', '.clang-tidy', '.editorconfig', 'POTFILES.in', 'LINGUAS')
# Text as it comes from elsewhere, or that a test needs byte by byte.
WITHOUT = re.compile(r'(^|/)(corpus|testdata|data-raw)/|^LICENSE|^tests/fuzz/[^/]+/[^/]+$(?<!\.[ch])(?<!\.py)')


def needs_line(path, text):
    name = os.path.basename(path)
    return name in NAMES or name.endswith(SUFFIXES) or text.startswith('#!')


def main():
    problems = []
    for path in lint.tree_files():
        if WITHOUT.search(path):
            continue
        text = lint.read_text(path)
        if not text or not needs_line(path, text):
            continue
        match = EXPRESSION.search('\n'.join(text.split('\n', LINES)[:LINES]))
        if not match:
            problems.append(f'{path}: no SPDX-License-Identifier in the first {LINES} lines')
        elif match[1] not in ALLOWED:
            problems.append(f'{path}: licence {match[1]}')
    lint.finish(problems, 'licence lines')


if __name__ == '__main__':
    main()
