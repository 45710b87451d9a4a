/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For what is built with fault points in any build: the test has fault_before() and fault_after(). */
#undef PM2D_FAULT_POINTS
#define PM2D_FAULT_POINTS 1
