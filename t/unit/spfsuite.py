"""The openspf suite (YAML: zones and checks) in the form of auth_spfcases.h."""
import sys
import yaml


def octets(text):
    """YAML's "\\x80" is that octet, not U+0080 in UTF-8."""
    return str(text).encode('latin-1')


def escaped(text, special):
    return ''.join('\\%03d' % b if b <= 32 or b > 126 or chr(b) in special
                   else chr(b) for b in octets(text))


def name(text):
    return escaped(text, '\\;"') or '.'


def quoted(strings):
    strings = strings if isinstance(strings, list) else [strings]
    return ' '.join('"' + ''.join(
        '\\%03d' % b if b < 32 or b > 126 or chr(b) in '"\\' else chr(b)
        for b in octets(s)) + '"' for s in strings)


def data(kind, value):
    if kind == 'TXT':
        return quoted(value)
    if kind == 'MX':
        return '%d %s' % (value[0], name(value[1]))
    return name(value) if kind in ('PTR', 'CNAME') else str(value)


def records(entries):
    """Pairs of type and value. A TXT that is absent is made from SPF; NONE
    takes the made one away."""
    pairs = [('TIMEOUT', None) if e == 'TIMEOUT' else list(e.items())[0]
             for e in entries]
    has_txt = any(kind == 'TXT' for kind, _ in pairs)
    for kind, value in pairs:
        if kind == 'SPF':
            if not has_txt:
                yield 'TXT', value
        elif value != 'NONE':
            yield kind, value


for scenario in yaml.safe_load_all(open(sys.argv[1], encoding='utf-8')):
    print('==', scenario.get('description', '').strip().split('\n')[0])
    for owner, entries in scenario['zonedata'].items():
        for kind, value in records(entries):
            print(name(owner), kind,
                  '' if kind == 'TIMEOUT' else data(kind, value))
    for title, check in scenario['tests'].items():
        results = check['result']
        print('--', title)
        print('client', check['host'])
        print('helo', escaped(check['helo'], '\\'))
        print('from', escaped(check['mailfrom'], '\\') or '<>')
        print('result', *(results if isinstance(results, list) else [results]))
