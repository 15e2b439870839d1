#!/usr/bin/env bash
# Installs a .deb in a clean Debian system as root, and checks what an administrator would find: user, key,
# configuration, man page, unit. Then upgrades, removes and purges it. Requires debootstrap and a mirror. An
# .rpm is installed to a separate root without its dependencies.
#
#   scripts/try-package.sh target/package/phitap_0.1.0-1_amd64.deb [ROOT]
#   scripts/try-package.sh target/package/phitap-0.1.0-1.x86_64.rpm [ROOT]
#
# ROOT is a folder for the clean system (default: a new one, removed at the end).
set -euo pipefail
package=$(realpath "$1")
root=${2-}
say() { printf '== %s\n' "$*"; }
fail() { printf 'try-package: %s\n' "$*" >&2; exit 1; }
[[ $(id -u) -eq 0 ]] || fail "run it as root: it makes a system of its own"

if [[ -z $root ]]; then
    root=$(mktemp -d)
    trap 'rm -rf --one-file-system "$root"' EXIT
    # Programs of other users run in it, `mandb` for one.
    chmod 755 "$root"
fi

# Files that both packages must contain.
files=(/usr/lib/systemd/system/phitap.service /usr/lib/sysusers.d/phitap.conf /etc/phitap/phitap.toml
    /etc/logrotate.d/phitap /usr/share/bash-completion/completions/phitap)
has_files() {
    for file in "${files[@]}"; do
        [[ -s $root$file ]] || fail "$file is missing"
    done
}

# The manual page, compressed or not, describes the commands. `grep -q` would end the pipe early, which pipefail takes
# for a failure.
has_doctor() {
    [[ $(gzip --decompress --force --stdout "$1" | grep -c 'PHITAP DOCTOR') -gt 0 ]] ||
        fail "the manual page is not whole"
}

if [[ $package == *.rpm ]]; then
    command -v rpm >/dev/null || fail "install rpm"
    say "Install the .rpm"
    rpm --query --package --requires "$package"
    rpm --root "$root" --initdb
    rpm --root "$root" --install --nodeps --noscripts "$package"
    "$root/usr/bin/phitap" --version
    has_files
    has_doctor "$root"/usr/share/man/man1/phitap.1*
    say "Remove the .rpm"
    printf 'interface = ["eth1"]\n' >>"$root/etc/phitap/phitap.toml"
    rpm --root "$root" --erase --noscripts phitap
    [[ ! -e $root/usr/bin/phitap ]] || fail "the program is still there"
    ls "$root"/etc/phitap/phitap.toml* >/dev/null || fail "the configuration that was changed is gone"
    say "The package is sound"
    exit 0
fi

command -v debootstrap >/dev/null || fail "install debootstrap"
if [[ ! -e $root/usr/bin/dpkg ]]; then
    say "A clean system in $root"
    # shellcheck source=/dev/null
    suite=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME-stable}")
    debootstrap --variant=minbase --include=libpcap0.8,man-db,systemd,procps "$suite" "$root" >"$root.log" 2>&1 ||
        { tail "$root.log"; fail "debootstrap failed; see $root.log"; }
    rm -f "$root.log"
fi
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
cp "$package" "$root/tmp/phitap.deb"

say "Install"
inside dpkg --install /tmp/phitap.deb
inside phitap --version
[[ $(inside id -un phitap) == phitap ]] || fail "there is no user phitap"
[[ $(inside stat -c '%a %U %s' /etc/phitap/phitap.key) == "600 root 32" ]] || fail "the key is not as it should be"
has_files
has_doctor "$root/usr/share/man/man1/phitap.1.gz"
missing=$(inside ldd /usr/bin/phitap | grep 'not found' || true)
[[ -z $missing ]] || fail "libraries are missing: $missing"
say "The unit, in that system"
systemd-analyze verify --root="$root" --man=no phitap.service || fail "the unit is not sound"
systemd-analyze security --root="$root" --offline=true --threshold=25 --no-pager phitap.service >"$root/tmp/security" ||
    { cat "$root/tmp/security"; fail "the unit is not hardened"; }
tail -n 1 "$root/tmp/security"
say "Doctor, with the configuration as installed: it has no interface yet"
status=0
inside phitap doctor --config /etc/phitap/phitap.toml || status=$?
[[ $status -eq 1 ]] || fail "phitap doctor ended with $status"
say "Doctor, with the key as well: nothing else is missing"
if inside phitap doctor --config /etc/phitap/phitap.toml --key-file /etc/phitap/phitap.key | grep -E '^fault +(key|output|state|rules)'; then
    fail "phitap doctor finds a fault in what was installed"
fi

say "Upgrade"
before=$(inside sha256sum /etc/phitap/phitap.key)
printf 'interface = ["eth1"]\n' >>"$root/etc/phitap/phitap.toml"
inside dpkg --install /tmp/phitap.deb
[[ $(inside sha256sum /etc/phitap/phitap.key) == "$before" ]] || fail "the upgrade replaced the key"
grep -q '^interface = ' "$root/etc/phitap/phitap.toml" || fail "the upgrade replaced the configuration"

say "Remove and purge"
inside dpkg --remove phitap
[[ ! -e $root/usr/bin/phitap && -e $root/etc/phitap/phitap.toml ]] || fail "remove took too much or too little"
inside dpkg --purge phitap
[[ ! -e $root/etc/phitap/phitap.toml ]] || fail "purge left the configuration"
[[ -e $root/etc/phitap/phitap.key ]] || fail "purge took the key: pseudonyms of old events mean nothing without"
rm -f "$root/etc/phitap/phitap.key"
say "The package is sound"
