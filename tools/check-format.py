#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""C sources are as clang-format 14 makes them. With --fix: makes them so. Exit status 77 without clang-format."""

import shutil
import subprocess
import sys

import lint


def main():
    program = shutil.which('clang-format-14') or shutil.which('clang-format')
    if not program:
        print('clang-format is not installed')
        sys.exit(77)
    files = [path for path in lint.tree_files()
             if path.startswith(('src/', 'tests/', 'docs/')) and path.endswith(('.c', '.h'))]
    mode = ['-i'] if sys.argv[1:] == ['--fix'] else ['--dry-run', '-Werror']
    sys.exit(subprocess.run([program, *mode, *files], cwd=lint.TOP).returncode if files else 0)


if __name__ == '__main__':
    main()
