// SPDX-License-Identifier: LGPL-2.1-or-later
// A small web server: answers with its pid and name. PORT says where it listens, 0 = anywhere; PORT_FILE,
// if set, gets the port once it does.
'use strict'

const fs = require('fs')
const http = require('http')

const server = http.createServer((request, response) => {
    response.end(`hello from ${process.env.name || 'api'}, pid ${process.pid}\n`)
})

server.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
    const { port } = server.address()
    if (process.env.PORT_FILE) {
        fs.writeFileSync(`${process.env.PORT_FILE}.new`, String(port))
        fs.renameSync(`${process.env.PORT_FILE}.new`, process.env.PORT_FILE)
    }
    console.log(`listening on http://127.0.0.1:${port}/`)
})
