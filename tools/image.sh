#!/usr/bin/env bash
# An image is a root directory: programs, the libraries they load, and an /etc with two users. The sandbox binds it as a
# container's root; the lab packs it for containerd. usage: tools/image.sh OUT_DIR PROGRAM...
# Each PROGRAM is placed in /usr/bin; busybox, where it is installed, gives a shell and the usual tools.
set -euo pipefail
out=$1
shift
work=$out.new-$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,etc,lib,lib64,usr/bin,usr/lib,tmp,var,run,proc,dev,sys,root}

add_library() {  # keeps the path the loader will look it up by
  local file=$1
  [[ -e $work/$file ]] && return
  mkdir -p "$work/$(dirname "$file")"
  cp -L "$file" "$work/$file"
}

for program in "$@"; do
  install -m 0755 "$program" "$work/usr/bin/$(basename "$program")"
  ldd "$program" | grep -oE '/[^ ]+' | while read -r library; do add_library "$library"; done
done
# Name look-ups load these at run time.
for library in /lib/x86_64-linux-gnu/libnss_files.so.2 /lib/x86_64-linux-gnu/libnss_dns.so.2; do
  [[ -e $library ]] && add_library "$library"
done
if command -v busybox >/dev/null; then
  cp -L "$(command -v busybox)" "$work/bin/busybox"
  for applet in $(busybox --list); do
    [[ $applet == busybox || -e $work/usr/bin/$applet ]] || ln -sf busybox "$work/bin/$applet"
  done
fi
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$work/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$work/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$work/etc/nsswitch.conf"
printf '127.0.0.1 localhost\n' >"$work/etc/hosts"
if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
  mkdir -p "$work/etc/ssl/certs"
  cp -L /etc/ssl/certs/ca-certificates.crt "$work/etc/ssl/certs/"
fi
rm -rf "$out"
mkdir -p "$(dirname "$out")"
mv "$work" "$out"
trap - EXIT
