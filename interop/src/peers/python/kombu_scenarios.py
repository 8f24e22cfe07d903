"""What kombu (Debian's python3-kombu, over python3-amqp) does as a client of an AMQP 0-9-1 server.

    python3 kombu_scenarios.py <scenario> <url> <name>

`name` is a prefix that nobody else uses. Exits with 0 when the scenario held; else it says on standard error what did not.
"""

import socket
import sys
import time

import amqp
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.pidbox import Mailbox
from kombu.pools import producers

TIMEOUT = 20


def equal(got, wanted, what):
    if got != wanted or type(got) is not type(wanted):
        raise AssertionError("%s: %r where %r was expected" % (what, got, wanted))


def raised(kind, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError("%s was not raised by %r" % (kind.__name__, call))


def opened(url, **options):
    return Connection(url.replace("amqp://", "pyamqp://"), connect_timeout=TIMEOUT, **options)


def drained(connection, seen, count):
    while len(seen) < count:
        connection.drain_events(timeout=TIMEOUT)


def simple(url, name):
    """SimpleQueue: what was put comes in order, in all serializations and compressed."""
    with opened(url) as connection:
        queue = connection.SimpleQueue(name)
        for i in range(20):
            queue.put({"i": i, "text": "grüße"})
        for i in range(20):
            message = queue.get(timeout=TIMEOUT)
            equal(message.payload, {"i": i, "text": "grüße"}, "payload")
            message.ack()
        for compression in (None, "zlib", "bzip2"):
            queue.put({"x": "y" * 200000}, serializer="json", compression=compression)
            message = queue.get(timeout=TIMEOUT)
            equal(message.payload, {"x": "y" * 200000}, str(compression))
            message.ack()
        raised(queue.Empty, queue.get_nowait)
        queue.consumer.cancel()
        queue.queue.delete()
        queue.close()


def kinds(url, name):
    """Producers and consumers over exchanges of all kinds, declared by both."""
    with opened(url) as connection:
        for kind, key, published in (("direct", "k", "k"), ("topic", "a.*.#", "a.b.c"), ("fanout", "", "x")):
            exchange = Exchange(name + kind, kind, durable=False, auto_delete=True)
            queue = Queue(name + kind, exchange, routing_key=key, exclusive=True)
            seen = []
            with Consumer(connection, [queue], callbacks=[lambda body, message: (seen.append(body), message.ack())]):
                producer = Producer(connection, exchange)
                for i in range(10):
                    producer.publish({kind: i}, routing_key=published)
                drained(connection, seen, 10)
            equal(seen, [{kind: i} for i in range(10)], kind)


def properties(url, name):
    """Properties and headers of all of py-amqp's types."""
    with opened(url) as connection:
        queue = Queue(name, exclusive=True)(connection.default_channel)
        queue.declare()
        headers = {"text": "t", "int": 5, "long": 2 ** 40, "float": 1.5, "yes": True, "none": None, "list": [1, "x"], "map": {"k": 1}}
        Producer(connection).publish(
            "body", routing_key=name, headers=headers, correlation_id="c", reply_to="r", priority=3, expiration=60, content_type="text/plain",
            content_encoding="utf-8", message_id="m", type="t", app_id="a", delivery_mode=1,
        )
        message = queue.get()
        equal(message.payload, "body", "body")
        for key, value in headers.items():
            equal(message.headers[key], value, key)
        got = message.properties
        equal([got[key] for key in ("correlation_id", "reply_to", "priority", "expiration", "message_id", "type", "app_id", "delivery_mode")],
              ["c", "r", 3, "60000", "m", "t", "a", 1], "properties")
        message.ack()


def settling(url, name):
    """Acknowledged, given back, rejected into a dead-letter exchange."""
    with opened(url) as connection:
        channel = connection.default_channel
        dead = Queue(name + "dead", Exchange(name + "dlx", "fanout", auto_delete=True), exclusive=True)(channel)
        dead.declare()
        queue = Queue(name, exclusive=True, queue_arguments={"x-dead-letter-exchange": name + "dlx"})(channel)
        queue.declare()
        producer = Producer(connection)
        for i in range(3):
            producer.publish(i, routing_key=name)
        first, second, third = queue.get(), queue.get(), queue.get()
        second.requeue()
        third.reject()
        first.ack()
        again = queue.get()
        equal((again.payload, again.delivery_info["redelivered"]), (1, True), "again")
        again.ack()
        letter = dead.get()
        equal((letter.payload, letter.headers["x-death"][0]["reason"]), (2, "rejected"), "dead letter")
        letter.ack()


def confirms(url, name):
    """With confirm_publish each publish waits; one that is refused fails, one that nobody takes comes back."""
    with opened(url, transport_options={"confirm_publish": True}) as connection:
        queue = Queue(name, exclusive=True, max_length=2, queue_arguments={"x-overflow": "reject-publish"})(connection.default_channel)
        queue.declare()
        back = []
        producer = Producer(connection, on_return=lambda error, exchange, key, message: back.append(error.reply_code))
        producer.publish("a", routing_key=name)
        producer.publish("b", routing_key=name)
        raised(amqp.exceptions.MessageNacked, producer.publish, "c", routing_key=name)
        producer.publish("d", routing_key=name + "missing", mandatory=True)
        equal(back, [312], "returned")


def arguments(url, name):
    """Queues by kombu's own words: expires, message_ttl, max_length, max_priority; another declaration of it is refused."""
    with opened(url) as connection:
        channel = connection.default_channel
        queue = Queue(name, durable=True, expires=60, message_ttl=30, max_length=10, max_length_bytes=10000, max_priority=5)(channel)
        queue.declare()
        queue.declare()
        producer = Producer(connection)
        for priority in (1, 5, 3):
            producer.publish(priority, routing_key=name, priority=priority)
        got = []
        for _ in range(3):
            message = queue.get()
            got.append(message.payload)
            message.ack()
        equal(got, [5, 3, 1], "by priority")
        other = Queue(name, durable=True)(connection.channel())
        raised(amqp.PreconditionFailed, other.declare)
        missing = Queue(name + "missing")(connection.channel())
        raised(amqp.NotFound, missing.queue_declare, passive=True)
        queue.delete()


def prefetch(url, name):
    """A consumer has what its prefetch allows, and gives back what it has not acknowledged when it is gone."""
    with opened(url) as connection, opened(url) as other:
        queue = Queue(name, durable=False, auto_delete=False)
        bound = queue(connection.default_channel)
        bound.declare()
        producer = Producer(connection)
        for i in range(5):
            producer.publish(i, routing_key=name)
        seen = []
        with Consumer(other, [queue], callbacks=[lambda body, message: seen.append(body)], prefetch_count=2):
            drained(other, seen, 2)
            raised(socket.timeout, other.drain_events, timeout=0.3)
        equal(seen, [0, 1], "in hand")
        other.close()
        got = []
        with Consumer(connection, [queue], callbacks=[lambda body, message: (got.append((body, message.delivery_info["redelivered"])), message.ack())]):
            drained(connection, got, 5)
        equal(got, [(0, True), (1, True), (2, False), (3, False), (4, False)], "all of it")
        bound.delete()


def cancelled(url, name):
    """A consumer whose queue is deleted is cancelled."""
    with opened(url) as connection, opened(url) as other:
        queue = Queue(name, durable=False)
        queue(connection.default_channel).declare()
        told = []
        connection.default_channel.basic_consume(name, callback=lambda message: None, on_cancel=told.append)
        queue(other.default_channel).delete()
        try:
            while not told:
                connection.drain_events(timeout=TIMEOUT)
        except amqp.ConsumerCancelled as error:
            told.append(error)
        equal(len(told) > 0, True, "told")


def heartbeats(url, name):
    """With heartbeats that are looked after the connection lives; the server ends one that says nothing."""
    with opened(url, heartbeat=2) as connection:
        connection.connect()
        equal(connection.get_heartbeat_interval(), 2.0, "interval")
        queue = Queue(name, exclusive=True)(connection.default_channel)
        queue.declare()
        end = time.monotonic() + 5
        while time.monotonic() < end:
            connection.heartbeat_check(rate=2)
            try:
                connection.drain_events(timeout=0.5)
            except socket.timeout:
                pass
        equal(queue.queue_declare(passive=True).message_count, 0, "messages")
    silent = opened(url, heartbeat=1)
    silent.connect()
    end = time.monotonic() + TIMEOUT
    try:
        while time.monotonic() < end:
            silent.drain_events(timeout=TIMEOUT)
    except socket.timeout:
        raise AssertionError("the silent connection was let live")
    except (OSError, amqp.ConnectionError):
        pass


def transactions(url, name):
    """A transaction counts at its commit."""
    with opened(url) as connection:
        channel, other = connection.channel(), connection.channel()
        queue = Queue(name, exclusive=True)
        queue(other).declare()
        channel.tx_select()
        channel.basic_publish(amqp.Message("a"), routing_key=name)
        channel.tx_rollback()
        channel.basic_publish(amqp.Message("b"), routing_key=name)
        equal(other.basic_get(name), None, "before the commit")
        channel.tx_commit()
        equal(other.basic_get(name, no_ack=True).body, "b", "after it")
        equal(other.basic_get(name), None, "and nothing else")


def pools(url, name):
    """Producers of a pool, which declare what they publish to and try again."""
    with opened(url) as connection:
        exchange = Exchange(name, "direct", auto_delete=True)
        queue = Queue(name, exchange, routing_key=name, exclusive=True)
        bound = queue(connection.default_channel)
        bound.declare()
        for i in range(10):
            with producers[connection].acquire(block=True) as producer:
                producer.publish({"i": i}, exchange=exchange, routing_key=name, declare=[exchange], retry=True)
        equal([bound.get(no_ack=True).payload["i"] for _ in range(10)], list(range(10)), "bodies")


def mailbox(url, name):
    """A broadcast reaches every node, and their answers come back to who asked."""
    with opened(url) as first, opened(url) as second, opened(url) as asking:
        box = Mailbox(name, type="fanout", accept=["json"])
        connections = (first, second)
        nodes = []
        for index, connection in enumerate(connections):
            node = box(connection).Node("node%d" % index, state={"n": index}, channel=connection.default_channel)
            node.handlers["number"] = lambda state, **named: state["n"]
            node.consumer = node.listen(channel=connection.default_channel)
            nodes.append(node)
        asked = box(asking)
        answers = asked.get_reply_queue()
        answers(asking.default_channel).declare()
        seen = []
        with Consumer(asking, [answers], callbacks=[lambda body, message: seen.append(body)], no_ack=True):
            asked._publish("number", {}, reply_ticket="t", timeout=TIMEOUT, channel=asking.default_channel)
            for connection in connections:
                connection.drain_events(timeout=TIMEOUT)
            drained(asking, seen, 2)
        equal(sorted(next(iter(answer.items())) for answer in seen), [("node0", 0), ("node1", 1)], "answers")


def login(url, name, wrong):
    """A wrong password is AccessRefused, another virtual host NotAllowed."""
    opened(url).connect()
    raised(amqp.AccessRefused, opened(wrong).connect)
    raised(amqp.NotAllowed, Connection(url.replace("amqp://", "pyamqp://").replace("%2F", "missing")).connect)


SCENARIOS = {f.__name__: f for f in (
    simple, kinds, properties, settling, confirms, arguments, prefetch, cancelled, heartbeats, transactions, pools, mailbox, login,
)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](*sys.argv[2:])
