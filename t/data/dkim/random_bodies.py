# 10,000 random bodies, canonicalized by dkimpy: prints the SHA-256 over all
# their relaxed body hashes. t/unit/test_dkim_random.c makes the same bodies
# and has to come to the same result, which is in random-bodies.sha256.
import hashlib

from dkim.canonicalization import Relaxed

PIECES = [b"a", b"word", b".", b" ", b" ", b"  ", b"\t", b" \t ", b"\r\n",
          b"\r\n", b"\r\n\r\n", b"\r\n \r\n", b"\r", b"\n", b"\v", b"\f",
          b"\xa0", b"\0", b"=20", b"0123456789" * 7, b" " * 65, b"x" * 200]


class Random:
    """xorshift32 (Marsaglia), the same as in the C file."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        x = self.state
        x ^= (x << 13) & 0xffffffff
        x ^= x >> 17
        x ^= (x << 5) & 0xffffffff
        self.state = x
        return x % n


def main():
    random = Random(2463534242)
    total = hashlib.sha256()
    for _ in range(10000):
        body = b"".join(PIECES[random.below(len(PIECES))]
                        for _ in range(random.below(60)))
        # dkimpy reads a body that does not end in CRLF in its own way.
        if body:
            body += b"\r\n"
        total.update(hashlib.sha256(Relaxed.canonicalize_body(body)).digest())
    print(total.hexdigest())


main()
