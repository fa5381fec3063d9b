#!/usr/bin/env bash
# jobs/install.sh where something is in the way: no rights, a clone that was
# copied or moved, a source tree that cannot be written, no /dev/shm.
# usage: test_install.sh BALANS SOURCE_ROOT
# shellcheck disable=SC2016
set -uo pipefail
root=$(realpath "$2")
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
mkdir "$folder/bin"
checks=0 bad=0

# check TEXT COMMAND...
check() {
    checks=$((checks + 1))
    if ! "${@:2}"; then
        bad=$((bad + 1))
        echo "wrong: $1"
        cat "$folder/said"
    fi
}

# stub NAME: a program that does what stdin says and no more.
stub() {
    { echo '#!/bin/bash'; cat; } >"$folder/bin/$1"
    chmod +x "$folder/bin/$1"
}

# inside SOURCE COMMAND: in a shell with the functions of SOURCE's install.sh.
inside() {
    env PATH="$folder/bin:$PATH" HOME="$folder/home" BALANS_BUILD= \
        XDG_CACHE_HOME= bash -c ". '$1/jobs/install.sh'; $2" \
        >"$folder/said" 2>&1
}

one_line() { [ "$(grep -c "^balans: " "$folder/said")" = 1 ]; }
says() { grep -qF -- "$1" "$folder/said"; }
fails() { ! inside "$@"; }

# ---- no rights ----
stub dpkg-query <<'STUB'
case "$*" in *meson* | *check*) exit 1 ;; esac
printf 'install ok installed'
STUB
echo 'echo 1000' | stub id
echo 'exit 1' | stub sudo
check "without rights it fails" \
    fails "$root" 'install_missing meson gcc check </dev/null'
check "in one line" one_line
check "that names what is missing" \
    says "apt-get install --no-install-recommends meson check"
check "what only some tests need is tried" fails "$root" \
    'available() { [ $1 != check ]; }; install_some meson check </dev/null'
check "without what apt does not have" says "this system has no check"
check "in one line" one_line
check "which it does not ask for" grep -q "recommends meson$" "$folder/said"
rm "$folder/bin/sudo"
check "without sudo as well" fails "$root" \
    'command() { [ "$2" != sudo ]; }; install_missing meson gcc check'
check "in one line" one_line
rm "$folder/bin/id" "$folder/bin/dpkg-query"

# ---- another place ----
stub meson <<'STUB'
[ "$1" = setup ] || exit 0
[ "$2" = --wipe ] && shift
mkdir -p "$2/meson-info"
touch "$2/build.ninja"
echo "{\"directories\": {\"source\": \"$3\", \"build\": \"$2\"}}" \
    >"$2/meson-info/meson-info.json"
STUB
echo 'echo "ninja $*"' | stub ninja
mkdir -p "$folder/one"
cp -r "$root/jobs" "$folder/one/"
build='build "$(build_folder)"'
check "a clone is set up" inside "$folder/one" "$build"
check "and built" says "ninja -C $folder/one/build"
check "a second time" inside "$folder/one" "$build"
check "nothing is made anew" test "$(grep -c anew "$folder/said")" = 0
cp -r "$folder/one" "$folder/two"
check "a copy" inside "$folder/two" "$build"
check "is made anew" says "made anew"
check "a second time" inside "$folder/two" "$build"
check "it is not" test "$(grep -c anew "$folder/said")" = 0
mv "$folder/two" "$folder/three"
check "a clone that was moved" inside "$folder/three" "$build"
check "is made anew" says "made anew"

# ---- what cannot be written ----
mkdir "$folder/read-only"
cp -r "$root/jobs" "$folder/read-only/"
# apart COMMAND: in mounts of its own.
apart() {
    env PATH="$folder/bin:$PATH" HOME="$folder/home" BALANS_BUILD= \
        XDG_CACHE_HOME= unshare -m bash -c "$1" >"$folder/said" 2>&1
}

if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
    check "a read-only source tree" apart "
        mount --bind '$folder/read-only' '$folder/read-only' &&
        mount -o remount,ro,bind '$folder/read-only' &&
        . '$folder/read-only/jobs/install.sh' && $build"
    check "is built in the user's cache" \
        says "ninja -C $folder/home/.cache/balans-build"
    check "and it says so" says "read-only"
    check "no /dev/shm" apart "mount -t tmpfs -o ro none /dev/shm &&
        . '$root/jobs/install.sh' && prepare_mpi && env"
    check "sets another folder" \
        says "OMPI_MCA_btl_vader_backing_directory=/tmp"
else
    echo "not tried: a read-only source tree and no /dev/shm, which take root"
fi
check "BALANS_BUILD comes first" env BALANS_BUILD="$folder/elsewhere" \
    PATH="$folder/bin:$PATH" bash -c "
    . '$root/jobs/install.sh'; [ \"\$(build_folder)\" = '$folder/elsewhere' ]"

echo "$checks checks, $bad wrong"
[ "$bad" -eq 0 ]
