# Messages signed by dkimpy, some of them changed afterwards, for a verifier to
# judge: the directory of t/data/dkim, a directory to write to. Prints one line
# a message: the file's name, a tab, what dkimpy says of it ("pass", "fail", or
# "error" where it cannot read the message).
import json
import os
import random
import sys

import dkim

# Minutes for dkimpy's regular expressions, or octets that DATA cannot carry.
SKIPPED = ("014", "016", "022", "028", "056")


def change(message):
    """The same, or one octet, white space, lines at an end, or a field more."""
    text = bytearray(message)
    kind = random.random()
    at = random.randrange(len(text))
    if kind < 0.5:
        return text
    if kind < 0.7:
        if text[at] not in b"\r\n":
            text[at] = random.choice(b" \tabZ09;:=.")
    elif kind < 0.8:
        if text[at - 1:at] != b"\r":
            text[at:at] = random.choice([b" ", b"\t", b"  "])
    elif kind < 0.9:
        text += random.choice([b"\r\n", b"\r\n\r\n", b" \r\n", b"x\r\n"])
    else:
        text[0:0] = random.choice([b"X-A: b\r\n", b"Subject: again\r\n",
                                   b"From: x@y\r\n", b"to: z\r\n"])
    return text


def main():
    data, out = sys.argv[1:]
    with open(data + "/dns.json") as f:
        records = json.load(f)
    with open(data + "/keys/rsa1024.pem", "rb") as f:
        rsa = f.read()
    with open(data + "/keys/ed25519-seed.b64", "rb") as f:
        seed = f.read().strip()
    random.seed(17)

    def lookup(name, timeout=5):
        text = records.get(name.decode().rstrip("."))
        return text.encode() if text is not None else None

    for name in sorted(os.listdir(data + "/msgs")):
        if name.startswith(SKIPPED):
            continue
        with open(data + "/msgs/" + name, "rb") as f:
            message = f.read()
        for number in range(8):
            key = (b"rsa1024", rsa, b"rsa-sha256") if number & 1 else \
                (b"ed25519", seed, b"ed25519-sha256")
            canon = (b"simple" if number & 2 else b"relaxed",
                     b"simple" if number & 4 else b"relaxed")
            try:
                field = dkim.sign(message, key[0], b"example.org", key[1],
                                  canonicalize=canon,
                                  signature_algorithm=key[2])
            except Exception:  # it crashes on some that it cannot read
                continue
            text = bytes(change(field + message))
            path = "%s-%d" % (name[:3], number)
            with open(out + "/" + path, "wb") as f:
                f.write(text)
            try:
                verdict = "pass" if dkim.verify(text, dnsfunc=lookup) \
                    else "fail"
            except Exception:
                verdict = "error"
            print(path, verdict, sep="\t")


main()
