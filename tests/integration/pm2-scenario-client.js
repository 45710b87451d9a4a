// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs scenarios with the npm package pm2 against whatever serves PM2_HOME, and writes what happened as JSON, one
// scenario a line. It has no opinion: pm2_compare.py compares two of its records.
//
//     node pm2-scenario-client.js MODULES SCENARIO.json RECORD.json      (in the folder of the apps, PM2_HOME set)
//
// A step is one of {api: NAME, args}, {cli: [WORD...]}, {rpc: METHOD, args}, {object: VALUE}, {signal: NAME, name},
// {together: [[METHOD, ARG...]...]} at once,
// {write: FILE, text}, {read: FILE}, {remove: FILE}, {endOrphan: FILE},
// {introspect: true}, {wait: true}; beside it: until {NAME: STATUS, ...} what the list
// must come to, bus [EVENT...] what must be heard, timeout in ms, settle: false.
'use strict'

const childProcess = require('child_process')
const fs = require('fs')
const net = require('net')
const path = require('path')

const [, , modules, scenarioFile, recordFile] = process.argv
const home = process.env.PM2_HOME
const environment = { ...process.env } // before the package changes it
const STEP_TIMEOUT = 20000
const SETTLE_TIMEOUT = 10000
const TOLD_TIMEOUT = 1500
const QUIET = 120
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

// The wire of PM2, apart from the client that is tried: what it says of itself must not be all that is known.

const encode = (...values) => {
  const parts = [Buffer.from([0x10 | values.length])]
  for (const value of values) {
    const body = Buffer.from(typeof value === 'string' ? `s:${value}` : `j:${JSON.stringify(value)}`)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(body.length)
    parts.push(length, body)
  }
  return Buffer.concat(parts)
}

const textOf = (bytes) => {
  const text = bytes.toString()
  try {
    return { JSON: JSON.parse(text) }
  } catch (error) {
    return text
  }
}

const decode = (bytes) => {
  const text = bytes.toString()
  return text.startsWith('j:') ? JSON.parse(text.slice(2)) : text.startsWith('s:') ? text.slice(2) : bytes.toString('hex')
}

// One frame from the front of a buffer: [values, bytes taken], or nothing while it is not complete.
const takeFrame = (buffer) => {
  const values = []
  let at = 1
  for (let left = buffer.length ? buffer[0] & 15 : 1; left > 0; left--) {
    if (buffer.length < at + 4) return null
    const end = at + 4 + buffer.readUInt32BE(at)
    if (buffer.length < end) return null
    values.push(decode(buffer.subarray(at + 4, end)))
    at = end
  }
  return [values, at]
}

class Wire {
  static connect (name, onFrame) {
    return new Promise((resolve) => {
      const wire = new Wire()
      wire.closed = false
      let buffer = Buffer.alloc(0)
      wire.socket = net.createConnection(path.join(home, name))
      wire.socket.on('connect', () => resolve(wire))
      wire.socket.on('error', () => resolve(null))
      wire.socket.on('close', () => { wire.closed = true })
      wire.socket.on('data', (chunk) => {
        buffer = Buffer.concat([buffer, chunk])
        for (let frame = takeFrame(buffer); frame; frame = takeFrame(buffer)) {
          buffer = buffer.subarray(frame[1])
          onFrame(frame[0])
        }
      })
    })
  }
}

class Observer {
  constructor () {
    this.events = []
    this.pending = new Map()
    this.count = 0
    this.lastEvent = 0
  }

  async open () {
    if (!this.rpc || this.rpc.closed) {
      this.rpc = await Wire.connect('rpc.sock', ([reply, id]) => {
        if (this.pending.has(id)) this.pending.get(id)(reply)
        this.pending.delete(id)
      })
    }
    if (this.rpc && (!this.bus || this.bus.closed)) {
      this.bus = await Wire.connect('pub.sock', ([name, payload]) => {
        this.lastEvent = Date.now()
        this.events.push([name, payload])
      })
    }
    return this.rpc && this.bus
  }

  call (method, args = [{}], timeout = STEP_TIMEOUT) {
    return this.send({ type: 'call', method, args }, timeout)
  }

  // What is answered, or text that says that nothing was.
  async send (object, timeout = STEP_TIMEOUT) {
    const rpc = this.rpc
    const id = `${process.pid}:${this.count++}`
    let timer
    const reply = await Promise.race([
      new Promise((resolve) => {
        this.pending.set(id, resolve)
        rpc.socket.once('close', () => resolve('closed'))
        if (Buffer.isBuffer(object)) rpc.socket.write(object)
        else rpc.socket.write(encode(object, id))
      }),
      new Promise((resolve) => { timer = setTimeout(resolve, timeout, 'no reply') })
    ])
    clearTimeout(timer)
    return reply
  }

  async list () {
    if (!await this.open()) return null
    const reply = await this.call('getMonitorData')
    return reply && reply.args ? reply.args[0] : reply
  }

  // All that was done has been told: nothing comes for a while, which a reply cannot say of another connection.
  async quiet () {
    const deadline = Date.now() + SETTLE_TIMEOUT
    const from = Date.now()
    while (Date.now() < deadline && Date.now() - Math.max(this.lastEvent, from) < QUIET) await pause(20)
  }

  close () {
    for (const wire of [this.rpc, this.bus]) if (wire) wire.socket.destroy()
  }
}

const observer = new Observer()
const MOVING = ['launching', 'stopping', 'waiting restart']

const reached = (list, until) => {
  if (!until) return list === null || !Array.isArray(list) || list.every((one) => !MOVING.includes(one.pm2_env.status))
  if (until.gone) return list === null
  if (!Array.isArray(list)) return false
  if (until.count !== undefined && list.length !== until.count) return false
  return Object.entries(until.of || {}).every(([name, wanted]) => {
    const found = list.filter((one) => one.name === name)
    return found.length > 0 && found.every((one) => Object.entries(wanted).every(([key, value]) =>
      JSON.stringify(one.pm2_env[key]) === JSON.stringify(value)))
  })
}

// The wrapper of PM2 tells the version of Node a moment after the start.
const told = (list) => !Array.isArray(list) || list.every((one) => one.pm2_env.status !== 'online' ||
  one.pm2_env.node_version || !/node$/.test(one.pm2_env.exec_interpreter))

const settle = async (step) => {
  const deadline = Date.now() + (step.timeout || SETTLE_TIMEOUT)
  const toldDeadline = Date.now() + TOLD_TIMEOUT
  const heard = () => (step.bus || []).every((name) => observer.events.some(([event]) => event === name))
  let list = await observer.list()
  while (!(reached(list, step.until) && heard() && (told(list) || Date.now() > toldDeadline)) && Date.now() < deadline) {
    await pause(30)
    list = await observer.list()
  }
  await observer.quiet()
  list = await observer.list()
  return [reached(list, step.until) && heard() ? 'settled' : `not settled: ${JSON.stringify(step.until || 'all still')}`, list]
}

// Steps

const plain = (value) => {
  const seen = new WeakSet()
  const text = JSON.stringify(value, (key, inner) => {
    if (inner instanceof Error) return { Error: inner.message }
    if (inner && inner.type === 'Buffer' && inner.data) return { buffer: textOf(Buffer.from(inner.data)) }
    if (inner && typeof inner === 'object') {
      if (seen.has(inner)) return '(again)'
      seen.add(inner)
    }
    return inner
  })
  return text === undefined ? null : JSON.parse(text)
}

let pm2 = null
const client = () => {
  if (!pm2) pm2 = require(path.join(modules, 'pm2'))
  return pm2
}

const callApi = (step) => new Promise((resolve) => {
  const timer = setTimeout(() => resolve({ outcome: 'no callback' }), step.timeout || STEP_TIMEOUT)
  const done = (error, ...results) => {
    clearTimeout(timer)
    // an Error may be thrown as anything
    resolve({ outcome: error ? 'error' : 'success', error: plain(error), result: step.opaque ? typeof results[0] : plain(results[0]) })
  }
  try {
    const method = client()[step.api]
    if (typeof method !== 'function') return done(new Error(`no method ${step.api}`))
    const returned = method.call(client(), ...(step.args || []), ...(step.noCallback ? [] : [done]))
    if (step.noCallback) done(null, typeof returned)
  } catch (error) {
    done(error)
  }
})

const runCli = (step) => new Promise((resolve) => {
  const words = [path.join(modules, 'pm2', 'bin', 'pm2'), ...step.cli]
  const child = childProcess.spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...environment, ...step.env } })
  const text = { stdout: '', stderr: '' }
  let timer = null
  const end = (status) => {
    clearTimeout(timer)
    resolve({ status, ...text })
  }
  for (const name of ['stdout', 'stderr']) child[name].on('data', (chunk) => { text[name] += chunk })
  child.on('exit', (code, signal) => { timer = setTimeout(end, 2000, signal || code) })
  child.on('close', (code, signal) => end(step.interrupted ? 'interrupted' : signal || code))
  child.stdin.on('error', () => {})
  child.stdin.end(step.stdin || '')
  timer = setTimeout(() => {
    step.interrupted = true
    child.kill(step.ended ? 'SIGINT' : 'SIGKILL')
    if (!step.ended) end('no end')
  }, step.timeout || STEP_TIMEOUT)
})

const introspect = () => {
  const names = new Set(Object.keys(client()).filter((name) => typeof client()[name] === 'function'))
  for (let at = Object.getPrototypeOf(client()); at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) if (typeof client()[name] === 'function') names.add(name)
  }
  return { outcome: [...names] }
}

const signalApp = async (step) => {
  const found = (await observer.list()).filter((one) => one.name === step.name)
  for (const one of found) process.kill(one.pid, step.signal)
  return { outcome: found.length }
}

// The child that an app left behind.
const endOrphan = async (step) => {
  await readFile({ read: step.endOrphan })
  try {
    process.kill(Number(fs.readFileSync(step.endOrphan, 'utf8')), 'SIGKILL')
    return { outcome: 'was there' }
  } catch (error) {
    return { outcome: error.code }
  }
}

const readFile = async (step) => {
  const deadline = Date.now() + SETTLE_TIMEOUT
  while (!fs.existsSync(step.read) && Date.now() < deadline) await pause(20)
  if (!fs.existsSync(step.read)) return { outcome: 'no such file' }
  const text = fs.readFileSync(step.read, 'utf8')
  return { outcome: step.read.endsWith('.json') ? JSON.parse(text) : text }
}

const perform = async (step) => {
  if (step.api) return callApi(step)
  if (step.cli) return runCli(step)
  if (step.rpc) return { outcome: await observer.call(step.rpc, step.args, step.timeout) }
  if (step.together) {
    const calls = step.together.map(([method, ...args]) => observer.call(method, args, step.timeout))
    return { outcome: await Promise.all(calls) }
  }
  if (step.object !== undefined) return { outcome: await observer.send(step.object, step.timeout) }
  if (step.introspect) return introspect()
  if (step.signal) return signalApp(step)
  if (step.endOrphan) return endOrphan(step)
  if (step.read) return readFile(step)
  if (step.remove) return { outcome: fs.rmSync(step.remove, { force: true }) || 'removed' }
  if (step.write) {
    fs.writeFileSync(`${step.write}.new`, step.text)
    fs.renameSync(`${step.write}.new`, step.write)
    return { outcome: 'written' }
  }
  return { outcome: 'waited' }
}

const runScenario = async (scenario) => {
  const steps = []
  await observer.open()
  for (const step of scenario.steps) {
    observer.events.length = 0
    const record = { label: step.label, ...await perform(step) }
    if (step.settle !== false) [record.settled, record.list] = await settle(step)
    record.events = observer.events.slice()
    steps.push(record)
  }
  return { name: scenario.name, steps }
}

process.on('uncaughtException', (error) => {
  fs.appendFileSync(recordFile, JSON.stringify({ uncaught: error.stack }) + '\n')
  process.exit(1)
})

const main = async () => {
  for (const scenario of JSON.parse(fs.readFileSync(scenarioFile, 'utf8'))) {
    fs.appendFileSync(recordFile, JSON.stringify(await runScenario(scenario)) + '\n')
  }
  observer.close()
  process.exit(0)
}

main()
