#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""po/POTFILES.in names every source with a text to translate and nothing else; po/LINGUAS every .po file."""

import os
import re

import lint

MARKED = re.compile(r'(?<!\w)(?:N_|_|P_|C_|NC_|n?gettext|dgettext)\s*\(\s*"')
DEFINE = re.compile(r'^\s*#\s*define\b.*$', re.MULTILINE)


def listed(path):
    lines = lint.read_text(path).splitlines() if os.path.exists(os.path.join(lint.TOP, path)) else []
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


def main():
    problems = []
    sources = set()
    for path in lint.tree_files():
        if path.startswith('src/') and path.endswith(('.c', '.h')):
            code = DEFINE.sub('', lint.blank_out(lint.read_text(path), keep_strings=True))
            if MARKED.search(code):
                sources.add(path)
    names = listed('po/POTFILES.in') or listed('po/POTFILES')
    problems += [f'po/POTFILES.in: {path} has texts to translate and is missing'
                 for path in sorted(sources - set(names))]
    for path in names:
        if not path.startswith('data/') and path not in sources:
            problems.append(f'po/POTFILES.in: {path} has no text to translate')
        elif not os.path.exists(os.path.join(lint.TOP, path)):
            problems.append(f'po/POTFILES.in: {path} does not exist')
    languages = set(' '.join(listed('po/LINGUAS')).split())
    present = {os.path.basename(path)[:-3] for path in lint.tree_files()
               if path.startswith('po/') and path.endswith('.po')}
    problems += [f'po/LINGUAS: {language} has no .po file' for language in sorted(languages - present)]
    problems += [f'po/LINGUAS: {language} is missing' for language in sorted(present - languages)]
    lint.finish(problems, 'translations')


if __name__ == '__main__':
    main()
