// SPDX-License-Identifier: LGPL-2.1-or-later
// From the documentation of the API of PM2, unchanged.
process.on('message', function(packet) {
  process.send({
    type : 'process:msg',
    data : {
     success : true
    }
 });
});
