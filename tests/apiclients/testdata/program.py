"""Uses the generated client."""

import os

from parley_server_api_client import AuthenticatedClient
from parley_server_api_client.api.default import call, list_channels, list_members, list_messages, publish_message
from parley_server_api_client.models import (
    BackendEditParams,
    BackendSanctionsParams,
    BroadcastParams,
    BroadcastRequest,
    BroadcastResult,
    EditRequest,
    MuteRequest,
    PublishParams,
    PublishRequest,
    PublishResult,
    SanctionParams,
    SanctionsRequest,
    SanctionsResult,
)

CHANNEL = os.environ["CHANNEL"]


def client_with(key):
    return AuthenticatedClient(base_url=os.environ["API"], token=key)


def result_of(answer, kind):
    assert not answer.error, answer
    return kind.from_dict(answer.result.to_dict())


client = client_with(os.environ["KEY"])

# A message, and once more as after an error.
message = PublishParams(channel=CHANNEL, user="ada", body="one", id="python-1", type_="order", data={"n": 1}, info={"name": "Ada"})
first = publish_message.sync(client=client, body=message)
assert isinstance(first, PublishResult) and first.seq > 0, first
message.retry = True
again = publish_message.sync(client=client, body=message)
assert again == first, (again, first)

# Four requests, of which one is refused and one is a notification.
answers = call.sync(client=client, body=[
    PublishRequest(jsonrpc="2.0", method="publish", id="a", params=PublishParams(channel=CHANNEL, user="ada", body="two")),
    BroadcastRequest(jsonrpc="2.0", method="broadcast", id=2, params=BroadcastParams(channels=[CHANNEL], user="bob", body="three")),
    EditRequest(jsonrpc="2.0", method="edit", id=3, params=BackendEditParams(channel="", seq=first.seq, user="ada", body="x")),
    MuteRequest(jsonrpc="2.0", method="mute", params=SanctionParams(channel=CHANNEL, user="eve", for_=60_000)),
])
by_id = {answer.id: answer for answer in answers}
assert set(by_id) == {"a", 2, 3}, answers
assert result_of(by_id["a"], PublishResult).seq > first.seq
(reached,) = result_of(by_id[2], BroadcastResult).results
assert reached.channel == CHANNEL and reached.seq and not reached.error, reached
assert (by_id[3].error.code, by_id[3].error.data.field) == (-32602, "channel"), by_id[3]

page = list_messages.sync(client=client, channel=CHANNEL, after=first.seq, limit=10)
assert [(m.body, m.origin) for m in page.messages] == [("two", "backend"), ("three", "backend")], page
assert list_members.sync(client=client, channel=CHANNEL).count == 0
assert list_channels.sync(client=client).more is False
answer = call.sync(client=client, body=SanctionsRequest(jsonrpc="2.0", method="sanctions", id=1, params=BackendSanctionsParams(channel=CHANNEL)))
(muted,) = result_of(answer, SanctionsResult).sanctions
assert (muted.user, muted.by.key) == ("eve", "local"), muted

bad = list_members.sync_detailed(client=client, channel="a\0")
assert bad.status_code == 400 and bad.parsed.error.code == -32602 and bad.parsed.error.data.field == "channel", bad
unknown = list_members.sync_detailed(client=client_with("wrong"), channel=CHANNEL)
assert unknown.status_code == 401 and unknown.parsed.error.code == 1001, unknown
