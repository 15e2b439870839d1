#!/usr/bin/env bash
# Checks that phitap can be built: a Rust toolchain, a C linker, and libpcap with its headers; with --tests also
# the programs that the tests need. Lists what is missing, what it is for and how to do without it, then
# installs it. Without the rights to install, prints what to install.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }

if ! command -v cargo >/dev/null; then
    say "There is no Rust toolchain (cargo). Install one from https://rustup.rs, then run this again."
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

has_linker() {
    printf 'int main(void) { return 0; }\n' >"$work/empty.c"
    cc "$work/empty.c" -o "$work/empty" 2>/dev/null
}

has_libpcap() {
    printf '#include <pcap/pcap.h>\nint main(void) { return pcap_lib_version() == 0; }\n' >"$work/pcap.c"
    cc "$work/pcap.c" -lpcap -o "$work/pcap" 2>/dev/null
}

tests=no
[[ ${1-} == --tests ]] && tests=yes

missing=()
has_linker || missing+=(linker)
has_libpcap || missing+=(libpcap)
if [[ $tests == yes ]] && ! command -v python3 >/dev/null; then
    missing+=(python3)
fi
if [[ $tests == yes && ${PHITAP_NO_TSHARK-} != 1 ]] && ! command -v tshark >/dev/null; then
    missing+=(tshark)
fi
if [[ $tests == yes && ${PHITAP_NO_NETNS-} != 1 && $(uname -s) == Linux ]] &&
    ! PATH=$PATH:/usr/sbin:/sbin command -v ip >/dev/null; then
    missing+=(iproute2)
fi
# Other package managers use other names, or do not have it.
if [[ $tests == yes && ${PHITAP_NO_PROMETHEUS-} != 1 ]] &&
    { command -v apt-get || command -v pacman || command -v apk; } >/dev/null &&
    ! { command -v prometheus && command -v promtool; } >/dev/null; then
    missing+=(prometheus)
fi
if [[ $tests == yes && ${PHITAP_NO_NATS-} != 1 ]] &&
    { command -v apt-get || command -v pacman || command -v apk; } >/dev/null &&
    ! PATH=$PATH:/usr/sbin:/sbin command -v nats-server >/dev/null; then
    missing+=(nats-server)
fi
if [[ $tests == yes && ${PHITAP_NO_RSYSLOG-} != 1 && $(uname -s) == Linux ]] &&
    ! PATH=$PATH:/usr/sbin:/sbin command -v rsyslogd >/dev/null; then
    missing+=(rsyslog)
fi
if [[ $tests == yes && ${PHITAP_NO_ORACLES-} != 1 ]]; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(venv)
    command -v dcmdump >/dev/null || missing+=(dcmtk)
    for program in nginx node curl; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing+=("$program")
    done
    PATH=$PATH:/usr/sbin:/sbin command -v apache2 >/dev/null ||
        PATH=$PATH:/usr/sbin:/sbin command -v httpd >/dev/null || missing+=(apache)
    if [[ ${PHITAP_NO_BROWSER-} != 1 ]] && ! command -v chromium >/dev/null &&
        ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
        missing+=(chromium)
    fi
fi

# The purpose of each missing part, printed before anything is installed.
announce() {
    local part
    say "Missing, to be installed:"
    for part in "${missing[@]}"; do
        case $part in
        linker) say "  a C compiler    links the program" ;;
        libpcap) say "  libpcap         live capture; with its headers" ;;
        python3) say "  Python 3        makes the fixtures" ;;
        tshark) say "  tshark          counts packets and flows independently (PHITAP_NO_TSHARK=1 does without)" ;;
        iproute2) say "  iproute2        network namespaces of the live tests (PHITAP_NO_NETNS=1 does without)" ;;
        prometheus) say "  Prometheus      checks deploy/ (PHITAP_NO_PROMETHEUS=1 does without)" ;;
        nats-server) say "  nats-server     a broker for the tests of outputs (PHITAP_NO_NATS=1 does without)" ;;
        rsyslog) say "  rsyslog         a receiver for the tests of outputs (PHITAP_NO_RSYSLOG=1 does without)" ;;
        chromium) say "  Chromium        an independent browser (PHITAP_NO_BROWSER=1 does without)" ;;
        *) say "  $(printf %-15s "$part") an independent program for tests/oracles (PHITAP_NO_ORACLES=1 does without)" ;;
        esac
    done
}

# Python packages for tests/oracles, in a virtual environment under target/.
oracles() {
    [[ $tests == yes && ${PHITAP_NO_ORACLES-} != 1 ]] || return 0
    local root wanted alone env
    root=$(cd "$(dirname "$0")/.." && pwd)
    wanted=$root/tests/oracles/requirements.txt
    alone=$root/tests/oracles/requirements-alone.txt
    env=$root/target/oracles
    cat "$wanted" "$alone" | cmp -s - "$env/installed.txt" && return 0
    say "Installing Python packages for tests/oracles into target/oracles (PHITAP_NO_ORACLES=1 does without):"
    say "  $(grep -v '^#' "$wanted" | tr '\n' ' ')"
    rm -rf "$env"
    if ! python3 -m venv "$env" >&2 || ! "$env/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >&2 ||
        ! "$env/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$alone" >&2; then
        say "The Python packages of tests/oracles could not be installed. To test without them, set"
        say "PHITAP_NO_ORACLES=1."
        exit 1
    fi
    cat "$wanted" "$alone" >"$env/installed.txt"
}

if [[ ${#missing[@]} -eq 0 ]]; then
    oracles
    exit 0
fi

announce

# The package name of each missing part, by package manager.
packages() {
    local linker=$1 libpcap=$2 python=$3 tshark=$4 iproute=$5 venv=$6 dcmtk=$7
    local nginx=$8 apache=$9 node=${10} part
    for part in "${missing[@]}"; do
        case $part in
        linker) printf '%s ' "$linker" ;;
        libpcap) printf '%s ' "$libpcap" ;;
        python3) printf '%s ' "$python" ;;
        tshark) printf '%s ' "$tshark" ;;
        iproute2) printf '%s ' "$iproute" ;;
        venv) printf '%s ' "$venv" ;;
        dcmtk) printf '%s ' "$dcmtk" ;;
        nginx) printf '%s ' "$nginx" ;;
        apache) printf '%s ' "$apache" ;;
        node) printf '%s ' "$node" ;;
        curl | chromium | prometheus | nats-server | rsyslog) printf '%s ' "$part" ;;
        esac
    done
}

update=:
if command -v apt-get >/dev/null; then
    update="apt-get update"
    install="apt-get install -y --no-install-recommends $(packages 'gcc libc6-dev' libpcap-dev python3 tshark iproute2 python3-venv dcmtk nginx-light apache2-bin nodejs)"
elif command -v dnf >/dev/null; then
    install="dnf install -y $(packages gcc libpcap-devel python3 wireshark-cli iproute python3 dcmtk nginx httpd nodejs)"
elif command -v zypper >/dev/null; then
    install="zypper --non-interactive install $(packages gcc libpcap-devel python3 wireshark iproute2 python3 dcmtk nginx apache2 nodejs)"
elif command -v pacman >/dev/null; then
    install="pacman -Sy --noconfirm $(packages gcc libpcap python wireshark-cli iproute2 python dcmtk nginx apache nodejs)"
elif command -v apk >/dev/null; then
    install="apk add $(packages build-base libpcap-dev python3 tshark iproute2 python3 dcmtk nginx apache2 nodejs)"
elif [[ $(uname -s) == Darwin ]]; then
    for part in linker libpcap python3 venv curl; do
        if [[ " ${missing[*]} " == *" $part "* ]]; then
            say "$part comes with Apple's command line tools. Run: xcode-select --install"
            exit 1
        fi
    done
    formulae=$(packages '' '' '' wireshark '' '' dcmtk nginx httpd node)
    if ! command -v brew >/dev/null; then
        say "Install Homebrew (https://brew.sh), then run: brew install $formulae"
        exit 1
    fi
    say "Running: brew install $formulae"
    # Word splitting is intended: a list of words made above.
    # shellcheck disable=SC2086
    brew install $formulae >&2
    oracles
    exit 0
else
    say "Install these with the package manager of this system, then run this again."
    exit 1
fi

if [[ $(id -u) -eq 0 ]]; then
    as_root=()
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
    # sudo drops this shell's variables.
    as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
else
    say "This user may not install packages. Ask an administrator to run:"
    [[ $update == : ]] || say "    $update"
    say "    $install"
    exit 1
fi

# Packages must not start their servers here.
policy=/usr/sbin/policy-rc.d
if [[ $install == apt-get* && ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$work/policy"
    chmod 755 "$work/policy"
    trap '${as_root[@]+"${as_root[@]}"} rm -f "$policy"; rm -rf "$work"' EXIT
    ${as_root[@]+"${as_root[@]}"} cp "$work/policy" "$policy"
fi

say "Running: $install"
export DEBIAN_FRONTEND=noninteractive
# Word splitting is wanted: both are lists of words made above.
# shellcheck disable=SC2086
[[ $update == : ]] || ${as_root[@]+"${as_root[@]}"} $update >&2
# shellcheck disable=SC2086
if ! ${as_root[@]+"${as_root[@]}"} $install >&2; then
    say "The packages could not be installed."
    exit 1
fi

if ! has_linker || ! has_libpcap; then
    say "The packages are installed, but a C program still cannot be linked with libpcap. Check that"
    say "\`cc\` is the compiler of this system, and that nothing in its way sets another library path."
    exit 1
fi
oracles
