"""The two rules of the log that every reader applies alike: which records are
events, and which events are void. docs/events.md says them in words."""

from collections import deque

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

import events_pb2

NEWEST_FORMAT = 1
KINDS = range(16, 64)  # field numbers of Event that are kept for kinds
MAX_NAME, MAX_ID, MAX_BODY = 128, 64, 64 << 10  # bytes of UTF-8


class Corrupt(Exception):
    """The record is not an event. Every reader counts it and continues after it."""


class Newer(Exception):
    """The log is newer than this program, which must not go on: it would come
    to know something else than its neighbours."""


def decode(value):
    """Returns the event of a record's value and the name of its kind."""
    event = events_pb2.Event()
    try:
        event.ParseFromString(value or b"")
    except DecodeError as error:
        raise Corrupt(error) from error
    kind = event.WhichOneof("kind")
    if kind is None:
        for field in UnknownFieldSet(event):
            if field.field_number in KINDS and field.wire_type == 2:
                raise Newer(f"the log holds event kind {field.field_number}: a newer reader is needed")
        raise Corrupt("an event without a kind")
    if not valid(event, kind):
        raise Corrupt(f"a {kind} that lacks a field, or has one out of bounds")
    number = max(event.marker.format, event.format.number)
    if number > NEWEST_FORMAT:
        raise Newer(f"the log is of format {number}, this reader knows {NEWEST_FORMAT}: a newer one is needed")
    return event, kind


def valid(event, kind):
    """Whether the event has the fields that its kind needs."""
    what = getattr(event, kind)
    if kind == "marker":
        return what.epoch != "" and what.format >= 1 and what.window >= 1
    if kind == "format":
        return what.number >= 1
    if kind == "down":
        return is_session(what.connector)
    if not is_id(event.connector) or event.counter == 0 or not is_name(what.channel) or not is_name(what.user):
        return False
    if kind == "chat":
        body = len(what.body.encode())
        return is_id(what.id) and 0 < body <= MAX_BODY and (what.to == "" or is_name(what.to))
    return is_session(what.session) and (kind != "join" or what.push_partition >= 0)


def is_id(text):
    return 0 < len(text.encode()) <= MAX_ID


def is_session(text):
    return is_id(text) and "/" not in text


def is_name(text):
    control = any(c < " " or "\x7f" <= c <= "\x9f" for c in text)
    return 0 < len(text.encode()) <= MAX_NAME and not control


class VoidWindow:
    """Judges the events of one partition, in the order of their offsets. A
    verdict depends on the n offsets before the event and on nothing older."""

    def __init__(self, n):
        self.n = n
        self.counters = {}  # connector: deque of (offset, counter), counters descending
        self.ids = {}  # (channel, user, id): offset of the latest
        self.downs = {}  # connector: offset of the latest
        self.seen = deque()  # (offset, in which of the above, key)

    def judge(self, offset, event, kind):
        """Adds the event and returns whether it is void."""
        self.forget(offset - self.n)
        void = bool(event.connector) and self.counted(offset, event)
        if kind == "chat":
            key = (event.chat.channel, event.chat.user, event.chat.id)
            void = key in self.ids or void
            self.note(self.ids, key, offset)
        elif kind == "join":
            void = event.connector in self.downs or void
        elif kind == "down":
            self.note(self.downs, event.down.connector, offset)
        return void

    def counted(self, offset, event):
        counters = self.counters.setdefault(event.connector, deque())
        void = bool(counters) and event.counter <= counters[0][1]
        while counters and counters[-1][1] <= event.counter:
            counters.pop()
        counters.append((offset, event.counter))
        self.seen.append((offset, self.counters, event.connector))
        return void

    def note(self, where, key, offset):
        where[key] = offset
        self.seen.append((offset, where, key))

    def forget(self, first):
        while self.seen and self.seen[0][0] < first:
            offset, where, key = self.seen.popleft()
            if where is not self.counters:
                if where.get(key) == offset:
                    del where[key]
                continue
            counters = where.get(key)
            if counters and counters[0][0] <= offset:
                counters.popleft()
            if counters is not None and not counters:
                del where[key]
