#!/bin/sh
# First process of the machine that the overlay tier runs in: this machine's own root, read-only,
# with writable folders in memory; then the scripts of the shared folder, whose path outside is the
# only argument, by the numbers that come in.
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home TMPDIR=/run/tmp
stty -echo
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /run/home /run/tmp /run/lab /dev/pts
mount -t devpts pts /dev/pts
mount -t hostfs -o "$1" share /run/lab || echo "LAB-FAIL share"
while read -r module; do insmod "$module" || echo "LAB-FAIL module $module"; done </run/lab/modules
ip link set lo up
. "${0%/*}/serve.sh"
busybox poweroff -f
