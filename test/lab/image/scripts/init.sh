#!/bin/busybox sh
# First process of an emulated hypervisor: the host's root (read-only, over 9p) below a layer in
# memory becomes the root; then the command that the kernel's command line names is run.
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t sysfs sys /sys
$B mount -t devtmpfs dev /dev
for module in /modules/*.ko; do $B insmod "$module" || echo "LAB-FAIL module $module"; done
$B mkdir -p /host /new /layer
$B mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=1048576,cache=loose hostroot /host ||
  echo "LAB-FAIL 9p"
$B mount -t tmpfs layer /layer
$B mkdir -p /layer/upper /layer/work
$B mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work root /new ||
  echo "LAB-FAIL overlay"
$B mount -t proc proc /new/proc
$B mount -t sysfs sys /new/sys
$B mount -t devtmpfs dev /new/dev
$B mkdir -p /new/dev/pts
$B mount -t devpts pts /new/dev/pts
$B mount -t tmpfs run /new/run
value() { $B sed -n "s/.*lab\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
modules=$(value modules)
$B mkdir -p /new/lib/modules
$B mount -o bind "/new$modules" /new/lib/modules
$B chroot /new /bin/busybox ip link set lo up
# A part of the host that changes meanwhile is handed in live, not through the cache.
$B mkdir -p /new/run/lab
$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=65536,cache=none labshare /new/run/lab ||
  echo "LAB-FAIL share"
echo "LAB-UP $($B cut -d' ' -f1 /proc/uptime)"
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
$B chroot /new /bin/sh "$(value run)"
echo "LAB-RC $?"
$B sync
$B poweroff -f
