#!/bin/sh
# The Debian packages that Qt 6, Mesa's software OpenGL and a virtual screen need.
# Installs what is missing, as root or through sudo; otherwise prints the one line to run.
set -eu
packages="python3-venv xvfb xauth libegl1 libgl1 libgl1-mesa-dri libopengl0 libglib2.0-0
libfontconfig1 fonts-dejavu-core libdbus-1-3 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4
libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0
libxcb-xkb1"

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "Not a Debian-like system: Qt 6, OpenGL and (without a display) Xvfb must be there already." >&2
    exit 0
fi
missing=""
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    sudo=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo="sudo -n"
else
    echo "Some system libraries are missing. Run this once, then the same command again:" >&2
    echo "    sudo apt-get install -y$missing" >&2
    exit 2
fi
echo "Installing$missing"
$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq
# shellcheck disable=SC2086 # a list of words on purpose
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
