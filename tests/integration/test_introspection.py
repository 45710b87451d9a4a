#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the running service says of itself is what introspection/*.xml say, both ways."""

import os
import xml.etree.ElementTree as ElementTree

import harness

FOLDER = os.path.join(harness.TOP, 'introspection')
EMITS = 'org.freedesktop.DBus.Property.EmitsChangedSignal'
# sd-bus says of its own accord what a member without a reply or without privilege is; neither is ours.
STANDARD = {'org.freedesktop.DBus.Peer', 'org.freedesktop.DBus.Introspectable', 'org.freedesktop.DBus.Properties',
            'org.freedesktop.DBus.ObjectManager'}


def annotations(element):
    """Annotations but the one that says the default: a property emits its changes with its value."""
    return {(item.get('name'), item.get('value')) for item in element.findall('annotation')
            if (item.get('name'), item.get('value')) != (EMITS, 'true')}


def member(element):
    """All that matters of a method, signal or property, in a form that compares."""
    arguments = [(item.get('name'), item.get('type'), item.get('direction') or 'out')
                 for item in element.findall('arg')]
    return (element.tag, element.get('name'), element.get('type'), element.get('access'), arguments,
            sorted(annotations(element)))


def interface(element):
    return {(item.tag, item.get('name')): member(item) for item in element
            if item.tag in ('method', 'signal', 'property')}


def interfaces(text):
    return {element.get('name'): interface(element) for element in ElementTree.fromstring(text).findall('interface')}


class Introspection(harness.Case):
    def compare(self, path, name):
        with open(os.path.join(FOLDER, f'{name}.xml'), encoding='utf-8') as file:
            wanted = interfaces(file.read())[name]
        served = interfaces(self.client.introspect(path))
        self.assertIn(name, served)
        self.assertEqual(served[name], wanted)
        return served

    def test_manager(self):
        served = self.compare('/org/pm2/Manager', 'org.pm2.Manager')
        self.assertEqual(set(served) - STANDARD, {'org.pm2.Manager'})

    def test_process(self):
        self.client.start_one(self.sleeper(), name='api')
        served = self.compare('/org/pm2/Process/0', 'org.pm2.Process')
        self.assertEqual(set(served) - STANDARD, {'org.pm2.Process'})

    def test_every_interface_file_is_served(self):
        names = {file[:-4] for file in os.listdir(FOLDER) if file.endswith('.xml')}
        self.client.start_one(self.sleeper(), name='api')
        served = {**interfaces(self.client.introspect('/org/pm2/Manager')),
                  **interfaces(self.client.introspect('/org/pm2/Process/0'))}
        self.assertEqual(set(served) - STANDARD, names)

    def test_tree(self):
        def children(path):
            root = ElementTree.fromstring(self.client.introspect(path))
            return sorted(node.get('name') for node in root.findall('node'))

        for number in range(2):
            self.client.start_one(self.sleeper(), name=f'app-{number}')
        self.assertIn('org', children('/'))
        self.assertEqual(children('/org/pm2'), ['Manager', 'Process'])
        self.assertEqual(children('/org/pm2/Process'), ['0', '1'])
        self.assertIn(harness.OBJECT_MANAGER, interfaces(self.client.introspect('/org/pm2')))

    def test_get_all_has_every_property_in_its_type(self):
        path = self.client.start_one(self.sleeper(), name='api')
        for object_path, name in (('/org/pm2/Manager', 'org.pm2.Manager'), (path, 'org.pm2.Process')):
            with open(os.path.join(FOLDER, f'{name}.xml'), encoding='utf-8') as file:
                wanted = {key[1]: value[2] for key, value in interfaces(file.read())[name].items()
                          if key[0] == 'property'}
            reply = self.client.call_message(object_path, harness.PROPERTIES, 'GetAll', 's', name)
            got = {key: value.signature for key, value in reply.typed_body[0].items()}
            self.assertEqual(got, wanted)


if __name__ == '__main__':
    harness.main()
