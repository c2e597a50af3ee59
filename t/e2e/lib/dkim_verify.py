# Verify each DKIM-Signature of the message on standard input with dkimpy.
# The argument is a JSON file: record name -> TXT; or ADDRESS:PORT of a name
# server, which dkimpy then asks by itself. Prints one JSON object a signature,
# from the top.
import json
import sys

import dkim


def from_file(path):
    with open(path) as f:
        records = json.load(f)

    def lookup(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        text = records.get(name.rstrip(".").lower())
        return text.encode() if text is not None else None

    return lookup


def from_server(address, port):
    import dns.resolver
    from dkim.dnsplug import get_txt
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [address]
    resolver.port = int(port)
    dns.resolver.default_resolver = resolver
    return get_txt


def main():
    source = sys.argv[1]
    lookup = from_file(source) if source.startswith("/") \
        else from_server(*source.rsplit(":", 1))
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
