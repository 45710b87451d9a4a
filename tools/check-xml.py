#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The XML of the tree is well-formed; that of the interfaces keeps to the rules of D-Bus and to ours."""

import re
import xml.etree.ElementTree as ElementTree

import lint

MEMBER = re.compile(r'[A-Z][A-Za-z0-9]*$')
ARGUMENT = re.compile(r'[a-z][a-z0-9_]*$')
EMITS = 'org.freedesktop.DBus.Property.EmitsChangedSignal'


def complete_type(signature, position=0):
    """Where the one complete type that starts at position ends; ValueError if it is none."""
    code = signature[position:position + 1]
    if code and code in 'ybnqiuxtdsogvh':
        return position + 1
    if code == 'a':
        if signature[position + 1:position + 2] != '{':
            return complete_type(signature, position + 1)
        if signature[position + 2:position + 3] not in tuple('ybnqiuxtdsogh'):
            raise ValueError('key of a dictionary')
        end = complete_type(signature, position + 3)
        closing = '}'
    elif code == '(':
        end = complete_type(signature, position + 1)
        while signature[end:end + 1] not in (')', ''):
            end = complete_type(signature, end)
        closing = ')'
    else:
        raise ValueError(f'{code!r}')
    if signature[end:end + 1] != closing:
        raise ValueError(f'{closing} is missing')
    return end + 1


def check_type(signature):
    try:
        return complete_type(signature) == len(signature)
    except ValueError:
        return False


def check_member(element, where):
    name = element.get('name', '')
    if not MEMBER.match(name):
        yield f'{where}: the name {name!r} is not in CamelCase'
    seen = set()
    for argument in element.findall('arg'):
        argument_name = argument.get('name', '')
        if not ARGUMENT.match(argument_name):
            yield f'{where}.{name}: argument {argument_name!r} has no name in lower case'
        if argument_name in seen:
            yield f'{where}.{name}: two arguments {argument_name}'
        seen.add(argument_name)
        if not check_type(argument.get('type', '')):
            yield f'{where}.{name}.{argument_name}: the type {argument.get("type")!r} is not one complete type'
        if element.tag == 'method' and argument.get('direction') not in ('in', 'out'):
            yield f'{where}.{name}.{argument_name}: direction is missing'
    if element.tag == 'property':
        if not check_type(element.get('type', '')):
            yield f'{where}.{name}: the type {element.get("type")!r} is not one complete type'
        if element.get('access') not in ('read', 'readwrite', 'write'):
            yield f'{where}.{name}: access {element.get("access")!r}'
        for annotation in element.findall('annotation'):
            value = annotation.get('value')
            if annotation.get('name') == EMITS and value not in ('true', 'false', 'const', 'invalidates'):
                yield f'{where}.{name}: {EMITS} is {value!r}'


def check_interfaces(path, root):
    for interface in root.findall('interface'):
        names = set()
        where = f'{path}: {interface.get("name")}'
        if f'{interface.get("name")}.xml' != path.split('/')[-1]:
            yield f'{where} is not named as its file'
        for element in interface:
            if element.tag in ('method', 'signal', 'property'):
                if element.get('name') in names:
                    yield f'{where}: two members {element.get("name")}'
                names.add(element.get('name'))
                yield from check_member(element, where)


def main():
    problems = []
    for path in lint.tree_files():
        if not path.startswith(('introspection/', 'data/')) or not path.endswith(('.xml', '.policy', '.conf')):
            continue
        text = lint.read_text(path)
        if path.endswith('.conf') and not text.lstrip().startswith('<'):
            continue
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError as error:
            problems.append(f'{path}: {error}')
            continue
        if path.startswith('introspection/'):
            problems += check_interfaces(path, root)
    lint.finish(problems, 'XML')


if __name__ == '__main__':
    main()
