"""The client's half of a SASL exchange by Cyrus SASL (libsasl2), for whoever carries the bytes.

    python3 cyrus_client.py <mechanism> <user> <password>

Prints the initial response in base64; then reads challenges, a line of base64 each, and prints the answers. After the last one it
prints `ok`, when Cyrus has accepted the server's proof, or the name of what went wrong.
"""

import base64
import ctypes
import sys

SASL_OK, SASL_CONTINUE = 0, 1
CB_LIST_END, CB_USER, CB_AUTHNAME, CB_PASS = 0, 0x4001, 0x4002, 0x4004

sasl = ctypes.CDLL("libsasl2.so.2")
mechanism, user, password = sys.argv[1:4]


class Secret(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ulong), ("data", ctypes.c_char * 256)]


class Callback(ctypes.Structure):
    _fields_ = [("id", ctypes.c_ulong), ("proc", ctypes.c_void_p), ("context", ctypes.c_void_p)]


SIMPLE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_char_p), ctypes.POINTER(ctypes.c_uint))
PASSWORD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.POINTER(Secret)))
name = ctypes.create_string_buffer(user.encode())
secret = Secret(len(password.encode()), password.encode())


@SIMPLE
def give_name(_context, which, result, length):
    # The authorization identity is left out: it is the user itself.
    result[0] = ctypes.cast(name, ctypes.c_char_p) if which == CB_AUTHNAME else b""
    if length:
        length[0] = len(user.encode()) if which == CB_AUTHNAME else 0
    return SASL_OK


@PASSWORD
def give_password(_connection, _context, _which, result):
    result[0] = ctypes.pointer(secret)
    return SASL_OK


def address(function):
    return ctypes.cast(function, ctypes.c_void_p)


callbacks = (Callback * 4)(
    Callback(CB_USER, address(give_name), None),
    Callback(CB_AUTHNAME, address(give_name), None),
    Callback(CB_PASS, address(give_password), None),
    Callback(CB_LIST_END, None, None),
)


def check(code):
    if code not in (SASL_OK, SASL_CONTINUE):
        sasl.sasl_errstring.restype = ctypes.c_char_p
        print(sasl.sasl_errstring(code, None, None).decode(), flush=True)
        sys.exit(0)
    return code


def main():
    check(sasl.sasl_client_init(callbacks))
    connection, out, length, chosen = ctypes.c_void_p(), ctypes.POINTER(ctypes.c_char)(), ctypes.c_uint(), ctypes.c_char_p()
    check(sasl.sasl_client_new(b"amqp", b"localhost", None, None, callbacks, 0, ctypes.byref(connection)))
    code = check(sasl.sasl_client_start(connection, mechanism.encode(), None, ctypes.byref(out), ctypes.byref(length), ctypes.byref(chosen)))
    print(base64.b64encode(ctypes.string_at(out, length.value)).decode(), flush=True)
    for line in sys.stdin:
        challenge = base64.b64decode(line)
        code = check(sasl.sasl_client_step(connection, challenge, len(challenge), None, ctypes.byref(out), ctypes.byref(length)))
        if code == SASL_OK:
            print("ok", flush=True)
            return
        print(base64.b64encode(ctypes.string_at(out, length.value)).decode(), flush=True)


main()
