"""Prints what happens in Parley as JSON lines, read from the log itself: the
topic parley.events. Void events are left out.

    python3 -m grpc_tools.protoc -I ../../schema --python_out=. events.proto
    python3 consumer.py --brokers 127.0.0.1:9092 --channel lobby
"""

import argparse
import json
import os
import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

import rules

TOPIC = "parley.events"
PATIENCE = 10  # seconds, for an answer of the brokers


def main():
    options = arguments()
    consumer = Consumer(
        {
            "bootstrap.servers": options.brokers,
            "group.id": "parley-example",  # wanted by the library; nothing is committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",  # a log that was cut is not skipped in silence
            **dict(setting.split("=", 1) for setting in options.set),
        }
    )
    try:
        follow(consumer, options)
    except KeyboardInterrupt:
        pass
    except (KafkaException, rules.Newer, Refused) as error:
        sys.exit(f"consumer: {error}")
    finally:
        consumer.close()


class Refused(Exception):
    """The log is not the one that the positions belong to."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", default="127.0.0.1:9092")
    parser.add_argument("--channel", help="only what is about this channel")
    parser.add_argument("--positions", help="file that remembers how far it was read")
    parser.add_argument("--once", action="store_true", help="stop at the end of the log")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="setting of librdkafka, such as sasl.username=ada")
    return parser.parse_args()


def follow(consumer, options):
    markers = read_markers(consumer)
    epoch = markers[0].epoch
    positions, formats = load(options.positions, epoch)
    windows = {p: rules.VoidWindow(marker.window) for p, marker in markers.items()}
    guards = {p: rules.FormatGuard(formats.get(p, marker.format)) for p, marker in markers.items()}
    # Whoever starts N offsets early comes to the same verdicts as one who read all.
    consumer.assign(
        [TopicPartition(TOPIC, p, max(0, positions.get(p, 0) - m.window)) for p, m in markers.items()]
    )
    reading = set(markers)
    while reading:
        for message in consumer.consume(500, timeout=0.2):
            if message.error():
                if message.error().code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(message.error())
                if options.once:
                    reading.discard(message.partition())
                continue
            p = message.partition()
            take(message, windows[p], guards[p], positions, options.channel)
        sys.stdout.flush()
        save(options.positions, epoch, positions, {p: guard.in_force for p, guard in guards.items()})


def take(message, window, guard, positions, channel):
    """Judges one record, and prints it unless it was printed before."""
    partition, offset = message.partition(), message.offset()
    try:
        event, kind = rules.decode(message.value())
    except rules.Corrupt as error:
        print(f"consumer: {TOPIC}/{partition}, offset {offset}: {error}", file=sys.stderr)
        return
    guard.judge(offset, event, kind)
    void = window.judge(offset, event, kind)
    if offset < positions.get(partition, 0):
        return
    positions[partition] = offset + 1
    what = getattr(event, kind)
    stray = kind == "marker" and offset > 0  # means nothing
    if void or stray or channel not in (None, getattr(what, "channel", None)):
        return
    headers = dict(message.headers() or [])
    line = {"partition": partition, "offset": offset, "time": event.time, "kind": kind, **plain(what)}
    if "traceparent" in headers:
        line["traceparent"] = headers["traceparent"].decode()
    print(json.dumps(line, ensure_ascii=False))


def plain(message):
    """The fields of a message as JSON has them. What may be absent, and is, is left out."""
    return {
        field.name: plain_value(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if not field.has_presence or message.HasField(field.name)
    }


def plain_value(field, value):
    if field.message_type:
        return plain(value)
    if field.enum_type:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if isinstance(value, bytes):  # JSON, but nobody has promised that: as the text that it is
        return value.decode(errors="replace")
    return value if isinstance(value, (str, int)) else list(value)


def read_markers(consumer):
    """Offset 0 of every partition says the epoch and the width of the window."""
    topic = consumer.list_topics(TOPIC, PATIENCE).topics[TOPIC]
    if topic.error:
        raise KafkaException(topic.error)
    markers = {}
    for partition in topic.partitions:
        consumer.assign([TopicPartition(TOPIC, partition, 0)])
        message = consumer.poll(PATIENCE)
        if message is None:
            raise Refused(f"partition {partition} does not answer")
        if message.error() and message.error().code() != KafkaError._PARTITION_EOF:
            raise KafkaException(message.error())
        event, kind = rules.decode(message.value()) if not message.error() else (None, None)
        if kind != "marker" or message.offset() != 0:
            raise Refused(f"partition {partition} does not begin with a marker")
        markers[partition] = event.marker
    if len({marker.epoch for marker in markers.values()}) > 1:
        raise Refused("the partitions are of different epochs")
    return markers


def load(file, epoch):
    """Positions, and the formats in force there. An offset of another log means nothing, so it is refused."""
    if not file or not os.path.exists(file):
        return {}, {}
    with open(file, encoding="utf-8") as text:
        saved = json.load(text)
    if saved["epoch"] != epoch:
        raise Refused(f"{file} is about epoch {saved['epoch']}, the log is of epoch {epoch}: delete it to start over")
    return tuple({int(p): n for p, n in saved.get(of, {}).items()} for of in ("positions", "formats"))


def save(file, epoch, positions, formats):
    """Called after the printing: after a crash lines may be repeated, but none is missing."""
    if file:
        with open(file + ".new", "w", encoding="utf-8") as text:
            json.dump({"epoch": epoch, "positions": positions, "formats": formats}, text)
        os.replace(file + ".new", file)


if __name__ == "__main__":
    main()
