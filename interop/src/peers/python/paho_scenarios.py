"""Scenarios for Eclipse paho-mqtt 1.6, Debian's python3-paho-mqtt, run one per process by paho-python.ts.

Usage: paho_scenarios.py NAME, with a JSON object on standard input:
  {"level": 4 | 5, "host", "port", "ws": {"host", "port", "path"} | null,
   "tls": {"port", "caFile", "untrustedCaFile"} | null, "login": {"port", "username", "password"} | null}
Exits with 0 when the broker did all that was expected; prints a traceback and exits with 1 otherwise.
"""

import json
import os
import queue
import ssl
import sys
import threading
import time
import traceback
import uuid

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

TIMEOUT_SECONDS = 10
# Long enough that a message with one second to live is gone, on a clock that only the broker has.
PAST_ONE_SECOND = 2.2


def unique(label):
    return "%s-%s" % (label, uuid.uuid4().hex[:10])


def properties(packet_type, **values):
    made = Properties(packet_type)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Peer:
    """A paho client with its network loop in a thread and an inbox to take messages from."""

    def __init__(self, stage, client_id, session, transport="tcp", receive_maximum=None):
        self.stage = stage
        self.inbox = queue.Queue()
        self.connected = queue.Queue()
        self.disconnected = queue.Queue()
        self.suback = queue.Queue()
        self.unsuback = queue.Queue()
        self.session = session
        self.receive_maximum = receive_maximum
        arguments = {"protocol": stage.level, "transport": transport}
        if stage.level == 4:
            arguments["clean_session"] = session == "clean"
        self.client = paho.Client(client_id, **arguments)
        self.client.on_message = lambda client, data, message: self.inbox.put(message)
        self.client.on_connect = lambda client, data, flags, code, properties=None: self.connected.put(
            (code, flags, properties)
        )
        self.client.on_disconnect = lambda client, data, code, properties=None: self.disconnected.put((code, properties))
        self.client.on_subscribe = lambda client, data, mid, codes, properties=None: self.suback.put(codes)
        self.client.on_unsubscribe = lambda client, data, mid, *rest: self.unsuback.put(rest)

    def connect(self, host, port):
        arguments = {}
        if self.stage.level == 5:
            arguments["clean_start"] = self.session == "clean"
            values = {"SessionExpiryInterval": 0 if self.session == "clean" else 300}
            if self.receive_maximum is not None:
                values["ReceiveMaximum"] = self.receive_maximum
            arguments["properties"] = properties(PacketTypes.CONNECT, **values)
        self.client.connect(host, port, keepalive=60, **arguments)
        self.client.loop_start()
        self.code, self.flags, self.connack = self.connected.get(timeout=TIMEOUT_SECONDS)
        return self

    @property
    def session_present(self):
        return bool(self.flags["session present"])

    def subscribe(self, topic, qos=2, **options):
        if options or self.stage.level == 5:
            identifier = options.pop("identifier", None)
            extra = None
            if identifier is not None:
                extra = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=identifier)
            self.client.subscribe(topic, options=SubscribeOptions(qos, **options), properties=extra)
        else:
            self.client.subscribe(topic, qos)
        return self.suback.get(timeout=TIMEOUT_SECONDS)

    def unsubscribe(self, topic):
        self.client.unsubscribe(topic)
        return self.unsuback.get(timeout=TIMEOUT_SECONDS)

    def publish(self, topic, payload, qos=1, retain=False, **values):
        extra = properties(PacketTypes.PUBLISH, **values) if values else None
        info = self.client.publish(topic, payload, qos, retain, extra)
        info.wait_for_publish(TIMEOUT_SECONDS)
        assert info.is_published(), "the publish did not complete"

    def next(self):
        return self.inbox.get(timeout=TIMEOUT_SECONDS)

    def expect(self, payload):
        message = self.next()
        wanted = payload.encode() if isinstance(payload, str) else payload
        assert message.payload == wanted, "%r instead of %r" % (message.payload[:80], wanted[:80])
        return message

    def expect_nothing_before(self, topic):
        """What it publishes now to a topic it has subscribed to must be what it receives next."""
        mark = unique("mark")
        self.publish(topic, mark)
        self.expect(mark)

    def end(self):
        """Sends DISCONNECT and waits until the connection is closed."""
        self.client.disconnect()
        self.disconnected.get(timeout=TIMEOUT_SECONDS)
        self.client.loop_stop()

    def cut(self):
        """Closes the socket without DISCONNECT, and keeps the client from connecting again."""
        self.client._thread_terminate = True
        self.client._sock_close()
        self.client.loop_stop()


class Stage:
    def __init__(self, target):
        self.target = target
        self.level = target["level"]
        self.topic = unique("topic")
        self.peers = []

    def peer(self, client_id=None, session="clean", transport="tcp", receive_maximum=None):
        peer = Peer(self, unique("paho") if client_id is None else client_id, session, transport, receive_maximum)
        self.peers.append(peer)
        return peer

    def connect(self, client_id=None, session="clean", receive_maximum=None):
        peer = self.peer(client_id, session, receive_maximum=receive_maximum)
        return peer.connect(self.target["host"], self.target["port"])

    def watcher(self, topic=None, qos=2):
        peer = self.connect()
        peer.subscribe(self.topic if topic is None else topic, qos)
        return peer


def order(stage, qos):
    subscriber = stage.watcher()
    publisher = stage.connect()
    sent = ["%d-%d" % (qos, index) for index in range(50)]
    infos = [publisher.client.publish(stage.topic, payload, qos) for payload in sent]
    for info in infos:
        info.wait_for_publish(TIMEOUT_SECONDS)
    for payload in sent:
        message = subscriber.expect(payload)
        assert (message.qos, message.retain, message.dup, message.topic) == (qos, False, False, stage.topic)
    subscriber.expect_nothing_before(stage.topic)


def qos0(stage):
    order(stage, 0)


def qos1(stage):
    order(stage, 1)


def qos2(stage):
    order(stage, 2)


def large(stage):
    subscriber = stage.watcher()
    for qos in (0, 1, 2):
        payload = os.urandom(1024 * 1024)
        subscriber.publish(stage.topic, payload, qos)
        subscriber.expect(payload)


def retained(stage):
    publisher = stage.connect()
    publisher.publish(stage.topic, "kept", retain=True)
    subscriber = stage.watcher()
    assert subscriber.expect("kept").retain
    publisher.publish(stage.topic, "", retain=True)
    subscriber.expect("")
    stage.watcher().expect_nothing_before(stage.topic)


def unsubscribe(stage):
    left, kept = stage.topic + "/left", stage.topic + "/kept"
    peer = stage.connect()
    peer.subscribe(left, 1)
    peer.subscribe(kept, 1)
    peer.unsubscribe(left)
    peer.publish(left, "lost")
    peer.expect_nothing_before(kept)


def many_subscriptions(stage):
    topics = ["%s/%d" % (stage.topic, index) for index in range(300)]
    peer = stage.connect()
    peer.client.subscribe([(topic, SubscribeOptions(1)) if stage.level == 5 else (topic, 1) for topic in topics])
    assert len(peer.suback.get(timeout=TIMEOUT_SECONDS)) == len(topics)
    for topic in topics:
        peer.client.publish(topic, topic, 1)
    assert {peer.next().topic for _ in topics} == set(topics)


def session_resumes(stage):
    client_id = unique("session")
    first = stage.connect(client_id, "lasting")
    assert not first.session_present
    first.subscribe(stage.topic)
    first.end()
    publisher = stage.connect()
    sent = ["queued %d" % index for index in range(10)]
    for qos in (1, 2):
        for payload in sent:
            publisher.publish(stage.topic, payload, qos)
    second = stage.connect(client_id, "lasting")
    assert second.session_present
    received = [second.next() for _ in range(2 * len(sent))]
    # paho hands a QoS 2 message over when PUBREL comes, so each level is in order by itself.
    for qos in (1, 2):
        assert [message.payload.decode() for message in received if message.qos == qos] == sent
    second.end()
    assert not stage.connect(client_id, "clean").session_present


def will(stage):
    watcher = stage.watcher()
    ended = stage.peer()
    ended.client.will_set(stage.topic, "ended", 1)
    ended.connect(stage.target["host"], stage.target["port"]).end()
    mortal = stage.peer()
    mortal.client.will_set(stage.topic, "gone", 1)
    mortal.connect(stage.target["host"], stage.target["port"]).cut()
    assert watcher.expect("gone").qos == 1
    watcher.expect_nothing_before(stage.topic)


def takeover(stage):
    client_id = unique("takeover")
    first = stage.connect(client_id)
    # paho would connect again and take over in turn. Not _thread_terminate: with it paho stops at a DISCONNECT packet
    # without calling back.
    first.client._reconnect_on_failure = False
    second = stage.connect(client_id)
    first.disconnected.get(timeout=TIMEOUT_SECONDS)
    second.subscribe(stage.topic)
    second.expect_nothing_before(stage.topic)


def shared(stage):
    members = [stage.connect(), stage.connect()]
    for member in members:
        member.subscribe("$share/group/" + stage.topic, 1)
        member.subscribe(stage.topic + "/end", 1)
    publisher = stage.connect()
    sent = ["job %d" % index for index in range(100)]
    for payload in sent:
        publisher.publish(stage.topic, payload)
    publisher.publish(stage.topic + "/end", "end")
    received = []
    for member in members:
        share = list(iter(lambda: member.next().payload.decode(), "end"))
        assert share, "a member got nothing"
        received += share
    assert sorted(received) == sorted(sent)


def web_socket(stage):
    ws = stage.target["ws"]
    peer = stage.peer(transport="websockets")
    peer.client.ws_set_options(path=ws["path"])
    peer.connect(ws["host"], ws["port"])
    round_trip(stage, peer)


def tls(stage):
    peer = stage.peer()
    peer.client.tls_set(ca_certs=stage.target["tls"]["caFile"])
    peer.connect("localhost", stage.target["tls"]["port"])
    round_trip(stage, peer)
    stranger = stage.peer()
    stranger.client.tls_set(ca_certs=stage.target["tls"]["untrustedCaFile"])
    try:
        stranger.connect("localhost", stage.target["tls"]["port"])
    except ssl.SSLCertVerificationError:
        return
    raise AssertionError("an unknown authority was trusted")


def login(stage):
    target = stage.target["login"]
    welcome = stage.peer()
    welcome.client.username_pw_set(target["username"], target["password"])
    welcome.connect(stage.target["host"], target["port"])
    welcome.subscribe(stage.topic)
    welcome.expect_nothing_before(stage.topic)
    stranger = stage.peer()
    stranger.client.username_pw_set(target["username"], target["password"] + "?")
    stranger.connect(stage.target["host"], target["port"])
    code = stranger.code if stage.level == 4 else stranger.code.value
    assert code in ((4, 5) if stage.level == 4 else (0x86, 0x87)), code
    stranger.client._thread_terminate = True


def publish_properties(stage):
    subscriber = stage.watcher()
    subscriber.publish(
        stage.topic,
        "x",
        PayloadFormatIndicator=1,
        MessageExpiryInterval=1000,
        ContentType="text/plain",
        ResponseTopic="answers",
        CorrelationData=b"\x00\x01\xff",
        UserProperty=[("k", "1"), ("k", "2"), ("other", "°")],
    )
    received = subscriber.expect("x").properties
    assert received.PayloadFormatIndicator == 1
    assert 990 < received.MessageExpiryInterval <= 1000
    assert received.ContentType == "text/plain"
    assert received.ResponseTopic == "answers"
    assert received.CorrelationData == b"\x00\x01\xff"
    assert received.UserProperty == [("k", "1"), ("k", "2"), ("other", "°")]


def subscription_options(stage):
    other = stage.connect()
    other.publish(stage.topic, "kept", retain=True)
    peer = stage.connect()
    peer.subscribe(stage.topic, 1, noLocal=True, retainAsPublished=True, retainHandling=2)
    peer.publish(stage.topic, "own")
    other.publish(stage.topic, "foreign", retain=True)
    assert peer.expect("foreign").retain
    other.publish(stage.topic, "", retain=True)
    peer.expect("")


def subscription_identifier(stage):
    peer = stage.connect()
    peer.subscribe(stage.topic + "/a", 1, identifier=1)
    peer.subscribe(stage.topic + "/b", 1, identifier=268435455)
    for name, identifier in (("/a", 1), ("/b", 268435455)):
        peer.publish(stage.topic + name, "x")
        assert peer.expect("x").properties.SubscriptionIdentifier == [identifier]


def message_expiry(stage):
    client_id = unique("expiry")
    first = stage.connect(client_id, "lasting")
    first.subscribe(stage.topic, 1)
    first.end()
    publisher = stage.connect()
    publisher.publish(stage.topic, "short", MessageExpiryInterval=1)
    publisher.publish(stage.topic, "long", MessageExpiryInterval=100)
    time.sleep(PAST_ONE_SECOND)
    second = stage.connect(client_id, "lasting")
    assert 90 <= second.expect("long").properties.MessageExpiryInterval <= 98
    second.end()


def topic_alias(stage):
    subscriber = stage.watcher()
    publisher = stage.connect()
    assert publisher.connack.TopicAliasMaximum > 0
    publisher.publish(stage.topic, "named", TopicAlias=1)
    publisher.publish("", "by alias", TopicAlias=1)
    for payload in ("named", "by alias"):
        assert subscriber.expect(payload).topic == stage.topic


def receive_maximum(stage):
    """paho acknowledges after on_message returns, so one slow handler shows whether a second message comes meanwhile."""
    peer = stage.connect(receive_maximum=1)
    inside = threading.Semaphore(0)
    proceed = threading.Semaphore(0)
    raw = []

    def slow(client, data, message):
        raw.append(message.payload)
        inside.release()
        assert proceed.acquire(timeout=TIMEOUT_SECONDS)

    peer.subscribe(stage.topic, 1)
    peer.client.on_message = slow
    publisher = stage.connect()
    for index in range(3):
        publisher.publish(stage.topic, "%d" % index)
    for index in range(3):
        assert inside.acquire(timeout=TIMEOUT_SECONDS), "message %d did not come" % index
        assert len(raw) == index + 1
        proceed.release()


def assigned_client_id(stage):
    peer = stage.connect("")
    assert len(peer.connack.AssignedClientIdentifier) > 0
    peer.subscribe(stage.topic)
    peer.expect_nothing_before(stage.topic)


def request_response(stage):
    responder = stage.watcher()
    requester = stage.watcher(stage.topic + "/answers")
    requester.publish(stage.topic, "question", ResponseTopic=stage.topic + "/answers", CorrelationData=b"c-1")
    request = responder.expect("question")
    responder.publish(request.properties.ResponseTopic, "answer", CorrelationData=request.properties.CorrelationData)
    assert requester.expect("answer").properties.CorrelationData == b"c-1"


def unsubscribe_reasons(stage):
    peer = stage.connect()
    peer.subscribe(stage.topic, 1)
    _, reasons = peer.unsubscribe([stage.topic + "/unknown", stage.topic])
    assert [reason.value for reason in reasons] == [0x11, 0x00], reasons


def will_delay(stage):
    watcher = stage.watcher()
    mortal = stage.peer(session="lasting")
    made = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=1, ContentType="text/plain")
    mortal.client.will_set(stage.topic, "late", 1, properties=made)
    mortal.connect(stage.target["host"], stage.target["port"]).cut()
    watcher.expect_nothing_before(stage.topic)
    assert watcher.expect("late").properties.ContentType == "text/plain"


def round_trip(stage, peer):
    peer.subscribe(stage.topic)
    for qos in (0, 1, 2):
        payload = os.urandom(70_000)
        peer.publish(stage.topic, payload, qos)
        peer.expect(payload)


def main():
    stage = Stage(json.load(sys.stdin))
    code = 1
    try:
        globals()[sys.argv[1]](stage)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        # Threads of clients that a failed scenario left behind must not keep the process.
        os._exit(code)


main()
