#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of a manual page that lists the settings or attributes of pm2d, in reST, from what it prints of them.

usage: from-table.py settings|attributes PM2D >PART.rst
"""

import re
import subprocess
import sys

ATTRIBUTE = re.compile(r'(?P<name>\w+)(?: \[(?P<aliases>[\w ]+)\])? \((?P<type>.*?)(?:, default (?P<default>\S+))?\): '
                       r'(?P<help>.*)')


def escape(text):
    return re.sub(r'([\\*`|]|_(?=\W|$))', r'\\\1', text)


def settings(lines):
    comments = []
    for line in lines:
        if line.startswith('#'):
            comments.append(line[1:].strip())
        elif '=' in line:
            name, value = line.split('=', 1)
            choices = [comment for comment in comments if comment.startswith('One of: ')]
            yield f'**{name}**\\ =' + (f'*{escape(value)}*' if value else '')
            yield '    ' + escape(' '.join(comment for comment in comments if comment not in choices))
            for choice in choices:
                yield '    One of ' + ', '.join(f'**{word}**' for word in choice.split()[2:]) + '.'
            yield ''
            comments = []


def attributes(lines):
    for line in lines:
        found = ATTRIBUTE.fullmatch(line)
        if not found:
            sys.exit(f'from-table.py: not an attribute: {line}')
        default = f'; default **{escape(found["default"])}**' if found['default'] else ''
        yield f'**{found["name"]}** ({escape(found["type"])}{default})'
        yield f'    {escape(found["help"])}'
        if found['aliases']:
            yield '    Also ' + ', '.join(f'**{alias}**' for alias in found['aliases'].split()) + '.'
        yield ''


def main():
    sys.stdout.reconfigure(encoding='utf-8')
    kinds = {'settings': settings, 'attributes': attributes}
    table, program = sys.argv[1:]
    printed = subprocess.run([program, f'--print-{table}'], stdout=subprocess.PIPE, encoding='utf-8', check=True).stdout
    print('\n'.join(kinds[table](printed.splitlines())))


if __name__ == '__main__':
    main()
