"""What Qpid Proton (Debian's python3-qpid-proton) does as a client of an AMQP 1.0 broker.

    python3 proton_scenarios.py <scenario> <url> <name> [user password]

Exits with 0 when the scenario held; else it says on standard error what did not.
"""

import sys
import uuid

from proton import ConnectionException, Delivery, Message, ProtonException, byte, decimal128, float32, int32, symbol, timestamp, ubyte, uint, ulong, ushort
from proton.handlers import MessagingHandler, TransactionHandler
from proton.reactor import Container, LinkOption, Selector
from proton.utils import BlockingConnection, LinkDetached

TIMEOUT = 20


def equal(got, wanted, what):
    if got != wanted or type(got) is not type(wanted):
        raise AssertionError("%s: %r where %r was expected" % (what, got, wanted))


def opened(url, **options):
    return BlockingConnection(url, timeout=TIMEOUT, **options)


def taken(connection, address, count):
    receiver = connection.create_receiver(address, credit=count)
    bodies = []
    for _ in range(count):
        bodies.append(receiver.receive(timeout=TIMEOUT).body)
        receiver.accept()
    receiver.close()
    return bodies


def round_trip(url, name):
    """A message with every type comes back as it was."""
    body = {
        "text": "grüße", "true": True, "none": None, "binary": b"\x00\xff", "uuid": uuid.UUID(int=7),
        "ubyte": ubyte(200), "byte": byte(-1), "ushort": ushort(65535), "uint": uint(0), "int": int32(-5),
        "ulong": ulong(2 ** 64 - 1), "long": -(2 ** 63), "float": float32(1.5), "double": 0.5,
        "time": timestamp(2 ** 60), "symbol": symbol("s"), "list": [1, ["two"]], "map": {"k": uint(3)},
        "decimal": decimal128(bytes(range(16))),
    }
    sent = Message(
        body=body, id=uuid.UUID(int=9), correlation_id=ulong(5), user_id=b"", subject="s", reply_to="answers",
        content_type=symbol("a/b"), content_encoding=symbol("c"), group_id="g", group_sequence=4, reply_to_group_id="r",
        creation_time=1700000000.5, durable=True, priority=7,
        properties={"text": "t", "ulong": ulong(2 ** 63), "ubyte": ubyte(1)}, annotations={symbol("x-opt-a"): int32(1)},
    )
    connection = opened(url)
    connection.create_sender(name).send(sent)
    receiver = connection.create_receiver(name, credit=1)
    got = receiver.receive(timeout=TIMEOUT)
    receiver.accept()
    for key, value in body.items():
        equal(got.body[key], value, key)
    for field in ("id", "correlation_id", "subject", "reply_to", "content_type", "content_encoding", "group_id",
                  "group_sequence", "reply_to_group_id", "creation_time", "durable", "priority"):
        equal(getattr(got, field), getattr(sent, field), field)
    for key, value in sent.properties.items():
        equal(got.properties[key], value, key)
    equal(got.annotations[symbol("x-opt-a")], int32(1), "annotation")
    connection.close()


def order(url, name):
    """A thousand messages come in order, of many sizes."""
    connection = opened(url)
    sender = connection.create_sender(name)
    bodies = [b"%d " % i + b"x" * (i * 37 % 3000) for i in range(300)]
    for body in bodies:
        sender.send(Message(body=body))
    equal(taken(connection, name, len(bodies)), bodies, "bodies")
    connection.close()


def large(url, name):
    """Ten megabytes come whole, through frames of any size."""
    connection = opened(url, max_frame_size=4096)
    connection.create_sender(name).send(Message(body=b"0123456789" * 1048576))
    equal(taken(connection, name, 1), [b"0123456789" * 1048576], "body")
    connection.close()


def outcomes(url, name):
    """What is released comes again, what is modified counts, what is rejected is a dead letter."""
    connection = opened(url)
    connection.create_sender(name).send(Message(body="x"))
    receiver = connection.create_receiver(name, credit=1)
    receiver.receive(timeout=TIMEOUT)
    receiver.release(delivered=False)
    equal(receiver.receive(timeout=TIMEOUT).delivery_count, 0, "deliveries after released")
    receiver.fetcher.unsettled[0].local.failed = True
    receiver.release(delivered=True)
    equal(receiver.receive(timeout=TIMEOUT).delivery_count, 1, "deliveries after modified")
    receiver.reject()
    receiver.close()
    dead = connection.create_receiver("$queue/$dlq/" + name.split("/")[1], credit=1)
    equal(dead.receive(timeout=TIMEOUT).properties["x-dead-letter-reason"], "rejected", "reason")
    connection.close()


def selector(url, name):
    """A selector brings what matches; one that cannot be read is refused."""
    connection = opened(url)
    receiver = connection.create_receiver(name, credit=2, options=Selector("colour = 'red'"))
    sender = connection.create_sender(name)
    for i, colour in enumerate(("blue", "red", "green", "red")):
        sender.send(Message(body=str(i), properties={"colour": colour}))
    got = [receiver.receive(timeout=TIMEOUT).body for _ in range(2)]
    equal(got, ["1", "3"], "bodies")
    try:
        connection.create_receiver(name, name="unreadable", options=Selector("colour ="))
    except LinkDetached as error:
        equal("amqp:invalid-field" in str(error), True, str(error))
    else:
        raise AssertionError("a bad selector was taken")
    connection.close()


def dynamic(url, name):
    """A dynamic node can be sent to."""
    connection = opened(url)
    receiver = connection.create_receiver(None, dynamic=True, credit=1)
    connection.create_sender(receiver.link.remote_source.address).send(Message(body="answer"))
    equal(receiver.receive(timeout=TIMEOUT).body, "answer", "body")
    connection.close()


class Transacting(MessagingHandler, TransactionHandler):
    """Sends three messages in a transaction, which it ends as it is told, and then one beside it."""

    def __init__(self, url, name, commit):
        super().__init__()
        self.url, self.name, self.commit = url, name, commit
        self.failure = None
        self.sent = 0

    def on_start(self, event):
        self.container = event.container
        self.connection = event.container.connect(self.url, reconnect=False)
        self.sender = event.container.create_sender(self.connection, self.name)
        event.container.declare_transaction(self.connection, handler=self)

    def on_transaction_declared(self, event):
        self.transaction = event.transaction
        self.send()

    def on_sendable(self, event):
        self.send()

    def send(self):
        if self.sent > 0 or getattr(self, "transaction", None) is None or not self.sender.credit:
            return
        self.sent = 3
        for i in range(3):
            self.transaction.send(self.sender, Message(body="t%d" % i))
        self.transaction.commit() if self.commit else self.transaction.abort()

    def on_transaction_committed(self, event):
        self.finish(None if self.commit else "committed")

    def on_transaction_aborted(self, event):
        self.finish("aborted" if self.commit else None)

    def on_transaction_declare_failed(self, event):
        self.finish("not declared")

    def on_transaction_commit_failed(self, event):
        self.finish("not committed")

    def finish(self, failure):
        self.failure = failure
        self.done = True
        self.connection.close()


def transacted(url, name, commit):
    handler = Transacting(url, name, commit)
    Container(handler).run()
    if handler.failure is not None or not getattr(handler, "done", False):
        raise AssertionError(handler.failure or "the transaction did not end")


def transaction_commit(url, name):
    """What is sent in a transaction is there once it is committed."""
    transacted(url, name, True)
    connection = opened(url)
    equal(taken(connection, name, 3), ["t0", "t1", "t2"], "bodies")
    connection.close()


def transaction_abort(url, name):
    """What is sent in a transaction that is rolled back is not there."""
    transacted(url, name, False)
    connection = opened(url)
    connection.create_sender(name).send(Message(body="after"))
    equal(taken(connection, name, 1), ["after"], "bodies")
    connection.close()


def login(url, name, user, password):
    """The right password gets in, and no other."""
    options = {"allowed_mechs": "PLAIN", "allow_insecure_mechs": True, "user": user}
    connection = opened(url, password=password, **options)
    connection.create_sender(name).send(Message(body="x"))
    connection.close()
    try:
        opened(url, password="wrong", reconnect=False, **options)
    except (ConnectionException, ProtonException):
        return
    raise AssertionError("a wrong password was taken")


SCENARIOS = {f.__name__: f for f in (round_trip, order, large, outcomes, selector, dynamic, transaction_commit, transaction_abort, login)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](*sys.argv[2:])
