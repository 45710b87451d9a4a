# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the check-*.py share: the files of the tree, and source text without comments and strings."""

import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOT_OURS = re.compile(r'(^|/)(build[^/]*|\.git|\.cache|__pycache__|node_modules)(/|$)')
COMMENT_STRING_OR_CHAR = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


def tree_files():
    """Every file that is in git or would be: relative paths, sorted. Without git, all but build folders."""
    try:
        listing = subprocess.run(['git', '-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others',
                                  '--exclude-standard'], cwd=TOP, capture_output=True, check=True).stdout
        paths = {os.fsdecode(path) for path in listing.split(b'\0') if path}
    except (OSError, subprocess.CalledProcessError):
        paths = {os.path.relpath(os.path.join(folder, name), TOP)
                 for folder, folders, names in os.walk(TOP) for name in names}
    return sorted(path for path in paths
                  if not NOT_OURS.search(path) and os.path.isfile(os.path.join(TOP, path)))


def read_text(path):
    with open(os.path.join(TOP, path), encoding='utf-8', errors='surrogateescape') as file:
        return file.read()


def blank_out(text, keep_strings=False):
    """Comments (and strings) replaced by blanks, so that lines and columns stay where they were."""
    def blank(match):
        if keep_strings and match[0][0] in '"\'':
            return match[0]
        return re.sub(r'[^\n]', ' ', match[0])

    return COMMENT_STRING_OR_CHAR.sub(blank, text)


def finish(problems, what):
    for problem in problems:
        print(problem)
    print(f'{what}: {len(problems)} problem{"" if len(problems) == 1 else "s"}')
    sys.exit(1 if problems else 0)
