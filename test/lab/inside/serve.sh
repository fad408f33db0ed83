#!/bin/sh
# The command of an emulated hypervisor: drivers, links up, LLDP; then it runs the scripts of the
# shared folder, one after the other, until the machine is switched off.
for module in virtio_net igb igbvf vfio-pci; do
  modprobe "$module" || echo "LAB-FAIL modprobe $module"
done
for path in /sys/class/net/*; do
  name=${path##*/}
  driver=$(readlink "$path/device/driver")
  case ${driver##*/} in
    virtio_net) ip addr add 10.0.2.15/24 dev "$name" ;;
    igb) ;;
    *) continue ;;
  esac
  ip link set "$name" up
done
mkdir -p /run/lldpd
chown _lldpd:_lldpd /run/lldpd
/usr/sbin/lldpd || echo "LAB-FAIL lldpd"
stty -echo
. "${0%/*}/../overlay/scripts/serve.sh"
