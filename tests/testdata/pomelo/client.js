// Drives one of npm's clients of pomelo, as it is published, by lines of JSON on
// stdin, and tells on stdout what its callbacks are called with.
//
// node client.js official|multi|pinus
'use strict'

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n')
console.log = console.info = console.warn = console.error // libraries print

// official is the singleton that pomelo's pages load. It expects a browser.
function official() {
  const stored = new Map()
  global.window = {
    EventEmitter: require('events').EventEmitter,
    localStorage: { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) },
    protobuf: require('pomelo-protobuf'),
  }
  global.WebSocket = require('ws')
  require('pomelo-protocol') // as window.Protocol
  const pomelo = require('pomelo-jsclient-websocket')
  pomelo.on('error', (error) => say({ error }))
  return { pomelo, stored }
}

function multi() {
  const Pomelo = require('pomelo-client-websocket')
  return { pomelo: new Pomelo() }
}

function pinus() {
  const { PinusWSClient } = require('pinus-robot-plugin/dist/PinusWSClient')
  return { pomelo: new PinusWSClient() }
}

const { pomelo, stored } = { official, multi, pinus }[process.argv[2]]()
for (const push of ['onChat', 'onAdd', 'onLeave', 'parley.chat', 'parley.joined']) {
  pomelo.on(push, (body) => say({ push, body }))
}
pomelo.on('onKick', (body) => say({ kick: body ?? null }))
pomelo.on('disconnect', () => say({ closed: true }))

const commands = {
  connect({ host, port, reconnect, protos }) {
    if (protos) stored.set('protos', JSON.stringify(protos))
    pomelo.init({ host, port, reconnect, handshakeCallback: () => {} }, () => say({ connected: true }))
    pomelo.socket?.on?.('close', () => say({ closed: true })) // which pinus tells nobody
  },
  request({ n, route, body }) {
    pomelo.request(route, body, (answer) => say({ n, answer }))
  },
  notify({ route, body }) {
    pomelo.notify(route, body)
  },
  disconnect() {
    pomelo.disconnect()
  },
}
require('readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line)
    commands[command.do](command)
  })
  .on('close', () => process.exit())
