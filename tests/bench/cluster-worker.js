// SPDX-License-Identifier: LGPL-2.1-or-later
// A worker whose handler costs next to nothing.
'use strict';

require('http').createServer((request, response) => response.end('hello')).listen(+process.env.PORT || 0, '127.0.0.1');
