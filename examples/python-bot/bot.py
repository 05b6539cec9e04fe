"""Rolls a die for whoever writes "!roll": the protocol alone, with an ordinary
WebSocket library. Usage: python3 bot.py [ws://host/ws] [channel]"""

import itertools
import json
import random
import sys
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def serve(url, channel, place):
    """One connection. place keeps where the bot is in the channel: since it,
    nothing is missed, however often the connection breaks."""
    with connect(url) as socket:  # answers the server's pings by itself
        numbers = itertools.count(1)

        def call(method, **params):
            request = {"jsonrpc": "2.0", "id": next(numbers), "method": method}
            socket.send(json.dumps({**request, "params": params}))
            return request["id"]

        def answer(message):
            if message["body"] == "!roll":
                # The id is made of the question's: a repeated answer appears once.
                roll = f"{message['user']} rolls {random.randint(1, 6)}"
                call("chat", channel=channel, body=roll, id=f"roll-{message['seq']}")

        call("hello", user="python-bot")
        join = call("join", channel=channel, limit=0, **place)
        for frame in map(json.loads, socket):
            params = frame.get("params", {})
            if "error" in frame:
                print(f"request {frame['id']}: {frame['error']['message']}")
            elif frame.get("id") == join:
                for message in frame["result"]["messages"]:
                    answer(message)
                place.update(since=frame["result"]["seq"], epoch=frame["result"]["epoch"])
            elif frame.get("method") == "chat":
                answer(params)
            if params.get("channel") == channel:
                place["since"] = params["seq"]


if __name__ == "__main__":
    url, channel = (sys.argv[1:] + ["ws://127.0.0.1:8080/ws", "lobby"][len(sys.argv) - 1 :])[:2]
    place = {}
    while True:
        try:
            serve(url, channel, place)
        except (OSError, ConnectionClosed) as error:
            print(f"connection lost: {error}")
        time.sleep(1)
