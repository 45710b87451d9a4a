# SPDX-License-Identifier: LGPL-2.1-or-later
"""The file by which a test tells the supervisor where to die, and sees where it has been: src/basic/fault-point.c."""

import collections
import mmap
import os
import struct

VARIABLE = 'PM2D_FAULT_FILE'
SIDES = ('before', 'after')
HEADER = struct.Struct('=II40s')
POINT = struct.Struct('=40sIIII')
POINTS_MAX = 256
SIZE = HEADER.size + POINTS_MAX * POINT.size

Passages = collections.namedtuple('Passages', 'passed killed')  # each: of both sides


class FaultFile:
    def __init__(self, path):
        self.path = path
        with open(path, 'w+b') as file:
            os.fchmod(file.fileno(), 0o666)
            file.truncate(SIZE)
            self.memory = mmap.mmap(file.fileno(), SIZE)

    def arm(self, name, side, passage=1):
        """To die at the given passage of a point from now on."""
        HEADER.pack_into(self.memory, 0, 0, SIDES.index(side), name.encode())
        struct.pack_into('=I', self.memory, 0, passage)

    def disarm(self):
        struct.pack_into('=I', self.memory, 0, 0)

    def is_armed(self):
        return struct.unpack_from('=I', self.memory)[0] != 0

    def points(self):
        """What was passed so far, by name."""
        found = {}
        for index in range(POINTS_MAX):
            name, *counts = POINT.unpack_from(self.memory, HEADER.size + index * POINT.size)
            if not name.strip(b'\0'):
                break
            found[name.rstrip(b'\0').decode()] = Passages(tuple(counts[:2]), tuple(counts[2:]))
        return found

    def close(self):
        self.memory.close()
