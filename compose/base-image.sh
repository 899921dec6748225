#!/bin/sh
# Prints the name of an image that has `node`, for LB_NODE_IMAGE.
# node:22-alpine if it is here or can be pulled; otherwise lb-node:base, imported from the node of this machine, the
# libraries it is linked with, and `env`, by which a script finds it. `docker rmi lb-node:base` makes the next run look again.
set -eu

official=node:22-alpine
imported=lb-node:base

say() { printf '%s\n' "$*" >&2; }
have() { docker image inspect "$1" >/dev/null 2>&1; }

if have "$official"; then echo "$official"; exit; fi
if have "$imported"; then echo "$imported"; exit; fi

say "pulling $official"
if docker pull --quiet "$official" >&2; then echo "$official"; exit; fi

if [ "$(uname -s)" != Linux ]; then
  say "$official can't be pulled, and the node of $(uname -s) doesn't run in a Linux container."
  exit 1
fi
node=$(readlink -f "$(command -v node)")
say "$official can't be pulled: importing $node as $imported"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/proc" "$root/sys" "$root/dev" "$root/app"
cp "$node" "$root/bin/node"
mkdir -p "$root/usr/bin"
cp -L "$(command -v env)" "$root/usr/bin/env"
# glibc opens the libraries that resolve names at run time, so ldd doesn't list them.
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
libraries=$(ldd "$node" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }')
libc=$(printf '%s\n' "$libraries" | grep -m 1 '/libc\.' || true)
for library in $libraries "${libc%/*}"/libnss_dns.so.2 "${libc%/*}"/libnss_files.so.2; do
  [ -e "$library" ] || continue
  mkdir -p "$root${library%/*}"
  cp -L "$library" "$root$library"
done
tar -C "$root" -c . | docker import --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' - "$imported" >/dev/null
echo "$imported"
