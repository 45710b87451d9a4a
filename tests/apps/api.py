# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same as api.js, where there is no Node."""

import http.server
import os


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f'hello from {os.environ.get("name", "api")}, pid {os.getpid()}\n'.encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ.get('PORT', 0))), Handler)
port_file = os.environ.get('PORT_FILE')
if port_file:
    with open(port_file + '.new', 'w', encoding='ascii') as file:
        file.write(str(server.server_port))
    os.rename(port_file + '.new', port_file)
print(f'listening on http://127.0.0.1:{server.server_port}/', flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    pass
