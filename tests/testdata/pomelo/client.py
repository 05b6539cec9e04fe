"""Drives PyPI's client of pomelo, as it is published, over TCP, by lines of JSON
on stdin, and tells on stdout what its handler is called with."""

import json
import socket
import sys
import threading

from pypomelo.client import Client
from pypomelo.protocol import Protocol

lock = threading.Lock()


def say(**what):
    with lock:
        print(json.dumps(what), flush=True)


class Handler:
    """What the client calls."""

    def on_connected(self, client, user):
        say(connected=True)

    def on_heartbeat(self, client):
        pass

    def on_push(self, client, route, body):
        say(push=route, body=body)


class TCP(Client):
    """The client with a socket of its own, as its users write one."""

    def connect(self, host, port):
        self.socket = socket.create_connection((host, port))
        self.send_sync()
        threading.Thread(target=self.read, daemon=True).start()

    def close(self):
        say(kick=None)

    def send(self, data):
        self.socket.sendall(data)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def read(self):
        try:
            while True:
                head = self.exactly(4)
                body = self.exactly(int.from_bytes(head[1:], "big"))
                self.on_protocol(Protocol.unpack(head + body))
        except (EOFError, OSError):
            say(closed=True)


client = TCP(Handler())
for line in sys.stdin:
    command = json.loads(line)
    match command["do"]:
        case "connect":
            client.connect(command["host"], command["port"])
        case "request":
            n = command["n"]
            client.send_request(
                command["route"], command["body"], lambda c, route, asked, answer, n=n: say(n=n, answer=answer)
            )
        case "notify":
            client.send_notify(command["route"], command["body"])
        case "disconnect":
            client.socket.close()
