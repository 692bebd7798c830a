"""One TLS handshake after another, full ones or resumed ones; the certificate is checked in each.

    handshakes.py PORT CERTIFICATE full|resumed SECONDS

Prints how many there were, as JSON; ends with status 1 where one was not of its kind.
"""

import json
import socket
import ssl
import sys
import time


def connect(port, context, session=None):
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)


def session_of(port, context):
    """By TLS 1.3 a session comes behind the handshake, with an answer."""
    with connect(port, context) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        while client.recv(65536):
            pass
        return client.session


def main():
    port, certificate, kind, seconds = int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
    context = ssl.create_default_context(cafile=certificate)
    session = session_of(port, context) if kind == "resumed" else None
    done, begin = 0, time.monotonic()
    while (now := time.monotonic()) < begin + seconds:
        with connect(port, context, session) as client:
            if client.session_reused != (session is not None) or client.version() != "TLSv1.3":
                return f"a handshake was not {kind} or not of TLS 1.3"
        done += 1
    print(json.dumps({"handshakes": done, "seconds": now - begin}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
