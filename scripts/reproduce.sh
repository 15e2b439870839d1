#!/usr/bin/env bash
# Builds the committed source twice, in two folders with different names, and compares the programs byte by
# byte.
#
#   scripts/reproduce.sh [PROFILE [FOLDER]]     `dist` if none is named, below a temporary folder if none is
#
# `dev` is the quickest.
#
# Replaces machine paths, through RUSTFLAGS for Rust and CFLAGS for C code. With the same toolchain
# (rust-version, C compiler) and flags, anyone gets the program with the SHA-256 that this prints. Exits with
# status 1 if the programs differ, and prints where.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-dist}
folder=${2:-$(mktemp -d "${TMPDIR:-/tmp}/phitap-reproduce.XXXXXX")}
mkdir -p "$folder"
trap 'rm -rf "$folder/one" "$folder/another-place"' EXIT
registry=${CARGO_HOME:-$HOME/.cargo}
# The time of the commit, for tools that embed a date.
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
case $profile in
release | dist | quick) out=$profile ;;
dev) out=debug ;;
*) echo "scripts/reproduce.sh: $profile is none of dist, release, quick, dev" >&2 && exit 2 ;;
esac

for name in one another-place; do
    source=$folder/$name
    mkdir -p "$source"
    git archive HEAD | tar -x -C "$source"
    (
        cd "$source"
        export RUSTFLAGS="--remap-path-prefix=$source=/phitap --remap-path-prefix=$registry=/cargo"
        export CFLAGS="-ffile-prefix-map=$source=/phitap -ffile-prefix-map=$registry=/cargo"
        export CARGO_TARGET_DIR=$source/target CARGO_INCREMENTAL=0
        cargo build --locked --quiet --profile "$profile"
    )
    cp "$source/target/$out/phitap" "$folder/phitap-$name"
    # Keep only the program, because a build takes gigabytes.
    rm -rf "$source"
done

sha256sum "$folder/phitap-one" "$folder/phitap-another-place"
if cmp "$folder/phitap-one" "$folder/phitap-another-place"; then
    echo "the same program twice"
    exit 0
fi
# Sections that differ indicate the cause: a path, a date, an order.
for section in .text .rodata .data .debug_line .debug_str .comment; do
    for name in one another-place; do
        objcopy -O binary --only-section="$section" "$folder/phitap-$name" "$folder/$name$section" 2>/dev/null || true
    done
    cmp -s "$folder/one$section" "$folder/another-place$section" || echo "$section differs"
done
exit 1
