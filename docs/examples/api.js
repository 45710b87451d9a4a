// SPDX-License-Identifier: LGPL-2.1-or-later
// The app that the other examples start: a small web server.
'use strict';

const http = require('http');

const server = http.createServer((request, response) => {
    response.end(`hello from ${process.env.name}, pid ${process.pid}\n`);
});

server.listen(process.env.PORT ?? 8080, '127.0.0.1', () => {
    console.log(`listening on port ${server.address().port}`);
});
