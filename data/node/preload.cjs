// SPDX-License-Identifier: LGPL-2.1-or-later

/* What PM2's wrapper adds inside a Node process, for apps with pmx=preload: its version, its uncaught exceptions and
 * some metrics, told over the channel. Loaded by --require before the script, which knows nothing of it. For Node 12
 * and newer.
 *
 * Nothing in here keeps the process alive or changes how it ends, no error leaves it, and an idle process is woken
 * once in PERIOD_MS. Only the process that the supervisor started is spoken for: the variable that says so and our
 * words on the command line are taken away, for fork() and cluster hand both on. */

'use strict';

const VARIABLE = 'PM2D_PRELOAD'; // the path of this file as it is on the command line
const FIRST_MS = 1000;
const PERIOD_MS = 5000;
const RESOLUTION_MS = 20;        // of the latency, which is measured by so many wake-ups
const BUSY_SHARE = 0.01;         // of the time: below it the latency is not measured
const NOTICEABLE_SHARE = 0.05;
const MESSAGE_CHARACTERS_MAX = 4096;
const STACK_CHARACTERS_MAX = 16384;
const MIB = 1024 * 1024;

const { send } = process;
let sending = false;

/* It tells all of this itself, with more to it. */
function hasPm2Io() {
    return Symbol.for('@pm2/io') in globalThis;
}

function tell(message) {
    if (process.connected) {
        sending = true;
        // without a callback an error would be an event of the process
        send.call(process, message, () => { sending = false; });
    }
}

function hide(path) {
    const place = process.execArgv.lastIndexOf(path);

    delete process.env[VARIABLE];
    if (place > 0 && process.execArgv[place - 1] === '--require') {
        process.execArgv.splice(place - 1, 2);
    }
}

/* Of any value; half a surrogate pair would make the message invalid. */
function textOf(value, most) {
    return value === undefined ? '' : String(value).slice(0, most).replace(/\p{Cs}/gu, '\ufffd');
}

/* Anything can be thrown, also what cannot be read. */
function describe(error) {
    try {
        const { name, message, stack } = error !== null && typeof error === 'object' ? error : { message: error };
        return { name: textOf(name, MESSAGE_CHARACTERS_MAX) || 'Error', message: textOf(message, MESSAGE_CHARACTERS_MAX),
                 stack: textOf(stack, STACK_CHARACTERS_MAX) };
    } catch (unreadable) {
        return { name: 'Error', message: 'an error that cannot be read', stack: '' };
    }
}

/* Called before Node, or a listener of the app, does with it what it would do in any case. What is sent is written at
 * once: there is no later for a process that ends. */
function onException(error) {
    try {
        if (!hasPm2Io()) {
            tell({ type: 'process:exception', data: describe(error) });
        }
    } catch (ours) {
        // nothing of ours is worth the app's end
    }
}

/* Milliseconds in which the event loop was not idle; where Node does not say, of processor time. */
function busyTime(performance) {
    if (performance.eventLoopUtilization) {
        return performance.eventLoopUtilization().active;
    }
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
}

/* Names, units, types and forms are those of @pm2/io 6.1.0. slack: a change of less is none. */
function readMetrics(v8, histogram) {
    const heap = v8.getHeapStatistics();
    const latency = (percent) => Math.max(0, (histogram.percentile(percent) || 0) / 1e6 - RESOLUTION_MS);
    const count = (list) => (typeof process[list] === 'function' ? process[list]().length : 0);
    const metrics = {};
    const add = (name, type, value, slack, unit) => {
        const rounded = unit ? value.toFixed(2) : value;
        metrics[name] = { value, slack, told: { historic: true, unit, type, value: unit === '%' ? +rounded : rounded } };
    };

    add('Heap Size', 'internal/v8/heap/total', heap.total_heap_size / MIB, 0.5, 'MiB');
    add('Heap Usage', 'internal/v8/heap/usage', 100 * heap.used_heap_size / heap.total_heap_size, 5, '%');
    add('Used Heap Size', 'internal/v8/heap/used', heap.used_heap_size / MIB, 0.5, 'MiB');
    add('Active requests', 'internal/libuv/requests', count('_getActiveRequests'), 0.5);
    add('Active handles', 'internal/libuv/handles', count('_getActiveHandles'), 0.5);
    add('Event Loop Latency', 'internal/libuv/latency/p50', latency(50), 1, 'ms');
    add('Event Loop Latency p95', 'internal/libuv/latency/p95', latency(95), 1, 'ms');
    return metrics;
}

function isNoticeable(now, before) {
    return !before || Math.abs(now.value - before.value) > Math.max(now.slack, NOTICEABLE_SHARE * before.value);
}

/* The latency is measured while the app does something, and once more after that, so that what was told last is what
 * an idle app has. */
function startMetrics() {
    const v8 = require('v8');
    const { monitorEventLoopDelay, performance } = require('perf_hooks');
    const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    let told = {}, busy = busyTime(performance), since = performance.now();

    function tick() {
        if (hasPm2Io() || !process.connected) {
            histogram.disable();
            return;
        }
        const metrics = readMetrics(v8, histogram);
        const names = Object.keys(metrics);
        if (!sending && names.some((name) => isNoticeable(metrics[name], told[name]))) {
            const data = {};
            // all of them: a new supervisor has heard of none
            names.forEach((name) => { data[name] = metrics[name].told; });
            tell({ type: 'axm:monitor', data });
            told = metrics;
        }
        const now = performance.now(), active = busyTime(performance);
        if (active - busy > BUSY_SHARE * (now - since)) {
            histogram.reset();
            histogram.enable();
        } else {
            histogram.disable();
        }
        [busy, since] = [active, now];
        later(PERIOD_MS);
    }

    function later(delay) {
        setTimeout(() => {
            try {
                tick();
            } catch (ours) {
                histogram.disable();
            }
        }, delay).unref();
    }

    histogram.enable();
    later(FIRST_MS);
}

try {
    const path = process.env[VARIABLE];

    hide(path || __filename); // threads of the app load it too
    if (path && send && process.connected) {
        tell({ node_version: process.versions.node });
        process.on('uncaughtExceptionMonitor', onException);
        startMetrics();
    }
} catch (ours) {
    // the app runs without it
}
