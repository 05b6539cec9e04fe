"""The two rules of the log that every reader applies alike: which records are
events, and which events are void. docs/events.md says them in words."""

from collections import deque

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

import events_pb2

NEWEST_FORMAT = 2
KINDS = range(16, 64)  # field numbers of Event that are kept for kinds
MAX_NAME, MAX_ID, MAX_BODY = 128, 64, 64 << 10  # bytes of UTF-8
MAX_TYPE, MAX_KEY, MAX_REASON, MAX_TOPIC = 64, 64, 512, 256
MAX_DATA, MAX_INFO, MAX_TOPIC_DATA = 64 << 10, 512, 1 << 10  # bytes; they hold JSON, which no rule looks at
MAX_MENTIONS = 50
FORMAT_2 = {"change", "pin", "sanction", "purge", "set", "watch", "unwatch"}  # the kinds that came with it
BY_AUTHOR = {"pin", "sanction", "purge", "set"}  # the kinds that say who acted in `by`


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
    if is_newer_act(event, kind):
        raise Newer(f"the log holds a {kind} that format {NEWEST_FORMAT} does not know: a newer reader is needed")
    return event, kind


def is_newer_act(event, kind):
    if kind == "change":
        return event.change.WhichOneof("act") is None
    return kind == "sanction" and not 1 <= event.sanction.action <= 6


def needs(event, kind):
    """The lowest format in which the event may be."""
    what = getattr(event, kind)
    newer = (
        kind in FORMAT_2
        or kind == "join" and what.info
        or kind == "chat" and (what.info or what.type or what.data or what.reply or what.mentions or what.origin or what.key)
        or kind == "leave" and what.reason > events_pb2.REASON_TIMEOUT
    )
    return 2 if newer else 1


class FormatGuard:
    """Knows the format in force as the events of one partition are read."""

    def __init__(self, in_force=1):
        self.in_force = in_force

    def judge(self, offset, event, kind):
        """Raises Newer for an event of a format that is not in force yet."""
        if kind == "format" or kind == "marker" and offset == 0:
            self.in_force = max(self.in_force, event.format.number, event.marker.format)
        number = needs(event, kind)
        if number > self.in_force:
            raise Newer(f"offset {offset} holds an event of format {number} where format {self.in_force} is in force, which no parley writes")


def valid(event, kind):
    """Whether the event has the fields that its kind needs."""
    what = getattr(event, kind)
    if kind == "marker":
        return what.epoch != "" and what.format >= 1 and what.window >= 1
    if kind == "format":
        return what.number >= 1
    if kind == "down":
        return is_session(what.connector)
    if not is_id(event.connector) or event.counter == 0 or not is_name(what.channel):
        return False
    return VALID[kind](what)


def valid_join(join):
    return valid_leave(join) and join.push_partition >= 0 and len(join.info) <= MAX_INFO


def valid_leave(leave):
    return is_name(leave.user) and is_session(leave.session)


def valid_chat(chat):
    return (
        is_name(chat.user) and is_id(chat.id) and is_body(chat.body)
        and (chat.to == "" or is_name(chat.to)) and chat.reply >= 0
        and len(chat.mentions) <= MAX_MENTIONS and all(map(is_name, chat.mentions))
        and fits(chat.type, MAX_TYPE) and fits(chat.key, MAX_KEY)
        and len(chat.data) <= MAX_DATA and len(chat.info) <= MAX_INFO
    )


def valid_change(change):
    act = change.WhichOneof("act")
    return (
        is_name(change.user) and is_name(change.author) and is_id(change.id)
        and change.target >= 1 and (change.to == "" or is_name(change.to)) and fits(change.key, MAX_KEY)
        and (act != "edit" or is_body(change.edit.body) and fits(change.edit.type, MAX_TYPE) and len(change.edit.data) <= MAX_DATA)
        and (act != "delete" or fits(change.delete.reason, MAX_REASON))
        and (act != "react" or change.react.name != "" and fits(change.react.name, MAX_TYPE))
    )


def valid_pin(pin):
    return is_act(pin) and pin.target >= 1


def valid_sanction(sanction):
    return is_act(sanction) and is_name(sanction.user) and fits(sanction.reason, MAX_REASON) and min(sanction.until, sanction.purge_since) >= 0


def valid_purge(purge):
    return is_act(purge) and is_name(purge.user) and fits(purge.reason, MAX_REASON) and purge.since >= 0


def valid_set(change):
    return is_act(change) and fits(change.topic, MAX_TOPIC) and len(change.data) <= MAX_TOPIC_DATA and change.slow >= 0


def valid_watch(watch):
    return valid_unwatch(watch) and watch.push_partition >= 0


def valid_unwatch(watch):
    return is_session(watch.connector)


VALID = {
    "join": valid_join, "leave": valid_leave, "chat": valid_chat,
    "change": valid_change, "pin": valid_pin, "sanction": valid_sanction, "purge": valid_purge,
    "set": valid_set, "watch": valid_watch, "unwatch": valid_unwatch,
}


def is_act(what):
    """Whether it says who acted, and has an id."""
    by = what.by.WhichOneof("by")
    known = is_name(what.by.user) if by == "user" else what.by.key != "" and fits(what.by.key, MAX_KEY)
    return known and is_id(what.id)


def fits(text, most):
    return len(text.encode()) <= most


def is_body(text):
    return text != "" and fits(text, MAX_BODY)


def is_id(text):
    return 0 < len(text.encode()) <= MAX_ID


def is_session(text):
    return is_id(text) and "/" not in text


def is_name(text):
    control = any(c < " " or "\x7f" <= c <= "\x9f" for c in text)
    return 0 < len(text.encode()) <= MAX_NAME and not control


def act(event, kind):
    """What makes a retry the same act as before; None: it has no id."""
    what = getattr(event, kind)
    if kind in ("chat", "change"):
        return what.channel, what.origin != events_pb2.ORIGIN_CLIENT, "user", what.user, what.id
    if kind in BY_AUTHOR:
        by = what.by.WhichOneof("by")
        return what.channel, by == "key", by, getattr(what.by, by), what.id
    return None


class VoidWindow:
    """Judges the events of one partition, in the order of their offsets. A
    verdict depends on the n offsets before the event and on nothing older."""

    def __init__(self, n):
        self.n = n
        self.counters = {}  # connector: deque of (offset, counter), counters descending
        self.ids = {}  # act: offset of the latest
        self.downs = {}  # connector: offset of the latest
        self.seen = deque()  # (offset, in which of the above, key)

    def judge(self, offset, event, kind):
        """Adds the event and returns whether it is void."""
        self.forget(offset - self.n)
        void = bool(event.connector) and self.counted(offset, event)
        key = act(event, kind)
        if key:
            void = key in self.ids or void
            self.note(self.ids, key, offset)
        if kind == "join":
            void = event.connector in self.downs or void
        elif kind == "watch":
            void = event.watch.connector in self.downs or void
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
