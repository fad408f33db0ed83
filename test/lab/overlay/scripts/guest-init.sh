#!/bin/busybox sh
# First process of a lab's guest: NICs up with the addresses that the seed names, then a shell on
# the serial console, over which the lab asks what the guest sees.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin HOME=/
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod "$module" || echo "LAB-FAIL module $module"; done
# Each NIC answers for its own address only, as the layout's settings recommend.
echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce
ip link set lo up
# The seed is the last disk. Its files are texts, one value a line: NICs get their names in it.
seed=$(ls /dev/vd? | tail -n 1)
tr -d '\000' <"$seed" | sed -n '
  s/^ *"\(cluster[0-9]*\|vpc[0-9]*\)": {$/name \1/p
  s/^ *"macaddress": "\(.*\)"$/mac \1/p
  s/^ *"\([0-9.]*\/[0-9]*\)"$/address \1/p
' | while read -r what value; do
  case $what in
    name) name=$value ;;
    mac)
      found=$(grep -l "$value" /sys/class/net/*/address)
      found=${found%/address}
      ip link set "${found##*/}" name "$name"
      ip link set "$name" up
      ;;
    address) ip addr add "$value" dev "$name" ;;
  esac
done
# The power button.
mkdir -p /etc/acpi/PWRF /var/log /var/run
printf '#!/bin/sh\npoweroff -f\n' >/etc/acpi/PWRF/00000080
chmod +x /etc/acpi/PWRF/00000080
acpid
# Commands are read as from a file, so that nothing but answers is said: no echo, no prompt.
stty -F /dev/ttyS0 -echo
while :; do
  while IFS= read -r line; do printf '%s\n' "$line"; done </dev/ttyS0 | sh >/dev/ttyS0 2>&1
done
