#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault points of a user's pm2.service."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import service_faults  # noqa: E402


class Scope(service_faults.FaultCase):
    pass


class Group(service_faults.FaultCase):
    campaign = service_faults.GroupCampaign
    backend = 'group'
    settings = {'isolation': 'group', 'log_level': 'debug'}


class GroupWithoutClone3(service_faults.FaultCase):
    """As in older sandboxes: a child is forked, then moved."""

    backend = 'group-fork'
    settings = {'isolation': 'group', 'log_level': 'debug'}
    drop_in = 'SystemCallFilter=~clone3:ENOSYS'
    operations = ('start',)
    only = ('child-fork', 'child-move-in')


if __name__ == '__main__':
    service_faults.booted.main()
