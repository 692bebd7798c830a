"""Requests that servers disagree about, as raw bytes: those that tests/integration/gate_test.cc refuses, and unusual ones
that are sound. The rows of the threat model and of the parser table that they belong to stand with them."""

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def post(fields, body=b"", version=b"1.1", target=b"/model/m/invoke"):
    return b"POST " + target + b" HTTP/" + version + b"\r\nHost: a\r\n" + fields + b"\r\n" + body


def line(request_line):
    return request_line + b"\r\nHost: a\r\n\r\n"


def chunks(body):
    return post(b"Transfer-Encoding: chunked\r\n", body)


def framing():
    """A1, A2, M1, M2, M8: how long the body is."""
    for coding in (b"xchunked", b"identity", b'"chunked"', b"chunked, identity", b"identity, chunked", b"chunked, chunked",
                   b"gzip, chunked", b", chunked", b"chunked,", b"chunked;q=1", b"chunked\x0b", b"x", b"", b"chunked foo",
                   b"CHUNKED", b" chunked ", b"\tchunked", b"\x00chunked", b"chunked\r"):
        yield b"transfer-encoding " + coding, post(b"Transfer-Encoding: " + coding + b"\r\n", b"0\r\n\r\n" + SMUGGLED)
    for first, second in ((b"chunked", b"identity"), (b"chunked", b"chunked"), (b"identity", b"chunked"), (b"", b"chunked")):
        yield (b"two codings " + first + b" " + second,
               post(b"Transfer-Encoding: " + first + b"\r\nTransfer-Encoding: " + second + b"\r\n", b"0\r\n\r\n" + SMUGGLED))
    for fields in (b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                   b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n",
                   b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding\t: chunked\r\n", b"Transfer-Encoding:\r\n chunked\r\n",
                   b"Transfer_Encoding: chunked\r\n", b" Transfer-Encoding: chunked\r\n",
                   b"X: a\nTransfer-Encoding: chunked\r\n", b"X: a\rTransfer-Encoding: chunked\r\n",
                   b"Content-Length: 5\r\nTransfer_Encoding: chunked\r\n"):
        yield b"framing " + fields, post(fields, b"0\r\n\r\n" + SMUGGLED)
    yield b"chunked in 1.0", post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED, version=b"1.0")
    for length in (b"", b"+5", b"-5", b" 5 5", b"5, 5", b"5,5", b"0x5", b"5 ,", b"5;", b"five", b"1e1", b"5.0", b'"5"', b"005",
                   b"5 ", b"\t5", b"5\x0b", b"5\x00", b"0", b"00", b"18446744073709551616", b"18446744073709551621",
                   b"99999999999999999999999999", b"0000000000005", b"4294967301"):
        yield b"content-length " + length, post(b"Content-Length: " + length + b"\r\n", b"abcde" + SMUGGLED)
    for fields in (b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: 5\r\nContent-Length: 5\r\n",
                   b"Content-Length : 5\r\n", b"Content-Length\t: 5\r\n", b"content-length:5\r\n", b"Content_Length: 5\r\n",
                   b"Content-Length:\r\n 5\r\n", b"Content-Length: 5\nX: a\r\n", b"X: a\nContent-Length: 5\r\n"):
        yield b"length " + fields, post(fields, b"abcde" + SMUGGLED)
    yield b"no length", post(b"", SMUGGLED)
    yield b"a body of GET", b"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde" + SMUGGLED
    yield b"a chunked body of GET", b"GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED
    yield b"a length of HEAD", b"HEAD /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde" + SMUGGLED


def lines():
    """A3, H5, M6: lines and characters."""
    for fields in (b"X: a\r\n b\r\n", b"X: a\r\n\tb\r\n", b"X: a\nY: b\r\n", b"X: a\rY: b\r\n", b"X: a\r\r\n", b"X: a\x00b\r\n",
                   b"X\x00Y: a\r\n", b"X: a\x7f\r\n", b"X: a\x01\r\n", b"X : a\r\n", b"X Y: a\r\n", b"X\r\n", b": a\r\n",
                   b"X\x80: a\r\n", b"X_Y: a\r\n", b"X/Y: a\r\n", b"{X}: a\r\n", b"X:\r\n", b"Y: \x80\xff\r\n", b"X:a\r\n", b"X: \t a \t\r\n"):
        yield b"field " + fields, post(fields + b"Content-Length: 5\r\n", b"abcde" + SMUGGLED)
    yield b"leading space in the first field", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n" + SMUGGLED
    yield b"bare LFs", b"GET /a HTTP/1.1\nHost: a\nX: b\n\n" + SMUGGLED
    yield b"bare LFs, then CRLF", b"GET /a HTTP/1.1\nHost: a\nX: b\n\r\n\r\n" + SMUGGLED
    yield b"bare LF after the request line", b"GET /a HTTP/1.1\nHost: a\r\n\r\n" + SMUGGLED
    yield b"bare LF at the end of the head", b"GET /a HTTP/1.1\r\nHost: a\r\n\n" + SMUGGLED
    yield b"empty lines before", b"\r\n\r\n" + post(b"Content-Length: 5\r\n", b"abcde") + SMUGGLED
    yield b"LFs before", b"\n\n" + SMUGGLED + SMUGGLED


def request_lines():
    """A5, A12, A13, M7: request lines, targets, hosts."""
    for text in (b"GET /a", b"GET  /a HTTP/1.1", b"GET /a b HTTP/1.1", b"GET\t/a\tHTTP/1.1", b"GET /a HTTP/1.1 ",
                 b"GET /a  HTTP/1.1", b" GET /a HTTP/1.1", b"GET /a http/1.1", b"GET /a HTTP/0.9", b"GET /a HTTP/1.2",
                 b"GET /a HTTP/2.0", b"GET /a HTTP/1.10", b"GET /a HTTP/01.1", b"GE(T /a HTTP/1.1", b"get /a HTTP/1.1",
                 b"GET /a\x01 HTTP/1.1", b"GET /a\x80 HTTP/1.1", b"GET http://evil/a HTTP/1.1", b"CONNECT evil:443 HTTP/1.1",
                 b"OPTIONS * HTTP/1.1", b"GET a HTTP/1.1", b"GET /a#b HTTP/1.1", b"GET /a\\b HTTP/1.1",
                 b"GET /model/../a HTTP/1.1", b"GET /model/%2e%2E/a HTTP/1.1", b"GET /model/..;x/a HTTP/1.1",
                 b"GET /./a HTTP/1.1", b"GET /model//a HTTP/1.1", b"POST /model/a%00b/converse HTTP/1.1",
                 b"POST /model/a%252Fb/converse HTTP/1.1", b"POST /model/a%zz/converse HTTP/1.1",
                 b"POST /model/a%0d%0ab/converse HTTP/1.1", b"POST /model/a%2Fb/converse HTTP/1.1", b"GET /a?b=c&d HTTP/1.1",
                 b"GET /a?b#c HTTP/1.1", b"GET /a?b\\c HTTP/1.1", b"GET /a%2Fb%3a HTTP/1.1", b"GET /a;b=c HTTP/1.1",
                 b"GET /a!$&'()*+,;=:@-._~ HTTP/1.1", b'GET /a"b HTTP/1.1', b"GET /a<b> HTTP/1.1", b"GET /a{b}|^` HTTP/1.1"):
        yield b"line " + text, line(text) + SMUGGLED
    yield b"no host", b"GET /a HTTP/1.1\r\n\r\n" + SMUGGLED
    yield b"no host in 1.0", b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + SMUGGLED
    yield b"two hosts", post(b"Host: b\r\n", SMUGGLED)
    for host in (b"", b"a, b", b"a b", b"a b, evil@c", b"a/b", b"a@b", b"good:80@evil", b"a;b", b"a%2eb", b"a_b", b"[::1]",
                 b"[::1]:80", b"[::1", b"[x]", b"a:80", b"a:", b":80", b"a:b", b"a:99999", b"\x80", b"\x00"):
        yield b"host " + host, b"GET /a HTTP/1.1\r\nHost: " + host + b"\r\n\r\n" + SMUGGLED


def connections():
    """A5, A15: what belongs to the connection."""
    for named in (b"authorization", b"content-length", b"content-type", b"host", b"x-amz-date", b"x-api-key",
                  b"close, Content-Length", b"close", b"keep-alive", b",, keep-alive ,", b"transfer-encoding", b"upgrade"):
        yield b"connection " + named, post(b"Connection: " + named + b"\r\nContent-Length: 5\r\n", b"abcde" + SMUGGLED)
    for fields in (b"Expect: 200-ok\r\n", b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n",
                   b"Upgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
                   b"Authorization: a\r\nAuthorization: b\r\n", b"TE: trailers\r\nConnection: te\r\n"):
        yield b"fields " + fields, post(fields + b"Content-Length: 5\r\n", b"abcde" + SMUGGLED)


def chunked():
    """A4, M3 to M5, M8: the chunked coding."""
    for body in (b"zz\r\n", b"\r\n", b"-1\r\n", b"+1\r\na\r\n0\r\n\r\n", b"0x1\r\na\r\n0\r\n\r\n", b" 1\r\na\r\n0\r\n\r\n",
                 b"1 \r\na\r\n0\r\n\r\n", b"1\t\r\na\r\n0\r\n\r\n", b"1\na\r\n0\r\n\r\n", b"1\r\nab\r\n0\r\n\r\n",
                 b"1\r\na0\r\n\r\n", b"1\r\na\n0\r\n\r\n", b"0000000000001\r\na\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n",
                 b"10000000000000001\r\na\r\n0\r\n\r\n", b"1;a\x01=b\r\na\r\n0\r\n\r\n", b"1;a\nb\r\na\r\n0\r\n\r\n",
                 b"1;a\rb\r\na\r\n0\r\n\r\n", b"1;\r\na\r\n0\r\n\r\n", b"1;a\r\na\r\n0\r\n\r\n", b'1;a="b\r\na\r\n0\r\n\r\n',
                 b"1 ;a\r\na\r\n0\r\n\r\n", b"5 junk\r\nabcde\r\n0\r\n\r\n", b"1 1\r\na\r\n0\r\n\r\n", b"0\r\nX: a\n\r\n", b"0\r\n\rX", b"0\n\n", b"0\r\n\n", b"5\r\nabcde\r\n0\r\n\r\n",
                 b"5\nabcde\n0\n\n", b'005;x="y"\r\nabcde\r\n0\r\nX: y\r\n\r\n', b"2\r\nab\r\n3\r\ncde\r\n000\r\n\r\n",
                 b"A\r\n0123456789\r\n0\r\n\r\n", b"a\r\n0123456789\r\n0\r\n\r\n",
                 b"1\r\na\r\n0\r\nHost: evil\r\nContent-Length: 9\r\n\r\n", b"1\r\na\r\n0\r\n X: a\r\n\r\n",
                 b"1\r\na\r\n0\r\nX\r\n\r\n", b"1\r\na\r\n0\r\nX : a\r\n\r\n", b"0;x\r\n\r\n", b"0 \r\n\r\n", b"00\r\n\r\n"):
        yield b"chunks " + body, chunks(body + SMUGGLED)


def vectors():
    """(name, bytes), all of them."""
    for group in (framing, lines, request_lines, connections, chunked):
        yield from group()
