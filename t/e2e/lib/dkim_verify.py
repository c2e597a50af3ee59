# Verify each DKIM-Signature of the message on standard input with dkimpy.
# The argument is a JSON file: record name -> TXT. Prints one JSON object a
# signature, from the top.
import json
import sys

import dkim


def main():
    with open(sys.argv[1]) as f:
        records = json.load(f)

    def lookup(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        text = records.get(name.rstrip(".").lower())
        return text.encode() if text is not None else None

    message = sys.stdin.buffer.read()
    fields, _ = dkim.rfc822_parse(message)
    signatures = [f for f in fields if f[0].lower() == b"dkim-signature"]
    for i in range(len(signatures)):
        verifier = dkim.DKIM(message)
        try:
            verdict = "pass" if verifier.verify(idx=i, dnsfunc=lookup) \
                else "fail"
        except dkim.DKIMException as e:
            verdict = str(e)
        print(json.dumps({
            "domain": (verifier.domain or b"").decode(),
            "selector": (verifier.selector or b"").decode(),
            "result": verdict,
        }))


main()
