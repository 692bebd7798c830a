#!/usr/bin/python3
"""The bench must not lie: bench-peer calls a wrong answer wrong, and the figures are what they say.

  bench/harness_test.py --build build/release
"""

import argparse
import socket
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import figures, syscalls  # noqa: E402
from harness.machine import BenchError  # noqa: E402
from harness.peer import Peer  # noqa: E402

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1536\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def server_that_says(answer: bytes) -> int:
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve(connection):
        with connection:
            while connection.recv(1 << 20):
                connection.sendall(answer)

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


class PeerChecksAnswers(unittest.TestCase):
    program: Path

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.peer = Peer(self.program, Path(self.directory.name) / "log")

    def tearDown(self):
        self.peer.stop()
        self.peer.child.stdin.close()
        self.peer.child.stdout.close()
        self.directory.cleanup()

    def refuses(self, answer: bytes, why: str, verb="closed", **keys):
        with self.assertRaisesRegex(BenchError, why):
            self.peer.ask(verb, target=server_that_says(answer), connections=1, warmup=0, seconds=1, **keys)

    def test_another_status(self):
        self.refuses(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", "status is not 200")

    def test_a_short_body(self):
        self.refuses(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "wrong length")

    def test_another_body(self):
        self.refuses(OK + b"x" * 1536, "differs")

    def test_bytes_behind_the_answer(self):
        self.refuses(OK + b"x" * 1537, "behind")

    def test_broken_chunks(self):
        self.refuses(CHUNKED + b"3\r\nabcXX\r\n", "garbage")

    def test_no_answer_at_all(self):
        self.refuses(b"HTTP/1.1 200", "no answer")

    def test_a_stream_without_its_frames(self):
        self.refuses(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", "frames are missing", verb="streams")

    def test_a_misspelt_key(self):
        with self.assertRaisesRegex(BenchError, "knows no conections"):
            self.peer.ask("closed", target=self.peer.ports["primary"], conections=1)

    def test_its_own_upstream_answers_rightly(self):
        for verb in ("closed", "open", "streams"):
            answer = self.peer.ask(verb, target=self.peer.ports["primary"], warmup=0.1, seconds=0.5, body=65536)
            self.assertGreater(answer["requests"], 20)
            self.assertEqual(answer["upstream"]["candidate"], 0)

    def test_a_hung_upstream_is_a_time_out(self):
        answer = self.peer.ask("sequence", target=self.peer.ports["hung"], timeout=0.2)
        self.assertEqual(answer["times_ms"], [None])


class Figures(unittest.TestCase):
    def test_a_ratio_is_taken_in_the_same_round(self):
        def row(name, round_number, p50):
            return {"contestant": name, "round": round_number, "p50_us": p50}

        rows = [row("direct", 0, 10), row("nginx", 0, 30), row("haproxy", 0, 20),
                row("direct", 1, 100), row("nginx", 1, 300), row("haproxy", 1, 400)]
        ratio = figures.added_ratio(rows, "haproxy", "nginx", "p50_us")
        self.assertEqual((ratio.low, ratio.median, ratio.high), (0.5, 1.0, 1.5))

    def test_a_target_knows_its_direction(self):
        def state(value, must, aim, more):
            return figures.Target("", figures.figure([value]), must, aim, more).state

        self.assertEqual([state(one, 1.0, 1.2, True) for one in (0.9, 1.1, 1.3)], ["MISSED", "must", "aim"])
        self.assertEqual([state(one, 0.9, 0.75, False) for one in (1.0, 0.8, 0.7)], ["MISSED", "must", "aim"])

    def test_a_summary_of_strace_is_read_with_and_without_errors(self):
        summary = (" 60.00    0.1       10      100         3 recvfrom\n"
                   " 40.00    0.1       10       50           futex\n"
                   "100.00    0.2       10      150         3 total\n")
        self.assertEqual(syscalls.parse(summary), {"recvfrom": 100, "futex": 50})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build/release"), help="default: %(default)s")
    asked, rest = parser.parse_known_args()
    PeerChecksAnswers.program = (asked.build / "bench-peer").resolve()
    unittest.main(argv=[sys.argv[0], *rest])
