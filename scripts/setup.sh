# Installs what building and running Tacet takes, and says so before it does. Sourced by run and test.
#
# It asks nothing: packages come from the system's own package manager, as root or through sudo, and Rust through rustup.
# What is there already is left alone. What cannot be installed ends it with an instruction, except for what only
# some tests need: those tests are skipped, visibly.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

say() { printf '%s\n' "tacet: $*" >&2; }
die() { say "$*"; exit 2; }
have() { command -v "$1" >/dev/null 2>&1; }

# set_up run|test
set_up() {
    check_host
    PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    export PATH
    install_needed "$1"
    install_qemu "$1"
    [ "$1" = run ] || install_wanted
    install_rust "$1"
}

check_host() {
    case "$(uname -s) $(uname -m)" in
        "Linux x86_64") ;;
        *) die "Tacet builds on x86-64 Linux, and this is $(uname -s) on $(uname -m): use a container or a virtual machine" ;;
    esac
}

# --- packages

package_manager() {
    for manager in apt-get dnf pacman zypper apk; do
        if have "$manager"; then
            echo "$manager"
            return
        fi
    done
}

# package TOOL: the packages that hold it, in the words of this system's package manager
package() {
    case "$(package_manager) $1" in
        "apt-get cc") echo gcc libc6-dev ;;
        "apk cc") echo gcc musl-dev ;;
        *" cc") echo gcc ;;
        "apt-get curl") echo curl ca-certificates ;;
        *" curl") echo curl ;;
        "apt-get qemu" | "pacman qemu") echo qemu-system-x86 ;;
        "dnf qemu") echo qemu-system-x86-core ;;
        "zypper qemu") echo qemu-x86 ;;
        "apk qemu") echo qemu-system-x86_64 ;;
        "apt-get grub") echo grub-common grub-pc-bin ;;
        "dnf grub") echo grub2-tools-extra grub2-pc-modules ;;
        "zypper grub") echo grub2 grub2-i386-pc ;;
        "apk grub") echo grub grub-bios ;;
        "pacman grub") echo grub ;;
        "pacman xorriso") echo libisoburn ;;
        *" xorriso") echo xorriso ;;
        *" mtools") echo mtools ;;
        "apt-get uefi") echo ovmf grub-efi-amd64-bin ;;
        "apt-get bochs") echo bochs bochsbios vgabios ;;
    esac
}

# A compiler without the C library's files for linking is of no use.
links() { printf 'int main(void) { return 0; }' | cc -x c -o /dev/null - >/dev/null 2>&1; }

makes_grub_images() {
    { have grub-mkrescue || have grub2-mkrescue; } &&
        { [ -d /usr/lib/grub/i386-pc ] || [ -d /usr/lib/grub2/i386-pc ] || [ -d /usr/share/grub2/i386-pc ]; }
}

# UEFI firmware for QEMU, and GRUB's modules for it
boots_uefi() { [ -f /usr/share/ovmf/OVMF.fd ] && [ -d /usr/lib/grub/x86_64-efi ]; }

install_needed() {
    missing=
    links || missing="$missing $(package cc)"
    rust_is_ready "$1" || have rustup || have curl || missing="$missing $(package curl)"
    # shellcheck disable=SC2086 # one word a package
    install_or_die $missing
}

install_or_die() {
    [ $# -gt 0 ] || return 0
    say "installing $*"
    install_packages "$@" || die "that did not work; install by hand: $*; then start again"
}

# For the tests of the boot paths beside PVH.
install_wanted() {
    missing=
    makes_grub_images || missing="$missing $(package grub)"
    have xorriso || missing="$missing $(package xorriso)"
    have mformat || missing="$missing $(package mtools)"
    # shellcheck disable=SC2086 # one word a package
    install_for "GRUB boot test" $missing
    # shellcheck disable=SC2046
    have bochs || install_for "TSC-deadline boot test" $(package bochs)
    # shellcheck disable=SC2046
    boots_uefi || install_for "UEFI boot tests" $(package uefi)
}

# install_for PURPOSE PACKAGE…: what a test can be skipped without
install_for() {
    purpose=$1
    shift
    [ $# -gt 0 ] || return 0
    say "installing $*, for the $purpose"
    install_packages "$@" || say "that did not work: tests that need them will be skipped"
}

install_packages() {
    can_be_root || return 1
    case "$(package_manager)" in
        apt-get) refresh_apt && apt_install "$@" ;;
        dnf) as_root dnf install -y "$@" ;;
        pacman) as_root pacman -Sy --needed --noconfirm "$@" ;;
        zypper) as_root zypper --non-interactive install "$@" ;;
        apk) as_root apk add "$@" ;;
        *) say "no package manager that this script knows"; return 1 ;;
    esac >&2
}

# Once is enough, and only where something is to be installed.
refresh_apt() {
    [ -n "${apt_is_fresh-}" ] || apt_get update || return 1
    apt_is_fresh=yes
}

apt_install() { apt_get install -y --no-install-recommends "$@"; }

# A machine that has just booted may be updating itself: wait for its lock.
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a \
        apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >&2
}

can_be_root() {
    [ "$(id -u)" = 0 ] && return
    have sudo || { say "this takes root, and there is no sudo"; return 1; }
    sudo -n true 2>/dev/null && return
    [ -t 0 ] || { say "this takes root, and sudo wants a password"; return 1; }
    say "sudo may want your password"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# --- a QEMU young enough for every test

# TCG has an x2APIC from this version on. Debian 12 has it in its backports.
qemu_wanted=9

qemu_major() {
    qemu-system-x86_64 --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9]*\).*/\1/p'
}

release() { sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" /etc/os-release 2>/dev/null; }

install_qemu() {
    if [ "$1" = test ] && ! qemu_is_young; then
        renew_qemu || say "that did not work"
    fi
    # shellcheck disable=SC2046 # one word a package
    have qemu-system-x86_64 || install_or_die $(package qemu)
    [ "$1" = run ] || qemu_is_young ||
        say "QEMU $(qemu_major) has no x2APIC under emulation: tests that need it will be skipped"
}

qemu_is_young() { [ "$(qemu_major)" -ge "$qemu_wanted" ] 2>/dev/null; }

renew_qemu() {
    [ "$(release ID)-$(release VERSION_CODENAME)" = debian-bookworm ] || return 0
    say "installing QEMU from Debian's backports: Debian 12's own has no x2APIC"
    can_be_root && refresh_apt && add_backports bookworm &&
        apt_install -t bookworm-backports qemu-system-x86
}

# apt_sources: codename and address of each of Debian's own archives that apt knows, whatever file and format names it
apt_sources() {
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        sed -n 's/^Debian Debian //p' | sort -u
}

# add_backports CODENAME: from the mirror that the release itself comes from
add_backports() {
    apt_sources | grep -q "^$1-backports " && return
    mirror=$(apt_sources | sed -n "s/^$1 //p" | head -n 1)
    [ -n "$mirror" ] || { say "apt names no mirror of Debian's $1"; return 1; }
    file=/etc/apt/sources.list.d/tacet-$1-backports.list
    say "adding the source $file (remove it at any time)"
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    printf '# Added by Tacet for a QEMU with an x2APIC.\ndeb [signed-by=%s] %s %s-backports main\n' "$key" "$mirror" "$1" |
        as_root tee "$file" >/dev/null && apt_get update
}

# --- Rust

# The channel that rust-toolchain.toml pins, such as 1.95.0
pinned() { sed -n 's/^channel *= *"\(.*\)"/\1/p' "$root/rust-toolchain.toml"; }

minor() { echo "$1" | cut -d. -f2; }

# Asked inside the checkout, since that is where the pin holds.
rust_is_ready() {
    (
        cd "$root" || exit 1
        version=$(cargo --version 2>/dev/null) || exit 1
        [ "$(minor "$version")" -ge "$(minor "$(pinned)")" ] || exit 1
        [ "$1" = run ] || { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1
    )
}

install_rust() {
    rust_is_ready "$1" && return
    if ! have rustup; then
        say "installing rustup, and with it Rust, for this user"
        install_rustup || die "that did not work; install rustup as https://rustup.rs tells, then start again"
        # Before a cargo of the system's, which is too old.
        PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    fi
    say "installing Rust $(pinned)"
    rustup toolchain install "$(pinned)" --profile minimal --component rustfmt,clippy >&2 ||
        die "that did not work; Tacet needs Rust $(pinned) or later"
    rust_is_ready "$1" || die "Rust $(pinned) is installed, but $(command -v cargo) is not it: let rustup's come first in PATH"
}

install_rustup() {
    # Not in a pipe: half an installer must not run.
    installer=$(curl --proto '=https' --tlsv1.2 -sSf --retry 3 https://sh.rustup.rs) || return 1
    printf '%s\n' "$installer" | sh -s -- -y --default-toolchain none >&2
}

# hand_over COMMAND ARGUMENT…: to xtask, started in the checkout for cargo's sake, told where the user is for his
hand_over() {
    TACET_INVOKED_FROM=$PWD
    export TACET_INVOKED_FROM
    cd "$root" || exit
    # The first time this takes a while, and cargo says what it does; afterwards there is nothing to say.
    [ -x "${CARGO_TARGET_DIR:-target}/host/xtask" ] || cargo build --profile host --package xtask >&2
    exec cargo xtask "$@"
}
