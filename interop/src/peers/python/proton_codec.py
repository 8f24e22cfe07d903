"""Decodes with Qpid Proton what stands on standard input, and encodes it again.

usage: proton_codec.py values | messages

One hexadecimal text a line, in and out; a line "error: ..." for what Proton does not take.
"""
import sys

from proton import Data, Message


def again(kind, raw):
    if kind == "messages":
        message = Message()
        message.decode(raw)
        return message.encode()
    data = Data()
    while raw:
        raw = raw[data.decode(raw):]
    return data.encode()


for line in sys.stdin:
    try:
        print(again(sys.argv[1], bytes.fromhex(line.strip())).hex())
    except Exception as error:
        print("error: %s" % error)
