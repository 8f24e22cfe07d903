"""What pika (Debian's python3-pika) does as a client of an AMQP 0-9-1 server.

    python3 pika_scenarios.py <scenario> <url> <name> [further arguments of the scenario]

`name` is a prefix that nobody else uses. Exits with 0 when the scenario held; else it says on standard error what did not.
"""

import datetime
import decimal
import ssl
import sys
import threading

import pika
import pika.compat
from pika import exceptions
from pika.exchange_type import ExchangeType

TIMEOUT = 20


def equal(got, wanted, what):
    if got != wanted or type(got) is not type(wanted):
        raise AssertionError("%s: %r where %r was expected" % (what, got, wanted))


def raised(kind, call, *arguments, **named):
    """What the call raises; it must be of that kind."""
    try:
        call(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError("%s was not raised by %r" % (kind.__name__, call))


def opened(url, **changes):
    parameters = pika.URLParameters(url)
    for name, value in changes.items():
        setattr(parameters, name, value)
    return pika.BlockingConnection(parameters)


def got_all(connection, channel, queue, count, **options):
    """The next messages of a queue as (method, properties, body), acknowledged."""
    found = []
    for method, properties, body in channel.consume(queue, inactivity_timeout=TIMEOUT, **options):
        if method is None:
            raise AssertionError("%d messages came where %d were expected" % (len(found), count))
        found.append((method, properties, body))
        if not options.get("auto_ack"):
            channel.basic_ack(method.delivery_tag)
        if len(found) == count:
            break
    channel.cancel()
    return found


def bodies(found):
    return [body for _, _, body in found]


def round_trip(url, name):
    """Every property and every type of header comes back as it was."""
    connection = opened(url)
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True)
    headers = {
        "text": "grüße", "bytes": b"\x00\xff", "yes": True, "no": False, "int": 5, "negative": -5, "long": pika.compat.long(2 ** 40), "none": None,
        "decimal": decimal.Decimal("3.14"), "time": datetime.datetime(2020, 2, 3, 4, 5, 6), "list": ["x", 1, {"in": "y"}], "map": {"k": {"l": 1}},
    }
    sent = pika.BasicProperties(
        content_type="text/x", content_encoding="gzip", headers=headers, delivery_mode=2, priority=3, correlation_id="c", reply_to="r",
        expiration="60000", message_id="m", timestamp=1700000000, type="t", user_id="guest", app_id="a",
    )
    channel.basic_publish("", name, b"body", sent)
    method, properties, body = channel.basic_get(name, auto_ack=True)
    equal((method.exchange, method.routing_key, method.redelivered, method.message_count), ("", name, False, 0), "method")
    equal(body, b"body", "body")
    for key, value in headers.items():
        equal(properties.headers[key], value, key)
    for field in ("content_type", "content_encoding", "delivery_mode", "priority", "correlation_id", "reply_to", "expiration", "message_id",
                  "timestamp", "type", "user_id", "app_id"):
        equal(getattr(properties, field), getattr(sent, field), field)
    connection.close()


def sizes(url, name):
    """Bodies of no byte, of a frame, of one byte around it, and of ten megabytes come whole, in frames of 4 KiB as well."""
    for frame_max in (131072, 4096):
        connection = opened(url, frame_max=frame_max)
        channel = connection.channel()
        channel.queue_declare(name, exclusive=True)
        frame = frame_max - 8
        sent = [b"x" * size for size in (0, 1, frame - 1, frame, frame + 1, 2 * frame)] + [b"0123456789" * 1048576]
        for body in sent:
            channel.basic_publish("", name, body)
        equal(bodies(got_all(connection, channel, name, len(sent))) == sent, True, "bodies in frames of %d" % frame_max)
        connection.close()


def confirms(url, name):
    """Publishes are confirmed one by one, and one that no queue takes comes back with 312."""
    connection = opened(url)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(name, exclusive=True)
    for i in range(200):
        channel.basic_publish("", name, b"%d" % i, mandatory=True)
    equal(channel.queue_declare(name, passive=True).method.message_count, 200, "messages")
    error = raised(exceptions.UnroutableError, channel.basic_publish, "", name + "-missing", b"back", mandatory=True)
    equal([(m.method.reply_code, m.method.reply_text, m.body) for m in error.messages], [(312, "NO_ROUTE", b"back")], "returned")
    channel.basic_publish("", name + "-missing", b"gone")
    connection.close()


def nacked(url, name):
    """A queue that is full and refuses makes a publish fail."""
    connection = opened(url)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(name, exclusive=True, arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    for body in (b"0", b"1"):
        channel.basic_publish("", name, body)
    raised(exceptions.NackError, channel.basic_publish, "", name, b"2")
    equal(bodies(got_all(connection, channel, name, 2)), [b"0", b"1"], "bodies")
    connection.close()


def returned(url, name):
    """Without confirms, a mandatory message that no queue takes is told to a callback."""
    connection = opened(url)
    channel = connection.channel()
    back = []
    channel.add_on_return_callback(lambda ch, method, properties, body: back.append((method.reply_code, method.routing_key, body)))
    channel.basic_publish("amq.direct", name, b"x", mandatory=True)
    channel.queue_declare("", exclusive=True)
    connection.process_data_events(0)
    equal(back, [(312, name, b"x")], "returned")
    connection.close()


def settling(url, name):
    """Acknowledged by multiple, given back in its old place, and rejected into the dead letters with x-death."""
    connection = opened(url)
    channel = connection.channel()
    dead = name + "-dead"
    channel.queue_declare(dead, exclusive=True)
    channel.queue_declare(name, exclusive=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
    for i in range(6):
        channel.basic_publish("", name, b"%d" % i)
    tags = [channel.basic_get(name)[0].delivery_tag for _ in range(6)]
    channel.basic_ack(tags[1], multiple=True)
    channel.basic_reject(tags[2], requeue=False)
    channel.basic_nack(tags[5], multiple=True, requeue=True)
    again = got_all(connection, channel, name, 3)
    equal([(method.redelivered, body) for method, _, body in again], [(True, b"3"), (True, b"4"), (True, b"5")], "given back")
    (_, properties, body), = got_all(connection, channel, dead, 1)
    death = properties.headers["x-death"][0]
    equal((body, death["reason"], death["queue"], death["count"], death["exchange"], death["routing-keys"]),
          (b"2", "rejected", name, 1, "", [name]), "death")
    equal(isinstance(death["time"], datetime.datetime), True, "time of death")
    connection.close()


def prefetch(url, name):
    """A consumer has no more than its prefetch, another one gets the rest, and what a closed channel had comes again."""
    connection = opened(url)
    channel, other = connection.channel(), connection.channel()
    channel.queue_declare(name)
    for i in range(5):
        channel.basic_publish("", name, b"%d" % i)
    first, second = [], []
    channel.basic_qos(prefetch_count=2)
    channel.basic_consume(name, lambda ch, method, properties, body: first.append(body))
    wait(connection, lambda: len(first) == 2)
    other.basic_consume(name, lambda ch, method, properties, body: second.append((method.redelivered, body)))
    wait(connection, lambda: len(second) == 3)
    equal(first, [b"0", b"1"], "first")
    equal(second, [(False, b"2"), (False, b"3"), (False, b"4")], "second")
    channel.close()
    wait(connection, lambda: len(second) == 5)
    equal(second[3:], [(True, b"0"), (True, b"1")], "given back")
    other.queue_delete(name)
    connection.close()


def wait(connection, holds):
    """Reads until a condition holds."""
    for _ in range(TIMEOUT * 10):
        if holds():
            return
        connection.process_data_events(time_limit=0.1)
    raise AssertionError("it did not come to that")


def generator(url, name):
    """Leaving a loop over a consumer gives back what it had in hand."""
    connection = opened(url)
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True)
    for i in range(20):
        channel.basic_publish("", name, b"%d" % i)
    for method, _, body in channel.consume(name, inactivity_timeout=TIMEOUT):
        channel.basic_ack(method.delivery_tag)
        break
    channel.cancel()
    equal(bodies(got_all(connection, channel, name, 19)), [b"%d" % i for i in range(1, 20)], "bodies")
    connection.close()


def cancelled(url, name):
    """A consumer whose queue is deleted is told so, and its channel lives on."""
    connection = opened(url)
    channel = connection.channel()
    channel.queue_declare(name)
    told = []
    channel.add_on_cancel_callback(lambda frame: told.append(frame.method.consumer_tag))
    tag = channel.basic_consume(name, lambda *arguments: None)
    other = opened(url)
    other.channel().queue_delete(name)
    other.close()
    wait(connection, lambda: told == [tag])
    channel.queue_declare("", exclusive=True)
    connection.close()


def refusals(url, name):
    """What cannot be done closes its channel with the right code, and the connection lives on."""
    connection = opened(url)
    other = opened(url)
    connection.channel().queue_declare(name, exclusive=True)

    def code(call):
        channel = other.channel()
        return raised(exceptions.ChannelClosedByBroker, call, channel).reply_code

    equal(code(lambda c: c.queue_declare(name + "-missing", passive=True)), 404, "missing queue")
    equal(code(lambda c: c.exchange_declare(name + "-missing", passive=True)), 404, "missing exchange")
    equal(code(lambda c: c.queue_declare(name, passive=True)), 405, "somebody else's exclusive queue")
    equal(code(lambda c: c.queue_bind(name + "-missing", "amq.direct", "k")), 404, "binding of a missing queue")
    equal(code(lambda c: c.queue_declare("amq.own")), 403, "a reserved name")
    equal(code(lambda c: c.exchange_declare("amq.own", "direct")), 403, "a reserved exchange")
    equal(code(lambda c: c.exchange_declare("amq.direct", "fanout", durable=True)), 406, "another kind")
    equal(code(lambda c: c.basic_ack(77) or c.queue_declare("", exclusive=True)), 406, "an unknown tag")
    equal(code(lambda c: c.tx_commit()), 406, "no transaction")
    equal(code(lambda c: c.queue_declare("", exclusive=True, arguments={"x-message-ttl": -1})), 406, "a wrong argument")
    other.channel().queue_declare("", exclusive=True)
    other.close()
    connection.close()


def connection_errors(url, name):
    """What is wrong with a whole connection ends it with the right code."""
    def code(call):
        connection = opened(url)
        return raised(exceptions.ConnectionClosedByBroker, call, connection.channel()).reply_code

    def twice(channel):
        channel.queue_declare(name, exclusive=True)
        for _ in range(2):
            pika.channel.Channel.basic_consume(channel._impl, name, lambda *arguments: None, consumer_tag="one")
            channel._impl._consumers.clear()
        channel.queue_declare("", exclusive=True)

    equal(code(lambda c: c.exchange_declare(name, "nonsense")), 503, "an unknown kind of exchange")
    equal(code(twice), 530, "a consumer tag for the second time")


def exchanges(url, name):
    """Messages find their queues through all kinds of exchanges, and through exchanges that are bound to others."""
    connection = opened(url)
    channel = connection.channel()
    kinds = {"direct": "k", "topic": "a.*.#", "fanout": "", "headers": ""}
    for kind, key in kinds.items():
        channel.exchange_declare(name + kind, ExchangeType(kind), auto_delete=True)
        channel.queue_declare(name + kind, exclusive=True)
        table = {"x-match": "all", "one": 1, "two": "2"} if kind == "headers" else None
        channel.queue_bind(name + kind, name + kind, key, arguments=table)
    channel.exchange_declare(name + "in", ExchangeType.topic)
    channel.exchange_bind(name + "topic", name + "in", "#")
    channel.confirm_delivery()
    channel.basic_publish(name + "direct", "k", b"direct", mandatory=True)
    channel.basic_publish(name + "in", "a.b.c.d", b"topic", mandatory=True)
    channel.basic_publish(name + "fanout", "anything", b"fanout", mandatory=True)
    channel.basic_publish(name + "headers", "", b"headers", pika.BasicProperties(headers={"one": 1, "two": "2", "three": 3}), mandatory=True)
    raised(exceptions.UnroutableError, channel.basic_publish, name + "in", "b.a", b"", mandatory=True)
    raised(exceptions.UnroutableError, channel.basic_publish, name + "headers", "", b"", pika.BasicProperties(headers={"one": 1}), mandatory=True)
    for kind in kinds:
        equal(bodies(got_all(connection, channel, name + kind, 1)), [kind.encode()], kind)
    channel.exchange_unbind(name + "topic", name + "in", "#")
    raised(exceptions.UnroutableError, channel.basic_publish, name + "in", "a.b", b"", mandatory=True)
    channel.exchange_delete(name + "in")
    connection.close()


def queues(url, name):
    """Server-named, counted, purged, kept by conditions, deleted."""
    connection = opened(url)
    channel = connection.channel()
    made = channel.queue_declare("", exclusive=True).method.queue
    equal(made.startswith("amq.gen-"), True, made)
    channel.queue_declare(name, durable=True)
    channel.confirm_delivery()
    for i in range(3):
        channel.basic_publish("", name, b"%d" % i)
    equal(channel.queue_declare(name, passive=True).method.message_count, 3, "messages")
    equal(raised(exceptions.ChannelClosedByBroker, connection.channel().queue_delete, name, if_empty=True).reply_code, 406, "not empty")
    tag = channel.basic_consume(name, lambda *arguments: None)
    equal(channel.queue_declare(name, passive=True).method.consumer_count, 1, "consumers")
    equal(raised(exceptions.ChannelClosedByBroker, connection.channel().queue_delete, name, if_unused=True).reply_code, 406, "in use")
    channel.basic_cancel(tag)
    equal(channel.queue_purge(name).method.message_count, 3, "purged")
    equal(channel.queue_delete(name).method.message_count, 0, "deleted with")
    equal(channel.queue_delete(name).method.message_count, 0, "deleted again")
    connection.close()


def expiry(url, name):
    """A message past its time is a dead letter, whether the queue or the publisher said so."""
    connection = opened(url)
    channel = connection.channel()
    dead = name + "-dead"
    channel.exchange_declare(dead, "fanout", auto_delete=True)
    channel.queue_declare(dead, exclusive=True)
    channel.queue_bind(dead, dead)
    channel.queue_declare(name, exclusive=True, arguments={"x-message-ttl": 50, "x-dead-letter-exchange": dead})
    channel.queue_declare(name + "2", exclusive=True, arguments={"x-dead-letter-exchange": dead})
    channel.basic_publish("", name, b"queue's")
    (_, first, body), = got_all(connection, channel, dead, 1)
    equal((body, first.headers["x-first-death-reason"], first.headers["x-first-death-queue"]), (b"queue's", "expired", name), "first")
    channel.basic_publish("", name + "2", b"its own", pika.BasicProperties(expiration="50"))
    (_, second, body), = got_all(connection, channel, dead, 1)
    equal((body, second.expiration, second.headers["x-death"][0]["original-expiration"]), (b"its own", None, "50"), "second")
    connection.close()


def transactions(url, name):
    """Publishes and acknowledgements count at the commit, and not at all after a rollback."""
    connection = opened(url)
    channel, other = connection.channel(), connection.channel()
    channel.queue_declare(name, exclusive=True)
    channel.tx_select()
    channel.basic_publish("", name, b"not")
    channel.tx_rollback()
    channel.basic_publish("", name, b"a")
    channel.basic_publish("", name, b"b")
    equal(other.basic_get(name), (None, None, None), "before the commit")
    channel.tx_commit()
    tag = channel.basic_get(name)[0].delivery_tag
    channel.basic_ack(tag)
    channel.tx_rollback()
    channel.basic_ack(tag)
    channel.tx_commit()
    channel.close()
    equal(bodies(got_all(connection, other, name, 1)), [b"b"], "left")
    equal(raised(exceptions.ChannelClosedByBroker, confirms_after_tx, connection).reply_code, 406, "both modes")
    connection.close()


def confirms_after_tx(connection):
    channel = connection.channel()
    channel.tx_select()
    channel.confirm_delivery()


def recover(url, name):
    """basic.recover brings what is unsettled again, to the same consumer or another."""
    connection = opened(url)
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True)
    seen = []
    for i in range(3):
        channel.basic_publish("", name, b"%d" % i)
    channel.basic_consume(name, lambda ch, method, properties, body: seen.append((method.redelivered, body, method.delivery_tag)))
    wait(connection, lambda: len(seen) == 3)
    channel.basic_recover(requeue=True)
    wait(connection, lambda: len(seen) == 6)
    equal([(again, body) for again, body, _ in seen[3:]], [(True, b"0"), (True, b"1"), (True, b"2")], "again")
    channel.basic_ack(seen[-1][2], multiple=True)
    error = raised(exceptions.ConnectionClosedByBroker, channel.basic_recover, requeue=False)
    equal(error.reply_code, 540, "recover without requeue")


def rpc(url, name):
    """A request over direct reply-to gets its answer."""
    server, client = opened(url), opened(url)
    ours, theirs = server.channel(), client.channel()
    ours.queue_declare(name, exclusive=True)

    def answer(channel, method, properties, body):
        channel.basic_publish("", properties.reply_to, b"answer to " + body, pika.BasicProperties(correlation_id=properties.correlation_id))
        channel.basic_ack(method.delivery_tag)

    ours.basic_consume(name, answer)
    # Only who declared the queue may use it, hence an exchange.
    ours.queue_bind(name, "amq.direct", name)
    answers = []
    theirs.basic_consume("amq.rabbitmq.reply-to", lambda ch, method, properties, body: answers.append((properties.correlation_id, body)), auto_ack=True)
    theirs.basic_publish("amq.direct", name, b"question", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="7"))
    for _ in range(TIMEOUT * 10):
        server.process_data_events(time_limit=0.05)
        client.process_data_events(time_limit=0.05)
        if answers:
            break
    equal(answers, [("7", b"answer to question")], "answers")
    client.close()
    server.close()


def kinds_of_queues(url, name):
    """Priorities, a single active consumer, a quorum queue's delivery limit, a stream from its first message."""
    connection = opened(url)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(name + "p", exclusive=True, arguments={"x-max-priority": 5})
    for priority in (1, 5, 3):
        channel.basic_publish("", name + "p", b"%d" % priority, pika.BasicProperties(priority=priority))
    equal(bodies(got_all(connection, channel, name + "p", 3)), [b"5", b"3", b"1"], "by priority")

    single(connection, name + "s")

    channel.queue_declare(name + "q", durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 2})
    channel.basic_publish("", name + "q", b"poison")
    counts = []
    for method, properties, _ in channel.consume(name + "q", inactivity_timeout=1):
        if method is None:
            break
        counts.append((properties.headers or {}).get("x-delivery-count", 0))
        channel.basic_nack(method.delivery_tag)
    channel.cancel()
    equal(counts, [0, 1, 2], "deliveries of a poisonous message")
    channel.queue_delete(name + "q")

    channel.queue_declare(name + "t", durable=True, arguments={"x-queue-type": "stream"})
    for i in range(5):
        channel.basic_publish("", name + "t", b"%d" % i)
    reader = connection.channel()
    reader.basic_qos(prefetch_count=10)
    found = got_all(connection, reader, name + "t", 3, arguments={"x-stream-offset": 2})
    equal([(properties.headers["x-stream-offset"], body) for _, properties, body in found], [(2, b"2"), (3, b"3"), (4, b"4")], "stream")
    channel.queue_delete(name + "t")
    connection.close()


def single(connection, name):
    channels = [connection.channel(), connection.channel()]
    channels[0].queue_declare(name, exclusive=True, arguments={"x-single-active-consumer": True})
    seen = []
    for index, channel in enumerate(channels):
        channel.basic_consume(name, lambda ch, method, properties, body, index=index: seen.append((index, body)), auto_ack=True)
    channels[0].basic_publish("", name, b"a")
    wait(connection, lambda: len(seen) == 1)
    channels[0].close()
    channels[1].basic_publish("", name, b"b")
    wait(connection, lambda: len(seen) == 2)
    equal(seen, [(0, b"a"), (1, b"b")], "who was active")


def many_channels(url, name):
    """Three hundred channels of one connection, each with a consumer; no more than the server allows."""
    connection = opened(url)
    first = connection.channel()
    first.queue_declare(name, exclusive=True)
    seen = set()
    channels = [connection.channel() for _ in range(300)]
    for channel in channels:
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(name, lambda ch, method, properties, body: seen.add(ch.channel_number))
    for i in range(300):
        first.basic_publish("", name, b"x")
    wait(connection, lambda: len(seen) == 300)
    channels[0].close()
    equal(connection.channel().channel_number, channels[0].channel_number, "the number of a closed channel, again")
    connection.close()


def threads(url, name):
    """Acknowledgements from other threads, over callbacks of the connection."""
    connection = opened(url)
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True)
    channel.basic_qos(prefetch_count=10)
    for i in range(100):
        channel.basic_publish("", name, b"%d" % i)
    acknowledged = []

    def ack(tag):
        channel.basic_ack(tag)
        acknowledged.append(tag)
        if len(acknowledged) == 100:
            channel.stop_consuming()

    def work(ch, method, properties, body):
        threading.Thread(target=lambda: connection.add_callback_threadsafe(lambda: ack(method.delivery_tag))).start()

    channel.basic_consume(name, work)
    channel.start_consuming()
    equal(sorted(acknowledged), list(range(1, 101)), "acknowledged")
    equal(channel.queue_declare(name, passive=True).method.message_count, 0, "left")
    connection.close()


class Asynchronous:
    """Everything by callbacks: declares, publishes with confirms, consumes, is done."""

    def __init__(self, url, name):
        self.name = name
        self.confirmed = 0
        self.bodies = []
        self.failure = None
        self.connection = pika.SelectConnection(
            pika.URLParameters(url), on_open_callback=self.on_open, on_open_error_callback=self.on_end, on_close_callback=self.on_end)

    def on_open(self, connection):
        connection.channel(on_open_callback=self.on_channel)

    def on_channel(self, channel):
        self.channel = channel
        channel.confirm_delivery(self.on_confirm)
        channel.queue_declare(self.name, exclusive=True, callback=self.on_queue)

    def on_queue(self, _frame):
        self.channel.basic_consume(self.name, self.on_message)
        for i in range(500):
            self.channel.basic_publish("", self.name, b"%d" % i)

    def on_confirm(self, frame):
        if frame.method.NAME != "Basic.Ack":
            self.failure = "not confirmed: %r" % frame.method
        self.confirmed = max(self.confirmed, frame.method.delivery_tag)
        self.look()

    def on_message(self, channel, method, _properties, body):
        self.bodies.append(body)
        channel.basic_ack(method.delivery_tag)
        self.look()

    def look(self):
        if self.confirmed == 500 and len(self.bodies) == 500 and self.connection.is_open:
            self.connection.close()

    def on_end(self, connection, reason):
        if not isinstance(reason, exceptions.ConnectionClosedByClient):
            self.failure = repr(reason)
        connection.ioloop.stop()


def asynchronous(url, name):
    """SelectConnection: five hundred confirmed publishes and acknowledged deliveries."""
    peer = Asynchronous(url, name)
    peer.connection.ioloop.start()
    equal(peer.failure, None, "failure")
    equal(peer.bodies, [b"%d" % i for i in range(500)], "bodies")


def heartbeats(url, name):
    """With heartbeats each second, a connection that says nothing else lives on."""
    connection = opened(url, heartbeat=1)
    channel = connection.channel()
    channel.queue_declare(name, exclusive=True)
    connection.process_data_events(time_limit=3.5)
    channel.basic_publish("", name, b"x")
    equal(bodies(got_all(connection, channel, name, 1)), [b"x"], "bodies")
    connection.close()


def login(url, name, user, password, vhost):
    """The right password gets in, and no other; a virtual host that is not there is refused."""
    parameters = pika.URLParameters(url)
    parameters.credentials = pika.PlainCredentials(user, password)
    pika.BlockingConnection(parameters).close()
    parameters.credentials = pika.PlainCredentials(user, "wrong")
    error = raised(exceptions.ProbableAuthenticationError, pika.BlockingConnection, parameters)
    equal("403" in str(error), True, str(error))
    parameters.credentials = pika.PlainCredentials(user, password)
    parameters.virtual_host = vhost
    error = raised(exceptions.ProbableAccessDeniedError, pika.BlockingConnection, parameters)
    equal("530" in str(error), True, str(error))


def external(url, name, ca, certificate, key):
    """EXTERNAL over TLS takes the user from the client's certificate."""
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    connection = opened(url, ssl_options=pika.SSLOptions(context, "localhost"), credentials=pika.credentials.ExternalCredentials())
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(name, exclusive=True)
    channel.basic_publish("", name, b"x" * 300000, pika.BasicProperties(user_id="polymq-client"))
    equal(bodies(got_all(connection, channel, name, 1)), [b"x" * 300000], "bodies")
    connection.close()
    raised(Exception, opened, url, ssl_options=pika.SSLOptions(ssl.create_default_context(), "localhost"))


def blocked(url, name):
    """A publisher is told that memory is short, and gives up when its time is over."""
    connection = opened(url, blocked_connection_timeout=1)
    told = []
    connection.add_on_connection_blocked_callback(lambda connection, frame: told.append(frame.method.reason))
    channel = connection.channel()
    channel.basic_publish("amq.direct", name, b"x")
    raised(exceptions.ConnectionBlockedTimeout, wait, connection, lambda: False)
    equal(told, ["low on memory"], "reason")


SCENARIOS = {f.__name__: f for f in (
    round_trip, sizes, confirms, nacked, returned, settling, prefetch, generator, cancelled, refusals, connection_errors, exchanges, queues, expiry,
    transactions, recover, rpc, kinds_of_queues, many_channels, threads, asynchronous, heartbeats, login, external, blocked,
)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](*sys.argv[2:])
