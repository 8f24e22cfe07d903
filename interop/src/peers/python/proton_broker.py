"""A small AMQP 1.0 broker on Qpid Proton: one queue per address, made when it is first named.

usage: proton_broker.py PORT

An address that begins with "refused" is refused with amqp:not-found. A coordinator begins transactions: what is sent in one is queued, and what is
settled in one is gone, once it is committed. Prints "listening" when it takes connections.
"""
import collections
import sys
import uuid

from proton import Condition, Delivery, Described, Endpoint, Terminus, ulong
from proton.handlers import MessagingHandler
from proton.reactor import Container


class Queue:
    def __init__(self):
        self.messages = collections.deque()
        self.consumers = []

    def dispatch(self):
        while self.messages and self.consumers:
            ready = [sender for sender in self.consumers if sender.credit > 0]
            if not ready:
                return
            message = self.messages.popleft()
            sender = ready[0]
            self.consumers.remove(sender)
            self.consumers.append(sender)
            sender.send(message).kept = message


DECLARE, DECLARED, TRANSACTIONAL, ACCEPTED = 0x31, 0x33, 0x34, 0x24


class Transaction:
    def __init__(self):
        self.sent = []
        self.settled = []


class Broker(MessagingHandler):
    def __init__(self, port):
        # Mode second is settled by the client's word, so nothing is settled by itself.
        super().__init__(auto_accept=False, auto_settle=True)
        self.port = port
        self.queues = collections.defaultdict(Queue)
        self.transactions = {}

    def on_start(self, event):
        self.acceptor = event.container.listen("127.0.0.1:%d" % self.port)
        print("listening", flush=True)

    def on_link_opening(self, event):
        link = event.link
        terminus = link.remote_source if link.is_sender else link.remote_target
        if terminus.type == Terminus.COORDINATOR:
            link.source.copy(link.remote_source)
            link.target.copy(link.remote_target)
            return
        address = str(uuid.uuid4()) if terminus.dynamic else terminus.address
        if address is not None and address.startswith("refused"):
            # An attach without the terminus that was asked for says that a detach follows.
            (link.source if link.is_sender else link.target).type = Terminus.UNSPECIFIED
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        if link.is_sender:
            link.source.address = address
            link.snd_settle_mode = link.remote_snd_settle_mode
            self.queues[address].consumers.append(link)
        else:
            link.target.address = address
            link.rcv_settle_mode = link.remote_rcv_settle_mode

    def on_link_opened(self, event):
        link = event.link
        if (link.source if link.is_sender else link.target).type == Terminus.UNSPECIFIED:
            link.condition = Condition("amqp:not-found", "no such node")
            link.close()
        elif link.is_receiver:
            link.flow(100)

    def on_sendable(self, event):
        self.queues[event.link.source.address].dispatch()

    def on_link_flow(self, event):
        link = event.link
        if link.is_sender and link.state & Endpoint.LOCAL_ACTIVE and link.drain_mode:
            self.queues[link.source.address].dispatch()
            link.drained()

    def on_message(self, event):
        if event.link.target.type == Terminus.COORDINATOR:
            return self.coordinate(event)
        if event.delivery.remote_state == TRANSACTIONAL:
            return self.send_in(event)
        address = event.link.target.address or event.message.address
        queue = self.queues[address]
        if event.message.subject == "reject me":
            self.reject(event.delivery)
        else:
            queue.messages.append(event.message)
            self.accept(event.delivery)
        event.link.flow(1)
        queue.dispatch()

    def coordinate(self, event):
        event.link.flow(1)
        delivery, request = event.delivery, event.message.body
        if request.descriptor == DECLARE:
            txn = uuid.uuid4().bytes
            self.transactions[txn] = Transaction()
            delivery.local.data = [txn]
            delivery.update(DECLARED)
            return delivery.settle()
        txn, failed = request.value[0], len(request.value) > 1 and request.value[1]
        work = self.transactions.pop(bytes(txn), None)
        if work is None:
            delivery.local.condition = Condition("amqp:transaction:unknown-id", "no such transaction")
            delivery.update(Delivery.REJECTED)
            return delivery.settle()
        for queue, message in work.settled if failed else work.sent:
            queue.messages.append(message)
            queue.dispatch()
        self.accept(delivery)

    def send_in(self, event):
        event.link.flow(1)
        delivery = event.delivery
        txn = bytes(delivery.remote.data[0])
        self.transactions[txn].sent.append((self.queues[event.link.target.address], event.message))
        delivery.local.data = [txn, Described(ulong(ACCEPTED), [])]
        delivery.update(TRANSACTIONAL)
        delivery.settle()

    def on_settled(self, event):
        delivery = event.delivery
        if delivery.remote_state == TRANSACTIONAL:
            work = self.transactions[bytes(delivery.remote.data[0])]
            work.settled.append((self.queues[event.link.source.address], delivery.kept))

    def on_released(self, event):
        self.again(event)

    def on_modified(self, event):
        self.again(event)

    def again(self, event):
        queue = self.queues[event.link.source.address]
        message = event.delivery.kept
        message.delivery_count += 1
        queue.messages.appendleft(message)
        queue.dispatch()

    def on_link_closing(self, event):
        for queue in self.queues.values():
            if event.link in queue.consumers:
                queue.consumers.remove(event.link)

    def on_connection_closing(self, event):
        self.forget(event.connection)

    def on_disconnected(self, event):
        self.forget(event.connection)

    def forget(self, connection):
        for queue in self.queues.values():
            queue.consumers = [each for each in queue.consumers if each.connection != connection and each.state & Endpoint.LOCAL_ACTIVE]


try:
    Container(Broker(int(sys.argv[1]))).run()
except KeyboardInterrupt:
    pass
