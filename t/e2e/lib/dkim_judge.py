# dkimpy over many messages.
#
#   verify DNS.json FILE...   one line for each signature: FILE SELECTOR
#                             pass|REASON
#   flip DNS.json FILE...     octets of what is signed are changed, one by one,
#                             and fields are added: "FILE changes N" if none
#                             verified, else "FILE passed OFFSET"
import json
import sys

import dkim


class Judge:
    def __init__(self, path):
        with open(path) as f:
            self.records = json.load(f)

    def lookup(self, name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        text = self.records.get(name.rstrip(".").lower())
        return text.encode() if text is not None else None

    def verify(self, message, index=0):
        selector = b"?"
        try:
            verifier = dkim.DKIM(message)
            verdict = "pass" if verifier.verify(
                idx=index, dnsfunc=self.lookup) else "fail"
            selector = verifier.selector or selector
        except Exception as e:  # what it raises is a verdict too
            verdict = repr(e)
        return selector if isinstance(selector, str) \
            else selector.decode(), verdict


def count_signatures(message):
    fields, _ = dkim.rfc822_parse(message)
    return sum(1 for f in fields if f[0].lower() == b"dkim-signature")


def verify(judge, path):
    with open(path, "rb") as f:
        message = f.read()
    for i in range(count_signatures(message)):
        selector, verdict = judge.verify(message, i)
        print(path, selector, verdict.replace("\n", " "))


def top_signature(message):
    """Where the topmost field ends."""
    end = 0
    while True:
        end = message.index(b"\r\n", end) + 2
        if message[end:end + 1] not in (b" ", b"\t"):
            return end


def flip(judge, path):
    with open(path, "rb") as f:
        message = f.read()
    if judge.verify(message)[1] != "pass":
        print(path, "does not verify unchanged")
        return
    # One signature does not cover the other: only the first is looked at.
    field = top_signature(message)
    message = message[:field] + message[field:][top_signature(
        message[field:]):]
    count = 0
    # dkimpy is slow; the unit tests take every octet.
    for at in range(len(b"DKIM-Signature"), len(message), 13):
        octet = message[at]
        # White space is not signed as such, and the last digit of base64 has
        # unused bits.
        if octet in b" \t\r\n" or (
                at < field and (octet == ord("=")
                                or message[at + 1] == ord("="))):
            continue
        changed = bytearray(message)
        changed[at] = ord("x") if octet != ord("x") else ord("y")
        count += 1
        if judge.verify(bytes(changed))[1] == "pass":
            print(path, "passed", at, message[at:at + 20])
            return
    for added in (b"From: boss@bank.example\r\n", b"Subject: other\r\n",
                  b"Date: Mon, 23 Nov 2026 08:00:00 +0000\r\n",
                  b"To: x@y.example\r\n",
                  b"Message-ID: <x@y.example>\r\n"):
        for where in (0, field):
            count += 1
            changed = message[:where] + added + message[where:]
            if judge.verify(changed)[1] == "pass":
                print(path, "passed with", added)
                return
    print(path, "changes", count)


def main():
    judge = Judge(sys.argv[2])
    for path in sys.argv[3:]:
        {"verify": verify, "flip": flip}[sys.argv[1]](judge, path)


main()
