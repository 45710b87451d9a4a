#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of a manual page that describes D-Bus interfaces, in reST, from their introspection XML.

What is said of a member is the comment before it; what is said of an interface, the comment before that.

usage: from-xml.py INTERFACE.xml... >interfaces.rst
"""

import re
import sys
import textwrap
import xml.etree.ElementTree as ElementTree

EMITS = 'org.freedesktop.DBus.Property.EmitsChangedSignal'
CHANGES = {'true': '', 'invalidates': '', 'const': 'does not change', 'false': 'not signalled'}
SECTIONS = (('method', 'Methods'), ('signal', 'Signals'), ('property', 'Properties'))
LICENCE = 'SPDX-License-Identifier'


def escape(text):
    return re.sub(r'([\\*`|]|_(?=\W|$))', r'\\\1', text)


def paragraphs(comment):
    """The paragraphs of a comment, each on one line."""
    text = textwrap.dedent(comment).strip()
    return [escape(' '.join(part.split())) for part in re.split(r'\n\s*\n', text) if part.strip()]


def arguments(member, direction):
    found = [f'{arg.get("type")} *{arg.get("name")}*' for arg in member.findall('arg')
             if arg.get('direction', direction) == direction]
    return ', '.join(found)


def heading(member):
    name = f'**{member.get("name")}**'
    if member.tag == 'property':
        emits = [item.get('value') for item in member.findall('annotation') if item.get('name') == EMITS]
        facts = [member.get('type'), CHANGES[emits[0] if emits else 'true']]
        return f'{name} ({", ".join(fact for fact in facts if fact)})'
    result = arguments(member, 'out') if member.tag == 'method' else ''
    taken = arguments(member, 'in')
    return f'{name}\\ ({taken})' + (f' → {result}' if result else '')


def with_comments(parent):
    """Every member of an element, with the comment that stands right before it."""
    comment = ''
    for child in parent:
        if child.tag is ElementTree.Comment:
            comment = '' if LICENCE in child.text else child.text
        else:
            yield child, comment
            comment = ''


def emphasize(text, member):
    """The names of its arguments, where the text explains them."""
    names = '|'.join(arg.get('name') for arg in member.findall('arg'))
    return re.sub(rf'(?<![\w"])({names}):(?=\s)', r'*\1*:', text) if names else text


def describe(interface, comment):
    name = interface.get('name')
    yield from (name, '=' * len(name), '')
    for paragraph in paragraphs(comment):
        yield from (paragraph, '')
    members = list(with_comments(interface))
    for tag, title in SECTIONS:
        found = [(member, text) for member, text in members if member.tag == tag]
        if found:
            yield from (title, '-' * len(title), '')
        for member, text in found:
            yield heading(member)
            # a definition needs a text, if only an empty one
            for paragraph in paragraphs(text) or ['\\ ']:
                yield from (f'    {emphasize(paragraph, member)}', '')


def main():
    sys.stdout.reconfigure(encoding='utf-8')
    for path in sys.argv[1:]:
        parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
        for child, comment in with_comments(ElementTree.parse(path, parser).getroot()):
            print('\n'.join(describe(child, comment)))


if __name__ == '__main__':
    main()
