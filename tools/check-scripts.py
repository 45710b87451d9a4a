#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scripts are well-formed: Python compiles, bash and sh read them. Text has no tabs and trailing blanks, and a last
newline."""

import re
import subprocess

import lint

TEXT = ('.c', '.h', '.py', '.sh', '.js', '.xml', '.build', '.rst', '.md', '.conf', '.service')
# A file that tests read byte by byte, or that others made.
WITHOUT = re.compile(r'(^|/)(corpus|testdata)/|^LICENSE|^tests/fuzz/[^/]+/[^/]+$(?<!\.[ch])')


def check(path, text):
    first = text.split('\n', 1)[0]
    if path.endswith('.py') or re.match(r'#!.*\bpython3?\b', first):
        try:
            compile(text, path, 'exec', dont_inherit=True)
        except SyntaxError as error:
            yield f'{path}:{error.lineno}: {error.msg}'
    shell = re.match(r'#!\s*\S*?\b(bash|sh)\b', first)
    if shell or path.endswith('.sh'):
        result = subprocess.run([shell[1] if shell else 'bash', '-n'], input=text, capture_output=True, text=True)
        if result.returncode != 0:
            yield f'{path}: {result.stderr.strip()}'
    if path.endswith(TEXT) or first.startswith('#!'):
        if not text.endswith('\n') or text.endswith('\n\n'):
            yield f'{path}: does not end with one newline'
        for number, line in enumerate(text.split('\n'), 1):
            if line != line.rstrip():
                yield f'{path}:{number}: trailing blanks'
            if '\t' in line:
                yield f'{path}:{number}: a tab'


def main():
    problems = []
    for path in lint.tree_files():
        if not WITHOUT.search(path):
            text = lint.read_text(path)
            if text:
                problems += check(path, text)
    lint.finish(problems, 'scripts and text')


if __name__ == '__main__':
    main()
