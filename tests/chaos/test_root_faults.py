#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault points that only the system instance passes."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import service_faults  # noqa: E402


class System(service_faults.FaultCase):
    system = True
    campaign = service_faults.SystemCampaign
    backend = 'system'


if __name__ == '__main__':
    service_faults.booted.main()
