#!/bin/busybox sh
# The kernel's own requests for modules are answered from the new root.
exec /bin/busybox chroot /new /sbin/modprobe "$@"
