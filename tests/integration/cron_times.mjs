// SPDX-License-Identifier: LGPL-2.1-or-later
// What cron-times.c prints, by croner of npm. Argument: the folder of its packages.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { Cron } = createRequire(process.argv[2] + '/')('croner');

function times(zone, after, count, expression) {
  // Its other rule would have a row of minutes in a fixed hour twice: not that of cron(8).
  const cron = new Cron(expression, { timezone: zone, paused: true, fixedTimeRule: 'no-wildcard' });
  const found = [];
  for (let at = new Date(after * 1000); found.length < count;) {
    at = cron.nextRun(at);
    if (!at) {
      break;
    }
    found.push(at.getTime() / 1000);
  }
  return found.map((time) => `${time} `).join('');
}

for await (const line of createInterface({ input: process.stdin })) {
  const [zone, after, count, expression] = line.split('\t');
  try {
    console.log(times(zone, Number(after), Number(count), expression));
  } catch (error) {
    console.log(`error ${error.message}`);
  }
}
