# Sourced by what builds a guest's initramfs: a file tree in $root, and the archive of it.

die() { echo "guest-image: $*" >&2; exit 1; }

need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ||
    die "$1 is missing: apt-get install $2"
}

need_static_busybox() {
  [ -x /bin/busybox ] || die "busybox is missing: apt-get install busybox-static"
  if ldd /bin/busybox >/dev/null 2>&1; then die "busybox is not static: apt-get install busybox-static"; fi
}

put() { # MODE SOURCE PATH-IN-ROOT
  install -D -m "$1" "$2" "$root$3"
}

# A library goes where the dynamic loader looks without a cache file.
put_libraries() { # PROGRAM…
  local program library
  for program; do
    ldd "$program" 2>/dev/null || true
  done | sed -n 's/^\t\(.* => \)\?\(\/[^ ]*\) (0x.*/\2/p' | sort -u | while read -r library; do
    case $library in
      /lib64/* | /usr/lib64/*) put 755 "$library" "/lib64/${library##*/}" ;;
      *) put 644 "$library" "/lib/x86_64-linux-gnu/${library##*/}" ;;
    esac
  done
}

put_program() { # SOURCE PATH-IN-ROOT
  [ -f "$1" ] || die "$1 is missing: build first (tools/build)"
  put 755 "$1" "$2"
  put_libraries "$1"
}

# busybox, with a link for each of its applets.
put_busybox() {
  local applet
  mkdir -p "$root"/{proc,sys,dev,tmp,run,var,bin,sbin,etc,usr/bin,usr/sbin,usr/lib,lib64,lib/modules}
  put 755 /bin/busybox /bin/busybox
  for applet in $(/bin/busybox --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
  done
}

put_modules() { # FOLDER with the modules and their order
  local module
  put 644 "$1/order" /lib/modules/order
  for module in "$1"/*.ko; do put 644 "$module" "/lib/modules/${module##*/}"; done
}

# The same tree gives the same bytes.
pack() { # OUTPUT
  find "$root" -exec touch -h -d @0 {} +
  (cd "$root" && find . -mindepth 1 -print0 | sort -z |
    cpio --quiet --null -o -H newc --reproducible -R 0:0) >"$1"
}
