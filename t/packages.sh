# Sourced by t/run and postfix-examples/try: what has to be installed, and how
# it gets there without any service being started or configured.

build_packages="build-essential cmake pkg-config libssl-dev libuv1-dev
libconfig-dev libpcre2-dev liblmdb-dev libidn2-dev libpsl-dev libc-ares-dev
libjansson-dev publicsuffix"

# A real Postfix, and verifiers written by others.
judge_packages="perl openssl postfix libmail-dkim-perl python3-dkim"

# Unit tests, disks that fail, and other programs of the trade to compare with.
test_packages="libcmocka-dev strace postfix-cdb postfix-lmdb libopendkim-dev
libmail-srs-perl python3-yaml python3-srs postsrsd opendkim nsd haproxy iproute2 mandoc lintian
systemd zsh rpm
postgresql libdbd-pg-perl gcc-aarch64-linux-gnu libc6-dev-arm64-cross"

# What makes a fresh root of Debian.
fresh_packages="debootstrap iproute2"

# And what only the benchmark compares with.
bench_packages="rspamd"

missing_packages() {
    for package; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null |
            grep -q '^install ok installed$' || printf ' %s' "$package"
    done
}

# Services that systemd starts with the machine, by name.
enabled_services() {
    find /etc/systemd/system -path '*.*/*.service' -o \
        -path '*.*/*.socket' 2>/dev/null |
        sed 's|.*/||' | sort -u
}

# disable_services NAME...: those that an installation has enabled. Tests want
# the programs of nsd, haproxy, postgresql..., not a server that listens from
# the next boot on. Postfix stays enabled: without a main.cf it does not start,
# and whoever gives it one wants it to run.
disable_services() {
    for unit; do
        case $unit in
        postfix* | systemd-* | getty@*) continue ;;
        esac
        deb-systemd-helper disable "$unit" >/dev/null 2>&1 || true
        if [ -e "/etc/init.d/${unit%.*}" ]; then
            update-rc.d "${unit%.*}" disable >/dev/null 2>&1 || true
        fi
    done
}

# install_packages NAME...: nothing to do, or installs as root, or prints the
# line to type and returns 1.
install_packages() {
    if ! command -v dpkg-query >/dev/null; then
        echo "not Debian: these are taken as installed:" "$@"
        return 0
    fi
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    line="apt-get install --no-install-recommends$missing"
    if [ "$(id -u)" != 0 ]; then
        echo "Missing packages. As root: $line" >&2
        return 1
    fi
    echo "== $line"
    # "No configuration": a Postfix that is there already, or comes later,
    # is left alone. Our own has its own directories.
    echo 'postfix postfix/main_mailer_type select No configuration' |
        debconf-set-selections
    # No package starts a service meanwhile.
    policy=/usr/sbin/policy-rc.d
    if [ -e $policy ]; then
        policy=
    else
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
        trap 'rm -f "$policy"' EXIT
        trap 'exit 130' INT TERM HUP
    fi
    status=0
    before=$(enabled_services)
    # $missing is a list: it is split on purpose.
    # shellcheck disable=SC2086
    {
        apt-get -q update &&
            DEBIAN_FRONTEND=noninteractive apt-get -q -y install \
                --no-install-recommends $missing
    } >"${TMPDIR:-/tmp}/onward-apt.$$" 2>&1 || status=1
    [ $status = 0 ] || cat "${TMPDIR:-/tmp}/onward-apt.$$" >&2
    rm -f "${TMPDIR:-/tmp}/onward-apt.$$"
    # shellcheck disable=SC2046
    disable_services $(enabled_services |
        grep -vxF -e "${before:-no service}" || true)
    if [ -n "$policy" ]; then
        rm -f "$policy"
        trap - EXIT INT TERM HUP
    fi
    return $status
}
