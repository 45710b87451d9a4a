# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program that takes and gives messages in every way there is, and what must have come of them, whoever was killed."""

import os

# Notes, in a file of this launch, what it has got and what it has said. A number is answered by a message, by an action
# that it offers, and by a handle, to which it gets an answer in turn.
TALKER = '''#!/usr/bin/python3
import json, os, signal, socket, struct, sys, threading, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
channel = int(os.environ['NODE_CHANNEL_FD'])
notes = open(f'{sys.argv[0]}.{os.getpid()}', 'a', buffering=1)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

def say(value):
    data = json.dumps(value).encode() + b'\\n'
    while data:
        data = data[os.write(channel, data):]

def tell_status(number):
    """With a descriptor, that somebody has to close; until it is taken."""
    print('begins-status', number, file=notes)
    while True:
        try:
            notify.sendmsg([b'STATUS=%d' % number], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack('i', notes.fileno()))],
                           0, os.environ['NOTIFY_SOCKET'])
            break
        except OSError:
            time.sleep(0.01)
    print('status', number, file=notes)

def read_lines():
    for line in sys.stdin:
        print('line', line.strip(), file=notes)

def take(message):
    if 'cmd' in message:
        print('answer', file=notes)
        return
    number = message['n']
    print('message', number, file=notes)
    if message.get('text', 'x' * 100000) != 'x' * 100000:
        print('torn', number, file=notes)
    if message.get('status'):
        tell_status(number)
    say({'type': 't', 'data': number})
    say({'type': 'axm:action', 'data': {'action_name': f'n{number % 100}'}})
    print('handle', file=notes)
    say({'cmd': 'NODE_HANDLE', 'type': 'net.Socket', 'msg': number})

print('start', file=notes)
threading.Thread(target=read_lines, daemon=True).start()
try:
    say('ready')
    for line in os.fdopen(channel, 'rb', closefd=False):
        take(json.loads(line))
except OSError:
    pass
except Exception as error:
    print('torn', error, file=notes)
print('closed', file=notes)
while True:
    signal.pause()
'''


class Talk:
    """What was sent to the process that has a pid, as numbers that only grow."""

    def __init__(self, kept):
        self.kept = kept  # whether its channel outlives the supervisor
        self.last, self.pid = 0, 0
        self.sent = {}  # (kind, number) -> whether it was accepted for sure

    def next(self):
        self.last += 1
        return self.last

    def meet(self, pid):
        if pid != self.pid:
            self.pid, self.sent = pid, {}

    def read_notes(self, script):
        """None: it has not begun yet."""
        try:
            with open(f'{script}.{self.pid}', encoding='utf-8') as file:
                return [line.split() for line in file]
        except FileNotFoundError:
            return None

    def is_closed(self, script):
        return ['closed'] in (self.read_notes(script) or [])

    def problems(self, script, values, actions):
        """What is not (yet) as it must be: of its properties, and the names of the actions that it has offered."""
        notes = self.read_notes(script)
        if not notes:
            return ['talker: has not begun']
        found = [f'talker: {" ".join(words)}' for words in notes if words[0] == 'torn']
        for kind in ('message', 'line'):
            found += self.delivery_problems(kind, [int(words[1]) for words in notes if words[0] == kind])
        begun, status = ([words[1] for words in notes if words[0] == kind] or [''] for kind in ('begins-status', 'status'))
        if begun != status:
            found.append(f'talker: status {begun[-1]} is not taken')
        # what was received, and not yet kept, is lost where nobody keeps the socket
        if values['StatusText'] != status[-1] and (self.kept or values['StatusText'] not in ['', *status]):
            found.append(f'talker: its status is {values["StatusText"]!r}, it said {status[-1]!r}')
        return found + (self.channel_problems(notes, actions) if self.kept else [])

    def delivery_problems(self, kind, numbers):
        """Each once and in order: all that were accepted, and nothing that was not sent."""
        found = []
        if numbers != sorted(set(numbers)):
            found.append(f'talker: {kind}s {numbers} are not in order, or one is there twice')
        for number in numbers:
            if (kind, number) not in self.sent:
                found.append(f'talker: nobody sent {kind} {number}')
        # what waits to be sent goes with the channel, where nobody keeps that; a pipe keeps what is in it
        for (other, number), sure in self.sent.items():
            if other == kind and sure and number not in numbers and (self.kept or kind == 'line'):
                found.append(f'talker: {kind} {number} is lost')
        return found

    @staticmethod
    def channel_problems(notes, actions):
        found = ['talker: its channel is closed'] if ['closed'] in notes else []
        answers, handles = notes.count(['answer']), notes.count(['handle'])
        if answers != handles:
            found.append(f'talker: {answers} answers to {handles} handles')
        offered = {f'n{int(words[1]) % 100}' for words in notes if words[0] == 'message'}
        if offered != set(actions):
            found.append(f'talker: it has offered {sorted(offered)}, not {sorted(actions)}')
        return found


def count_sockets(folder):
    """How many sockets for sd_notify there are."""
    return len(os.listdir(folder)) if os.path.isdir(folder) else 0
