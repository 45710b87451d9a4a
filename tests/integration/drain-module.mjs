// SPDX-License-Identifier: LGPL-2.1-or-later
// A worker that is a module.
import { createServer } from 'http';

createServer((request, response) => response.writeHead(200, { Connection: 'keep-alive' }).end('hello'))
    .listen(0, '127.0.0.1');
